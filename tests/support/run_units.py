#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the unit tests of a Meson build directory, several at a time, and counts every single test.

Prints a line for each executable, everything that a failing one said, and last the sum: "N passed, N failed".
An executable that is missing, crashes or hangs without telling of a failure is one.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree


class Unit:
    def __init__(self, test, under):
        self.name = test["name"]
        self.command = [*under, *test["cmd"]]
        self.is_gtest = test["protocol"] == "gtest"
        self.timeout = test["timeout"]
        self.passed = self.failed = self.seconds = 0
        self.output = ""

    def run(self):
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            report = pathlib.Path(scratch) / "report.xml"
            options = [f"--gtest_output=xml:{report}", "--gtest_brief=1"] if self.is_gtest else []
            status = self.execute([*self.command, *options])
            if self.is_gtest and report.exists():
                root = xml.etree.ElementTree.parse(report).getroot()
                cases = root.findall(".//testcase")
                self.failed = sum(case.find("failure") is not None for case in cases)
                self.passed = len(cases) - self.failed
            elif status == 0 and not self.is_gtest:
                self.passed = 1
        if status != 0 and self.failed == 0:
            self.failed = 1
        if self.passed + self.failed == 0:
            self.failed, self.output = 1, self.output + "it ran no test"
        self.seconds = time.monotonic() - start
        return self

    def execute(self, command):
        try:
            result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, timeout=self.timeout)
            self.output = result.stdout.decode(errors="replace")
            if result.returncode < 0:
                self.output += f"ended by signal {-result.returncode}\n"
            return result.returncode
        except subprocess.TimeoutExpired as expired:
            said = (expired.stdout or b"").decode(errors="replace")
            self.output = f"{said}\nstopped after {self.timeout} seconds\n"
        except OSError as error:
            self.output = f"it cannot be run: {error}\n"
        return 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", help="a Meson build directory")
    parser.add_argument("unit", nargs="*", help="one to run, instead of all")
    parser.add_argument("--under", metavar="EMULATOR", help="what runs programs for another machine")
    arguments = parser.parse_args()
    listed = subprocess.run(["meson", "introspect", "--tests", arguments.build],
                            capture_output=True, text=True, check=True).stdout
    under = [arguments.under] if arguments.under else []
    units = [Unit(test, under) for test in json.loads(listed)]
    if arguments.unit:
        units = [unit for unit in units if unit.name in arguments.unit]
        if len(units) != len(arguments.unit):
            sys.exit(f"{arguments.build} has not all of the units {' '.join(arguments.unit)}")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for unit in pool.map(Unit.run, units):
            print(f"{unit.name:<20} {unit.passed:>4} passed, {unit.failed} failed, {unit.seconds:.1f} s")
    for unit in units:
        if unit.failed:
            print(f"\n--- {unit.name}\n{unit.output}")
    passed, failed = sum(unit.passed for unit in units), sum(unit.failed for unit in units)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
