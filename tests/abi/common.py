# SPDX-License-Identifier: MIT
"""What the checks on archives share: the public calls by name, and running a tool."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"


def public_calls():
    """The functions of the C ABI, as slabheap.h declares them."""
    text = (INCLUDE / "slabheap" / "slabheap.h").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return re.findall(r"^[a-z][\w\s*]*?\b(slab_\w+)\([^;]*\);", text, flags=re.M)


def output_of(*command):
    """What a tool prints. A tool that fails ends the check."""
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}:\n{result.stdout}{result.stderr}")
    return result.stdout


def conclude(failures):
    """Prints the failures and gives the exit status."""
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0
