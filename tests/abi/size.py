#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Size of the code that a kernel gets when it links the whole C ABI.

Every public call is kept, what none of them reaches is dropped (--gc-sections), and the sections that the
kernel's image would hold are summed up.
"""

import argparse
import pathlib
import sys
import tempfile

import common
from symbols import sections


def linked(archive, calls, output):
    keep = [word for call in calls for word in ("-u", call)]
    common.output_of("ld", "-m", emulation(archive), "--gc-sections", "-e", calls[0], *keep,
                     "-o", output, archive)


def emulation(archive):
    header = common.output_of("readelf", "-h", archive)
    return "elf_x86_64" if "X86-64" in header else "elf_i386"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("archive", type=pathlib.Path)
    parser.add_argument("--limit", type=int, help="bytes of code and constants that it may have")
    arguments = parser.parse_args()
    code = constants = zeroed = 0
    with tempfile.TemporaryDirectory() as scratch:
        image = pathlib.Path(scratch) / "image"
        linked(arguments.archive, common.public_calls(), image)
        for _, kind, size, flags in sections(image):
            if "A" not in flags:
                continue
            if "X" in flags:
                code += size
            elif "W" not in flags:
                constants += size
            elif kind == "NOBITS":
                zeroed += size
    total = code + constants
    print(f"{arguments.archive}: {total} bytes = {code} code + {constants} constants; {zeroed} zeroed data")
    over = arguments.limit is not None and total > arguments.limit
    return common.conclude([f"more than {arguments.limit} bytes"] if over else [])


if __name__ == "__main__":
    sys.exit(main())
