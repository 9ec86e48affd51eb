# SPDX-License-Identifier: MIT
"""The picture of the times: for each workload a bar for each peer, on a logarithmic scale whose base line
is slabheap. A bar that reaches up is a peer that takes longer than slabheap, one that reaches down a faster
one."""

import math

from workers import FORMS, REFERENCE

COLOURS = {"seed": "#b07aa1", "glibc": "#e15759", "mimalloc": "#4e79a7", "jemalloc": "#f28e2b",
           "tcmalloc": "#59a14f"}
TITLES = {"free": "freed without the size", "free_sized": "freed with the size"}
BAR, GAP, LEFT, TOP, HEIGHT, BELOW = 17, 26, 56, 62, 240, 44
LOWEST, HIGHEST = 0.125, 32


def clamp(ratio):
    return min(max(ratio, LOWEST), HIGHEST)


def y_of(ratio):
    span = math.log(HIGHEST / LOWEST)
    return TOP + HEIGHT * (1 - math.log(clamp(ratio) / LOWEST) / span)


def text(x, y, words, size=12, anchor="middle", colour="#24292f", extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}"{extra}>'
            f"{words}</text>")


def bar(x, ratio, colour, title):
    top, bottom = min(y_of(ratio), y_of(1)), max(y_of(ratio), y_of(1))
    label_y = top - 3 if ratio >= 1 else bottom + 10
    height = max(bottom - top, 1)
    return (f'<rect x="{x:.1f}" y="{top:.1f}" width="{BAR - 2}" height="{height:.1f}" fill="{colour}">'
            f"<title>{title}</title></rect>" + text(x + BAR / 2 - 1, label_y, f"{ratio:.1f}", 8))


def others(results):
    """The peers that are not slabheap, by either of its faces."""
    return [peer for peer in results["peers"] if peer in COLOURS]


def panel(results, form, width):
    peers = others(results)
    yield text(LEFT, TOP - 14, f"Time of a pair, {TITLES[form]}: the peer's ÷ slabheap's", 13, "start",
               extra=' font-weight="bold"')
    ratio = LOWEST
    while ratio <= HIGHEST:
        y = y_of(ratio)
        yield (f'<line x1="{LEFT}" x2="{width - 16}" y1="{y:.1f}" y2="{y:.1f}" '
               f'stroke="{"#24292f" if ratio == 1 else "#d0d7de"}"/>')
        yield text(LEFT - 8, y + 4, f"{ratio:g}", 10, "end", "#57606a")
        ratio *= 2
    yield text(LEFT + 4, y_of(1) - 5, "↑ slower than slabheap", 9, "start", "#57606a")
    yield text(LEFT + 4, y_of(1) + 12, "↓ faster", 9, "start", "#57606a")
    x = LEFT + GAP / 2 + 100
    for workload, row in results["time"][form].items():
        middle = x + len(peers) * BAR / 2
        for peer in peers:
            share = 1 / row[peer]["share"]
            yield bar(x, share, COLOURS[peer], f"{peer} {workload}: {row[peer]['median']:.1f} ns")
            x += BAR
        yield text(middle, TOP + HEIGHT + 22, workload, 12, extra=' font-weight="bold"')
        own = f"slabheap {row[REFERENCE]['median']:.1f} ns"
        yield text(middle, TOP + HEIGHT + 37, own, 10, colour="#57606a")
        x += GAP


def legend(peers, width):
    x = width - 16 - 86 * len(peers)
    for peer in peers:
        yield f'<rect x="{x}" y="14" width="11" height="11" fill="{COLOURS[peer]}"/>'
        yield text(x + 16, 24, peer, 11, "start")
        x += 86


def time_chart(results):
    peers = others(results)
    groups = len(results["workloads"]) * (len(peers) * BAR + GAP)
    width = LEFT + 24 + max(100 + groups, 86 * len(peers), 400)
    panel_height = TOP + HEIGHT + BELOW
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {panel_height * len(FORMS)}" '
             'font-family="system-ui, sans-serif">', '<rect width="100%" height="100%" fill="#ffffff"/>']
    for index, form in enumerate(FORMS):
        place = f'<g transform="translate(0 {index * panel_height})">'
        parts += [place, *panel(results, form, width), "</g>"]
    return "\n".join([*parts, *legend(peers, width), "</svg>", ""])
