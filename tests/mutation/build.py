# SPDX-License-Identifier: MIT
"""Builds the units with the mutants: the library, rewritten, and a program for each unit, whose main
program is runner.cpp. What is up to date stays; that is told by the contents of all that goes into it."""

import concurrent.futures
import hashlib
import os
import pathlib
import re
import shlex
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build-tests" / "mutation"

COMPILER = os.environ.get("CXX", "g++")
C_COMPILER = os.environ.get("CC", "gcc")
# The library, built one way after the other, until a build's tests kill a mutant: as most have it; then with
# its options, shared out so that none hides what another one does. Each has the fine size classes: so more of
# the code has something to do, with two words of slots, and sizes that are no powers of two.
VARIANTS = {
    "usual": [],
    "guarded": ["CANARY", "QUARANTINE=16", "RANDOM", "GUARD", "FAULT_INJECTION"],
    "filled": ["ZERO_ALLOC", "POISON", "TRACKING", "RANDOM", "SHADOW_ASAN", "RELAXED_CLAIM"],
    "unchecked": ["UNCHECKED", "QUARANTINE=16"],
}
# A mutant may well be something that a compiler warns of.
COMMON = ["-std=c++20", "-w", "-fpermissive", "-Wno-narrowing"]
LIBRARY = [*COMMON, "-O1", "-ffreestanding", "-fno-builtin", "-fno-exceptions", "-fno-rtti",
           "-fno-threadsafe-statics", "-fno-stack-protector", "-fvisibility=hidden", "-include",
           HERE / "mutation.hpp"]
UNIT = [*COMMON, "-O0"]
# Tests of something else than the library.
OTHER_UNITS = {"memory_map"}
# What units need that are not for each build.
NEEDS = {"fault_injection": "FAULT_INJECTION", "injection_plan": "FAULT_INJECTION", "guard": "GUARD",
         "guard_cpus": "GUARD"}
# What a sample can do without: slow tests, of which few kill what no other test kills.
SLOW_UNITS = {"interrupts", "threads", "thread_races"}
# Of the library, but not in every program.
OPERATORS = "new_delete.cpp"


class Failure(Exception):
    """Something that keeps mutants from being made."""


class CompilerError(Failure):
    """What the compiler does not take."""

    def places(self, directory):
        """(file, line) of the errors, in files of this directory."""
        return {(os.path.relpath(file, directory), int(line))
                for file, line in re.findall(r"^(\S+?):(\d+):\d+: (?:fatal )?error", str(self), re.M)}


def call(*command, **options):
    """Runs a command that has to succeed, and gives what it prints."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    except FileNotFoundError:
        raise Failure(f"{command[0]} is not installed") from None
    if done.returncode != 0:
        raise CompilerError(f"{shlex.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def digest(*parts):
    result = hashlib.sha256()
    for it in parts:
        result.update(it.read_bytes() if isinstance(it, pathlib.Path) else str(it).encode())
        result.update(b"\0")
    return result.hexdigest()


def defines(variant):
    return [f"-DSLABHEAP_{it}" for it in ("FINE_SIZE_CLASSES", *VARIANTS[variant])]


def unit_names(variant, for_sample=False):
    """Every unit that tests the library in this build."""
    names = {it.stem.removesuffix("_test") for it in (ROOT / "tests" / "unit").glob("*_test.c*")}
    others = {it for it, option in NEEDS.items() if option not in VARIANTS[variant]}
    return sorted(names - OTHER_UNITS - others - (SLOW_UNITS if for_sample else set()))


class Builder:
    def __init__(self, variant, texts, count):
        """texts: the library's files, rewritten, by their paths in the tree; count: of the mutants."""
        self.directory = BUILD / variant
        self.of_host = [ROOT / "arch" / "host" / "threads.cpp"]
        if "SHADOW_ASAN" in VARIANTS[variant]:
            self.of_host.append(ROOT / "arch" / "host" / "asan_report.cpp")
        for path, text in texts.items():
            write(self.directory / path, text)
        self.define = f"-DSLABHEAP_MUTANTS={(count + 4096) // 4096 * 4096}"
        self.include = [*defines(variant), f"-I{self.directory / 'include'}", f"-I{self.directory / 'src'}",
                        f"-I{ROOT / 'arch' / 'host'}", f"-I{ROOT / 'tests' / 'support'}"]
        headers = [HERE / "mutation.hpp", *(ROOT / "arch" / "host").glob("*.h"),
                   *(ROOT / "tests" / "support").glob("*.hpp"), *(self.directory / "include").rglob("*.h*"),
                   *(self.directory / "src").glob("*.hpp")]
        self.headers = digest(*sorted(headers))

    def make(self, target, parts, *command):
        """Makes a file by a command, unless it is there and was made of the same."""
        stamp = target.with_name(target.name + ".of")
        of = digest(*parts, *map(str, command))
        if target.exists() and stamp.exists() and stamp.read_text() == of:
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        call(*command)
        stamp.write_text(of)
        return target

    def compile(self, source, options, parts=()):
        target = self.directory / "objects" / f"{source.stem}.o"
        return self.make(target, [self.headers, source, *parts], COMPILER, *options, *self.include, "-c",
                         source, "-o", target)

    def compile_test(self, source, *defines):
        """As compile, with GoogleTest's headers compiled before."""
        return self.compile(source, [*UNIT, *defines, "-include", BUILD / "gtest.hpp"])

    def headers_of_tests(self):
        header = BUILD / "gtest.hpp"
        write(header, f'#include "{HERE / "mutation.hpp"}"\n#include <gtest/gtest.h>\n')
        compiled = header.with_suffix(".hpp.gch")
        self.make(compiled, [header, HERE / "mutation.hpp"], COMPILER, *UNIT, "-x", "c++-header",
                  header, "-o", compiled)

    def library(self):
        sources = sorted(it for it in (self.directory / "src").glob("*.cpp") if it.name != OPERATORS)
        sources += self.of_host
        whole = self.directory / "library.cpp"
        write(whole, "".join(f'#include "{it}"\n' for it in sources))
        return self.compile(whole, LIBRARY, parts=sources)

    def unit(self, name, common):
        source = ROOT / "tests" / "unit" / f"{name}_test.cpp"
        if not source.exists():
            objects = self.program_in_c(name)
        else:
            objects = [self.compile_test(source)]
        if name == "new_delete":
            objects.append(self.compile(self.directory / "src" / OPERATORS, LIBRARY))
        target = self.directory / "units" / name
        return self.make(target, [*objects, *common], COMPILER, *objects, *common, "-lgtest", "-lpthread",
                         "-o", target)

    def program_in_c(self, name):
        """A test that calls a program's main function."""
        source = ROOT / "tests" / "unit" / f"{name}_test.c"
        target = self.directory / "objects" / f"{name}_test.o"
        program = self.make(target, [self.headers, source], C_COMPILER, "-std=c99", "-w",
                            f"-Dmain={name}_main", *self.include, "-c", source, "-o", target)
        caller = self.directory / f"{name}_caller.cpp"
        write(caller, f'#include <gtest/gtest.h>\nextern "C" int {name}_main();\n'
                      f'TEST({name}, Passes) {{ ASSERT_EQ(0, {name}_main()); }}\n')
        return [program, self.compile_test(caller)]

    def build(self, names):
        """All of it; the programs by the units' names."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as workers:
            support = sorted((ROOT / "tests" / "support").glob("*.cpp"))
            jobs = [workers.submit(self.library)]
            self.headers_of_tests()
            jobs += [workers.submit(self.compile_test, HERE / "runner.cpp", self.define)]
            jobs += [workers.submit(self.compile_test, it) for it in support]
            common = [it.result() for it in jobs]
            programs = workers.map(lambda name: self.unit(name, common), names)
            return dict(zip(names, programs))
