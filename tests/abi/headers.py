#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each public header compiles alone: in C99, C11 and C++20 as far as it is for them, freestanding, on every
target, and beside the standard library's headers in either order, with all warnings on and none accepted.
"""

import argparse
import itertools
import pathlib
import subprocess
import sys
import tempfile

import common

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wundef", "-Werror"]
TARGETS = {
    "host": [],
    "host, freestanding": ["-ffreestanding"],
    "i386": ["-m32", "-march=i686", "-mgeneral-regs-only", "-fno-pic", "-ffreestanding"],
    "x86_64": ["-m64", "-mgeneral-regs-only", "-mno-red-zone", "-ffreestanding"],
}
COMPILERS = {"gcc": ("gcc", "g++"), "clang": ("clang", "clang++")}
STANDARD = "".join(f"#include <{name}>\n" for name in ("new", "cstddef", "cstdint", "memory", "mutex"))


def cases(names):
    """(what it is, is it C++, flags, source) of every compilation."""
    for name, (target, flags) in itertools.product(names, TARGETS.items()):
        include = f"#include <slabheap/{name}>\n"
        twice = include + include
        if name.endswith(".h"):
            for standard in ("c99", "c11"):
                yield f"{name}, {standard}, {target}", False, [*flags, f"-std={standard}"], twice
        yield f"{name}, c++20, {target}", True, [*flags, "-std=c++20", "-fno-exceptions", "-fno-rtti"], twice
        if target == "host":
            for order, source in (("before", include + STANDARD), ("behind", STANDARD + include)):
                yield f"{name}, c++20, {order} the standard headers", True, ["-std=c++20"], source


def check(include, compilers):
    """Gives the number of compilations and the failures."""
    names = sorted(path.name for path in (include / "slabheap").iterdir())
    failures, count = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        for compiler, (what, is_cpp, flags, source) in itertools.product(compilers, cases(names)):
            file = pathlib.Path(scratch) / ("unit.cpp" if is_cpp else "unit.c")
            file.write_text(source)
            command = [COMPILERS[compiler][is_cpp], *flags, *WARNINGS, "-fsyntax-only", "-I", include, file]
            result = subprocess.run(command, capture_output=True, text=True)
            count += 1
            if result.returncode != 0:
                failures.append(f"{what}, {compiler}\n{result.stderr}")
    return count, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--include", type=pathlib.Path, default=common.INCLUDE,
                        help="directory that has slabheap/")
    parser.add_argument("--compiler", action="append", choices=COMPILERS, help="default: both")
    arguments = parser.parse_args()
    count, failures = check(arguments.include, arguments.compiler or list(COMPILERS))
    print(f"{count} compilations of the public headers")
    return common.conclude(failures)


if __name__ == "__main__":
    sys.exit(main())
