// SPDX-License-Identifier: MIT
//
// Resizing a block: in place when it can be, else by a copy.
#include "heap_core.hpp"
#include "memory.hpp"

namespace slabheap {

// A slot serves whatever its class may hold. A large block keeps at least a page, gives its tail back, or takes
// the pages behind it.
bool HeapCore::resize_in_place(uintptr_t address, size_t size, size_t align) {
    Block const block = live_block(address);
    if (!block.is_large()) return may_hold(block.size_class, size, align);
    if (address % align != 0) return false;
    Word const pages = pages_for(size);
    Region& region = *region_of(address);
    Word const head = address >> page_shift;
    if (pages > block.pages()) return grow_run(region, head, pages);
    shrink_run(region, head, pages);
    return true;
}

void* HeapCore::reallocate(void* ptr, size_t size, size_t align, CallSite site) {
    if (ptr == nullptr) return allocate(size, align);
    uintptr_t const address = reinterpret_cast<uintptr_t>(ptr);
    if (!owns(ptr)) return fault(site, address, size, align);
    if (!is_power_of_two(align)) return fail();
    size += size == 0;
    return resize_in_place(address, size, align) ? ptr : move(address, size, align);
}

void* HeapCore::move(uintptr_t address, size_t size, size_t align) {
    void* const moved = allocate(size, align);
    return moved != nullptr ? finish_move(address, moved, size) : grow_after_all(address, size, align);
}

void* HeapCore::finish_move(uintptr_t address, void* moved, size_t size) {
    Block const block = live_block(address);
    copy(reinterpret_cast<uintptr_t>(moved), address, size < block.size ? size : block.size);
    deallocate_block(address, block);
    return moved;
}

// What was tried for a new block (collecting slabs, the out-of-memory hook) may have freed the pages behind a large one.
void* HeapCore::grow_after_all(uintptr_t address, size_t size, size_t align) {
    if (!resize_in_place(address, size, align)) return nullptr;
    --failures_;
    return reinterpret_cast<void*>(address);
}

}  // namespace slabheap
