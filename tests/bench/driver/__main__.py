# SPDX-License-Identifier: MIT
"""The bench's driver: reads the options, builds the workers, has each thing measured, and writes it down."""

import argparse
import datetime
import sys

import build
import callgrind
import defences
import footprint
import gate
import heap_calls
import readme
import report
import threads
import timing
from workers import (FINE, FORMS, PEERS, REFERENCE, RELAXED, THREAD_PEERS, THREAD_WORKLOADS, WORKLOADS,
                     MeasurementFailed, Workers)

SECTIONS = {
    "time": "time of a pair of alloc and free, each peer in turn, round by round",
    "threads": "the same of two threads: each on its own, one-way and both-way traffic of blocks",
    "instructions": "instructions and mispredicted branches of a pair (callgrind)",
    "worst": "the longest single call, in instructions (single-stepping)",
    "memory": "how much of a small region can be used before the first failure",
    "scale": "what init, alloc and free cost in heaps of 32 KiB to 64 GiB",
    "footprint": "the code and the stack that a kernel needs (x86_64)",
}
WORKLOADS_OF = {"time": WORKLOADS, "threads": THREAD_WORKLOADS, "instructions": WORKLOADS}
ALL_WORKLOADS = [*WORKLOADS, *THREAD_WORKLOADS]
ALL_PEERS = [*PEERS, *(peer for peer in THREAD_PEERS if peer not in PEERS)]

README = build.ROOT / "README.md"


def names(known):
    def parse(text):
        chosen = text.split(",")
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        return [name for name in known if name in chosen]
    return parse


def positive(text):
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"not a positive number: {text}")
    return int(text)


def parse_options():
    parser = argparse.ArgumentParser(
        prog="tests/bench/run", allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures slabheap beside other allocators: what the first options name, or all of it.",
        epilog="Exit status: 0 done; 1 a limit exceeded or a measurement failed; 2 wrong usage; 3 not built.")
    for name, text in SECTIONS.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, seeds and calls")
    parser.add_argument("--workload", type=names(ALL_WORKLOADS), default=ALL_WORKLOADS,
                        metavar="W1,W2,...",
                        help=f"of {', '.join(WORKLOADS)}; of threads {', '.join(THREAD_WORKLOADS)}")
    peers = [peer for peer in ALL_PEERS if peer != FINE]
    parser.add_argument("--peer", type=names(peers), default=peers, metavar="NAME,...",
                        help=f"of {', '.join(peers)}; {REFERENCE}, the reference, is always there")
    parser.add_argument("--size-classes", choices=["seed", "fine"], default="seed",
                        help=f"fine: beside the seven classes those of -Dsize_classes=fine, as peer {FINE}")
    parser.add_argument("--rounds", type=positive, help="rounds that are timed (default 31; with --quick 15)")
    parser.add_argument("--gate", action="store_true",
                        help="measure only what is deterministic, and compare it with limits.json")
    parser.add_argument("--defences", action="store_true",
                        help="measure only what each defence costs, an archive with it beside the usual one")
    parser.add_argument("--update-limits", action="store_true",
                        help="with --gate: write what was measured, and 5 %% more, into limits.json")
    parser.add_argument("--output", metavar="DIR",
                        help="where results.json, results.md and time.svg go (default: build-bench/results)")
    parser.add_argument("--update-readme", action="store_true",
                        help="then write what was measured into README.md, in place of all between its "
                             "comments 'bench: begin' and 'bench: end'")
    options = parser.parse_args()
    if options.update_limits and not options.gate:
        parser.error("--update-limits needs --gate")
    if options.gate and not set(sys.argv[1:]) <= {"--gate", "--update-limits"}:
        parser.error("--gate measures the same each time; it goes with --update-limits only")
    if options.defences and not set(sys.argv[1:]) <= {"--defences", "--quick", "--update-readme"}:
        parser.error("--defences goes with --quick and --update-readme only")
    asked_for = [name for name in SECTIONS if getattr(options, name)]
    idle = [name for name, known in WORKLOADS_OF.items() if not set(known) & set(options.workload)]
    for name in set(asked_for) & set(idle):
        parser.error(f"--{name} has none of the workloads {', '.join(options.workload)}")
    options.sections = [] if options.gate else asked_for or [name for name in SECTIONS if name not in idle]
    always = [REFERENCE] + ([FINE] if options.size_classes == "fine" else [])
    options.peer = [peer for peer in ALL_PEERS if peer in options.peer or peer in always]
    options.rounds = options.rounds or (15 if options.quick else 31)
    return options


def extra_archives(options):
    """See build.build."""
    wanted = {"fine": (FINE, options.size_classes == "fine"),
              "relaxed": (RELAXED, "threads" in options.sections)}
    return {name: peer for name, (peer, built) in wanted.items() if built and peer in options.peer}


def measure(options, workers):
    available = [peer for peer in options.peer if workers.has(peer)]
    chosen = {section: [workload for workload in known if workload in options.workload]
              for section, known in WORKLOADS_OF.items()}
    results = {
        "command": report.command(sys.argv[1:]),
        "date": datetime.date.today().isoformat(),
        "processor": workers.processor(),
        "compiler": workers.compiler(),
        "peers": [peer for peer in PEERS if peer in available],
        "thread_peers": [peer for peer in THREAD_PEERS if peer in available],
        "workloads": chosen["time"],
        "versions": workers.versions(available),
    }
    peers = results["peers"]
    if "time" in options.sections:
        results["time"] = {form: timing.measure(workers, chosen["time"], form, peers, options.rounds)
                           for form in FORMS}
    if "threads" in options.sections:
        results["threads"] = threads.measure(workers, chosen["threads"], results["thread_peers"],
                                             options.rounds)
    if "instructions" in options.sections:
        results["instructions"] = callgrind.measure(workers, chosen["instructions"], peers)
    if "worst" in options.sections:
        results["worst"] = heap_calls.worst(workers, peers, options.quick)
        results["holds"] = heap_calls.lock_holds(workers)
    if "memory" in options.sections:
        results["memory"] = heap_calls.memory(workers, peers, seeds=25 if options.quick else 101)
    if "scale" in options.sections:
        results["scale"] = heap_calls.scale(workers, peers)
        results["crowd"] = heap_calls.crowd(workers, peers, options.quick)
    if "footprint" in options.sections:
        results["footprint"] = footprint.measure()
    return results


def measure_defences(options):
    if options.update_readme:
        readme.check_place(README, readme.DEFENCES)
    rows = defences.ladder(defences.measure(options.rounds))
    print(rows)
    if options.update_readme:
        told = f"Measured on {datetime.date.today().isoformat()} by `{report.command(sys.argv[1:])}`."
        readme.write(README, readme.DEFENCES, f"{rows}\n\n{told}\n")
    return 0


def main():
    options = parse_options()
    try:
        if options.defences:
            return measure_defences(options)
        if options.update_readme:
            readme.check_place(README)  # now, not after an hour
        if "threads" in options.sections and threads.processors() < 2:
            print("tests/bench/run: --threads is left out: it needs two processors", file=sys.stderr)
            options.sections.remove("threads")
        workers = Workers(build.build(extra_archives(options)))
        if options.gate:
            return gate.run(workers, options.update_limits)
        results = report.write(measure(options, workers), options.output or build.BUILD / "results")
        if options.update_readme:
            readme.update(README, results)
        return 0
    except readme.NoPlace as error:
        print(f"tests/bench/run: {error}", file=sys.stderr)
        return 2
    except build.NotBuilt as error:
        print(f"tests/bench/run: {error}", file=sys.stderr)
        return 3
    except MeasurementFailed as error:
        print(f"tests/bench/run: {error}", file=sys.stderr)
        return 1


sys.exit(main())
