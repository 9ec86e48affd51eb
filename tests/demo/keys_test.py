#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: MIT
"""The kernel under the keyboard: each key does with the heap what its name says, and nothing else."""

import re

import demo

PASS = 0x10


class Session:
    """A kernel whose workload pauses, so that only keys change the heap."""

    def __init__(self, machine):
        self.machine = machine
        machine.wait_for("ready")
        self.heap = machine.press("p")["heap"]

    def press(self, key):
        """What the key did: the kernel's answer, and how each figure of the heap has changed."""
        record = self.machine.press(key)
        before, self.heap = self.heap, record["heap"]
        change = {name: self.heap[name] - before[name] for name in before if name != "classes"}
        return record["answer"], {name: by for name, by in change.items() if by != 0}


def test_allocate_and_free(arch, session):
    blocks = []
    for asked, given in (100, 128), (4096, 4096), (20480, 20480), (1048576, 1048576):
        answer, change = session.press("a")
        blocks.append(demo.called(rf"slab_alloc\({asked}, 16\) = (0x[0-9a-f]+): {given} bytes", answer))
        demo.equal(f"{arch}: allocate takes a block of {given} bytes",
                   (change["used_bytes"], change["allocations"], change.get("frees")), (given, 1, None))
    for block, size in zip(reversed(blocks), (1048576, 20480, 4096, 128)):
        answer, change = session.press("f")
        demo.result(f"{arch}: free gives back the block of {size} bytes",
                    answer.startswith(f"slab_free({block})") and change["used_bytes"] == -size
                    and change["frees"] == 1 and "allocations" not in change, f"{answer}\n{change}")
    answer, change = session.press("f")
    demo.equal(f"{arch}: free does nothing when nothing is left", (change, "nothing to free" in answer),
               ({}, True))


def test_exhaust(arch, session):
    used = session.heap["used_bytes"]
    answer, _ = session.press("e")
    taken = int(demo.called(r"took all that was left, (\d+) bytes", answer))
    demo.equal(f"{arch}: exhaust takes every byte", (session.heap["available_bytes"], taken),
               (0, session.heap["total_bytes"] - used))
    answer, change = session.press("a")
    demo.equal(f"{arch}: then allocate finds no memory", (change, "NULL" in answer), ({"failures": 1}, True))
    answer, _ = session.press("e")
    demo.equal(f"{arch}: exhaust again gives them back, intact",
               (session.heap["used_bytes"], "every one intact" in answer), (used, True))


def totals(change):
    """The part of a change that only says that there was an allocation."""
    return {name: by for name, by in change.items() if name.endswith("_total")}


def test_misuse(arch, session):
    kinds = ["double free of", "interior pointer", "misaligned pointer", "wrong size for", "foreign pointer"]
    for kind in kinds + kinds[:1]:
        answer, change = session.press("m")
        is_said = re.match(rf"slab_free(_sized)?: {kind} 0x[0-9a-f]+", answer)
        demo.result(f"{arch}: misuse is reported: {kind}",
                    is_said and change == {"faults": 1, "allocations": 1, "frees": 1, **totals(change)},
                    f"{answer}\n{change}")


def test_the_rest(arch, session):
    demo.equal(f"{arch}: audit finds every invariant true", session.press("u"),
               ("slab_heap_audit: every invariant of the heap holds", {}))
    before = len(session.machine.records("key"))
    for key in "x", "7", "esc":  # no commands
        session.machine.execute("send-key", keys=[{"type": "qcode", "data": key}])
    answer, _ = session.press("p")
    demo.equal(f"{arch}: other keys do nothing", len(session.machine.records("key")) - before, 1)
    demo.result(f"{arch}: pause again lets the workload go on", "goes on" in answer, answer)
    moved = demo.wait_until(lambda: session.press("u")[1], "the workload")
    demo.result(f"{arch}: and it does", "allocations" in moved and "frees" in moved, moved)


def test(arch):
    demo.build(arch)
    with demo.Machine(arch, "keys") as machine:
        session = Session(machine)
        test_allocate_and_free(arch, session)
        test_exhaust(arch, session)
        test_misuse(arch, session)
        test_the_rest(arch, session)
        session.press("a")
        session.press("q")
        demo.equal(f"{arch}: quit gives everything back, and the kernel passes", machine.end(), PASS)
        demo.equal(f"{arch}: the record ends with the verdict", machine.records()[-1]["event"], "verdict")


if __name__ == "__main__":
    demo.main(test, __doc__)
