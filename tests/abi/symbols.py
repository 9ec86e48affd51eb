#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a kernel archive asks of the kernel that links it.

An archive passes when it is a real one (not thin: those hold only the names of their objects), has every call
of the C ABI, exports nothing outside its own names, needs no symbol but those on the list below, and has no
static constructors (module loaders do not run them), no relocation through a global offset table (module
loaders refuse it), no thread-local storage, and no writable data but zeroed ones.
"""

import argparse
import collections
import pathlib
import re
import sys

import common

# What a kernel may have to provide. Nothing: not even the mem* functions, which many kernels have. An archive
# for a process has threads, which take some of the C library, and thread-local storage.
ALLOWED_UNDEFINED = frozenset()
HOST_OBJECT = "arch_host_threads"
HOST_UNDEFINED = frozenset({"_GLOBAL_OFFSET_TABLE_", "__libc_single_threaded", "pthread_key_create", "pthread_setspecific", "sched_yield",
                            "syscall"})
HOST_RELOCATIONS = frozenset({"R_X86_64_GOTTPOFF", "R_X86_64_REX_GOTPCRELX", "R_X86_64_GOTPCREL",
                              "R_X86_64_GOTPCRELX"})

CONSTRUCTORS = re.compile(r"^\.(init_array|ctors|preinit_array|fini_array|dtors)")
GOT_RELOCATION = re.compile(r"\b(R_\w*GOT\w*)\s+\S+\s+(\S+)")
# [number] name type address offset size entry-size flags link info alignment
SECTION = re.compile(r"\s*\[ *\d+\]\s+(\S+)\s+(\w+)\s+\S+\s+\S+\s+([0-9a-f]+)\s+\S+\s*([A-Za-z]*)(\s+\d+){3}")
OWN_NAMES = re.compile(r"slab_|slabheap_|_ZN\w*8slabheap")


def defined_and_undefined(archive):
    """Symbols that the archive's objects define, with nm's letter; and those that none of them defines."""
    defined, wanted = {}, set()
    for line in common.output_of("nm", "-P", archive).splitlines():
        name, letter, *_ = (line + "  ").split(" ", 2)
        if letter in ("U", "w", "v"):
            wanted.add(name)
        elif letter:
            defined[name] = letter
    return defined, wanted - defined.keys()


def sections(archive):
    """(name, type, size, flags) of every section of every object."""
    for line in common.output_of("readelf", "-SW", archive).splitlines():
        found = SECTION.match(line)
        if found is not None:
            yield found[1], found[2], int(found[3], 16), found[4]


def check(archive, calls):
    failures = []
    with open(archive, "rb") as file:
        if file.read(8) != b"!<arch>\n":
            failures.append("it is not an archive of its own: thin, or no archive at all")
    defined, undefined = defined_and_undefined(archive)
    is_host = HOST_OBJECT in common.output_of("ar", "t", archive)
    allowed = HOST_UNDEFINED if is_host else ALLOWED_UNDEFINED
    failures += [f"undefined symbol {name}" for name in sorted(undefined - allowed)]
    failures += [f"{call} is not in it" for call in calls if defined.get(call) != "T"]
    failures += [f"it exports {name}, a name that is not the library's"
                 for name, letter in sorted(defined.items())
                 if letter.isupper() and OWN_NAMES.match(name) is None]
    zeroed = 0
    for name, kind, size, flags in sections(archive):
        if CONSTRUCTORS.match(name):
            failures.append(f"static constructors in section {name}")
        if "T" in flags and not is_host:
            failures.append(f"thread-local storage in section {name}")
        if "W" in flags and kind == "NOBITS":
            zeroed += size
        elif "W" in flags and size > 0:
            failures.append(f"writable data that is not zeroed: {size} bytes in section {name}")
    relocations = collections.defaultdict(list)
    for kind, symbol in GOT_RELOCATION.findall(common.output_of("readelf", "-rW", archive)):
        if not (is_host and kind in HOST_RELOCATIONS): relocations[kind].append(symbol)
    failures += [f"{len(symbols)} relocations {kind}, as for {symbols[0]}"
                 for kind, symbols in relocations.items()]
    print(f"{archive}: {len(undefined)} undefined symbols, {zeroed} bytes of zeroed data")
    return list(dict.fromkeys(failures))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("archive", type=pathlib.Path)
    return common.conclude(check(parser.parse_args().archive, common.public_calls()))


if __name__ == "__main__":
    sys.exit(main())
