# SPDX-License-Identifier: MIT
"""What exceptions.txt lists: lines and branches that no unit need reach, named by file and text, so that an
entry holds when lines move, and ends to hold when the line changes. The file:

    why: an explanation, which may go on in lines
        that are indented like this
    branches in src/atomic.hpp
        while (!compare_exchange_unlocked(x, before, change(before))) {
    lines in src/heap_core.cpp
        return fail();
"""

import pathlib

FILE = pathlib.Path(__file__).with_name("exceptions.txt")


class Unreadable(Exception):
    """The file is not as it should be."""


class Exceptions:
    def __init__(self):
        self.entries = {}  # (what, file, text) -> the number of its line
        self.used = set()
        explained, place = False, None
        for number, line in enumerate(FILE.read_text().splitlines(), 1):
            indented, words = line.startswith("    "), line.split()
            if not words or line.startswith("#"):
                continue
            if line.startswith("why: "):
                explained, place = True, None
            elif explained and len(words) == 3 and words[0] in ("lines", "branches") and words[1] == "in":
                place = words[0], words[2]
            elif indented and place:
                self.entries[(*place, line.strip())] = number
            elif not (indented and explained):
                raise Unreadable(f"{FILE.name}, line {number}: cannot be read: {line}")

    def covers(self, file, text, what):
        """Need this line, or all of its branches, not be reached?"""
        entry = (what, file, text)
        if entry in self.entries:
            self.used.add(entry)
        return entry in self.entries

    def unused(self):
        return [f"{FILE.name}, line {number}: all is reached, or there is no such line: {entry[2]}"
                for entry, number in self.entries.items() if entry not in self.used]
