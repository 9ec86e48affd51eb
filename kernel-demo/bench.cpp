// SPDX-License-Identifier: MIT
//
// The first table is of a slabheap::Heap with a region of its own, which is a block of the kernel's heap.
// Each workload is a row, and leaves the heap empty.
#include "bench.hpp"

#include "bench_cpus.hpp"
#include "bench_rows.hpp"
#include "bench_walk.hpp"
#include "counted_calls.hpp"
#include "print.h"
#include "record.h"
#include "report.hpp"

namespace demo {

namespace {

constexpr size_t kib = 1024;
constexpr size_t region_bytes = 32 * kib * kib;
constexpr size_t region_align = 4 * kib * kib;  // whatever the size of the kernel's image
constexpr size_t pairs = 200000;                // of an allocation and a free, in each walk

constinit slabheap::Heap heap;

CountedCalls::Counts measure(const Row& row, FreeForm form, Slot* slots) {
    CountedCalls calls(&heap);
    Walk walk(row, pairs, form, calls, slots);
    while (walk.step()) continue;
    record_start("bench");
    record_text("workload", row.name);
    record_text("form", form == FreeForm::sized ? "free_sized" : "free");
    record_number("pairs", walk.pairs());
    record_counts(walk.counts());
    record_end();
    return walk.counts();
}

size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

void show_row(const Row& row, Slot* slots) {
    CountedCalls::Counts plain = measure(row, FreeForm::plain, slots);
    CountedCalls::Counts sized = measure(row, FreeForm::sized, slots);
    print("  %-3s  %-30s %7s %7s %8zu %7zu %7zu\n", row.name, row.blocks, Mean(plain).text, Mean(sized).text,
          larger(plain.allocations.longest, sized.allocations.longest), plain.frees.longest,
          sized.frees.longest);
}

void show_rows(Slot* slots) {
    print("\ninstructions, over %zu pairs    a pair of calls    the longest call\n", pairs);
    print("                                         free   sized    alloc    free   sized\n");
    for (const Row& row : bench_rows) show_row(row, slots);
    print("  a pair is an allocation and its free; sized is the free that checks the size;\n");
    print("  a call counts from its first instruction to its return\n\n");
}

void bench_heap() {
    Check check("heap of the bench");
    void* region = slab_alloc_pages(region_bytes / SLAB_PAGE_SIZE, region_align);
    auto* slots = static_cast<Slot*>(slab_alloc(most_live * sizeof(Slot), alignof(Slot)));
    if (check.require(region != nullptr && slots != nullptr, "the kernel's has memory for it")) {
        slab_stats stats;
        check.require(heap.init(region, region_bytes) == SLAB_OK, "it takes its region");
        heap.set_fault_handler(panic_on_misuse);
        show_rows(slots);
        heap.stats(stats);
        check.require(stats.failures == 0, "it gave every block that was asked for");
        check.require(stats.used_bytes == 0, "it got every block back");
        check.require(heap.check() == SLAB_OK, "every invariant of it holds");
    }
    check.done("%s in one region, empty and sound again", size_text(region_bytes).text);
    slab_free(slots);
    slab_free(region);
}

}  // namespace

void run_bench(const boot_info& boot) {
    heading("bench");
    if (!check_instruction_counter()) return;
    bench_heap();
    bench_cpus(boot);
}

}  // namespace demo
