// SPDX-License-Identifier: MIT
#include "seed_scheme.hpp"

#include <algorithm>
#include <bit>

namespace slabheap::bench::seed {

bool FreeList::remove(uintptr_t address) {
    for (FreeBlock** link = &head_; *link != nullptr; link = &(*link)->next) {
        if (reinterpret_cast<uintptr_t>(*link) == address) {
            *link = (*link)->next;
            return true;
        }
    }
    return false;
}

void Buddy::add(uintptr_t start, uintptr_t end) {
    while (start + sizeof(FreeBlock) <= end) {
        uintptr_t const alignment = start & (~start + 1);
        uintptr_t const largest = uintptr_t{1} << (orders - 1);
        uintptr_t const block = std::min({alignment, std::bit_floor(end - start), largest});
        free_[std::countr_zero(block)].push(start);
        start += block;
    }
}

namespace {

size_t block_size_for(size_t size, size_t align) {
    return std::max({std::bit_ceil(size), align, sizeof(FreeBlock)});
}

}  // namespace

uintptr_t Buddy::allocate(size_t size, size_t align) {
    size_t const taken = block_size_for(size, align);
    unsigned const order = static_cast<unsigned>(std::countr_zero(taken));
    unsigned found = order;
    while (found < orders && free_[found].empty()) ++found;
    if (found >= orders) return 0;
    for (unsigned split = found; split > order; --split) {
        uintptr_t const block = free_[split].pop();
        free_[split - 1].push(block + (uintptr_t{1} << (split - 1)));
        free_[split - 1].push(block);
    }
    requested_ += size;
    taken_ += taken;
    return free_[order].pop();
}

void Buddy::deallocate(uintptr_t block, size_t size, size_t align) {
    size_t const taken = block_size_for(size, align);
    unsigned order = static_cast<unsigned>(std::countr_zero(taken));
    free_[order].push(block);
    while (order < orders - 1) {
        uintptr_t const buddy = block ^ uintptr_t{1} << order;
        if (!free_[order].remove(buddy)) break;
        free_[order].pop();
        block = std::min(block, buddy);
        free_[++order].push(block);
    }
    requested_ -= size;
    taken_ -= taken;
}

template <size_t block_size>
uintptr_t Slab<block_size>::allocate(Buddy& buddy) {
    if (free_.empty()) {
        uintptr_t const start = buddy.allocate(grown_by * block_size, 4096);
        if (start == 0) return 0;
        FreeList added;
        for (size_t i = grown_by; i > 0; --i) added.push(start + (i - 1) * block_size);
        while (!added.empty()) free_.push(added.pop());
        free_blocks_ += grown_by;
        total_blocks_ += grown_by;
    }
    --free_blocks_;
    return free_.pop();
}

template <size_t block_size>
void Slab<block_size>::deallocate(uintptr_t block) {
    free_.push(block);
    ++free_blocks_;
}

void Heap::add_memory(void* start, size_t size) {
    uintptr_t const first = reinterpret_cast<uintptr_t>(start);
    buddy_.add(first, first + size);
}

void* Heap::allocate(size_t size, size_t align) {
    uintptr_t block;
    if (size > 4096) {
        block = buddy_.allocate(size, align);
    } else if (size <= 64 && align <= 64) {
        block = slab_64_.allocate(buddy_);
    } else if (size <= 128 && align <= 128) {
        block = slab_128_.allocate(buddy_);
    } else if (size <= 256 && align <= 256) {
        block = slab_256_.allocate(buddy_);
    } else if (size <= 512 && align <= 512) {
        block = slab_512_.allocate(buddy_);
    } else if (size <= 1024 && align <= 1024) {
        block = slab_1024_.allocate(buddy_);
    } else if (size <= 2048 && align <= 2048) {
        block = slab_2048_.allocate(buddy_);
    } else {
        block = slab_4096_.allocate(buddy_);
    }
    return reinterpret_cast<void*>(block);
}

void Heap::deallocate(void* ptr, size_t size, size_t align) {
    uintptr_t const block = reinterpret_cast<uintptr_t>(ptr);
    if (size > 4096) {
        buddy_.deallocate(block, size, align);
    } else if (size <= 64 && align <= 64) {
        slab_64_.deallocate(block);
    } else if (size <= 128 && align <= 128) {
        slab_128_.deallocate(block);
    } else if (size <= 256 && align <= 256) {
        slab_256_.deallocate(block);
    } else if (size <= 512 && align <= 512) {
        slab_512_.deallocate(block);
    } else if (size <= 1024 && align <= 1024) {
        slab_1024_.deallocate(block);
    } else if (size <= 2048 && align <= 2048) {
        slab_2048_.deallocate(block);
    } else {
        slab_4096_.deallocate(block);
    }
}

}  // namespace slabheap::bench::seed
