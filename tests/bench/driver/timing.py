# SPDX-License-Identifier: MIT
"""Time. A busy machine is not as fast now as it is in a second. So all peers run side by side, each in a
process of its own, and take turns round by round: A B C A B C ... Peers are compared within a round, never
between rounds, and of the rounds' ratios the median counts. What the driver itself takes is known from the
null peer's turn. Where a process happens to have its memory makes a difference, so after a few rounds new
ones take over."""

import select
import statistics
import subprocess
import sys

from workers import REFERENCE, MeasurementFailed

ROUND_SECONDS = 120
ROUNDS_OF_A_PROCESS = 4


class Turns:
    """A worker that runs a round each time it is asked to."""

    def __init__(self, workers, peer, arguments):
        self.name = " ".join([peer, *arguments])
        command = [str(workers.path(peer)), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def take(self):
        """The numbers that the worker answers."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], ROUND_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise MeasurementFailed(f"{self.name}: no answer")
        return [int(field) for field in line.split()]

    def end(self):
        self.process.kill()
        self.process.wait()


def take_some_turns(workers, arguments, peers, rounds):
    turns = {peer: Turns(workers, peer, arguments) for peer in peers}
    try:
        for turn in turns.values():
            turn.take()  # until then a worker prepares its trace
        taken = {peer: [] for peer in peers}
        for _ in range(rounds):
            for peer, turn in turns.items():
                taken[peer].append(turn.take())
        return taken
    finally:
        for turn in turns.values():
            turn.end()


def take_turns(workers, arguments, peers, rounds):
    """For each peer what its workers, run with these arguments, answer, round by round."""
    taken = {peer: [] for peer in peers}
    for start in range(0, rounds, ROUNDS_OF_A_PROCESS):
        part = take_some_turns(workers, arguments, peers, min(ROUNDS_OF_A_PROCESS, rounds - start))
        for peer, answers in part.items():
            taken[peer] += answers
    return taken


def net_times(taken, null):
    """taken: for each peer its nanoseconds of a pair, round by round. Returns for each peer but the null peer
    what they are without the driver, and what that is."""
    driver = min(taken[null])  # what disturbs a round only adds to it
    return {peer: [max(own - driver, 0.01) for own in times]
            for peer, times in taken.items() if peer != null}, driver


def summary(net, peer):
    own = net[peer]
    return {
        "median": statistics.median(own),
        "minimum": min(own),
        "share": statistics.median(mine / other for mine, other in zip(net[REFERENCE], own)),
        "rounds": [round(value, 3) for value in own],
    }


def measure_workload(workers, workload, form, peers, rounds):
    answers = take_turns(workers, ["time", workload, form], ["null", *peers], rounds)
    taken = {peer: [nanoseconds / pairs for nanoseconds, pairs in own] for peer, own in answers.items()}
    net, driver = net_times(taken, "null")
    return {**{peer: summary(net, peer) for peer in peers}, "driver": driver}


def measure(workers, workloads, form, peers, rounds):
    """For each workload and peer: nanoseconds of a pair without the driver, median and minimum; and
    `share`, the median of the time that slabheap took in a round as a share of the peer's. "driver" is what
    was subtracted."""
    results = {}
    for workload in workloads:
        print(f"time: {workload} {form}", file=sys.stderr)
        results[workload] = measure_workload(workers, workload, form, peers, rounds)
    return results
