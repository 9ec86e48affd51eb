#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The checks must bite: each is tried on what it exists to find, and on something clean."""

import json
import pathlib
import subprocess
import tempfile
import unittest

import common
import headers
import stack
import symbols

FREESTANDING = ["-O2", "-ffreestanding", "-ffunction-sections", "-fno-builtin", "-fno-pic", "-fno-exceptions",
                "-fno-asynchronous-unwind-tables", "-fno-stack-protector", "-mno-red-zone"]

# A public call, with its body to follow; and a function that takes `words` ints of stack.
CALL = 'extern "C" int slab_call(int value) '


def deep(words):
    body = f"{{ volatile int room[{words}]; return room[value] = value; }}"
    return "[[gnu::noinline]] static int below(int value)" + body


class InScratch(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.scratch = pathlib.Path(directory.name)

    def assert_found(self, words, failures):
        self.assertTrue(any(words in failure for failure in failures), f"{words!r} is not in {failures}")


class Stack(InScratch):
    def failures(self, source):
        (self.scratch / "unit.cpp").write_text(source)
        (self.scratch / "libslabheap.a.p").mkdir()
        output = "libslabheap.a.p/unit.o"
        command = ["g++", *FREESTANDING, "-c", "unit.cpp", "-o", output]
        entry = {"directory": str(self.scratch), "command": " ".join(command), "output": output}
        (self.scratch / "compile_commands.json").write_text(json.dumps([entry]))
        graph = stack.compile_again(self.scratch)
        graph.check_indirect(self.scratch)
        return stack.check(graph, ["slab_call"], 512)

    def test_clean(self):
        self.assertEqual([], self.failures(deep(50) + CALL + "{ return below(value) + below(value + 1); }"))

    def test_too_deep(self):
        self.assert_found("more than 512", self.failures(
            deep(100) + CALL + "{ volatile int room[40]; return room[value] = below(value); }"))

    def test_recursion(self):
        self.assert_found("recursion", self.failures(
            "int other(int);" + CALL + "{ return other(value) + 1; }"
            "int other(int value) { volatile int kept = value; return slab_call(kept - 1) * kept; }"))

    def test_frame_without_a_bound(self):
        self.assert_found("dynamic", self.failures(
            CALL + "{ volatile int *room = (int *)__builtin_alloca(value); return room[0] = 1; }"))

    def test_unknown_callee(self):
        self.assert_found("not the library's", self.failures(
            "int other(int);" + CALL + "{ return other(value) + 1; }"))

    def test_indirect_call(self):
        self.assert_found("indirect", self.failures("int (*any)(int);" + CALL + "{ return any(value) + 1; }"))

    def test_indirect_call_of_the_contract(self):
        self.assertEqual([], self.failures(
            "int (*oom_hook_)(int);" + CALL + "{ return oom_hook_(value) + 1; }"))

    def test_tail_call_gives_its_frame_back(self):
        self.assertEqual([], self.failures(
            deep(100) + CALL + "{ volatile int room[40]; room[value] = value; return below(room[value]); }"))

    def test_missing_call(self):
        self.assert_found("slab_call", self.failures('extern "C" int slab_other() { return 1; }'))


class Symbols(InScratch):
    def failures(self, source, *flags, thin=False):
        (self.scratch / "unit.cpp").write_text(source)
        unit, archive = self.scratch / "unit.o", self.scratch / "lib.a"
        common.output_of("g++", *FREESTANDING, *flags, "-c", self.scratch / "unit.cpp", "-o", unit)
        common.output_of("ar", "rcsT" if thin else "rcs", archive, unit)
        return symbols.check(archive, ["slab_call"])

    def test_clean(self):
        self.assertEqual([], self.failures("static int zeroed;" + CALL + "{ return zeroed += value; }"))

    def test_missing_call(self):
        self.assert_found("slab_call is not in it", self.failures(
            'extern "C" int slab_other() { return 1; }'))

    def test_undefined(self):
        self.assert_found("undefined symbol memcpy", self.failures(
            'extern "C" int memcpy(int);' + CALL + "{ return memcpy(value); }"))

    def test_undefined_weak(self):
        self.assert_found("undefined symbol hook", self.failures(
            'extern "C" [[gnu::weak]] int hook(int);' + CALL + "{ return hook(value); }"))

    def test_name_of_others(self):
        self.assert_found("exports helper", self.failures(
            'extern "C" int helper() { return 1; }' + CALL + "{ return value; }"))

    def test_constructor(self):
        self.assert_found("static constructors", self.failures(
            "struct Object { Object(); int value; }; static Object object;"
            "Object::Object() { static volatile int seven = 7; value = seven; }"
            + CALL + "{ return object.value + value; }"))

    def test_writable_data(self):
        self.assert_found("not zeroed", self.failures(
            "static int data = 7;" + CALL + "{ return data += value; }"))

    def test_thread_local(self):
        self.assert_found("thread-local", self.failures(
            "static thread_local int data;" + CALL + "{ return data += value; }"))

    def test_global_offset_table(self):
        self.assert_found("GOT", self.failures(
            "int slab_data;" + CALL + "{ return slab_data += value; }", "-fpic"))

    def test_thin_archive(self):
        self.assert_found("thin", self.failures(CALL + "{ return value; }", thin=True))


class Headers(InScratch):
    def failures(self, name, text):
        (self.scratch / "slabheap").mkdir()
        (self.scratch / "slabheap" / name).write_text("#pragma once\n" + text)
        return headers.check(self.scratch, ["gcc"])[1]

    def test_clean(self):
        self.assertEqual([], self.failures("good.h", "#include <stddef.h>\nextern size_t good;\n"))

    def test_forgotten_include(self):
        self.assert_found("size_t", self.failures("bad.h", "extern size_t bad;\n"))

    def test_warning(self):
        self.assert_found("conversion", self.failures(
            "bad.hpp", "inline char bad(int value) { return value; }\n"))

    def test_header_that_freestanding_lacks(self):
        self.assert_found("i386", self.failures("bad.hpp", "#include <stdlib.h>\n"))


class Size(InScratch):
    def test_limit(self):
        calls = common.public_calls()
        source = "".join(f'extern "C" int {call}(int v) {{ return v * 3; }}' for call in calls)
        unit, archive = self.scratch / "unit.o", self.scratch / "lib.a"
        (self.scratch / "unit.cpp").write_text(source)
        common.output_of("g++", *FREESTANDING, "-c", self.scratch / "unit.cpp", "-o", unit)
        common.output_of("ar", "rcs", archive, unit)
        script = pathlib.Path(__file__).with_name("size.py")
        for limit, status in (("20", 1), ("4000", 0)):
            result = subprocess.run(["python3", script, archive, "--limit", limit], capture_output=True)
            self.assertEqual(status, result.returncode)


if __name__ == "__main__":
    unittest.main(buffer=True)
