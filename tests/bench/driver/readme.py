# SPDX-License-Identifier: MIT
"""The tables in the project's README.md: the figures that describe slabheap, and its time beside the peers',
losses and all. They stand between two comments, are written by the bench alone, and say when and how they
were measured. What was not measured is left out."""

import re
import textwrap

import heap_calls
import page_cost
from report import CALLS_TEXT, KIND_TEXT, WORKLOAD_TEXT, instruction_cell, paragraphs, table
from workers import FINE, GIB, KIB, MIB, PRIVATE_WORKLOADS, REFERENCE, RELAXED, bytes_text

BENCH, DEFENCES = "bench", "defences"  # what the comments around a place say
WIDTH = 120

HEAP = "heap"  # the C++ face, whose figures are shown
CLASSES_TEXT = {HEAP: "", FINE: ", fine classes"}
FORM_TEXT = {(HEAP, "free"): "freed by address", (HEAP, "free_sized"): "with its size",
             (FINE, "free"): "fine classes: by address", (FINE, "free_sized"): "with its size"}
PEER_TEXT = {HEAP: "class Heap", "seed": "seed's scheme", RELAXED: "relaxed claim",
             "heap-spin": "behind a spin lock"}
HEAPS = [32 * KIB, 64 * KIB, 8 * MIB, 64 * MIB, 64 * GIB]
MISSING = "–"


class NoPlace(Exception):
    pass


def prose(words):
    return textwrap.fill(words, WIDTH, break_long_words=False, break_on_hyphens=False)


def workload_cells(workloads):
    return {workload: f"{workload} {WORKLOAD_TEXT[workload]}" for workload in workloads}


def instruction_table(results):
    counted = results["instructions"]
    columns = {key: words for key, words in FORM_TEXT.items() if key[0] in results["peers"]}
    yield table(["instructions (mispredicted branches) of a pair", *columns.values()],
                [[words, *[instruction_cell(counted[form][workload][peer]) for peer, form in columns]]
                 for workload, words in workload_cells(results["workloads"]).items()])


def worst_table(results):
    longest = heap_calls.longest(results["worst"])

    def cell(heap_bytes, kind):
        rows = [longest.get((HEAP, heap_bytes, kind, call)) for call in ("alloc", "free")]
        shown = [f"{row['instructions']:,}" if row else MISSING for row in rows]
        return " / ".join(shown) if any(rows) else MISSING

    yield table(["longest call in instructions, alloc / free", *map(bytes_text, heap_calls.CLOSE_HEAPS)],
                [[words, *[cell(heap, kind) for heap in heap_calls.CLOSE_HEAPS]]
                 for kind, words in KIND_TEXT.items()] +
                [["with several CPUs: the lock is held, at a time",
                  *[f"{heap_calls.longest_hold(results['holds'], heap):,}"
                    for heap in heap_calls.CLOSE_HEAPS]]])
    found = page_cost.maxima(longest, HEAP)
    ends = min(found), max(found)
    sizes, orders = (" to ".join(map(str, map(of, ends))) for of in (bytes_text, page_cost.orders))
    yield prose(f"Page calls, while a block is free: {page_cost.sentence(found)}. These are lines above the "
                f"longest calls of {len(found)} heaps of {sizes}. A heap of 2^n pages has n orders: these, "
                f"{orders}.")


def rows_by_heap(results):
    """What is measured heap by heap: (words, {heap_bytes: cell})."""
    scale, memory = results.get("scale", {}), results.get("memory", {})
    if HEAP in scale:
        yield "init: instructions (pages touched)", {
            heap: f"{values['init']:,} ({values['touched_pages']})" for heap, values in scale[HEAP].items()}
    for peer in CLASSES_TEXT:
        yield "page map" + CLASSES_TEXT[peer], {
            heap: f"{100 * values['metadata_bytes'] / int(heap):.2f} %"
            for heap, values in scale.get(peer, {}).items()}
    for column, words in (("filled", "requested bytes in it when it is full"),
                          ("refilled", "the same, half freed and filled again")):
        for peer in CLASSES_TEXT:
            yield words + CLASSES_TEXT[peer], {
                heap: f"{shares[column]:.2f}" for heap, shares in memory.get(peer, {}).items()}


def heap_table(results):
    rows = [(words, cells) for words, cells in rows_by_heap(results) if cells]
    heaps = [heap for heap in HEAPS if any(str(heap) in cells for _, cells in rows)]
    yield table(["by the size of the heap", *map(bytes_text, heaps)],
                [[words, *[cells.get(str(heap), MISSING) for heap in heaps]] for words, cells in rows])


def footprint_table(results):
    found = results["footprint"]
    rows = {"image": "code and constants", "zeroed data": "zeroed data", "stack": "stack, deepest call"}
    yield table(["bytes, in a kernel for x86_64 that makes", *[CALLS_TEXT[calls] for calls in found]],
                [[words, *[f"{sizes[what]:,}" for sizes in found.values()]]
                 for what, words in rows.items()])


def share_cell(share):
    shown = f"{share:.2f}" if share < 10 else f"{share:.1f}"
    return f"**{shown}**" if float(shown) > 1 else shown


def share_table(of_workload, peers):
    yield table(["workload", *[PEER_TEXT.get(peer, peer) for peer in peers]],
                [[words, *[share_cell(of_workload[workload][peer]["share"]) for peer in peers]]
                 for workload, words in workload_cells(of_workload).items()])


def rounds_of(of_workload):
    return len(next(iter(of_workload.values()))[REFERENCE]["rounds"])


def time_table(results):
    measured = results["time"]["free"]
    others = [peer for peer in results["peers"] if peer not in (REFERENCE, FINE)]
    if not others:
        return
    yield prose("Time of a pair as a share of the peer's, freed by address (the seed's scheme: with its "
                f"size); median of {rounds_of(measured)} rounds, in which the peers take turns. It is the C "
                "ABI's, which any thread may call; class Heap is for one. Below 1 slabheap is faster; "
                "**bold**: it is slower.")
    yield from share_table(measured, others)


def thread_tables(results):
    measured, peers = results["threads"], results["thread_peers"]
    others = [peer for peer in peers if peer != REFERENCE]
    if others:
        yield prose("Two threads, each on a processor of its own: time of a pair as a share of the peer's, "
                    f"by the clock on the wall; median of {rounds_of(measured)} rounds. Each works on its "
                    "own, or they pass blocks, and the one that gets a block frees it. Below 1 slabheap is "
                    "faster.")
        yield from share_table(measured, others)
    private = [workload for workload in PRIVATE_WORKLOADS if workload in measured]
    if private:
        yield table(["what two threads get done, as a multiple of one",
                     *[PEER_TEXT.get(peer, peer) for peer in peers], "no allocator"],
                    [[words, *[f"{measured[workload][peer]['scaling']['median']:.2f}"
                               for peer in [*peers, "nothing"]]]
                     for workload, words in workload_cells(private).items()])


TABLES = [(("instructions",), instruction_table), (("worst",), worst_table),
          (("scale", "memory"), heap_table), (("footprint",), footprint_table)]


def block(results):
    versions = [f"{peer} {version}" for peer, version in results["versions"].items()]
    yield prose(f"Measured on {results['date']} by `{results['command']}`: "
                f"{', '.join([results['compiler'] + ' -O2', *versions])}; all checks on.")
    if HEAP in results["peers"]:
        for sections, tables in TABLES:
            if any(section in results for section in sections):
                yield from tables(results)
    if "time" in results:
        yield from time_table(results)
    if "threads" in results:
        yield from thread_tables(results)


def place(name):
    return re.compile(rf"^(<!-- {name}: begin[^\n]*-->\n).*?^(<!-- {name}: end -->)$", re.DOTALL | re.MULTILINE)


def check_place(path, name=BENCH):
    if len(place(name).findall(path.read_text())) != 1:
        raise NoPlace(f"{path.name} has no place for the tables: a line '<!-- {name}: begin -->', and later "
                      f"'<!-- {name}: end -->'")


def write(path, name, text):
    check_place(path, name)
    path.write_text(place(name).sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", path.read_text()))
    print(f"Written to {path.name}")


def update(path, results):
    write(path, BENCH, paragraphs(block(results)))
