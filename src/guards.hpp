// SPDX-License-Identifier: MIT
//
// Guards: pages that no access survives, behind blocks (defence guard). The kernel says how a page is made to
// fault, and how to undo it: two hooks.
//
//   a large block     | page | page | guard |        its run has one page more
//   a small block     | unused, block | guard |      one request in N has a run of its own; it ends where its
//                                                    page ends, so that the first byte behind it faults
//   and when freed    | guard | guard |              its page faults, too, while it rests: until as many
//                                                    blocks as a ring holds were freed after it, or memory
//                                                    runs short
//
// Perens's Electric Fence (1987) did this for every block; GWP-ASan and Linux's KFENCE for one in N, which is
// cheap enough to be always on, and finds what happens often enough, or on enough machines. Which one is next
// is drawn, as in GWP-ASan: a loop of N requests would always have the same one guarded.
//
// The tag of a run tells that its last page is a guard (page_map.hpp). Books: large_pages_ has whole runs, of
// which `idle` bytes are no block's, and `rested` bytes are those of freed ones.
//
// A guard is a defence, not a promise: where a hook says that it cannot, or no page is left, the block is
// given without. No hook is called with the page lock held.
#ifndef SLABHEAP_GUARDS_HPP
#define SLABHEAP_GUARDS_HPP

#include <slabheap/slabheap.h>

#include "defences.hpp"

namespace slabheap {

// What every call reads and who holds the lock writes have a cache line each.
struct alignas(64) GuardsOn {
    static constexpr unsigned most_resting = 8;

    slab_guard_hook protect;
    slab_guard_hook unprotect;
    size_t one_in;            // small requests, of which one has a guard; 0: none
    alignas(64) size_t idle;  // bytes of runs with guards that are no block's; the page lock's holder's
    size_t rested;            // bytes of freed blocks whose runs rest, or are stuck
    size_t taken;             // bytes given to small blocks with guards, ever
    uintptr_t resting[most_resting];  // a ring of runs of freed small blocks; 0: no run
    Word freed;                       // how many went into it

    void returned(size_t bytes) { idle -= bytes; }
};

// In an archive without guards: none, at no cost.
struct GuardsOff {
    static constexpr size_t one_in = 0;
    static constexpr size_t idle = 0;
    static constexpr size_t rested = 0;
    static constexpr size_t taken = 0;

    static void returned(size_t) {}
};

template <bool on>
struct GuardsIf {
    using Type = GuardsOff;
};
template <>
struct GuardsIf<true> {
    using Type = GuardsOn;
};
using Guards = GuardsIf<defences::guard>::Type;

}  // namespace slabheap

#endif
