# SPDX-License-Identifier: MIT
"""The gate: what is deterministic, compared with limits.json. It holds for Heap with one region. No time is
in it."""

import concurrent.futures
import json
import math

import callgrind
import footprint
import heap_calls
from build import BENCH
from workers import GIB, KIB, MIB, WORKLOADS, bytes_text

LIMITS = BENCH / "limits.json"
PEER = "heap"
SEEDS = 31
MARGIN = 0.05
SCALE_HEAPS = (32 * KIB, MIB, 64 * MIB, 64 * GIB)


def name(*parts):
    return "/".join(part.replace(" ", "") for part in parts)


def instructions(workers):
    for form, of_form in callgrind.measure(workers, WORKLOADS, [PEER]).items():
        for workload, row in of_form.items():
            yield name("instructions", workload, form), round(row[PEER]["instructions"], 1)
            yield name("mispredicted", workload, form), round(row[PEER]["mispredicted"], 3)


def worst(workers, heap_bytes):
    how = heap_calls.effort(heap_bytes, quick=True)
    rows = heap_calls.worst_rows(PEER, "free", heap_calls.worst_of(workers, PEER, "free", heap_bytes, how))
    for (_, _, kind, call), row in sorted(heap_calls.longest(rows).items()):
        yield name("worst", kind, bytes_text(heap_bytes), call), row["instructions"]


def lock_holds(workers):
    rows = heap_calls.lock_holds(workers)
    for heap_bytes in heap_calls.CLOSE_HEAPS:
        yield name("lock held", bytes_text(heap_bytes)), heap_calls.longest_hold(rows, heap_bytes)


def scale(workers):
    for heap_bytes, values in heap_calls.scale(workers, [PEER], SCALE_HEAPS)[PEER].items():
        size = bytes_text(heap_bytes)
        yield name("init", size, "instructions"), values["init"]
        yield name("init", size, "pages"), values["touched_pages"]
        yield name("metadata", size, "percent"), round(100 * values["metadata_bytes"] / heap_bytes, 2)


def memory(workers):
    for region, shares in heap_calls.memory(workers, [PEER], SEEDS)[PEER].items():
        for what in ("filled", "refilled"):
            yield name(what, bytes_text(region)), round(shares[what], 3)


def code_and_stack(_workers):
    for calls, found in footprint.measure().items():
        yield name("code", calls, "bytes"), found["image"]
        yield name("stack", calls, "bytes"), found["stack"]


def measure(workers):
    """What is to be at most, and at least, as its limit. None of it depends on what else runs: two run at a
    time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        def start(part, *arguments):
            return pool.submit(lambda: dict(part(workers, *arguments)))

        most = [start(worst, heap_bytes) for heap_bytes in reversed(heap_calls.CLOSE_HEAPS)]
        most += [start(instructions), start(lock_holds), start(scale), start(code_and_stack)]
        least = start(memory)
        return {key: value for part in most for key, value in part.result().items()}, least.result()


def verdicts(measured, limits, sign, holds):
    for key in sorted(measured.keys() | limits.keys()):
        if key not in measured:
            yield False, f"{key} was not measured"
        elif key not in limits:
            yield False, f"{key} {measured[key]} has no limit"
        else:
            yield holds(measured[key], limits[key]), f"{key} {measured[key]} {sign} {limits[key]}"


def with_margin(measured, share):
    """Limits. Averages and shares get a little more than their share: some are nearly nothing."""
    def limit(value):
        if isinstance(value, int):
            return round(value * (1 + share))
        return round(value * (1 + share) + math.copysign(0.005, share), 2 if value < 10 else 1)
    return {key: limit(value) for key, value in sorted(measured.items())}


def run(workers, update_limits):
    most, least = measure(workers)
    if update_limits:
        limits = {"at_most": with_margin(most, MARGIN), "at_least": with_margin(least, -MARGIN)}
        LIMITS.write_text(json.dumps(limits, indent=2) + "\n")
    limits = json.loads(LIMITS.read_text())
    lines = [*verdicts(most, limits["at_most"], "<=", lambda value, limit: value <= limit),
             *verdicts(least, limits["at_least"], ">=", lambda value, limit: value >= limit)]
    for good, line in lines:
        print("ok" if good else "not ok", line)
    failed = sum(not good for good, _ in lines)
    print(f"{len(lines) - failed} passed, {failed} failed")
    return 1 if failed else 0
