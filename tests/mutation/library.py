# SPDX-License-Identifier: MIT
"""The library's files, and all of their mutants in one build, numbered from 1 on in the order of files and
places."""

import collections
import os

import mutants
import schemata
import syntax
from build import ROOT, Failure, defines, digest

# What it does only a tool sees.
UNSEEN = {"src/shadow.hpp"}
PARTS = ("src/*.cpp", "src/*.hpp", "include/slabheap/*.hpp")
OPTIONS = ["-ffreestanding", f"-I{ROOT / 'include'}", f"-I{ROOT / 'src'}", f"-I{ROOT / 'arch' / 'host'}"]


def paths():
    return sorted(it for part in PARTS for it in ROOT.glob(part))


def name(path):
    return str(path.relative_to(ROOT))


def ordinal(count):
    return "" if count == 1 else f" ({count})"


class Library:
    """Of one build."""

    def __init__(self, variant):
        self.variant = variant
        self.texts = {str(it): it.read_bytes() for it in paths()}
        source = "".join(f'#include "{it}"\n' for it in self.texts)
        finder = mutants.Finder({it: text for it, text in self.texts.items() if name_of(it) not in UNSEEN})
        try:
            self.mutants, self.fixed = finder.find(syntax.read(source, [*OPTIONS, *defines(variant)]))
        except (OSError, RuntimeError) as error:
            raise Failure(str(error)) from None
        self.number()

    def number(self):
        by_file = collections.defaultdict(list)
        for it in self.mutants:
            by_file[it.place[0]].append(it)
        self.places = {}  # file -> its places
        self.first_of = {}  # number of a mutant -> that of the first of its place
        number = 0
        self.mutants = []
        for file in sorted(by_file, key=lambda it: name_of(it)):
            self.places[file] = schemata.places(by_file[file])
            for place in self.places[file]:
                first = number + 1
                for it in place.mutants:
                    number += 1
                    it.number = number
                    self.first_of[number] = first
                    self.mutants.append(it)
        self.describe(self.mutants)
        self.describe(self.fixed)

    def describe(self, all_mutants):
        seen = collections.Counter()
        for it in all_mutants:
            file, begin, _ = it.place
            text = self.texts[file]
            it.file = name_of(file)
            it.line = text.count(b"\n", 0, begin) + 1
            it.source = text.split(b"\n")[it.line - 1].decode().strip()
            after = schemata.on_one_line(it.after) or "left out"
            change = f"{schemata.on_one_line(it.before)} -> {after}"
            seen[it.file, it.function, it.source, change] += 1
            it.change = change + ordinal(seen[it.file, it.function, it.source, change])

    def digest(self):
        return digest(*sorted(self.rewritten().items()))[:16]

    def drop(self, lines):
        """Does without the mutants of these lines, (file, line); gives them."""
        dropped = [it for it in self.mutants if (it.file, it.line) in lines]
        self.mutants = [it for it in self.mutants if (it.file, it.line) not in lines]
        self.number()
        return dropped

    def rewritten(self):
        """The files with all of their mutants, by their paths in the tree; and those that have none."""
        result = {}
        for file, text in self.texts.items():
            places = self.places.get(file, [])
            result[name_of(file)] = schemata.rewrite(text, places)
        for path in (ROOT / "include").rglob("*.h"):
            result[name(path)] = path.read_text()
        return result


def name_of(file):
    return os.path.relpath(file, ROOT)
