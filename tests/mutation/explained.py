# SPDX-License-Identifier: MIT
"""The mutants of explained/*.txt, which tests do not kill. An entry names its mutants by function, line of
source and change, so that it holds when lines move, and ends to hold when the line changes. It says why no
test can kill them (they are equivalent), why one does only by chance, or why none does although one could:

    why: an explanation, which may go on in lines
        that are indented like this
    in src/slab.cpp, Slabs::stock
        for (; front.depth < front.limit / 2 && most_slabs != 0; --most_slabs) {
            2 -> 3

    by chance: ...
    missed: ...
"""

from build import HERE, Failure

# Those of the first two do not count; of the second it does not matter whether a test kills them.
HOWS = {"why: ": "equivalent", "by chance: ": "by chance", "missed: ": "missed"}


def key(mutant):
    return mutant.file, mutant.function, mutant.source, mutant.change


def read(name, text):
    """How each entry's key is explained."""
    changes, hows = [], []
    how = file = function = source = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        depth = (len(line) - len(line.lstrip())) // 4
        line = line.strip()
        opened = next((it for it in HOWS if line.startswith(it)), None)
        if opened is not None and depth == 0:
            how, file = HOWS[opened], None
        elif line.startswith("in ") and depth == 0 and how is not None:
            file, _, function = line.removeprefix("in ").partition(", ")
            source = None
        elif depth == 1 and file is not None:
            source = line
        elif depth == 2 and source is not None:
            changes.append([file, function, source, line])
            hows.append(how)
        elif depth == 3 and changes:
            changes[-1][3] += " " + line
        elif depth != 1 or how is None:
            raise Failure(f"{name}, line {number}: cannot be read: {line}")
    return dict(zip(map(tuple, changes), hows))


def entries():
    """How each entry's key is explained, and in which file."""
    hows, of_file = {}, {}
    for path in sorted(HERE.glob("explained/*.txt")):
        of_this = read(path.name, path.read_text())
        hows |= of_this
        of_file |= dict.fromkeys(of_this, path.name)
    return hows, of_file


def mark(mutants):
    """Sets how each mutant is explained, if it is."""
    hows, _ = entries()
    for it in mutants:
        it.explained = hows.get(key(it))


def problems(keys):
    """What is wrong with the entries, if these are all mutants."""
    hows, of_file = entries()
    return [f"{of_file[it]}: there is no such mutant (any more): {', '.join(it)}"
            for it in hows if it not in keys]
