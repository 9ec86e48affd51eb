# SPDX-License-Identifier: MIT
"""The mutants of all builds: what is the same change of the same text is one, whichever builds have it."""

import explained
import library


class Change:
    def __init__(self, number, mutant):
        self.number = number
        self.in_builds = {}  # variant -> its mutant there
        self.file, self.function, self.line = mutant.file, mutant.function, mutant.line
        self.kind, self.source, self.change = mutant.kind, mutant.source, mutant.change
        self.explained = mutant.explained
        self.verdict = None  # (variant, how it was killed, the test's title)
        self.is_reached = False

    def counts(self):
        return self.explained in (None, "missed")

    def __str__(self):
        return f"{self.number:5} {self.file}:{self.line} {self.function}: {self.kind}: {self.change}"


class Changes:
    """Those of the first builds have the same numbers, however many builds there are."""

    def __init__(self, variants):
        self.libraries = {}
        self.by_key = {}
        for it in variants:
            self.library(it)

    def library(self, variant):
        """The library of a build, whose mutants are added if they were not yet."""
        if variant not in self.libraries:
            lib = self.libraries[variant] = library.Library(variant)
            explained.mark(lib.mutants)
            for it in lib.mutants:
                key = explained.key(it)
                change = self.by_key.setdefault(key, Change(len(self.by_key) + 1, it))
                change.in_builds[variant] = it
        return self.libraries[variant]

    def __iter__(self):
        return iter(self.by_key.values())

    def drop(self, variant, mutants):
        """A build does not have these after all."""
        for it in mutants:
            key = explained.key(it)
            del self.by_key[key].in_builds[variant]
            if not self.by_key[key].in_builds:
                del self.by_key[key]
