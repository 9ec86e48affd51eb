# SPDX-License-Identifier: MIT
"""What the workers find out by themselves: the longest calls, the use of memory, the cost in heaps of any
size."""

import statistics
import sys

from workers import GENERAL_PEERS, GIB, KIB, MIB, REGION_PEERS, bytes_text

SCALE_HEAPS = [32 * KIB, 64 * KIB, 256 * KIB, MIB, 8 * MIB, 64 * MIB, 512 * MIB, 4 * GIB, 16 * GIB, 64 * GIB]
CLOSE_HEAPS = [64 * KIB, 64 * MIB, 64 * GIB]  # looked at closely
WORST_HEAPS = {"heap": SCALE_HEAPS, "seed": [64 * MIB]}
REGIONS = [64 * KIB, 8 * MIB]
MEMORY_COLUMNS = ["filled", "refilled", "largest", "emptied"]
SCALE_COLUMNS = ["init", "touched_pages", "set_up", "alloc_64", "free_64", "alloc_8k", "free_8k",
                 "metadata_bytes"]
PAIRS = 20_000
PAIRS_STEPPED = 3_000  # where every call is


def worst_of(workers, peer, form, heap_bytes, how):
    arguments = [how, form, heap_bytes, PAIRS]
    suspects = workers.run(f"{peer}-counted", "suspects", *arguments)
    return workers.table(peer, "worst", *arguments, given="\n".join(suspects) + "\n")


def worst_rows(peer, form, table):
    for heap_bytes, kind, call, instructions, request, sequence in table:
        yield {"peer": peer, "form": form, "heap_bytes": int(heap_bytes), "kind": kind, "call": call,
               "instructions": int(instructions), "request": int(request), "sequence": sequence}


def effort(heap_bytes, quick):
    """full: with the calls whose length grows with the heap; to step through those of a large one takes
    long."""
    return "full" if heap_bytes in CLOSE_HEAPS and heap_bytes <= (64 * KIB if quick else 64 * MIB) else "gate"


def worst_plan(peer, quick):
    """Which heaps, forms of free, and efforts."""
    for heap_bytes in WORST_HEAPS[peer]:
        closely = heap_bytes in CLOSE_HEAPS
        if closely or not quick:
            yield heap_bytes, "free", effort(heap_bytes, quick)
        if closely and not quick and peer == "heap":
            yield heap_bytes, "free_sized", "gate"


def worst(workers, peers, quick):
    """The longest call of each sequence and kind. Of a general peer no blocks are counted: it steps through
    all."""
    rows = []
    for peer in (peer for peer in WORST_HEAPS if peer in peers):
        for heap_bytes, form, how in worst_plan(peer, quick):
            print(f"worst: {peer} {form} {bytes_text(heap_bytes)}", file=sys.stderr)
            rows += worst_rows(peer, form, worst_of(workers, peer, form, heap_bytes, how))
    for peer in (peer for peer in GENERAL_PEERS if peer in peers and not quick):
        print(f"worst: {peer}", file=sys.stderr)
        rows += worst_rows(peer, "free", workers.table(peer, "worst", "gate", "free", 0, PAIRS_STEPPED))
    return rows


def longest(rows):
    """Of rows as `worst` returns, the longest for each peer, heap, kind and call."""
    best = {}
    for row in rows:
        key = (row["peer"], row["heap_bytes"], row["kind"], row["call"])
        if key not in best or row["instructions"] > best[key]["instructions"]:
            best[key] = row
    return best


def lock_holds(workers):
    """The longest time that SharedHeap holds its lock, in instructions, by sequence and heap."""
    rows = []
    for heap_bytes in CLOSE_HEAPS:
        print(f"holds of the lock: {bytes_text(heap_bytes)}", file=sys.stderr)
        suspects = workers.run("lock-holds-counted", "suspects", heap_bytes)
        given = "\n".join(suspects) + "\n"
        for _, instructions, sequence in workers.table("lock-holds", "step", heap_bytes, given=given):
            rows.append({"heap_bytes": heap_bytes, "instructions": int(instructions), "sequence": sequence})
    return rows


def longest_hold(rows, heap_bytes):
    return max(row["instructions"] for row in rows if row["heap_bytes"] == heap_bytes)


def memory(workers, peers, seeds):
    """Shares of the region; medians over the seeds."""
    results = {}
    for peer in (peer for peer in REGION_PEERS if peer in peers):
        print(f"memory: {peer}", file=sys.stderr)
        rows = [[int(field) for field in row] for row in workers.table(peer, "memory", seeds, *REGIONS)]
        for region in REGIONS:
            of_region = [row for row in rows if row[0] == region]
            shares = [statistics.median(row[column] / region for row in of_region) for column in range(1, 5)]
            results.setdefault(peer, {})[region] = dict(zip(MEMORY_COLUMNS, shares))
    return results


def scale(workers, peers, heaps=tuple(SCALE_HEAPS)):
    results = {}
    for peer in (peer for peer in REGION_PEERS if peer in peers):
        print(f"scale: {peer}", file=sys.stderr)
        for row in workers.table(peer, "scale", *heaps):
            results.setdefault(peer, {})[int(row[0])] = dict(zip(SCALE_COLUMNS, map(int, row[1:])))
    return results


def crowd(workers, peers, quick):
    counts = [10, 100, 1_000, 10_000] + ([] if quick else [100_000])
    results = {}
    for peer in (peer for peer in REGION_PEERS if peer in peers):
        print(f"crowd: {peer}", file=sys.stderr)
        for row in workers.table(peer, "crowd", *counts):
            count, instructions, nanoseconds = map(int, row)
            results.setdefault(peer, {})[count] = {"instructions": instructions, "ns": nanoseconds}
    return results
