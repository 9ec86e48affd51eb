# SPDX-License-Identifier: MIT
"""The mutants of equivalent.txt, which no test can kill, because nothing that can be observed changes. An
entry names its mutants by function, line of source and change, so that it holds when lines move, and ends to
hold when the line changes. The file:

    why: an explanation, which may go on in lines
        that are indented like this
    in src/slab.cpp, Slabs::stock
        for (; front.depth < front.limit / 2 && most_slabs != 0; --most_slabs) {
            2 -> 3
"""

import collections

from build import HERE, Failure

FILE = HERE / "equivalent.txt"


def key(mutant):
    return mutant.file, mutant.function, mutant.source, mutant.change


def read(text):
    """Each entry's key, with its number of times and its line's number."""
    entries = collections.Counter()
    where, explained = {}, False
    file = function = source = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        depth = (len(line) - len(line.lstrip())) // 4
        line = line.strip()
        if line.startswith("why: ") and depth == 0:
            explained, file = True, None
        elif line.startswith("in ") and depth == 0 and explained:
            file, function = line.removeprefix("in ").split(", ", 1)
            source = None
        elif depth == 1 and file is not None:
            source = line
        elif depth == 2 and source is not None:
            entries[file, function, source, line] += 1
            where[file, function, source, line] = number
        elif depth != 1 or not explained:
            raise Failure(f"{FILE.name}, line {number}: cannot be read: {line}")
    return entries, where


def mark(mutants):
    """Sets is_equivalent; gives what is wrong with the entries."""
    entries, where = read(FILE.read_text() if FILE.exists() else "")
    left = entries.copy()
    for it in mutants:
        it.is_equivalent = left[key(it)] > 0
        left[key(it)] -= it.is_equivalent
    return [f"{FILE.name}, line {where[it]}: there is no such mutant (any more): {it[3]}"
            for it, count in left.items() if count > 0]
