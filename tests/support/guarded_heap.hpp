// SPDX-License-Identifier: MIT
//
// A Heap, and heaps that CPUs share, with guards that are closed by mprotect: what tests of guards start
// from.
#ifndef SLABHEAP_TESTS_GUARDED_HEAP_HPP
#define SLABHEAP_TESTS_GUARDED_HEAP_HPP

#include "guards.hpp"
#include "page_guards.hpp"
#include "shared_test_heap.hpp"

#include <cstring>

namespace slabheap::test {

static_assert(defences::guard);

inline constexpr size_t resting = GuardsOn::most_resting;

// Both kinds of heap, with the same calls.
class SingleTestHeap {
public:
    explicit SingleTestHeap(size_t size) : test_(size) {}

    Heap& heap() { return test_.heap; }
    void* allocate(size_t size, size_t align = 8) { return heap().allocate({size, align}); }
    void* reallocate(void* block, size_t size) { return heap().reallocate(block, {size, 8}); }
    void free(void* block) { heap().deallocate(block); }
    void free(void* block, size_t size, size_t align = 8) { heap().deallocate(block, {size, align}); }
    void free_pages(void* block, size_t count) { heap().deallocate_pages(block, count); }
    size_t usable_size(void* block) { return heap().usable_size(block); }
    slab_stats stats() { return test_.stats(); }
    ::testing::AssertionResult audits() { return test::audits(heap()); }
    RecordedFault fault() { return test_.faults.take(); }
    TestMemory& memory() { return test_.memory; }
    void add_region() { test_.add_region(1 * MiB, 64 * KiB); }

private:
    TestHeap test_;
};

template <size_t cpus>
class CpusTestHeap {
public:
    explicit CpusTestHeap(size_t size) : test_(size, cpus) {}

    auto& heap() { return test_.heap; }
    void* allocate(size_t size, size_t align = 8) { return test_.allocate(size, align); }
    void* reallocate(void* block, size_t size) { return heap().reallocate(block, {size, 8}, site); }
    void free(void* block) { test_.free(block); }
    void free(void* block, size_t size, size_t align = 8) { heap().deallocate(block, {size, align}, site); }
    void free_pages(void* block, size_t count) { heap().deallocate_pages(block, count, site); }
    size_t usable_size(void* block) { return heap().usable_size(block, site); }
    slab_stats stats() { return test_.stats(); }
    ::testing::AssertionResult audits() { return test_.audits(); }
    RecordedFault fault() { return test_.faults.take(); }
    TestMemory& memory() { return test_.memory; }
    void add_region() { EXPECT_EQ(SLAB_OK, heap().add_memory(added_.start(), added_.size())); }

private:
    TestMemory added_{1 * MiB};
    SharedTestHeap<> test_;
};

inline unsigned char* bytes(void* block) { return static_cast<unsigned char*>(block); }

template <class H>
class GuardsTest : public ::testing::Test {
protected:
    GuardsTest() {
        guards.meanwhile = [] { EXPECT_FALSE(machine.is_held) << "a hook runs with the lock held"; };
        guard_one_in(0);
    }
    ~GuardsTest() override { EXPECT_TRUE(heap.audits()); }

    void guard_one_in(size_t count) {
        EXPECT_TRUE(heap.heap().set_guard_hooks(PageGuards::protect, PageGuards::unprotect, count));
    }
    size_t used() { return heap.stats().used_bytes; }

    // What was asked for is its user's, and behind the block's end all faults.
    void expect_guarded(void* block, size_t asked, size_t real) {
        std::memset(block, 0x5a, asked);
        EXPECT_EQ(nullptr, Access::write(bytes(block) + real - 1));
        EXPECT_EQ(bytes(block) + real, Access::read(bytes(block) + real));
        EXPECT_EQ(bytes(block) + real + 4095, Access::write(bytes(block) + real + 4095));
    }
    void expect_fault(slab_fault_kind kind, void* address, void* block, size_t size) {
        const RecordedFault fault = heap.fault();
        EXPECT_EQ(kind, fault.record.kind) << fault.sentence;
        EXPECT_EQ(address, fault.record.address);
        EXPECT_EQ(block, fault.record.block);
        EXPECT_EQ(size, fault.record.block_size);
        EXPECT_TRUE(tells_all(fault));
    }
    // Small blocks that are freed until those that rest are others.
    void free_some_more() {
        for (size_t i = 0; i < resting; ++i) heap.free(heap.allocate(16));
    }

    H heap{2 * MiB};
    PageGuards guards;
};

using GuardedHeaps = ::testing::Types<SingleTestHeap, CpusTestHeap<1>, CpusTestHeap<3>>;

}  // namespace slabheap::test

#endif
