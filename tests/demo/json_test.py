#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""The record for programs says what the log says to people: both of one boot, fact by fact, in order.

Every line of the log is read as a record or a part of one. What is left over on one side is a difference."""

import re

import demo

UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
FIGURES = {"total": "total_bytes", "used": "used_bytes", "available": "available_bytes",
           "largest free block": "largest_free_bytes", "page maps, not in it": "metadata_bytes"}
LEGENDS = ("  . free   # page map", "  l larger   a capital", "  a pair is ", "  a call counts ",
           "  of several CPUs ", "  pass blocks on")


def number(text):
    return text if text.startswith("0x") else int(text)


class Log:
    """The log, read from top to bottom into what the record should be."""

    def __init__(self, lines):
        self.lines = list(lines)
        self.found = []
        while self.lines:
            line = self.lines.pop(0)
            if line and not line.startswith(LEGENDS):
                self.read(line)

    def add(self, event, **members):
        self.found.append({"event": event, **members})

    def read(self, line):
        for pattern, read in self.FORMS:
            found = re.fullmatch(pattern, line)
            if found:
                return read(self, *found.groups())
        raise ValueError(f"the log has a line of an unknown form: {line!r}")

    def rows(self, pattern):
        """The lines that follow and have this form: their groups."""
        found = []
        while self.lines and re.fullmatch(pattern, self.lines[0]):
            found.append(re.fullmatch(pattern, self.lines.pop(0)).groups())
        return found

    def boot(self, version, machine):
        self.add("boot", version=version, machine=machine)

    def call(self, function, arguments, result, note):
        members = {"result": number(result)} if result else {}
        arguments = [number(it) for it in arguments.split(", ")]
        self.add("call", function=function, arguments=arguments, **members, note=note)

    def range(self, start, last, use):
        members = {"start": f"{int(start, 16):#x}", "last": f"{int(last, 16):#x}"}
        region = re.fullmatch(r"usable: heap region (\d+)", use)
        if region:
            self.add("range", **members, use="usable", region=int(region.group(1)))
        else:
            self.add("range", **members, use=use)

    def figures(self, regions):
        rows = self.rows(r"  (\w.*?) +[\d.]+ \w+ +(\d+) bytes")
        self.add("figures", regions=int(regions), heap={FIGURES[name]: int(value) for name, value in rows})

    def classes(self):
        rows = self.rows(r" +(\d+) bytes +(\d+) +(\d+) +(\d+) +\d+%")
        names = ("size", "live", "capacity", "pages")
        self.add("classes", heap={"classes": [dict(zip(names, map(int, row))) for row in rows]})

    def bench(self, pairs):
        self.lines.pop(0)  # what the columns are
        rows = self.rows(r"  (W\w+) +\S.*? +[\d.]+ +[\d.]+ +\d+ +(\d+) +(\d+)")
        for workload, *longest in rows:
            for form, instructions in zip(("free", "free_sized"), longest):
                self.add("bench", workload=workload, form=form, pairs=int(pairs),
                         frees={"longest": int(instructions)})

    def bench_cpus(self, cpus):
        self.lines.pop(0)  # what the columns are
        for workload, in self.rows(r"  (W\w+) +\S.*?(?: +\d+\.\d)+"):
            self.add("bench_cpus", workload=workload, cpus=int(cpus or 1))

    def passed(self, name, detail):
        self.add("check", name=name, passed=True, detail=detail)

    def failed(self, name, promise, where):
        members = {"where": where} if where else {}
        self.add("check", name=name, passed=False, broken=promise, **members)

    def sentence(self, indent, text):
        rest = self.rows(rf"{indent}(\S.*)")
        self.add("misuse", sentence=" ".join([text, *(row[0] for row in rest)]))

    def picture(self, region, amount, unit):
        rows = [row[0] for row in self.rows(r"    (\S+)")]
        self.add("picture", region=int(region), cell_bytes=int(amount) * UNITS[unit], rows=rows)

    def verdict(self, passed, failed, checks):
        self.add("verdict", passed=passed == "PASS", checks=int(checks), failed=int(failed or 0))

    def exception(self, vector, name, cpu, address):
        is_explained = not re.match(r"  \w+ +[0-9a-f]{8}", self.lines[0])
        meaning = self.lines.pop(0).strip() if is_explained else ""
        registers = []
        while not self.lines[0].startswith("  flags"):
            registers += re.findall(r"(\w+) +([0-9a-f]{8,16})", self.lines.pop(0))
        registers = {register: f"{int(value, 16):#x}" for register, value in registers}
        flags, segment, code = re.fullmatch(r"  flags (\w+), code segment (\w+), error code (\w+)",
                                            self.lines.pop(0)).groups()
        backtrace = self.backtrace()
        others = {"others": self.others()} if name == "non-maskable interrupt" else {}
        self.add("exception", vector=int(vector), name=name, cpu=int(cpu or 0), address=address,
                 meaning=meaning, error_code=code, cr2=registers.pop("cr2"), flags=f"0x{flags}",
                 code_segment=f"0x{segment}", registers=registers, backtrace=backtrace, **others)

    def panic(self, cpu, sentence):
        self.add("panic", sentence=sentence, cpu=int(cpu or 0), backtrace=self.backtrace())

    def hang(self, cpu, seconds, says):
        self.add("hang", cpu=int(cpu), seconds=int(seconds), says=int(says), backtrace=self.backtrace(),
                 others=self.others())

    def others(self):
        found = []
        while self.lines and self.lines[0].startswith("CPU "):
            cpu, = re.fullmatch(r"CPU (\d+)", self.lines.pop(0)).groups()
            found.append({"cpu": int(cpu), "backtrace": self.backtrace()})
        return found

    def storm(self):
        names = ("cpu", "operations", "in_interrupts", "in_nmis", "frees_for_others", "interrupts", "nmis")
        for row in self.rows(r" +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)"):
            self.add("storm", **dict(zip(names, map(int, row))))

    def silent_cpu(self, apic):
        self.add("silent_cpu", apic=int(apic))

    def backtrace(self):
        assert self.lines.pop(0) == "backtrace"
        return [address for row in self.rows(r" ((?: 0x[0-9a-f]+\??)+)") for address in row[0].split()]

    def section(self, title):
        self.add("section", title=title)

    FORMS = [
        (r"slabheap ([\d.]+) on (\w+): .*", boot),
        (r"  (\w+)\((.*?)\)(?: = (\S+))?: (.*)", call),
        (r" +([0-9a-f]+) - +([0-9a-f]+) +[\d.]+ \w+  (.*)", range),
        (r"heap, (\d+) regions", figures),
        (r"size classes +live .*", classes),
        (r"instructions, over (\d+) pairs .*", bench),
        (r"slab_alloc and slab_free, +heap of(?: +heap of (\d+) CPUs, of which)?", bench_cpus),
        (r"  \[ok\]   (.*?) \.+ (.*)", passed),
        (r"  \[FAIL\] (.*?) \.+ broken: (.*?)(?: \((0x[0-9a-f]+)\))?", failed),
        (r"( +)(slab_\w+: .*)", sentence),
        (r"  region (\d+), .*, (\d+) (\w+) a character", picture),
        (r"verdict: (PASS|FAIL) \((?:(\d+) of )?(\d+) checks\)", verdict),
        (r"  CPU +operations .*", storm),
        (r"  the one with local APIC (\d+) does not start", silent_cpu),
        (r"exception (\d+) \((.*)\)(?: on CPU (\d+))? at (0x[0-9a-f]+)", exception),
        (r"panic(?: on CPU (\d+))?: (.*)", panic),
        (r"hang: CPU (\d+) has not got on for (\d+) seconds, says CPU (\d+)", hang),
        (r"([a-z].*|CPUs)", section),
    ]


def reduced(record, to):
    """The record without what the log leaves out: figures that it does not print."""
    if isinstance(record, dict):
        return {name: reduced(value, to[name]) for name, value in record.items() if name in to}
    return record


def compare(arch, what, text, lines):
    found, expected = demo.records(text), Log(lines).found
    demo.equal(f"{arch}: {what}: record and log have the same facts in the same order",
               [it["event"] for it in found], [it["event"] for it in expected])
    for record, said in zip(found, expected):
        if reduced(record, said) != said:
            demo.equal(f"{arch}: {what}: {record['event']}", reduced(record, said), said)
    demo.result(f"{arch}: {what}: {len(found)} facts compared", len(found) > 30, len(found))
    return found


def check_conservation(arch, found):
    heaps = [it["heap"] for it in found if "heap" in it]
    sums = [it["used_bytes"] + it["available_bytes"] == it["total_bytes"] for it in heaps]
    demo.result(f"{arch}: used and available bytes make the total, every time", all(sums) and len(sums) >= 2,
                heaps)


def test(arch):
    ran = demo.run("--arch", arch, "--json")
    demo.equal(f"{arch}: --json ends with the kernel's verdict", ran.returncode, 0)
    found = compare(arch, "a good boot", ran.stdout, demo.log(arch))
    check_conservation(arch, found)
    for words, status, last in (("crash=gp", 4, "exception"), ("panic", 4, "panic"), ("fail", 1, "verdict")):
        ran = demo.run("--arch", arch, "--json", "--append", words)
        demo.equal(f"{arch}: {words}: the exit status is as without --json", ran.returncode, status)
        found = compare(arch, words, ran.stdout, demo.log(arch))
        demo.equal(f"{arch}: {words}: the record's last event", found[-1]["event"], last)


if __name__ == "__main__":
    demo.main(test, __doc__)
