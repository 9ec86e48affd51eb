#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The whole library as two files, for kernels that would rather copy than link.

slabheap.h is the C ABI, and for C++20 also Heap, LockedHeap, SharedHeap and Allocator. slabheap.cpp is everything else:
the sources in the order given, and each header where it is first included. Only #include lines are rewritten.
"""

import argparse
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]
PUBLIC = ROOT / "include" / "slabheap"
C_ABI = PUBLIC / "slabheap.h"
INJECTION = PUBLIC / "fault_injection.h"
CPP_FACES = [PUBLIC / name for name in ("heap.hpp", "locked_heap.hpp", "shared_heap.hpp", "allocator.hpp")]

OWN_INCLUDE = re.compile(r'#include (?:"([^"]+)"|<slabheap/([^>]+)>)$')
HOOKS = {"__x86_64__": "x86_64", "__i386__": "i386"}  # macro: directory of arch/
SPDX = re.compile(r"\A(?:// SPDX.*\n//\n|/\* SPDX.*\n)")

HOW_TO_COMPILE = """
Compile it as C++20, with optimisation, -ffreestanding -fno-exceptions, and what the rest of your kernel is
compiled with: for x86 that is -mgeneral-regs-only, for x86-64 also -mno-red-zone. It needs nothing then, not
even memcpy.
What it asks of the CPU is in hooks.h, below; -DSLABHEAP_HOOKS='"my_hooks.h"' takes yours instead.
"""


def banner(name, more=""):
    """A comment that says what the file is, with the licence that copies must carry."""
    version = ".".join(re.findall(r"#define SLABHEAP_VERSION_\w+ (\d+)", C_ABI.read_text()))
    text = f"{name}: slabheap {version} in two files. Generated; change its sources instead.\n{more}\n"
    text += (ROOT / "LICENSE").read_text().strip()
    body = [f" * {line}".rstrip() for line in text.splitlines()]
    return ["/* SPDX-License-Identifier: MIT */", "/*", *body, " */"]


def expand(path, seen):
    """The file, with what it includes of the project put in its place; nothing when it was there before."""
    if path in seen:
        return
    seen.add(path)
    yield from ("", f"/* ---- {path.relative_to(ROOT)} ---- */")
    for line in SPDX.sub("", path.read_text()).splitlines():
        include = OWN_INCLUDE.match(line)
        if include is None:
            yield line
        elif include[1] == "hooks.h":
            yield from hooks(seen)
        else:
            internal, public = include.groups()
            yield from expand(path.parent / internal if internal else PUBLIC / public, seen)


def hooks(seen):
    """The hooks of the CPU that it is compiled for, unless the kernel has others."""
    yield from ("#ifdef SLABHEAP_HOOKS", "#include SLABHEAP_HOOKS")
    for macro, cpu in HOOKS.items():
        yield f"#elif defined {macro}"
        yield from expand(ROOT / "arch" / cpu / "hooks.h", seen)
    yield from ("#else", "#error SLABHEAP_HOOKS is to name your hooks", "#endif")


def header(seen):
    yield from banner("slabheap.h")
    yield from expand(C_ABI, seen)
    yield from expand(INJECTION, seen)
    yield from ("", "#ifdef __cplusplus", "#if __cplusplus >= 202002L")
    for path in CPP_FACES:
        yield from expand(path, seen)
    yield from ("", "#endif", "#endif")


def source(paths, seen):
    yield from banner("slabheap.cpp", HOW_TO_COMPILE)
    yield '#include "slabheap.h"'
    for path in paths:
        yield from expand(path.resolve(), seen)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("header", type=pathlib.Path, help="slabheap.h, to write")
    parser.add_argument("source", type=pathlib.Path, help="slabheap.cpp, to write")
    parser.add_argument("sources", type=pathlib.Path, nargs="+", help="the library's sources")
    arguments = parser.parse_args()
    seen = set()
    arguments.header.write_text("\n".join(header(seen)) + "\n")
    arguments.source.write_text("\n".join(source(arguments.sources, seen)) + "\n")


if __name__ == "__main__":
    main()
