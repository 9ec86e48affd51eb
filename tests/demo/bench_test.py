#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""The bench in the kernel: every row is there, its figures are plausible, the tables say what the record
does, and a second run the same as the first. A machine that does not count instructions is refused."""

import re

import demo
import json_test

FORMS = ["free", "free_sized"]
USES = ["one_cpu", "one_works", "all_work", "pass_on"]  # of the heap that CPUs share
# What a pair may take in the mean, and a single call. Wide: the close limits are those of tests/bench.
BOUNDS = {"W1": (10, 400), "W2": (20, 600), "W2r": (20, 600), "W3": (10, 600), "W4": (20, 900),
          "W5": (50, 4000), "W6": (10, 600)}
LONGEST = 10000
MOST_FOR_SHARING = 2  # a pair on several CPUs, at most, as a multiple of what it is on one


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


def mean(counts):
    """A pair's instructions, in thousandths."""
    calls = [counts["allocations"], counts["frees"]]
    return sum(it["instructions"] * 1000 // it["calls"] for it in calls)


def shown(counts):
    return f"{mean(counts) // 1000}.{mean(counts) % 1000 // 100}"


def check_table(arch, rows, log):
    """What json_test.Log cannot tell: sums and maxima."""
    table = [re.fullmatch(r"  (W\w+) +\S.*? +([\d.]+) +([\d.]+) +(\d+) +\d+ +\d+", line) for line in log]
    found = [line.groups() for line in table if line]
    expected = [(plain["workload"], shown(plain), shown(sized),
                 str(max(plain["allocations"]["longest"], sized["allocations"]["longest"])))
                for plain, sized in zip(rows[::2], rows[1::2])]
    demo.equal(f"{arch}: the table has the means and the longest allocations of the record", found, expected)
    longest = max(log, key=len)
    demo.result(f"{arch}: the log fits an 80-column screen", len(longest) < demo.COLUMNS, longest)


def check_shared(arch, rows, log):
    """The heap that CPUs share: on one CPU, and on several."""
    cpus = 4 if arch == "x86_64" else 1
    uses = USES if cpus > 1 else USES[:1]
    demo.equal(f"{arch}: each workload is there on {cpus} CPUs",
               [(row["workload"], row["cpus"]) for row in rows], [(workload, cpus) for workload in BOUNDS])
    for row in rows:
        least, most = BOUNDS[row["workload"]]
        counts = [row[use] for use in uses]
        means = [mean(it) // 1000 for it in counts]
        demo.result(f"{arch}: {row['workload']}, shared: the means are plausible",
                    all(least <= it <= most for it in means), row)
        demo.result(f"{arch}: {row['workload']}, shared: several CPUs cost little more",
                    max(means) <= MOST_FOR_SHARING * means[0], row)
        calls = [it[kind]["calls"] for it in counts for kind in ("allocations", "frees")]
        demo.result(f"{arch}: {row['workload']}, shared: next to no call is left out",
                    all(it % 1000 == 0 or it % 1000 > 990 for it in calls), calls)
        alone = [it[kind]["calls"] for it in counts[:2] for kind in ("allocations", "frees")]
        demo.equal(f"{arch}: {row['workload']}, shared: none of a CPU that is alone", set(alone), {200000})
    table = [re.fullmatch(r"  (W\w+) +\S.*?((?: +\d+\.\d){%d})" % len(uses), line) for line in log]
    found = [(line.group(1), *line.group(2).split()) for line in table if line]
    demo.equal(f"{arch}: the table has the means of the record", found,
               [(row["workload"], *(shown(row[use]) for use in uses)) for row in rows])


def without_several(line):
    """A line of a table without what several CPUs take: now and then QEMU ends a CPU's turn before its time,
    when the machine is busy, and then a call goes another way."""
    return re.sub(r"^(  W\w+ +\S.*? +\d+\.\d)(?: +\d+\.\d){3}$", r"\1", line)


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
    check_shared(arch, [it for it in found if it["event"] == "bench_cpus"], log)

    again = demo.run("--arch", arch, "--bench").stdout.splitlines()
    demo.equal(f"{arch}: a second run says the same, to the last digit",
               [without_several(line) for line in again], [without_several(line) for line in log])

    refused(arch, "a machine that does not count instructions", "instruction counter",
            "needs QEMU's -icount shift=0", "--append", "bench")
    refused(arch, "a machine with too little memory", "heap of the bench", "the kernel's has memory for it",
            "--bench", "--memory", "16M")


if __name__ == "__main__":
    demo.main(test, __doc__)
