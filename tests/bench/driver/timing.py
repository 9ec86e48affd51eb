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

    def __init__(self, workers, peer, workload, form):
        self.name = f"{peer} {workload} {form}"
        command = [str(workers.path(peer)), "time", workload, form]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def take(self):
        """Nanoseconds of a pair."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], ROUND_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise MeasurementFailed(f"{self.name}: no answer")
        nanoseconds, pairs = line.split()
        return int(nanoseconds) / int(pairs)

    def end(self):
        self.process.kill()
        self.process.wait()


def take_turns(workers, workload, form, peers, rounds):
    """For each peer the nanoseconds of a pair, round by round."""
    turns = {peer: Turns(workers, peer, workload, form) for peer in peers}
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


def measure_workload(workers, workload, form, peers, rounds):
    taken = {peer: [] for peer in ["null", *peers]}
    for start in range(0, rounds, ROUNDS_OF_A_PROCESS):
        part = take_turns(workers, workload, form, list(taken), min(ROUNDS_OF_A_PROCESS, rounds - start))
        for peer, nanoseconds in part.items():
            taken[peer] += nanoseconds
    driver = min(taken["null"])  # what disturbs a round only adds to it
    net = {peer: [max(own - driver, 0.01) for own in taken[peer]] for peer in peers}
    row = {
        peer: {
            "median": statistics.median(net[peer]),
            "minimum": min(net[peer]),
            "share": statistics.median(mine / own for mine, own in zip(net[REFERENCE], net[peer])),
            "rounds": [round(value, 3) for value in net[peer]],
        }
        for peer in peers
    }
    row["driver"] = driver
    return row


def measure(workers, workloads, form, peers, rounds):
    """For each workload and peer: nanoseconds of a pair without the driver, median and minimum; and
    `share`, the median of the time that slabheap took in a round as a share of the peer's. "driver" is what
    was subtracted."""
    results = {}
    for workload in workloads:
        print(f"time: {workload} {form}", file=sys.stderr)
        results[workload] = measure_workload(workers, workload, form, peers, rounds)
    return results
