// SPDX-License-Identifier: MIT
//
// Self-test: takes every byte there is, in blocks of mixed sizes, and gives all of it back.
#include "../tests/support/built_defences.hpp"
#include "hoard.hpp"
#include "print.h"
#include "report.hpp"
#include "self_test.hpp"
#include "slabheap/slabheap.h"

namespace demo {

namespace {

// The bytes behind the last slots of slabs, where the class does not divide the page.
size_t lost_bytes(const slab_stats& stats) {
    size_t lost = 0;
    for (size_t i = 0; i < stats.class_count; i++)
        lost += stats.classes[i].pages * (SLAB_PAGE_SIZE % stats.classes[i].size);
    return lost;
}

}  // namespace

void test_exhaustion() {
    Check taken("exhaustion");
    Hoard hoard;
    slab_stats before;
    slab_stats full;
    slab_stats after;
    slab_heap_stats(&before);
    hoard.take_everything();
    slab_heap_stats(&full);
    size_t all = before.available_bytes - lost_bytes(full);
    taken.require(full.used_bytes - before.used_bytes == all, "the blocks are all that was available");
    // With canaries, the slots of a larger class that serve smaller requests count as no more than those.
    taken.require(slabheap::test::has_canary || hoard.bytes() == all, "all of it may be used");
    taken.require(full.available_bytes == lost_bytes(full), "not a byte is left");
    taken.require(slab_alloc(1, 1) == nullptr, "nothing is to be had");
    taken.require(slab_heap_check() == SLAB_OK, "the full heap passes the audit");
    taken.done("%zu blocks of %zu sizes: all of %s", hoard.count(), Hoard::kinds, size_text(all).text);

    Check recovered("recovery");
    size_t count = hoard.count();
    const void* broken = hoard.give_back_all();
    slab_heap_stats(&after);
    recovered.require(broken == nullptr, "every block keeps what was written", broken);
    recovered.require(after.available_bytes == before.available_bytes, "all is available again");
    recovered.require(slab_heap_check() == SLAB_OK, "the empty heap passes the audit");
    void* largest = slab_alloc(before.largest_free_bytes, SLAB_PAGE_SIZE);
    recovered.require(largest != nullptr, "the largest block is whole again");
    slab_free(largest);
    recovered.done("%zu intact and freed, %s in one piece", count, size_text(before.largest_free_bytes).text);
}

namespace {

constexpr size_t spare_bytes = 64 * 1024;
void* spare;
unsigned hook_calls;

int give_up_spare(size_t, size_t) {
    bool has_spare = spare != nullptr;
    slab_free(spare);
    spare = nullptr;
    hook_calls++;
    return has_spare;
}

}  // namespace

void test_out_of_memory_hook() {
    Check check("out-of-memory hook");
    Hoard hoard;
    slab_stats stats;
    slab_heap_stats(&stats);
    size_t available = stats.available_bytes;
    spare = slab_alloc(spare_bytes, 16);
    hoard.take_everything();
    slab_oom_hook previous = slab_heap_set_oom_hook(give_up_spare);
    check.require(hoard.take(spare_bytes), "the hook gives memory up, and the request succeeds");
    check.require(!hoard.take(spare_bytes), "the hook has nothing more, and the request fails");
    check.require(hook_calls == 2, "the hook is asked once each time");
    slab_heap_set_oom_hook(previous);
    const void* broken = hoard.give_back_all();
    check.require(broken == nullptr, "every block keeps what was written", broken);
    slab_heap_stats(&stats);
    check.require(stats.available_bytes == available, "all is available again");
    check.done("asked once, gave up 64 KiB, request granted");
}

}  // namespace demo
