#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Size of the code that a kernel gets when it links the C ABI.

Of a kernel that only initialises the heap, allocates and frees, and of one that makes every public call. What
none of its calls reaches is dropped (--gc-sections), and the sections that the kernel's image would hold are
summed up.
"""

import argparse
import pathlib
import sys
import tempfile

import common
from symbols import sections

BASIC_CALLS = ["slab_heap_init", "slab_alloc", "slab_free"]


def linked(archive, calls, output):
    keep = [word for call in calls for word in ("-u", call)]
    common.output_of("ld", "-m", emulation(archive), "--gc-sections", "-e", calls[0], *keep,
                     "-o", output, archive)


def emulation(archive):
    header = common.output_of("readelf", "-h", archive)
    return "elf_x86_64" if "X86-64" in header else "elf_i386"


def content_of(kind, flags):
    if "X" in flags:
        return "code"
    if "W" not in flags:
        return "constants"
    return "zeroed data" if kind == "NOBITS" else "data"


def sizes(archive, calls):
    """Bytes of a kernel that makes these calls: of code, constants, data, and zeroed data."""
    found = {"code": 0, "constants": 0, "data": 0, "zeroed data": 0}
    with tempfile.TemporaryDirectory() as scratch:
        image = pathlib.Path(scratch) / "image"
        linked(archive, calls, image)
        for _, kind, size, flags in sections(image):
            if "A" in flags:
                found[content_of(kind, flags)] += size
    return found


def image_bytes(found):
    """What the image holds: zeroed data is only a number in it."""
    return sum(size for what, size in found.items() if what != "zeroed data")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("archive", type=pathlib.Path)
    parser.add_argument("--limit", type=int, help="bytes that it may have with every call")
    arguments = parser.parse_args()
    for name, calls in (("init, alloc and free", BASIC_CALLS), ("every public call", common.public_calls())):
        found = sizes(arguments.archive, calls)
        parts = ", ".join(f"{size:,} {what}" for what, size in found.items() if size != 0)
        print(f"{name + ':':22}{image_bytes(found):>7,} bytes ({parts})")
    over = arguments.limit is not None and image_bytes(found) > arguments.limit
    return common.conclude([f"more than {arguments.limit:,} bytes"] if over else [])


if __name__ == "__main__":
    sys.exit(main())
