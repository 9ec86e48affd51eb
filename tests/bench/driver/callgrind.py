# SPDX-License-Identifier: MIT
"""Instructions and mispredicted branches of a pair, as callgrind counts and simulates them: the same on
every machine with the same compiler and libraries. The count of a peer is what a round executed, less what
the driver does in it: that is a round of the null peer without the functions of the null peer."""

import pathlib
import sys
import tempfile

from workers import FORMS, MeasurementFailed

VALGRIND = ["valgrind", "--quiet", "--tool=callgrind", "--branch-sim=yes", "--collect-atstart=no",
            "--compress-strings=no", "--compress-pos=no"]
TOP = 12


class Dump:
    """One of callgrind's files: its name, the sum of each event, and each function's own instructions."""

    def __init__(self, path):
        self.name = None
        self.sums = {}
        self.functions = {}
        function, skip = "", False
        for line in path.read_text().splitlines():
            if line.startswith("desc: Trigger: Client Request: "):
                self.name = line.split(": ")[3]
            elif line.startswith("events: "):
                events = line.split()[1:]
            elif line.startswith("fn="):
                function = line[3:]
            elif line.startswith("calls="):
                skip = True  # the next line is what the called function took
            elif line[:1].isdigit():
                own = [int(field) for field in line.split()[1:]]
                if not skip:
                    self.functions[function] = self.functions.get(function, 0) + own[0]
                    for event, count in zip(events, own):
                        self.sums[event] = self.sums.get(event, 0) + count
                skip = False

    def mispredicted(self):
        return self.sums.get("Bcm", 0) + self.sums.get("Bim", 0)

    def driver_instructions(self):
        """Of a null peer's round."""
        return sum(count for name, count in self.functions.items() if "null_" not in name)


def count(workers, peer, workloads):
    """{"W1 free": (dump, pairs), ...}"""
    with tempfile.TemporaryDirectory() as directory:
        out = f"--callgrind-out-file={directory}/dump.%p"
        lines = workers.run(peer, "count", *workloads, prefix=[*VALGRIND, out])
        dumps = {dump.name: dump for dump in map(Dump, pathlib.Path(directory).iterdir())}
    pairs = {" ".join(line.split()[:2]): int(line.split()[2]) for line in lines}
    if not pairs.keys() <= dumps.keys():
        raise MeasurementFailed(f"callgrind did not count {peer}")
    return {name: (dumps[name], number) for name, number in pairs.items()}


def measure(workers, workloads, peers):
    """{"free": {"W1": {"heap": {"instructions", "mispredicted", "functions"}, ...}, ...}, ...}"""
    results = {form: {workload: {} for workload in workloads} for form in FORMS}
    print("instructions: null", file=sys.stderr)
    null = count(workers, "null", workloads)
    for peer in peers:
        print(f"instructions: {peer}", file=sys.stderr)
        for name, (dump, pairs) in count(workers, peer, workloads).items():
            workload, form = name.split()
            driver = null[name][0]
            own = [(function, instructions / pairs) for function, instructions in dump.functions.items()
                   if "slabheap::bench::Round<" not in function]
            results[form][workload][peer] = {
                "instructions": (dump.sums["Ir"] - driver.driver_instructions()) / pairs,
                "mispredicted": max(dump.mispredicted() - driver.mispredicted(), 0) / pairs,
                "functions": sorted(own, key=lambda item: -item[1])[:TOP],
            }
    return results
