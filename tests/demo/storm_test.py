#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""The heap under a storm, on one CPU and on several: in threads, interrupt handlers and NMIs, and where there
is no memory left. The log's table says what the record does. What goes wrong on one CPU is reported as if it
were alone: a panic, an exception, a hang, a CPU that never starts."""

import re
import time

import crash_test
import demo
import json_test

LONGEST = 55  # seconds, of a storm of many CPUs on a busy host; kernel-demo/run would end it soon
ENTRY = ["cpu_started", "start_cpu_64"]  # who calls whom where a CPU starts that is not the first


def check_of(found, name):
    return next(it for it in found if it["event"] == "check" and it["name"] == name)


def started(found):
    return check_of(found, "started")


def failed(found):
    return [(it["name"], it["broken"]) for it in found if it["event"] == "check" and not it["passed"]]


def boot(arch, what, *options):
    """kernel-demo/run, with its record compared with its log. Returns its exit status and the record."""
    start = time.monotonic()
    ran = demo.run("--arch", arch, "--json", *options)
    demo.result(f"{arch}: {what}: ends in time", time.monotonic() - start < LONGEST, ran.stderr)
    return ran, json_test.compare(arch, what, ran.stdout, demo.log(arch))


def test_storm(arch, cpus):
    name = f"{cpus} CPUs"
    ran, found = boot(arch, name, "--storm", "--smp", str(cpus))
    demo.equal(f"{arch}: {name}: the kernel passes", ran.returncode, 0)
    demo.result(f"{arch}: {name}: all of them run", started(found)["detail"].startswith(f"{cpus} running: "),
                started(found))
    rows = [it for it in found if it["event"] == "storm"]
    demo.equal(f"{arch}: {name}: each has its row", [row["cpu"] for row in rows], list(range(cpus)))
    numbers = ["operations", "in_interrupts", "in_nmis", "interrupts", "nmis", "tries"]
    numbers += ["frees_for_others"] * (cpus > 1)
    idle = [row for row in rows if not all(row[number] > 0 for number in numbers)]
    demo.equal(f"{arch}: {name}: each has its share of everything", idle, [])
    demo.result(f"{arch}: {name}: operations in interrupts and NMIs are a part of all",
                all(row["in_interrupts"] + row["in_nmis"] < row["operations"] for row in rows), rows)
    books = check_of(found, "heap after the storm")["detail"]
    blocks = int(demo.called(r"^(\d+) out, \1 back;", books))
    demo.equal(f"{arch}: {name}: the operations are the blocks that went out, and came back",
               sum(row["operations"] for row in rows), 2 * blocks)
    requests = check_of(found, "requests")["detail"]
    refused, shortages = re.match(r"(\d+) refused: in (\d+) shortages", requests).groups()
    demo.result(f"{arch}: {name}: memory ran out", int(shortages) >= 2, shortages)
    demo.equal(f"{arch}: {name}: the refusals are those of the CPUs", sum(row["refusals"] for row in rows),
               int(refused))
    if cpus > 1:
        detail = check_of(found, "racing frees")["detail"]
        races = demo.called(rf"^(\d+) blocks, each freed by {cpus} CPUs", detail)
        demo.result(f"{arch}: {name}: they raced", int(races) > 0, races)


def test_other_boots(arch):
    ran, found = boot(arch, "the demonstration on 4 CPUs", "--smp", "4")
    demo.equal(f"{arch}: the demonstration passes on 4 CPUs",
               (ran.returncode, started(found)["detail"][:9]), (0, "4 running"))

    ran, found = boot(arch, "an absent CPU", "--storm", "--smp", "2", "--append", "cpu=absent")
    silent = [it["apic"] for it in found if it["event"] == "silent_cpu"]
    rows = [it["cpu"] for it in found if it["event"] == "storm"]
    demo.equal(f"{arch}: a CPU that does not start is reported, and the others do without it",
               (ran.returncode, silent, [name for name, _ in failed(found)], rows),
               (1, [254], ["started"], [0, 1]))

    # The storm itself ends well.
    ran, found = boot(arch, "no barrier", "--storm", "--append", "barrier=none")
    demo.equal(f"{arch}: without a barrier, what other CPUs have put aside is out of reach",
               (ran.returncode, failed(found)),
               (1, [("exhaustion", "the blocks are all that was available")]))


def test_machines(arch):
    """Machines that do not tell of their CPUs, or cannot start any."""
    for what, options, why in (
            ("without ACPI", ["-no-acpi", "-smp", "2"], "ACPI has no list of them"),
            ("without APIC", ["-cpu", "qemu64,-apic"], "there is no local APIC to start others with")):
        with demo.Machine(arch, "storm", options=options) as machine:
            verdict = machine.end()
            found = machine.records()
        demo.equal(f"{arch}: a machine {what} is used with one CPU",
                   started(found)["detail"], f"1 running: {why}")
        expected = (0x10, []) if what == "without ACPI" else (0x11, ["the CPUs have timers"])
        demo.equal(f"{arch}: a machine {what} does what it can",
                   (verdict, [broken for _, broken in failed(found)]), expected)


def test_ends(arch, symbols):
    """One of 4 CPUs ends the boot, in the midst of the storm: only its report is in the log."""
    for kind, event, way in (
            ("panic", "panic", ["panic", "demo::panic_in_storm"]),
            ("stack", "exception", ["demo::recurse", "demo::recurse", "demo::recurse", "demo::overflow_stack",
                                    "demo::overflow_stack_in_storm"]),
            ("misuse", "panic", ["panic", "demo::panic_on_misuse"])):
        ran, found = boot(arch, f"storm={kind}", "--storm", "--append", f"storm={kind}")
        demo.equal(f"{arch}: storm={kind}: the boot's end", ran.returncode, 4)
        last = found[-1]
        demo.equal(f"{arch}: storm={kind}: told by the last CPU, and by no other",
                   ([it["event"] for it in found if it["event"] in ("panic", "exception")], last["cpu"]),
                   ([event], 3))
        found_way = symbols.way(last["backtrace"], event == "exception")
        demo.equal(f"{arch}: storm={kind}: the backtrace leads there from where the CPU started",
                   (found_way[:len(way)], found_way[-3:]), (way, ["demo::work"] + ENTRY))
        if kind == "stack":
            demo.result(f"{arch}: storm={kind}: its own stack has a guard page",
                        last["meaning"].endswith(crash_test.IN_GUARD_PAGE), last["meaning"])


def functions(symbols, report):
    """By CPU, the functions that each is in; the one that reports is called by calls only."""
    places = {other["cpu"]: symbols.way(other["backtrace"]) for other in report["others"]}
    own = report.get("says", report["cpu"])
    return {**places, own: symbols.way(report["backtrace"], report["event"] == "exception")}


def test_hangs(arch, symbols):
    for kind, function in (("hang", "demo::hang_in_storm"), ("call", "demo::hang_in_call")):
        ran, found = boot(arch, f"storm={kind}", "--storm", "--append", f"storm={kind}")
        last = found[-1]
        demo.equal(f"{arch}: storm={kind}: the watchdog notices which CPU hangs",
                   (ran.returncode, last["event"], last.get("cpu")), (5, "hang", 3))
        places = functions(symbols, last)
        demo.equal(f"{arch}: storm={kind}: says where every CPU is", sorted(places), [0, 1, 2, 3])
        demo.result(f"{arch}: storm={kind}: and where that one hangs", function in places[3], places)
        demo.result(f"{arch}: storm={kind}: by name, too", f"  {function}(" in ran.stderr.replace("?", " "),
                    ran.stderr)

    # Nobody is left to notice: so kernel-demo/run asks.
    ran, found = boot(arch, "a hang with interrupts off", "--storm", "--smp", "1", "--append", "storm=call",
                      "--timeout", "5")
    demo.equal(f"{arch}: a lonely CPU that hangs is stopped, and asked", (ran.returncode, found[-1]["name"]),
               (5, "non-maskable interrupt"))
    demo.result(f"{arch}: and says where it hangs", "demo::hang_in_call" in functions(symbols, found[-1])[0],
                found[-1])
    ran, found = boot(arch, "a hang while others sleep", "--smp", "3", "--append", "hang", "--timeout", "3")
    places = functions(symbols, found[-1])
    demo.equal(f"{arch}: of several CPUs, each says where it is",
               (sorted(places), ["demo::hang" in way for _, way in sorted(places.items())]),
               ([0, 1, 2], [True, False, False]))


def test(arch):
    demo.build(arch)
    if arch == "i386":
        return test_storm(arch, 1)
    symbols = crash_test.Symbols(arch)
    for cpus in (1, 2, 4, 8, 64):
        test_storm(arch, cpus)
    test_other_boots(arch)
    test_machines(arch)
    test_ends(arch, symbols)
    test_hangs(arch, symbols)


if __name__ == "__main__":
    demo.main(test, __doc__)
