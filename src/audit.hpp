// SPDX-License-Identifier: MIT
//
// The audit: every invariant of the heap's data, each told by a sentence. It trusts nothing in the page maps:
// bounds come from the heap's own table, every count is checked before it is used as one, so corrupt data is
// reported, not followed.
//
//   region   its geometry is the one that its bounds give
//   nodes    a parent's bit is set exactly when its child's word is not zero; orders are entered exactly
//   tiling   free extents, slabs and runs cover the usable pages without gap or overlap, and the counts agree
//   slabs    slots = live + pool + stack + word, each slot in one of them; room and spares are told exactly
//   books    what the counters say is what was counted; free + slabs + runs + reserved + map = region
//
// Regions, nodes, tiling and books are in audit.cpp, slabs and their fronts in audit_slabs.cpp.
#ifndef SLABHEAP_AUDIT_HPP
#define SLABHEAP_AUDIT_HPP

#include "heap_core.hpp"

namespace slabheap {

class Auditor {
public:
    Auditor(HeapCore const& heap, slab_audit& result) : heap_(heap), result_(result) {}

    bool heap_is_sound();

private:
    // Trees have bits for the pages of the first section that lie before the region: none may be set.
    static Word first_in_trees(Region const& region) { return region.first_node(0) << word_shift; }

    using Entry = PageAllocator::Entry;

    bool broken(const char* invariant, uintptr_t address = 0) {
        result_ = {invariant, reinterpret_cast<const void*>(address)};
        return false;
    }

    bool regions_are_sound();
    bool geometry_is_sound(Entry const& entry);
    bool nodes_are_sound(Region const& region);
    bool children_are_sound(Region const& region, unsigned level, Word node);
    bool child_is_entered(Region const& region, unsigned level, Word child);
    bool orders_are_sound(Region const& region);
    bool tiling_is_sound(Region& region);
    bool nothing_is_live(Region const& region, Word page);
    static Word live_blocks(Region const& region, Word page);
    bool room_is_sound(Region& region);
    bool idle_pages_are_sound(Region& region, Word first, Word end);
    bool head_is_sound(Region& region, Word page);
    bool slab_is_sound(Region& region, Word page, unsigned size_class);
    bool slots_are_sound(Region& region, Word page, unsigned size_class);
    bool class_is_sound(unsigned size_class);
    bool stack_is_sound(Front const& front, unsigned size_class);
    bool word_is_sound(Front const& front, unsigned size_class);
    bool is_free_slot(uintptr_t address, unsigned size_class) const;

    HeapCore const& heap_;
    slab_audit& result_;
    Word runs_ = 0;          // runs of the region
    Word in_fronts_ = 0;     // free slots in the fronts of the class
    Word marked_free_ = 0;   // pages of the region that bits of free units tell
    Word large_pages_ = 0;   // counted in all regions: pages of large blocks,
    Word usable_pages_ = 0;  // pages that are neither maps nor reserved,
    Word map_pages_ = 0;     // and pages of the page maps
};

}  // namespace slabheap

#endif
