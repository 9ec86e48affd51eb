// SPDX-License-Identifier: MIT
//
// Self-test: contracts broken on purpose. Each is reported, and the heap must then be as if the call had
// not been made.
#include "../tests/support/built_defences.hpp"
#include "fault_report.hpp"
#include "pattern.hpp"
#include "report.hpp"
#include "self_test.hpp"
#include "slabheap/slabheap.h"

// The linker script's names for the first byte of the image and the first behind it.
extern "C" const char image_start[];
extern "C" const char image_end[];

namespace demo {

namespace {

// Breaks a contract by a call, and expects to hear of it.
template <class Call>
void expect_fault(const char* name, slab_fault_kind kind, const void* address, Call call) {
    Check check(name);
    slab_stats before;
    slab_stats after;
    slab_heap_stats(&before);
    provoke(call);
    const FaultReport& report = fault_report;
    slab_heap_stats(&after);
    const char* caller = static_cast<const char*>(report.fault.caller);
    check.require(report.count == 1, "reported, once", address);
    check.require(report.fault.kind == kind, "called by its name", address);
    check.require(report.fault.address == address, "with its address", address);
    check.require(caller > image_start && caller < image_end, "and the place of the call", address);
    check.require(after.faults == before.faults + 1, "counted", address);
    check.require(after.used_bytes == before.used_bytes && after.frees == before.frees, "nothing changed",
                  address);
    check.done("reported, nothing changed");
}

void show_sentence() {
    show_misuse(fault_report.fault, fault_report.sentence, 9);
}

}  // namespace

void test_misuse() {
    auto* small = static_cast<char*>(slab_alloc(100, 8));
    auto* freed = static_cast<char*>(slab_alloc(100, 8));
    auto* large = static_cast<char*>(slab_alloc(20000, 8));
    auto* freed_large = static_cast<char*>(slab_alloc(20000, 8));
    fill(small, 100);
    slab_free(freed);
    slab_free(freed_large);

#ifndef SLABHEAP_UNCHECKED
    expect_fault("double free", SLAB_FAULT_DOUBLE_FREE, freed, [=] { slab_free(freed); });
    show_sentence();
#endif
    expect_fault("double free, large", SLAB_FAULT_DOUBLE_FREE, freed_large, [=] { slab_free(freed_large); });
    expect_fault("interior free", SLAB_FAULT_INTERIOR, small + 16, [=] { slab_free(small + 16); });
    show_sentence();
    expect_fault("interior free, large", SLAB_FAULT_INTERIOR, large + 4096, [=] { slab_free(large + 4096); });
    expect_fault("misaligned free", SLAB_FAULT_MISALIGNED, small + 1, [=] { slab_free(small + 1); });
    expect_fault("foreign free", SLAB_FAULT_FOREIGN, image_start,
                 [] { slab_free(const_cast<char*>(image_start)); });
    show_sentence();
    expect_fault("wrong size", SLAB_FAULT_WRONG_SIZE, small, [=] { slab_free_sized(small, 5000, 8); });
    show_sentence();
    expect_fault("wrong page count", SLAB_FAULT_WRONG_SIZE, large, [=] { slab_free_pages(large, 4); });

    Check check("life after misuse");
    check.require(slab_heap_check() == SLAB_OK, "the audit passes");
    check.require(slab_owns(small) && slab_owns(large), "the blocks are still there", small);
    check.require(intact(small, 100), "with their content", small);
    slab_free(large);
    slab_free(small);
    void* again = slab_alloc(100, 8);
    check.require(slabheap::test::is_next(small, again), "and are freed and handed out as ever", again);
    slab_free(again);
    check.done("the audit passes, the kernel lives on");
}

}  // namespace demo
