# SPDX-License-Identifier: MIT
"""Writes what was measured: results.json has everything, results.md the tables, time.svg the picture. Results
are made text of as results.json has them: every key is a string."""

import json
import pathlib
import shlex

import heap_calls
import page_cost
import plot
from workers import FORMS, GENERAL_PEERS, PRIVATE_WORKLOADS, REFERENCE, bytes_text

FORM_TEXT = {"free": "freed without the size", "free_sized": "freed with the size"}
CALLS_TEXT = {"basic": "init, alloc and free", "all": "every public call"}
KIND_TEXT = {
    "small": "at most a page, while a page is free",
    "page": "pages, while a block of enough is free",
    "first use": "either, in a new heap, which opens its page map",
    "emptying": "no page is free: caches are emptied before NULL",
    "searching": "no block is free: a run is searched across blocks",
    "failing": "no run either: emptied, searched again, NULL",
}
WORKLOAD_TEXT = {
    "W1": "64 B alloc+free pairs",
    "W2": "10,000 × 64 B, freed in order",
    "W2r": "the same, random order",
    "W3": "random replace, 8,192 live, 8 … 4096 B",
    "W4": "W3 with 5 % of 4 … 256 KiB, 1,024 live",
    "W5": "random replace, 64 live, 8 … 512 KiB",
    "W6": "random replace, 20,000 live, kernel-like sizes",
    "T1": "each thread on its own: W1",
    "T1r": "each thread on its own: W6",
    "T2": "one way: one allocates, the other frees",
    "T3": "both ways: each frees the other's blocks",
}


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def paragraphs(parts):
    return "\n\n".join(parts) + "\n"


def workload_cell(workload):
    return f"{workload} {WORKLOAD_TEXT[workload]}"


def time_cell(taken):
    return f"{taken['median']:.1f} ({taken['minimum']:.1f})"


def scaling_cell(taken):
    return f"{taken['scaling']['median']:.2f} ({taken['scaling']['minima']:.2f})"


def instruction_cell(counted):
    return f"{counted['instructions']:,.1f} ({counted['mispredicted']:.2f})"


def times_and_shares(of_workload, peers, words):
    yield f"### Time of a pair, {words}: ns, median (minimum)"
    yield table(["workload", *peers, "the driver, not included"],
                [[workload_cell(workload), *[time_cell(row[peer]) for peer in peers],
                  f"{row['driver']:.1f}"] for workload, row in of_workload.items()])
    yield f"### {REFERENCE}'s time as a share of the peer's, {words}: median of the rounds"
    others = [peer for peer in peers if peer != REFERENCE]
    rows = []
    for workload, row in of_workload.items():
        general = [peer for peer in GENERAL_PEERS if peer in row]
        fastest = min(general, key=lambda peer: row[peer]["median"], default=None)
        rows.append([workload_cell(workload), *[f"{row[peer]['share']:.2f}" for peer in others],
                     f"{row[fastest]['share']:.2f} ({fastest})" if fastest else "–"])
    yield table(["workload", *others, "fastest of " + ", ".join(GENERAL_PEERS)], rows)


def time_tables(results):
    for form in FORMS:
        yield from times_and_shares(results["time"][form], results["peers"], FORM_TEXT[form])


def thread_tables(results):
    peers, measured = results["thread_peers"], results["threads"]
    yield from times_and_shares(measured, peers, "two threads")
    private = {workload: row for workload, row in measured.items() if workload in PRIVATE_WORKLOADS}
    if private:
        yield "### Time of a pair while only one of the threads works: ns, median (minimum)"
        yield table(["workload", *peers],
                    [[workload_cell(workload), *[time_cell(row[peer]["alone"]) for peer in peers]]
                     for workload, row in private.items()])
        yield "### What two threads get done, as a multiple of one: median of the rounds (of the minima)"
        yield table(["workload", *peers, "no allocator"],
                    [[workload_cell(workload), *[scaling_cell(row[peer]) for peer in [*peers, "nothing"]]]
                     for workload, row in private.items()])


def instruction_tables(results):
    for form in FORMS:
        of_form = results["instructions"][form]
        yield f"### Instructions (mispredicted branches) of a pair, {FORM_TEXT[form]}"
        yield table(["workload", *results["peers"]],
                    [[workload_cell(workload), *[instruction_cell(row[peer]) for peer in results["peers"]]]
                     for workload, row in of_form.items()])
    yield from functions_table(results)


def functions_cell(counted):
    """slabheap::Slabs::pool(unsigned int, ...) is Slabs::pool here."""
    shown = [(name.split("(")[0].removeprefix("slabheap::"), own) for name, own in counted["functions"]]
    return ", ".join(f"{name} {own:.1f}" for name, own in shown if own >= 0.5)


def functions_table(results):
    """Of the C++ face, whose functions have names that say where they belong."""
    of_form = results["instructions"]["free"]
    if "heap" in results["peers"]:
        yield "### Where heap's instructions go, freed without the size: each function's own, of a pair"
        yield table(["workload", "functions"],
                    [[workload, functions_cell(row["heap"])] for workload, row in of_form.items()])


def worst_cell(row):
    return f"{row['instructions']:,}: {row['sequence']}, {bytes_text(row['request'])}"


def worst_tables(results):
    yield "### The longest single call, in instructions, and the sequence that has it"
    best = heap_calls.longest(results["worst"])
    rows = []
    kinds = list(KIND_TEXT)
    closely = {key[:3] for key in best if key[1] in (0, *heap_calls.CLOSE_HEAPS)}
    for peer, heap_bytes, kind in sorted(closely, key=lambda row: (*row[:2], kinds.index(row[2]))):
        cells = []
        for call in ("alloc", "free"):
            row = best.get((peer, heap_bytes, kind, call))
            cells.append(worst_cell(row) if row else "–")
        rows.append([peer, bytes_text(heap_bytes) if heap_bytes else "–", kind, *cells])
    yield table(["peer", "heap", "kind", "alloc", "free"], rows)
    yield "### The longest hold of the lock that CPUs share, in instructions"
    yield table(["heap", "sequence", "instructions"],
                [[bytes_text(row["heap_bytes"]), row["sequence"], f"{row['instructions']:,}"]
                 for row in results["holds"]])
    yield from page_table(best)


def page_table(best):
    found = page_cost.maxima(best, "heap")
    if found:
        yield "### heap's longest page call, while a block is free, by the size of the heap"
        yield table(["heap", "orders", "alloc", "free"],
                    [[bytes_text(heap), page_cost.orders(heap), f"{calls['alloc']:,}", f"{calls['free']:,}"]
                     for heap, calls in found.items()])
        yield f"Lines above all of these: {page_cost.sentence(found)}."


def memory_table(results):
    yield "### Memory: share of the region, median over the seeds"
    columns = ["filled", "refilled", "largest", "emptied"]
    rows = [[peer, bytes_text(int(region)), *[f"{100 * values[column]:.1f} %" for column in columns]]
            for peer, regions in results["memory"].items() for region, values in regions.items()]
    yield table(["peer", "region", "requested bytes at the first failure", "half freed, refilled",
                 "largest block then", "largest when all is freed"], rows)


def scale_tables(results):
    yield "### What grows with the heap, in instructions"
    columns = ["init", "touched_pages", "set_up", "alloc_64", "free_64", "alloc_8k", "free_8k"]
    rows = [[peer, bytes_text(int(heap)), *[f"{values[column]:,}" for column in columns],
             f"{100 * values['metadata_bytes'] / int(heap):.2f} %"]
            for peer, heaps in results["scale"].items() for heap, values in heaps.items()]
    yield table(["peer", "heap", "init", "pages it touches", "first alloc of 64 B", "alloc 64 B", "free 64 B",
                 "alloc 8 KiB", "free 8 KiB", "page map"], rows)
    yield "### Free of a block of 32 KiB, by the number of free blocks of that size: instructions (ns)"
    crowd = results["crowd"]
    counts = sorted({count for values in crowd.values() for count in values}, key=int)
    yield table(["peer", *[f"{int(count):,}" for count in counts]],
                [[peer, *[f"{values[count]['instructions']:,} ({values[count]['ns']:,})" for count in counts]]
                 for peer, values in crowd.items()])


def footprint_table(results):
    yield "### What a kernel links, and the stack below its deepest call, in bytes (x86_64)"
    columns = ["code", "constants", "data", "zeroed data", "stack"]
    yield table(["calls", *columns], [[CALLS_TEXT[calls], *[f"{found[column]:,}" for column in columns]]
                                      for calls, found in results["footprint"].items()])


SECTION_TABLES = {"time": time_tables, "threads": thread_tables, "instructions": instruction_tables,
                  "worst": worst_tables, "memory": memory_table, "scale": scale_tables,
                  "footprint": footprint_table}


def command(options):
    """The bench's command line, without --output, which may name a place on this machine."""
    kept = []
    for word in options:
        if kept and kept[-1] == "--output":
            kept.pop()
        elif not word.startswith("--output="):
            kept.append(word)
    return shlex.join(["./tests/bench/run", *kept])


def markdown(results):
    with_what = [results["processor"], results["compiler"],
                 *[f"{peer} {version}" for peer, version in results["versions"].items()]]
    yield f"Measured on {results['date']} by `{results['command']}` ({'; '.join(with_what)})."
    for section, tables in SECTION_TABLES.items():
        if section in results:
            yield from tables(results)


def write(results, directory):
    """Returns the results as they were written."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    results = json.loads((directory / "results.json").read_text())
    text = paragraphs(markdown(results))
    (directory / "results.md").write_text(text)
    if "time" in results:
        (directory / "time.svg").write_text(plot.time_chart(results))
    print(text)
    print(f"Written to {directory}: {', '.join(sorted(path.name for path in directory.iterdir()))}")
    return results
