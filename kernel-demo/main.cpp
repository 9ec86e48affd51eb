// SPDX-License-Identifier: MIT
//
// The kernel, as a table of contents. No static constructor has run, and none needs to.
#include "boot_info.h"
#include "machine.h"
#include "report.hpp"
#include "self_test.hpp"
#include "show.hpp"
#include "slabheap/slabheap.h"
#include "workload.hpp"

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

void show_heap_at_work(const boot_info& boot) {
    Workload workload;
    workload.start();
    show_classes();
    show_picture(boot);
    workload.stop();
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
    books.require(stats.used_bytes == used_at_start, "what was allocated was freed");
    books.done("%zu blocks out, %zu back, %zu held by boot", stats.allocations, stats.frees,
               stats.allocations - stats.frees);
}

// Whether the command line has this word.
bool told_to(const boot_info& boot, const char* word) {
    for (const char* at = boot.command_line; *at != '\0';) {
        size_t length = 0;
        while (word[length] != '\0' && at[length] == word[length]) length++;
        if (word[length] == '\0' && (at[length] == ' ' || at[length] == '\0')) return true;
        while (*at != ' ' && *at != '\0') at++;
        while (*at == ' ') at++;
    }
    return false;
}

// The bad ends, on request: they show that whoever runs this kernel notices them.
void misbehave(const boot_info& boot) {
    if (told_to(boot, "hang")) {
        heading("hanging, as the command line says");
        for (volatile bool forever = true; forever;) continue;
    }
    if (told_to(boot, "crash")) {
        heading("crashing, as the command line says");
        __builtin_trap();
    }
    if (told_to(boot, "reset")) {
        heading("resetting, as the command line says");
        machine_reset();
    }
    if (told_to(boot, "fail")) {
        heading("failing, as the command line says");
        Check check("success");
        check.require(false, "the command line forbids it");
        check.done(" ");
    }
}

void run(const boot_info& boot) {
    slab_stats stats;
    slab_heap_stats(&stats);
    show_memory_map(boot);
    show_figures(boot);
    self_test();
    misbehave(boot);
    show_heap_at_work(boot);
    audit(stats.used_bytes);
    machine_exit(conclude());
}

}  // namespace

}  // namespace demo

extern "C" void kernel_main(const boot_info* info) {
    demo::run(*info);
    panic("the kernel came back");
}
