// SPDX-License-Identifier: MIT
//
// A heap with its memory and a recorder for its faults: what nearly every test starts from. When it goes out
// of scope the heap must still pass its own audit, and every fault must have been expected.
#ifndef SLABHEAP_TESTS_TEST_HEAP_HPP
#define SLABHEAP_TESTS_TEST_HEAP_HPP

#include "fault_recorder.hpp"
#include "test_memory.hpp"

#include <gtest/gtest.h>
#include <slabheap/heap.hpp>

#include <memory>
#include <vector>

namespace slabheap::test {

inline constexpr size_t KiB = 1024;
inline constexpr size_t MiB = 1024 * KiB;
inline constexpr size_t GiB = 1024 * MiB;

inline slab_stats stats_of(const Heap& heap) {
    slab_stats stats;
    heap.stats(stats);
    return stats;
}

// True when the audit finds nothing; says what it found otherwise.
::testing::AssertionResult audits(const Heap& heap);

// True when nothing differs between the two, but for `faults` more broken contracts; names the fields
// otherwise.
::testing::AssertionResult same_books(const slab_stats& before, const slab_stats& after, size_t faults = 0);

class TestHeap {
public:
    explicit TestHeap(size_t size, size_t offset = 0,
                      TestMemory::Content content = TestMemory::Content::noise)
        : memory(size, offset, content) {
        heap.set_fault_handler(FaultRecorder::handler);
        EXPECT_EQ(SLAB_OK, heap.init(memory.start(), memory.size()));
    }
    ~TestHeap() { EXPECT_TRUE(audits(heap)); }

    TestHeap(const TestHeap&) = delete;
    TestHeap& operator=(const TestHeap&) = delete;

    slab_stats stats() const { return stats_of(heap); }

    // Blocks of one layout until there are no more.
    std::vector<void*> exhaust(Layout layout);

    // The index of the first page that is handed out: the map's pages come before it.
    size_t map_pages() const { return stats().metadata_bytes / page_size; }

    // Adds a region of its own memory, which lives as long as the heap.
    const TestMemory& add_region(size_t size, size_t offset = 0);

    TestMemory memory;
    FaultRecorder faults;
    Heap heap;

private:
    std::vector<std::unique_ptr<TestMemory>> added_;
};

}  // namespace slabheap::test

#endif
