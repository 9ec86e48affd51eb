# SPDX-License-Identifier: MIT
"""What the longest page call costs in a heap of any size, as one line: a + b × orders. A heap of 2^n pages
has n orders between a page and the whole heap; a split may go down all of them, and a merge up. The line lies
above all that was measured, as low as it can: it states the bound and how it grows, and proves neither."""

import itertools

PAGE_SHIFT = 12


def orders(heap_bytes):
    return heap_bytes.bit_length() - 1 - PAGE_SHIFT


def upper_line(points):
    """Of (x, y): whole a and b such that y <= a + b x for each point, with the least room above all."""
    slopes = {0}
    for (x1, y1), (x2, y2) in itertools.combinations(points, 2):
        slopes.add(max(round((y2 - y1) / (x2 - x1)), 0))
    lines = [(max(y - b * x for x, y in points), b) for b in slopes]
    return min(lines, key=lambda line: sum(line[0] + line[1] * x - y for x, y in points))


def maxima(longest, peer):
    """Of what heap_calls.longest returns: {heap_bytes: {"alloc": instructions, "free": instructions}}"""
    found = {}
    for (of, heap_bytes, kind, call), row in sorted(longest.items()):
        if of == peer and kind == "page":
            found.setdefault(heap_bytes, {})[call] = row["instructions"]
    return found


def sentence(found):
    """"alloc 504 + 30 × orders, free 337 + 44 × orders", of what maxima returns."""
    lines = {call: upper_line([(orders(heap), calls[call]) for heap, calls in found.items()])
             for call in ("alloc", "free")}
    return ", ".join(f"{call} {a} + {b} × orders" for call, (a, b) in lines.items())
