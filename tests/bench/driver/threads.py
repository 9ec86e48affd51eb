# SPDX-License-Identifier: MIT
"""Two threads: timed as one is (timing.py), round by round in turn, but on the wall's clock. Where each has
work of its own, a round is done three times, by both at the same time and by each alone; what both get done
in the time that one alone takes for its own work says how far the peer keeps them out of each other's way."""

import os
import statistics
import sys

import timing
from workers import PRIVATE_WORKLOADS

NULL = "null-shared"


def processors():
    return len(os.sched_getaffinity(0))


def scaling(alone, together):
    """Of two threads that need `together` for a pair each, where one alone needs `alone`."""
    return 2 * alone / together


def scaling_summary(alone, together):
    return {
        "alone": {"median": statistics.median(alone), "minimum": min(alone)},
        "scaling": {"median": statistics.median(map(scaling, alone, together)),
                    "minima": scaling(min(alone), min(together))},
    }


def measure_workload(workers, workload, peers, rounds):
    answers = timing.take_turns(workers, ["threads", workload], [NULL, *peers], rounds)
    taken = {peer: [both / pairs for pairs, both, *_ in own] for peer, own in answers.items()}
    net, driver = timing.net_times(taken, NULL)
    row = {**{peer: timing.summary(net, peer) for peer in peers}, "driver": driver}
    if workload in PRIVATE_WORKLOADS:
        taken_alone = {peer: [(first + second) / 2 / pairs for pairs, _, first, second in own]
                       for peer, own in answers.items()}
        net_alone, _ = timing.net_times(taken_alone, NULL)
        for peer in peers:
            row[peer] |= scaling_summary(net_alone[peer], net[peer])
        row["nothing"] = scaling_summary(taken_alone[NULL], taken[NULL])
    return row


def measure(workers, workloads, peers, rounds):
    """For each workload and peer what timing.measure tells of one thread; of private work also the time that
    a pair takes when only one thread works, `alone`, and `scaling`: of the rounds' the median, and that of
    the shortest times. "nothing" is what the driver's own work scales by: the most that can be expected."""
    results = {}
    for workload in workloads:
        print(f"threads: {workload}", file=sys.stderr)
        results[workload] = measure_workload(workers, workload, peers, rounds)
    return results
