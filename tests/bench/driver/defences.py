# SPDX-License-Identifier: MIT
"""What each defence costs: an archive built with it alone, and one with each set that -Dhardening names,
beside the usual archive. Instructions and code are counted; time is a ratio within a round; the page map
and what fits into a heap are shares of it. Of class Heap, blocks freed by address."""

import statistics
import sys

import build
import callgrind
import footprint
import heap_calls
import timing
from report import table
from workers import MIB, Workers

USUAL = "heap"
OPTIONS = {
    "hardening=none": ["-Dhardening=none"],
    "hardening=checks": [],
    "zero-alloc": ["-Ddefences=zero-alloc"],
    "zero-free": ["-Ddefences=zero-free"],
    "poison": ["-Ddefences=poison"],
    "canary": ["-Ddefences=canary"],
    "quarantine=16": ["-Dquarantine=16"],
    "random": ["-Ddefences=random"],
    "tracking": ["-Ddefences=tracking"],
    "guard": ["-Ddefences=guard"],
    "hardening=full": ["-Dhardening=full"],
}
WORKLOADS = ["W1", "W3", "W6"]
HEAP = 8 * MIB


def archive_name(defence):
    return "with-" + defence.replace("=", "-")


def peer(defence):
    return USUAL if not OPTIONS[defence] else f"heap-{archive_name(defence)}"


def build_all():
    for defence, options in OPTIONS.items():
        build.ARCHIVES[archive_name(defence)] = options
        build.ARCHIVES[archive_name(defence) + "-kernel"] = [*build.ARCHIVES["kernel"], *options]
    chosen = [defence for defence, options in OPTIONS.items() if options]
    for defence in OPTIONS:
        build.build_archive(archive_name(defence) + "-kernel")
    return Workers(build.build(also=[archive_name(defence) for defence in chosen]))


def times(workers, peers, rounds):
    """{workload: {peer: its time as a multiple of the usual archive's}}"""
    found = {}
    for workload in WORKLOADS:
        print(f"time: {workload}", file=sys.stderr)
        answers = timing.take_turns(workers, ["time", workload, "free"], ["null", *peers], rounds)
        taken = {name: [nanoseconds / pairs for nanoseconds, pairs in own] for name, own in answers.items()}
        net, _ = timing.net_times(taken, "null")
        found[workload] = {name: statistics.median(own / usual for own, usual in zip(net[name], net[USUAL]))
                           for name in peers}
    return found


def measure(rounds):
    workers = build_all()
    peers = [peer(defence) for defence in OPTIONS]
    counted = callgrind.measure(workers, WORKLOADS, peers)["free"]
    timed = times(workers, peers, rounds)
    heap_calls.REGION_PEERS = peers
    shares = heap_calls.memory(workers, peers, seeds=25)
    maps = heap_calls.scale(workers, peers, [64 * MIB])
    rows = {}
    for defence in OPTIONS:
        name = peer(defence)
        rows[defence] = {
            "instructions": [counted[workload][name]["instructions"] for workload in WORKLOADS],
            "time": [timed[workload][name] for workload in WORKLOADS],
            "page map": maps[name][64 * MIB]["metadata_bytes"] / (64 * MIB),
            "filled": shares[name][HEAP]["filled"],
            "code": footprint.basic_code(build.BUILD / (archive_name(defence) + "-kernel")),
        }
    return rows


def ladder(rows):
    """The table of README.md."""
    head = ["built with", *[f"{workload}: instructions (time)" for workload in WORKLOADS], "page map",
            "8 MiB filled", "code, bytes"]
    cells = []
    for defence, row in rows.items():
        calls = [f"{count:.0f} ({time:.2f})" for count, time in zip(row["instructions"], row["time"])]
        cells.append([f"`{defence}`", *calls, f"{100 * row['page map']:.1f} %", f"{row['filled']:.2f}",
                      f"{row['code']:,}"])
    return table(head, cells)
