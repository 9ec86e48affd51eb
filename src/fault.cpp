// SPDX-License-Identifier: MIT
//
// What an address that is no live block's start is, told exactly from the page map; and the report.
//
// Whose the address is, is the question for the head at or below it. If no slab or run has the page, it is
// free, and its tag still says what it was last.
#include "heap_core.hpp"

namespace slabheap {

// Of an address that belongs to no block.
static Diagnosis nowhere(slab_fault_kind kind) { return {kind, 0, 0}; }

Diagnosis HeapCore::diagnose(uintptr_t address) const {
    Word const page = address >> page_shift;
    Region* const region = region_of(address);
    if (region == nullptr || !region->is_usable(page)) return nowhere(SLAB_FAULT_FOREIGN);

    bool const free = region->extent(page).free;
    Word const head = free ? page : region->head_of(page);
    uint8_t const what = head != Region::none && region->knows_page(head) ? region->what(head) : tag::none;
    if constexpr (defences::guard) {
        if (tag::has_form(what) && free == (tag::state(what) == tag::freed_large))
            return diagnose_guarded(*region, head, address);
    }
    bool const is_leaving = tag::is_leaving(what);
    bool const in_use = tag::is_slab(what) || what == tag::large || what == tag::reserved || is_leaving;
    bool const was_used = tag::is_freed_slab(what) || what == tag::freed_large || what == tag::none;
    if (free ? !was_used : !in_use) return nowhere(SLAB_FAULT_CORRUPT);

    if (what == tag::reserved) return nowhere(SLAB_FAULT_FOREIGN);
    if (is_leaving && address == head << page_shift)
        return {SLAB_FAULT_DOUBLE_FREE, address, region->run_pages(head) << page_shift};
    if (is_leaving) return nowhere(SLAB_FAULT_NEVER_ALLOCATED);
    if (what == tag::large)
        return {SLAB_FAULT_INTERIOR, head << page_shift, region->run_pages(head) << page_shift};
    if (what == tag::freed_large) {
        if (address % page_size != 0) return nowhere(SLAB_FAULT_NEVER_ALLOCATED);
        return {SLAB_FAULT_DOUBLE_FREE, address, region->slots(page)[0] << page_shift};
    }
    if (what == tag::none) return nowhere(SLAB_FAULT_NEVER_ALLOCATED);
    return diagnose_slot(*region, what, address);
}

Diagnosis HeapCore::diagnose_slot(Region const& region, uint8_t what, uintptr_t address) const {
    Word const page = address >> page_shift;
    unsigned const size_class = tag::is_slab(what) ? what : what - tag::freed_slab;
    unsigned const slot = slot_at(size_class, address % page_size);
    uintptr_t const block = (page << page_shift) + slot_offset(size_class, slot);
    bool const live = region.view().is_live(block);
    if (live) return {SLAB_FAULT_INTERIOR, block, class_size(size_class)};
    if (!was_handed_out(region, page, size_class, slot)) return nowhere(SLAB_FAULT_NEVER_ALLOCATED);
    return {block == address ? SLAB_FAULT_DOUBLE_FREE : SLAB_FAULT_NEVER_ALLOCATED, block,
            class_size(size_class)};
}

void* HeapCore::fault(CallSite site, uintptr_t address, size_t size, size_t align) {
    Diagnosis found = diagnose(address);
    ++faults_;
    if (live_block(address).size != 0) found.kind = SLAB_FAULT_WRONG_SIZE;
    deliver(site, found, address, size, align);
    return nullptr;
}

void HeapCore::deliver(CallSite site, Diagnosis const& found, uintptr_t address, size_t size,
                       size_t align) const {
    bool const in_heap = found.kind != SLAB_FAULT_FOREIGN && found.kind != SLAB_FAULT_CORRUPT;
    if constexpr (shadow::is_kept) {
        if (in_heap && live_block(address).size == 0) shadow::tell_misuse(address);
    }
    bool const is_noted = defences::tracking && found.block != 0;
    bool const is_live = is_noted && live_block(found.block).size != 0;
    const void* const noted = is_noted ? noted_at(found.block) : nullptr;
    deliver({in_heap && address % granule != 0 ? SLAB_FAULT_MISALIGNED : found.kind,
             reinterpret_cast<const void*>(address),
             reinterpret_cast<const void*>(found.block),
             found.block_size,
             size,
             align,
             site.caller,
             site.call,
             {},
             is_live ? noted : nullptr,
             is_live ? nullptr : noted});
}

void HeapCore::deliver(slab_fault const& record) const {
    if (fault_handler_ == nullptr) __builtin_trap();
    fault_handler_(&record);
}

}  // namespace slabheap
