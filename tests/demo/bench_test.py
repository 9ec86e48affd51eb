#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""The bench in the kernel: every row is there, its figures are plausible, the table says what the record
does, and a second run the same as the first. A machine that does not count instructions is refused."""

import re

import demo
import json_test

FORMS = ["free", "free_sized"]
# What a pair may take in the mean, and a single call. Wide: the close limits are those of tests/bench.
BOUNDS = {"W1": (10, 400), "W2": (20, 600), "W2r": (20, 600), "W3": (10, 600), "W4": (20, 900),
          "W5": (50, 4000), "W6": (10, 600)}
LONGEST = 10000


def instructions(row):
    return row["allocations"]["instructions"] + row["frees"]["instructions"]


def check_figures(arch, rows):
    names = [(row["workload"], row["form"]) for row in rows]
    demo.equal(f"{arch}: each workload is there, with both forms of free", names,
               [(workload, form) for workload in BOUNDS for form in FORMS])
    for row in rows:
        name, pairs = f"{arch}: {row['workload']}, {row['form']}", row["pairs"]
        least, most = BOUNDS[row["workload"]]
        demo.result(f"{name}: the mean is plausible",
                    0 < least * pairs <= instructions(row) <= most * pairs, row)
        demo.result(f"{name}: the longest calls are no shorter than the mean, and plausible",
                    all(calls["instructions"] <= calls["longest"] * pairs <= LONGEST * pairs
                        for calls in (row["allocations"], row["frees"])), row)


def tenths(row):
    tenth = instructions(row) * 10 // row["pairs"]
    return f"{tenth // 10}.{tenth % 10}"


def check_table(arch, rows, log):
    """What json_test.Log cannot tell: sums and maxima."""
    table = [re.fullmatch(r"  (W\w+) +\S.*? +([\d.]+) +([\d.]+) +(\d+) +\d+ +\d+", line) for line in log]
    found = [line.groups() for line in table if line]
    expected = [(plain["workload"], tenths(plain), tenths(sized),
                 str(max(plain["allocations"]["longest"], sized["allocations"]["longest"])))
                for plain, sized in zip(rows[::2], rows[1::2])]
    demo.equal(f"{arch}: the table has the means and the longest allocations of the record", found, expected)
    longest = max(log, key=len)
    demo.result(f"{arch}: the log fits an 80-column screen", len(longest) < demo.COLUMNS, longest)


def refused(arch, what, check, why, *options):
    ran = demo.run("--arch", arch, *options)
    says_why = re.search(rf"^  \[FAIL\] {check} \.+ broken: {why}$", ran.stdout, re.M)
    demo.result(f"{arch}: {what} fails, and says why", ran.returncode == 1 and says_why,
                f"status {ran.returncode}\n{ran.stdout}")


def test(arch):
    ran = demo.run("--arch", arch, "--bench", "--json")
    demo.equal(f"{arch}: --bench ends with the kernel's verdict", ran.returncode, 0)
    log = demo.log(arch)
    found = json_test.compare(arch, "bench", ran.stdout, log)
    rows = [it for it in found if it["event"] == "bench"]
    check_figures(arch, rows)
    check_table(arch, rows, log)

    again = demo.run("--arch", arch, "--bench")
    demo.equal(f"{arch}: a second run says the same, to the last digit", again.stdout.splitlines(), log)

    refused(arch, "a machine that does not count instructions", "instruction counter",
            "needs QEMU's -icount shift=0", "--append", "bench")
    refused(arch, "a machine with too little memory", "heap of the bench", "the kernel's has memory for it",
            "--bench", "--memory", "16M")


if __name__ == "__main__":
    demo.main(test, __doc__)
