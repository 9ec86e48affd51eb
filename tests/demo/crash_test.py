#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""CPU exceptions, provoked: what the kernel reports of each, against what was done to provoke it. The
addresses of the backtrace are looked up in the kernel's own table of functions."""

import bisect
import re
import subprocess

import demo

# Who calls whom on the way to every crash; "boot.S" is whatever label of the start-up code is next.
WAY = ["demo::misbehave_as_told", "demo::run", "kernel_main", "early_main", "boot.S"]
IN_PAGE_0 = "in page 0: a null pointer, most likely"
IN_GUARD_PAGE = "in the stack's guard page: it has overflowed"

# kind: vector, name, what the CPU says of it, and the functions that lead there from misbehave_as_told.
CRASHES = {
    "ud": (6, "invalid opcode", "", ["demo::execute_no_instruction"]),
    "pf": (14, "page fault", f"write at 0x8, {IN_PAGE_0}", ["demo::write_through_null"]),
    "jump": (14, "page fault", f"execution at 0x0, {IN_PAGE_0}", [None, "demo::jump_to_null"]),
    "gp": (13, "general protection", "selector 0x7f8 of the global descriptor table",
           ["machine_crash", "demo::break_protection"]),
    "stack": (8, "double fault", f"after an access to .*, {IN_GUARD_PAGE}",
              ["demo::recurse", "demo::recurse", "demo::recurse", "demo::overflow_stack"]),
    "frame": (6, "invalid opcode", "", ["machine_crash", "demo::lose_frame_pointer"]),
}


class Symbols:
    """The functions of the kernel, by address."""

    def __init__(self, arch):
        listing = subprocess.check_output(["nm", "-nC", "--defined-only", demo.kernel(arch)], text=True)
        code = [line.split(maxsplit=2) for line in listing.splitlines() if re.match(r"\w+ [tT] ", line)]
        self.starts = [int(address, 16) for address, _, _ in code]
        self.names = [name.replace("(anonymous namespace)::", "") for _, _, name in code]

    def function(self, address):
        """The function that an address lies in, without its parameters."""
        index = bisect.bisect_right(self.starts, address) - 1
        if index < 0:
            return None
        name = self.names[index].split("(")[0].split(" ")[0]
        return "boot.S" if name in ("start", "long_mode") else name

    def way(self, backtrace, is_exact=True):
        """The functions of a backtrace. Its addresses are behind calls, but an exception's own."""
        addresses = [int(it.rstrip("?"), 16) for it in backtrace]
        return [self.function(it - (index > 0 or not is_exact)) for index, it in enumerate(addresses)]


def last_record(arch, event):
    found = demo.records(demo.artefact(arch, "kernel-demo.jsonl").read_text())[-1]
    return found if found["event"] == event else {}


def check_registers(arch, kind, record, text):
    """The registers are what they must be where the crash happened, and in the log as in the record."""
    registers = {name: int(value, 16) for name, value in record["registers"].items()}
    pointer = registers["rsp" if arch == "x86_64" else "esp"]
    stack = int(demo.called(r"slab_alloc\(20480, 4096\) = (0x[0-9a-f]+): the kernel's stack", text), 16)
    demo.equal(f"{arch}, {kind}: every register is there", len(registers), 16 if arch == "x86_64" else 8)
    demo.result(f"{arch}, {kind}: the stack pointer is in the stack", stack <= pointer < stack + 20480,
                hex(pointer))
    if kind == "stack":
        fault = int(record["cr2"], 16)
        demo.result(f"{arch}, {kind}: the faulting address is in its guard page",
                    stack <= fault < stack + 4096, hex(fault))
    if kind == "frame":
        demo.equal(f"{arch}, {kind}: the frame pointer is the one that was broken",
                   hex(registers["rbp" if arch == "x86_64" else "ebp"])[:9], "0x1234567")
    if kind == "gp":
        demo.equal(f"{arch}, {kind}: the error code is the selector", record["error_code"], "0x7f8")


def test_exceptions(arch, symbols):
    for kind, (vector, name, meaning, way) in CRASHES.items():
        ran = demo.run("--arch", arch, "--append", f"crash={kind}")
        demo.equal(f"{arch}, {kind}: the crash is the boot's end", ran.returncode, 4)
        record = last_record(arch, "exception")
        demo.equal(f"{arch}, {kind}: reported as {name}", (record["vector"], record["name"]), (vector, name))
        demo.result(f"{arch}, {kind}: explained", re.fullmatch(meaning, record["meaning"]), record["meaning"])
        demo.equal(f"{arch}, {kind}: the backtrace leads there from start-up",
                   symbols.way(record["backtrace"]), way + WAY)
        check_registers(arch, kind, record, ran.stdout)
        named = ran.stderr[ran.stderr.find("backtrace, by name"):]
        places = [line for line in named.splitlines() if re.match(r"  0x[0-9a-f]+\?? ", line)]
        told = "demo::misbehave_as_told(boot_info const&) at misbehave.cpp:"
        demo.result(f"{arch}, {kind}: and is shown with names and lines",
                    len(places) == len(way + WAY) and told in named, named)


def test_panic(arch, symbols):
    demo.run("--arch", arch, "--append", "panic")
    record = last_record(arch, "panic")
    demo.equal(f"{arch}, panic: the backtrace leads there from start-up",
               symbols.way(record["backtrace"], False), ["panic"] + WAY)


def test_misuse(arch, symbols):
    """Nobody handles this misuse, so the kernel gives up. The heap's functions keep no frame pointers."""
    ran = demo.run("--arch", arch, "--append", "crash=misuse")
    demo.equal(f"{arch}, misuse: the kernel gives up", ran.returncode, 4)
    text = " ".join(ran.stdout.split())
    caller = demo.called(r"slab_free: double free of 0x[0-9a-f]+: .* \(called from (0x[0-9a-f]+)\)", text)
    demo.equal(f"{arch}, misuse: the sentence names the call", symbols.way([caller], False),
               ["demo::free_twice"])
    way = symbols.way(last_record(arch, "panic")["backtrace"], False)
    demo.equal(f"{arch}, misuse: the backtrace finds its way past the heap", (way[:2], way[-5:]),
               (["panic", "demo::panic_on_misuse"], WAY))


def test_picture_gives_way(arch, symbols):
    """An exception while the heap's picture is on the screen: a non-maskable interrupt, from outside."""
    with demo.Machine(arch, "pose", ends=False) as machine:
        machine.wait_for("pose")
        before, _ = machine.screen()
        machine.execute("inject-nmi")
        record = machine.wait_for("exception")
        demo.wait_until(lambda: "backtrace" in [row.strip() for row in machine.screen()[0]], "the report")
        rows = [row.rstrip() for row in machine.screen()[0]]
    demo.result(f"{arch}, nmi: the picture was on the screen", before[1].startswith("┌─ memory"), before[1])
    is_told = f"exception 2 (non-maskable interrupt) at {record['address']}" in rows
    is_gone = "│" not in "".join(rows)
    demo.result(f"{arch}, nmi: it gives way to the report", is_told and is_gone, "\n".join(rows))
    demo.equal(f"{arch}, nmi: the backtrace leads there from start-up", symbols.way(record["backtrace"])[-3:],
               WAY[-3:])


def test(arch):
    demo.build(arch)
    symbols = Symbols(arch)
    test_exceptions(arch, symbols)
    test_panic(arch, symbols)
    test_misuse(arch, symbols)
    test_picture_gives_way(arch, symbols)


if __name__ == "__main__":
    demo.main(test, __doc__)
