// SPDX-License-Identifier: MIT
//
// The kernel, as a table of contents. No static constructor has run, and none needs to.
#include "bench.hpp"
#include "boot_info.h"
#include "command_line.hpp"
#include "cpus.hpp"
#include "live.hpp"
#include "machine.h"
#include "misbehave.hpp"
#include "misuse_trials.hpp"
#include "report.hpp"
#include "self_test.hpp"
#include "show.hpp"
#include "slabheap/slabheap.h"
#include "storm.hpp"

namespace demo {

namespace {

void self_test() {
    heading("self-test");
    test_size_classes();
    test_calloc();
    test_arguments();
    test_realloc();
    test_large_blocks();
    test_page_runs();
    test_reserve();
    test_exhaustion();
    test_out_of_memory_hook();

    heading("misuse, and what the heap says of it");
    test_misuse();
}

void audit(size_t used_at_start) {
    slab_audit audit;
    slab_stats stats;
    heading("audit");
    Check invariants("invariants");
    bool hold = slab_heap_audit(&audit) == SLAB_OK;
    invariants.require(hold, hold ? "" : audit.invariant, audit.address);
    invariants.done("all hold");

    Check books("books");
    slab_heap_stats(&stats);
    books.require(stats.used_bytes == used_at_start + shared_heap_bytes(), "what was allocated was freed");
    books.done("%zu out, %zu back, %zu held by boot", stats.allocations, stats.frees,
               stats.allocations - stats.frees);
}

void run(const boot_info& boot) {
    slab_stats stats;
    slab_heap_set_fault_handler(panic_on_misuse);
    show_memory_map(boot);
    start_cpus(boot);
    slab_heap_stats(&stats);
    if (!told_to(boot, "bench")) share_heap(boot);
    show_figures(boot);
    if (told_to(boot, "bench")) {
        run_bench(boot);
    } else if (told_to(boot, "storm")) {
        run_storm(boot);
    } else if (told_to(boot, "misuse")) {
        try_misuse(boot);
    } else {
        self_test();
        misbehave_as_told(boot);
        show_heap_at_work(boot);
    }
    audit(stats.used_bytes);
    machine_exit(conclude());
}

}  // namespace

}  // namespace demo

extern "C" void kernel_main(const boot_info* info) {
    demo::run(*info);
    panic("the kernel came back");
}
