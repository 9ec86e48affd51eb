// SPDX-License-Identifier: MIT
//
// A program without mistakes, of which no tool may tell anything: every call, on several regions, by several
// threads, and on a Heap; every byte that was asked for is written and read. It also says what the calls
// promise with a shadow: usable sizes are those that were asked for, alignments and contents are right.
#include <slabheap/heap.hpp>
#include <slabheap/shared_heap.hpp>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "memory.h"

namespace {

constexpr size_t region_size = 1 << 20;

void expect(bool is_so, const char* what) {
    if (is_so) return;
    std::printf("not so: %s\n", what);
    std::exit(1);
}

// The calls of the C ABI, of a Heap, and of a SharedHeap, by one name each.
struct Shared {
    void* allocate(size_t size, size_t align) { return slab_alloc(size, align); }
    void* allocate_zeroed(size_t size) { return slab_calloc(1, size); }
    void* reallocate(void* block, size_t size, size_t align) { return slab_realloc(block, size, align); }
    void free(void* block) { slab_free(block); }
    void free(void* block, size_t size, size_t align) { slab_free_sized(block, size, align); }
    void* allocate_pages(size_t count) { return slab_alloc_pages(count, SLAB_PAGE_SIZE); }
    void free_pages(void* block, size_t count) { slab_free_pages(block, count); }
    size_t usable_size(void* block) { return slab_usable_size(block); }
    bool owns(void* block) { return slab_owns(block) != 0; }
    void walk(slab_visitor visit, void* context) { slab_heap_walk(visit, context); }
    int check() { return slab_heap_check(); }
};

struct Single {
    slabheap::Heap heap;
    void* allocate(size_t size, size_t align) { return heap.allocate({size, align}); }
    void* allocate_zeroed(size_t size) { return heap.allocate_zeroed({size, 16}); }
    void* reallocate(void* block, size_t size, size_t align) { return heap.reallocate(block, {size, align}); }
    void free(void* block) { heap.deallocate(block); }
    void free(void* block, size_t size, size_t align) { heap.deallocate(block, {size, align}); }
    void* allocate_pages(size_t count) { return heap.allocate_pages(count); }
    void free_pages(void* block, size_t count) { heap.deallocate_pages(block, count); }
    size_t usable_size(void* block) { return heap.usable_size(block); }
    bool owns(void* block) { return heap.owns(block); }
    void walk(slab_visitor visit, void* context) { heap.walk(visit, context); }
    int check() { return heap.check(); }
};

// One CPU, which nothing interrupts.
struct OnlyCpu {
    static size_t index(size_t) { return 0; }
    static bool may_wait() { return true; }
    static bool is_alone(size_t) { return true; }
    static void stop_preemption() {}
    static void resume_preemption() {}
    static void pause() {}
};
struct NoLock {
    void lock() {}
    bool try_lock(bool) { return true; }
    void unlock() {}
};
struct InCpp {
    slabheap::SharedHeap<OnlyCpu, NoLock> heap;
    static constexpr slabheap::CallSite site{"clean", nullptr};
    void* allocate(size_t size, size_t align) { return heap.allocate({size, align}); }
    void* allocate_zeroed(size_t size) { return heap.allocate_zeroed(1, {size, 16}); }
    void* reallocate(void* block, size_t size, size_t align) {
        return heap.reallocate(block, {size, align}, site);
    }
    void free(void* block) { heap.deallocate(block, site); }
    void free(void* block, size_t size, size_t align) { heap.deallocate(block, {size, align}, site); }
    void* allocate_pages(size_t count) { return heap.allocate_pages(count); }
    void free_pages(void* block, size_t count) { heap.deallocate_pages(block, count, site); }
    size_t usable_size(void* block) { return heap.usable_size(block, site); }
    bool owns(void* block) { return heap.owns(block); }
    void walk(slab_visitor visit, void* context) { heap.walk(visit, context); }
    int check() { return heap.audit(nullptr); }
};

struct Block {
    unsigned char* start = nullptr;
    size_t size = 0;
    size_t align = 0;
    unsigned char stamp = 0;

    void write(unsigned char with) { std::memset(start, stamp = with, size); }
    bool holds(size_t bytes) const {
        for (size_t i = 0; i < bytes; ++i) {
            if (start[i] != stamp) return false;
        }
        return true;
    }
};

template <class H>
class User {
public:
    User(H& heap, unsigned seed) : heap_(heap), random_(seed) {}

    void work(unsigned steps) {
        for (unsigned i = 0; i < steps; ++i) step(blocks_[random_() % blocks_.size()]);
        for (Block& block : blocks_) drop(block);
    }

private:
    void step(Block& block) {
        // Not 0, for which memset uses an instruction whose tagged address QEMU 7.2 does not understand.
        const auto stamp = static_cast<unsigned char>(1 + random_() % 255);
        if (block.start == nullptr) {
            make(block);
            block.write(stamp);
        } else if (random_() % 3 == 0) {
            resize(block);
            block.write(stamp);
        } else {
            drop(block);
        }
    }

    size_t a_size() { return 1 + random_() % (random_() % 8 == 0 ? 30000 : 400); }

    void make(Block& block) {
        block.size = a_size();
        block.align = size_t{1} << random_() % 14;
        if (random_() % 4 == 0) {
            block.align = 1;
            block.start = static_cast<unsigned char*>(heap_.allocate_zeroed(block.size));
            block.stamp = 0;
            expect(block.start != nullptr && block.holds(block.size), "zeroed memory is zero");
        } else {
            block.start = static_cast<unsigned char*>(heap_.allocate(block.size, block.align));
        }
        is_right(block);
    }
    void resize(Block& block) {
        const size_t before = block.size;
        block.size = a_size();
        block.start = static_cast<unsigned char*>(heap_.reallocate(block.start, block.size, block.align));
        is_right(block);
        expect(block.holds(before < block.size ? before : block.size), "a resized block keeps its content");
    }
    void is_right(const Block& block) {
        expect(block.start != nullptr, "there is memory");
        expect(reinterpret_cast<uintptr_t>(block.start) % block.align == 0, "a block is aligned");
        expect(heap_.usable_size(block.start) == block.size, "what was asked for is what may be used");
        expect(heap_.owns(block.start), "the heap owns its blocks");
    }
    void drop(Block& block) {
        if (block.start == nullptr) return;
        expect(block.holds(block.size), "a block keeps its content");
        random_() % 2 == 0 ? heap_.free(block.start) : heap_.free(block.start, block.size, block.align);
        block = {};
    }

    H& heap_;
    std::minstd_rand random_;
    std::vector<Block> blocks_ = std::vector<Block>(40);
};

template <class H>
void pages_and_walk(H& heap) {
    void* const run = heap.allocate_pages(3);
    std::memset(run, 1, 3 * SLAB_PAGE_SIZE);
    void* const block = heap.allocate(50, 8);
    std::memset(block, 2, 50);
    struct Walk {
        H& heap;
        unsigned visited;
    } walk{heap, 0};
    heap.walk(
        [](void* found, size_t size, void* context) {
            auto& so_far = *static_cast<Walk*>(context);
            ++so_far.visited;
            const size_t usable = so_far.heap.usable_size(found);
            expect(usable == 50 || usable == size, "a block in a walk has its size");
            const unsigned char last = static_cast<unsigned char*>(found)[usable - 1];
            expect(last == (usable == 50 ? 2 : 1), "and its content");
        },
        &walk);
    expect(walk.visited == 2, "a walk visits each block");
    heap.free(block);
    heap.free_pages(run, 3);
    expect(heap.check() == SLAB_OK, "the heap audits");
}

// Blocks that one thread makes and another frees.
void pass_blocks() {
    constexpr unsigned count = 300;
    std::vector<std::atomic<void*>> places(count);
    std::thread maker([&] {
        for (unsigned i = 0; i < count; ++i) {
            void* const block = slab_alloc(1 + i * 7, 8);
            std::memset(block, 3, 1 + i * 7);
            places[i] = block;
        }
    });
    for (unsigned i = 0; i < count; ++i) {
        void* block;
        while ((block = places[i]) == nullptr) std::this_thread::yield();
        std::memset(block, 4, 1 + i * 7);
        slab_free(block);
    }
    maker.join();
}

void reserve(char* page) {
    expect(slab_heap_reserve(page, SLAB_PAGE_SIZE) == SLAB_OK, "a free page is reserved");
    std::memset(page, 5, SLAB_PAGE_SIZE);
    expect(slab_heap_release(page, SLAB_PAGE_SIZE) == SLAB_OK, "and released");
}

alignas(SLAB_PAGE_SIZE) char array[3 * region_size];

}  // namespace

int main(int count, char** words) {
    const unsigned steps = count == 2 ? static_cast<unsigned>(std::atoi(words[1])) : 2000;
    char* const first = static_cast<char*>(heap_memory(4 * region_size));
    expect(slab_heap_init(first, region_size) == SLAB_OK, "init");
    reserve(first + region_size / 2);
    char* const second = first + 2 * region_size;
    expect(slab_heap_add_memory(second, 2 * region_size) == SLAB_OK, "add_memory");
    Shared shared;
    pages_and_walk(shared);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < 3; ++i) threads.emplace_back([&, i] { User<Shared>(shared, i).work(steps); });
    for (std::thread& thread : threads) thread.join();
    pass_blocks();
    slab_stats stats;
    slab_heap_stats(&stats);
    expect(stats.used_bytes == 0 && stats.faults == 0, "all blocks are free");
    expect(slab_heap_check() == SLAB_OK, "the heap audits");

    char* const others = static_cast<char*>(heap_memory(4 * region_size));
    static Single single;
    expect(single.heap.init(others, region_size) == SLAB_OK, "init of a Heap");
    expect(single.heap.add_memory(others + region_size, region_size) == SLAB_OK, "add_memory to it");
    pages_and_walk(single);
    User<Single>(single, 9).work(steps);
    static InCpp in_cpp;
    expect(in_cpp.heap.init(others + 2 * region_size, 2 * region_size) == SLAB_OK, "init of a SharedHeap");
    pages_and_walk(in_cpp);
    User<InCpp>(in_cpp, 10).work(steps);

    // Memory that has no tags: within the program, and of malloc's.
    if constexpr (GRANULE == 1) {
        expect(slab_heap_add_memory(array, sizeof array) == SLAB_OK, "add_memory of an array");
        void* const block = std::aligned_alloc(SLAB_PAGE_SIZE, region_size);
        expect(slab_heap_add_memory(block, region_size) == SLAB_OK, "add_memory of a block");
        User<Shared>(shared, 11).work(steps);
    }
    last_object = nullptr;
    std::puts("clean");
}
