// SPDX-License-Identifier: MIT
//
// The heap's figures, derived from the few counters that the calls keep; and the walk over all live blocks.
#include "heap_core.hpp"
#include "memory.hpp"

namespace slabheap {

size_t HeapCore::used_bytes() const {
    size_t used = (large_pages() << page_shift) - idle_bytes();
    for (unsigned c = 0; c < class_count; ++c) used += live(c) * class_size(c);
    return used;
}

void HeapCore::stats(slab_stats& out) const {
    zero(reinterpret_cast<uintptr_t>(&out), sizeof out);
    out.total_bytes = total_bytes();
    out.used_bytes = used_bytes();
    out.available_bytes = out.total_bytes - out.used_bytes;
    out.metadata_bytes = map_pages() << page_shift;
    out.largest_free_bytes = largest_block() << page_shift;
    out.allocations = large_allocations_;
    // Others may be counting meanwhile.
    out.frees = atomic::load<atomic::relaxed>(large_frees_);
    out.failures = atomic::load<atomic::relaxed>(failures_);
    out.faults = atomic::load<atomic::relaxed>(faults_);
    out.requested_bytes_total = requested_;
    out.taken_bytes_total = (taken_pages_ << page_shift) + guards_.taken;
    if (!initialised()) return;
    out.class_count = class_count;
    for (unsigned c = 0; c < class_count; ++c) {
        size_t const pages = slabs(c);
        Traffic const sum = traffic(c);
        out.classes[c] = {class_size(c), sum.allocations - sum.frees, pages * class_slots(c), pages};
        out.allocations += sum.allocations;
        out.frees += sum.frees;
        out.requested_bytes_total += sum.requested;
        out.taken_bytes_total += sum.allocations * class_size(c);
    }
}

// Visits the live blocks of one slab. The visitor may free the block, and with it the slab: its live bits are
// then 0.
static void walk_slab(Region& region, Word page, unsigned size_class, slab_visitor visit, void* context) {
    for (unsigned slot = 0; slot < class_slots(size_class); ++slot) {
        uintptr_t const block = (page << page_shift) + slot_offset(size_class, slot);
        if (region.view().live(block) == 0) continue;
        visit(shadow::pointer_to(block), class_size(size_class), context);
    }
}

void HeapCore::walk(slab_visitor visit, void* context) {
    for (unsigned i = 0; i < region_count(); ++i) {
        Region& r = region(i);
        for (Word page = r.next_head(r.first_usable()); page != Region::none;) {
            uint8_t const what = r.tag(page);
            Word const pages = r.run_pages(page);
            if (tag::is_slab(what)) walk_slab(r, page, what, visit, context);
            if (what == tag::large)
                visit(shadow::pointer_to(page << page_shift), pages << page_shift, context);
            if constexpr (defences::guard) {
                if (r.has_guarded_block(page)) {
                    Region::Placed const block = r.guarded_block(page);
                    visit(reinterpret_cast<void*>(block.start), block.size, context);
                }
            }
            page = r.next_head(page + pages);
        }
    }
}

}  // namespace slabheap
