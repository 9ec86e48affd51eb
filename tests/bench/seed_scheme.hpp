// SPDX-License-Identifier: MIT
//
// The scheme that slabheap started from, as the Rust crates slab_allocator 0.3 and buddy_system_allocator
// 0.10 have it: the baseline that the bench can always measure. Free blocks are linked through themselves.
// A slab's list grows by 64 blocks from the buddy allocator and never gives them back; the class is chosen
// by a chain of comparisons; the buddy allocator has a list for each order, and to merge, it walks the list
// in search of the buddy. Nothing is checked.
#ifndef SLABHEAP_BENCH_SEED_SCHEME_HPP
#define SLABHEAP_BENCH_SEED_SCHEME_HPP

#include <cstddef>
#include <cstdint>

namespace slabheap::bench::seed {

struct FreeBlock {
    FreeBlock* next;
};

class FreeList {
public:
    bool empty() const { return head_ == nullptr; }
    void push(uintptr_t address) {
        FreeBlock* const block = reinterpret_cast<FreeBlock*>(address);
        block->next = head_;
        head_ = block;
    }
    // The list is not empty.
    uintptr_t pop() {
        FreeBlock* const block = head_;
        head_ = block->next;
        return reinterpret_cast<uintptr_t>(block);
    }
    // Walks the list, and takes the block out if it is found.
    bool remove(uintptr_t address);

private:
    FreeBlock* head_ = nullptr;
};

class Buddy {
public:
    void add(uintptr_t start, uintptr_t end);
    uintptr_t allocate(size_t size, size_t align);
    void deallocate(uintptr_t block, size_t size, size_t align);

private:
    static constexpr unsigned orders = 32;
    FreeList free_[orders];
    size_t requested_ = 0;
    size_t taken_ = 0;
};

template <size_t block_size>
class Slab {
public:
    uintptr_t allocate(Buddy& buddy);
    void deallocate(uintptr_t block);

private:
    static constexpr size_t grown_by = 64;
    FreeList free_;
    size_t free_blocks_ = 0;
    size_t total_blocks_ = 0;
};

class Heap {
public:
    void add_memory(void* start, size_t size);
    void* allocate(size_t size, size_t align);
    void deallocate(void* block, size_t size, size_t align);

private:
    Slab<64> slab_64_;
    Slab<128> slab_128_;
    Slab<256> slab_256_;
    Slab<512> slab_512_;
    Slab<1024> slab_1024_;
    Slab<2048> slab_2048_;
    Slab<4096> slab_4096_;
    Buddy buddy_;
};

}  // namespace slabheap::bench::seed

#endif
