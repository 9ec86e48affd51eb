// SPDX-License-Identifier: MIT
//
// The CPUs have come to rest when this looks at them. What they have put aside for themselves counts as
// free: the heap must get hold of it when somebody asks for all that there is.
#include "storm_report.hpp"

#include "print.h"
#include "record.h"
#include "report.hpp"

namespace demo {

void show_storm_table(const StormCpu cpus[], size_t count) {
    print("\n  CPU  operations  in interrupts  in NMIs  frees for others  interrupts  NMIs\n");
    for (size_t i = 0; i < count; i++) {
        const StormCpu& cpu = cpus[i];
        StormTally all = cpu.tally();
        size_t in_interrupts = cpu.tally(CONTEXT_INTERRUPT).operations();
        size_t in_nmis = cpu.tally(CONTEXT_NMI).operations();
        print("  %3zu  %10zu  %13zu  %7zu  %16zu  %10zu  %4zu\n", i, all.operations(), in_interrupts, in_nmis,
              all.frees_for_others, cpu.interrupts.read(), cpu.nmis.read());
        record_start("storm");
        record_number("cpu", i);
        record_number("operations", all.operations());
        record_number("in_interrupts", in_interrupts);
        record_number("in_nmis", in_nmis);
        record_number("frees_for_others", all.frees_for_others);
        record_number("interrupts", cpu.interrupts.read());
        record_number("nmis", cpu.nmis.read());
        record_number("tries", all.tries);
        record_number("refusals", all.refusals);
        record_end();
    }
    print("\n");
}

void check_storm_blocks(const StormTally& sum, size_t shortages) {
    Check blocks("blocks");
    blocks.require(sum.damaged == nullptr, "each keeps what was written", sum.damaged);
    blocks.done("%zu intact, %zu of them freed by another CPU", sum.frees, sum.frees_for_others);

    Check requests("requests");
    requests.require(sum.failures == 0, "none is refused while there is memory");
    requests.done("%zu refused: in %zu shortages, in NMIs, or tried", sum.refusals, shortages);
}

void check_storm_books(const StormTally& sum, const slab_stats& before) {
    slab_audit audit;
    slab_stats after;
    Check check("heap after the storm");
    slab_heap_stats(&after);
    check.require(after.allocations - before.allocations == sum.allocations, "it counts what it gave");
    check.require(after.frees - before.frees == sum.frees, "it counts what it got back");
    check.require(after.failures - before.failures == sum.refusals, "it counts what it refused");
    check.require(after.used_bytes == before.used_bytes, "that was everything");
    bool is_sound = slab_heap_audit(&audit) == SLAB_OK;
    check.require(is_sound, is_sound ? "" : audit.invariant, audit.address);
    void* largest = slab_alloc(before.largest_free_bytes, SLAB_PAGE_SIZE);
    check.require(largest != nullptr, "its largest block is as large as before");
    slab_free(largest);
    check.done("%zu out, %zu back; sound, and in one piece", sum.allocations, sum.frees);
}

}  // namespace demo
