// SPDX-License-Identifier: MIT
//
// Resizing a block: in place when it can be, else by a copy.
#include "heap_core.hpp"
#include "memory.hpp"

namespace slabheap {

// A slot serves whatever its class may hold. A large block keeps at least a page, gives its tail back, or
// takes the pages behind it.
bool HeapCore::resize_in_place(uintptr_t address, size_t size, size_t align) {
    Block const block = live_block(address);
    if (block.is_guarded_small()) return may_be_for(address, block, size, align);
    if (!block.is_large()) return may_hold(block.size_class, size, align);
    if (address % align != 0) return false;
    Word const pages = pages_for(size);
    Region& region = *region_of(address);
    Word const head = address >> page_shift;
    Word const guards = region.form(head) != 0;
    uintptr_t const end = address + (pages << page_shift), end_before = address + block.size;
    if (pages > block.pages()) {
        bool const grows = grow_run(region, head, pages + guards);
        // Else whoever knows its size does, without the lock.
        if (defences::zero_alloc && !defences::keep_sizes && grows) defences::fill(end_before, end, 0);
        return grows;
    }
    // While the pages are its own:
    if constexpr (shadow::is_kept) resize_shadow(address, block, size);
    if (defences::fill_freed) defences::fill(end, end_before, defences::freed_byte);
    shrink_run(region, head, pages + guards);
    return true;
}

void* HeapCore::reallocate(void* ptr, size_t size, size_t align, CallSite site) {
    if (ptr == nullptr) return prepare(allocate(size, align), size);
    uintptr_t const address = shadow::address_of(ptr);
    if (!owns(ptr)) return fault(site, address, size, align);
    if (!is_power_of_two(align)) return fail();
    size += size == 0;
    if (!resize(address, size, align)) return move(address, size, align, site);
    resized(ptr, size, site);
    return ptr;
}

// Looks for a new place. What is tried for it, collecting slabs and the out-of-memory hook, may free the
// pages behind a large block, which then stays after all; or the hook frees the block itself, which then is
// not there to be moved.
void* HeapCore::move(uintptr_t address, size_t size, size_t align, CallSite site) {
    Request const request{pages_of(size, align), size, align};
    if (request.pages > all_ones >> page_shift) return fail();
    void* const block = shadow::pointer_to(address);
    for (bool asked = false;; asked = true) {
        uintptr_t const to = find(request);
        if (to != 0) return move_to(to, address, size, site);
        if (resize(address, size, align)) {
            resized(block, size, site);
            return block;
        }
        if (asked || !asked_for_memory(size, align) || !owns(block)) return fail();
    }
}

void* HeapCore::move_to(uintptr_t to, uintptr_t address, size_t size, CallSite site) {
    Block const block = live_block(address);
    void* const moved = prepare(reinterpret_cast<void*>(to), size);
    size_t const before = requested(address, block);
    copy(to, address, size < before ? size : before);
    deallocate_block(address, block, site);
    return moved;
}

}  // namespace slabheap
