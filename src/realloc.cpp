// SPDX-License-Identifier: MIT
//
// Resizing a block: in place when it can be, else by a copy.
#include "heap_core.hpp"
#include "memory.hpp"

namespace slabheap {

// A slot serves whatever its class may hold. A large block keeps at least a page, gives its tail back, or takes
// the pages behind it.
bool HeapCore::resize_in_place(uintptr_t address, Block const& block, size_t size, size_t align) {
    if (block.pages == 0) return may_hold(block.size_class, size, align);
    if (address % align != 0) return false;
    Word const pages = pages_for(size);
    Region& region = *region_of(address);
    Word const head = address >> page_shift;
    if (pages > block.pages) return grow_run(region, head, pages);
    shrink_run(region, head, pages);
    return true;
}

void* HeapCore::reallocate(void* ptr, size_t size, size_t align, CallSite site) {
    if (ptr == nullptr) return allocate(size, align);
    uintptr_t const address = reinterpret_cast<uintptr_t>(ptr);
    Block const block = live_block(address);
    if (block.size == 0) {
        fault_not_live(site, address, size, align);
        return nullptr;
    }
    size += size == 0;
    if (!is_power_of_two(align)) return fail();
    if (resize_in_place(address, block, size, align)) return ptr;
    void* const moved = allocate(size, align);
    if (moved == nullptr) {
        // What was tried for it (collecting slabs, the out-of-memory hook) may have freed the pages behind the block.
        if (block.pages == 0 || !resize_in_place(address, block, size, align)) return nullptr;
        --failures_;
        return ptr;
    }
    copy(reinterpret_cast<uintptr_t>(moved), address, size < block.size ? size : block.size);
    deallocate_block(address, block);
    return moved;
}

}  // namespace slabheap
