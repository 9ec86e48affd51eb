# SPDX-License-Identifier: MIT
"""All mutants of a file in one text (Untch, Offutt, Harrold,
"Mutation Analysis Using Mutant Schemata", 1993).

The mutants of one place have consecutive numbers, first ... first + count - 1, and the place asks once:

    a < b        (mutation::at(17, 2) ? (mutation::is(17) ? (a <= b) : (a >= b)) : (a < b))
    f(x);        (mutation::at(19, 1) ? (void)(0) : (void)(f(x)));
    break;       if (mutation::at(20, 1)) continue; else break;

What lies inside is switched in the last of the texts only, since only one mutant is made at a time. No line
is added or removed, so that what the compiler says of a line is said of its mutants."""

import re

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)


def on_one_line(text):
    return re.sub(r"\s+", " ", COMMENT.sub("", text)).strip()


class Place:
    """The mutants of one range of text."""

    def __init__(self, begin, end):
        self.begin, self.end = begin, end
        self.mutants = []

    def text(self, inner):
        first, count = self.mutants[0].number, len(self.mutants)
        guard = f"mutation::at({first}, {count})"
        if self.mutants[0].shape == "jump":
            return f"if ({guard}) {self.mutants[0].after}; else {inner}"
        shapes = {it.shape for it in self.mutants}
        cast = "(void)" if "void" in shapes else "(bool)" if "bool" in shapes else ""

        def value(text):
            return f"{cast}({text or 0})"

        changed = value(on_one_line(self.mutants[-1].after))
        for it in reversed(self.mutants[:-1]):
            changed = f"(mutation::is({it.number}) ? {value(on_one_line(it.after))} : {changed})"
        return f"({guard} ? {changed} : {value(inner)})"


def places(mutants):
    """The places of one file, in the order of the text, the outer before the inner; numbers are set."""
    found = {}
    for it in mutants:
        _, begin, end = it.place
        found.setdefault((begin, end), Place(begin, end)).mutants.append(it)
    return [found[it] for it in sorted(found, key=lambda it: (it[0], -it[1]))]


def rewrite(text, in_order):
    """The text with all of its places switched. Places lie side by side or within one another."""
    def part(begin, end, index):
        pieces = []
        while index < len(in_order) and in_order[index].begin < end:
            place = in_order[index]
            inner, index = part(place.begin, place.end, index + 1)
            pieces += [text[begin:place.begin].decode(), place.text(inner)]
            begin = place.end
        return "".join(pieces) + text[begin:end].decode(), index

    return part(0, len(text), 0)[0]


def apply(text, mutant):
    """The text with one mutant in it."""
    _, begin, end = mutant.place
    return text[:begin] + mutant.after.encode() + text[end:]
