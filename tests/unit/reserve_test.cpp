// SPDX-License-Identifier: MIT
//
// slab_heap_reserve takes a given page range out of the heap, slab_heap_release gives it back: every status,
// what the figures say, that nothing is ever handed out from a reserved range, and any mix of ranges coming
// back.
#include "built_defences.hpp"
#include "test_heap.hpp"

#include <cstdint>

namespace slabheap::test {
namespace {

class Reserve : public ::testing::Test {
protected:
    TestHeap test{64 * KiB};  // page 0 is the map
    Heap& heap = test.heap;

    std::byte* page(size_t index) const { return test.memory.page(index); }
};

TEST_F(Reserve, TakesARangeOutAndReleaseGivesItBack) {
    const slab_stats before = test.stats();
    ASSERT_EQ(SLAB_OK, heap.reserve(page(5), pages(3)));
    EXPECT_EQ(pages(12), heap.total_bytes());
    EXPECT_EQ(pages(12), heap.available_bytes());
    EXPECT_EQ(0u, heap.used_bytes());
    EXPECT_EQ(before.metadata_bytes, test.stats().metadata_bytes);
    EXPECT_TRUE(audits(heap));
    ASSERT_EQ(SLAB_OK, heap.release(page(5), pages(3)));
    EXPECT_TRUE(same_books(before, test.stats()));
}

TEST_F(Reserve, NothingIsHandedOutFromTheRange) {
    for (const size_t size : {64u, 1024u, 4096u}) {
        ASSERT_EQ(SLAB_OK, heap.reserve(page(3), pages(4)));
        const std::vector<void*> blocks = test.exhaust({size, 1});
        EXPECT_EQ(pages(11) / size, blocks.size());
        for (void* block : blocks) {
            EXPECT_FALSE(block >= page(3) && block < page(7)) << block;
            heap.deallocate(block);
        }
        ASSERT_EQ(SLAB_OK, heap.release(page(3), pages(4)));
    }
    EXPECT_NE(nullptr, heap.allocate_pages(15)) << "released pages merge again";
}

TEST_F(Reserve, EveryRangeOfAHeap) {
    for (size_t first = 1; first < 16; ++first) {
        for (size_t count = 1; first + count <= 16; ++count) {
            const slab_stats before = test.stats();
            ASSERT_EQ(SLAB_OK, heap.reserve(page(first), pages(count))) << first << ", " << count;
            ASSERT_EQ(pages(15 - count), heap.available_bytes());
            ASSERT_TRUE(audits(heap));
            ASSERT_EQ(SLAB_OK, heap.release(page(first), pages(count)));
            ASSERT_TRUE(same_books(before, test.stats())) << first << ", " << count;
        }
    }
}

TEST_F(Reserve, TheWholeHeapAndBack) {
    ASSERT_EQ(SLAB_OK, heap.reserve(page(1), pages(15)));
    EXPECT_EQ(0u, heap.total_bytes());
    EXPECT_EQ(nullptr, heap.allocate({1, 1}));
    ASSERT_EQ(SLAB_OK, heap.release(page(1), pages(15)));
    EXPECT_NE(nullptr, heap.allocate_pages(15));
}

TEST_F(Reserve, AReservedRangeComesBackInPartsOrSeveralAtOnce) {
    ASSERT_EQ(SLAB_OK, heap.reserve(page(2), pages(2)));
    ASSERT_EQ(SLAB_OK, heap.reserve(page(4), pages(5)));
    EXPECT_EQ(SLAB_OK, heap.release(page(3), pages(3))) << "the end of one and the start of the other";
    EXPECT_EQ(pages(11), heap.total_bytes());
    EXPECT_EQ(SLAB_ERR_RANGE, heap.release(page(2), pages(2))) << "page 3 is back already";
    EXPECT_EQ(SLAB_OK, heap.release(page(2), pages(1)));
    EXPECT_EQ(SLAB_OK, heap.release(page(6), pages(3)));
    EXPECT_EQ(pages(15), heap.available_bytes());
    EXPECT_NE(nullptr, heap.allocate_pages(15));
}

TEST_F(Reserve, TheMemoryItselfIsNotTouched) {
    for (size_t i = 0; i < pages(2); ++i) {
        page(8)[i] = std::byte(i * 7 % 251);
    }
    ASSERT_EQ(SLAB_OK, heap.reserve(page(8), pages(2)));
    for (void* block : test.exhaust({4096, 8})) {
        heap.deallocate(block);
    }
    for (size_t i = 0; i < pages(2); ++i) {
        ASSERT_EQ(std::byte(i * 7 % 251), page(8)[i]) << "a crash log must survive";
    }
}

TEST_F(Reserve, CachesAreEmptiedForIt) {
    for (const size_t size : {64u, 256u, 4096u}) {
        for (void* block : test.exhaust({size, 1})) {
            heap.deallocate(block);
        }
    }
    EXPECT_EQ(SLAB_OK, heap.reserve(page(1), pages(15))) << "no page holds a live block";
}

TEST_F(Reserve, ARangeThatIsNotAllFreeIsInUse) {
    auto* block = static_cast<std::byte*>(heap.allocate({pages(3), 8}));
    auto* slot = static_cast<std::byte*>(heap.allocate({100, 8}));
    auto* slab = slot - address_of(slot) % page_size;
    const slab_stats before = test.stats();
    EXPECT_EQ(SLAB_ERR_IN_USE, heap.reserve(block, pages(1)));
    EXPECT_EQ(SLAB_ERR_IN_USE, heap.reserve(block + pages(2), pages(1)));
    EXPECT_EQ(SLAB_ERR_IN_USE, heap.reserve(slab, pages(1)));
    EXPECT_EQ(SLAB_ERR_IN_USE, heap.reserve(page(1), pages(15)));
    EXPECT_EQ(before.total_bytes, heap.total_bytes());
    EXPECT_EQ(before.available_bytes, heap.available_bytes());
    heap.deallocate(block);
    heap.deallocate(slot);
    EXPECT_EQ(SLAB_OK, heap.reserve(page(1), pages(15)));
}

TEST_F(Reserve, WhatIsReservedCannotBeReservedAgain) {
    ASSERT_EQ(SLAB_OK, heap.reserve(page(4), pages(4)));
    EXPECT_EQ(SLAB_ERR_IN_USE, heap.reserve(page(4), pages(4)));
    EXPECT_EQ(SLAB_ERR_IN_USE, heap.reserve(page(3), pages(2)));
    EXPECT_EQ(SLAB_ERR_IN_USE, heap.reserve(page(7), pages(2)));
    EXPECT_EQ(pages(11), heap.total_bytes());
}

TEST_F(Reserve, EveryOtherStatus) {
    const slab_stats before = test.stats();
    for (int (Heap::*call)(void*, size_t) : {&Heap::reserve, &Heap::release}) {
        EXPECT_EQ(SLAB_ERR_ALIGN, (heap.*call)(page(3) + 16, pages(1)));
        EXPECT_EQ(SLAB_ERR_ALIGN, (heap.*call)(page(3), 100));
        EXPECT_EQ(SLAB_ERR_ALIGN, (heap.*call)(page(3), pages(1) + 1));
        EXPECT_EQ(SLAB_ERR_TOO_SMALL, (heap.*call)(page(3), 0));
        EXPECT_EQ(SLAB_ERR_RANGE, (heap.*call)(page(15), pages(2))) << "over the end";
        EXPECT_EQ(SLAB_ERR_RANGE, (heap.*call)(page(16), pages(1))) << "behind the end";
        EXPECT_EQ(SLAB_ERR_RANGE, (heap.*call)(page(3), SIZE_MAX - page_size + 1));
        EXPECT_EQ(SLAB_ERR_RANGE, (heap.*call)(nullptr, pages(1)));
        EXPECT_EQ(SLAB_ERR_RANGE, (heap.*call)(reinterpret_cast<void*>(SIZE_MAX - page_size + 1), pages(1)));
        EXPECT_EQ(SLAB_ERR_RANGE, (heap.*call)(reinterpret_cast<void*>(SIZE_MAX - page_size + 1), pages(2)));
        EXPECT_TRUE(same_books(before, test.stats()));
    }
}

TEST_F(Reserve, ThePageMapIsNoPartOfTheHeapsPages) {
    EXPECT_NE(SLAB_OK, heap.reserve(page(0), pages(1)));
    EXPECT_NE(SLAB_OK, heap.reserve(page(0), pages(4)));
    EXPECT_EQ(SLAB_ERR_RANGE, heap.release(page(0), pages(1)));
    EXPECT_EQ(pages(15), heap.total_bytes());
}

TEST_F(Reserve, ReleaseRefusesWhatIsNotReserved) {
    EXPECT_EQ(SLAB_ERR_RANGE, heap.release(page(3), pages(1)));
    void* block = heap.allocate({pages(2), 8});
    EXPECT_EQ(SLAB_ERR_RANGE, heap.release(block, pages(2)));
    void* slot = heap.allocate({4096, 8});
    EXPECT_EQ(SLAB_ERR_RANGE, heap.release(slot, pages(1)));
    heap.deallocate(slot);
    heap.deallocate(block);
    ASSERT_EQ(SLAB_OK, heap.reserve(page(9), pages(2)));
    EXPECT_EQ(SLAB_ERR_RANGE, heap.release(page(8), pages(2)));
    EXPECT_EQ(SLAB_ERR_RANGE, heap.release(page(10), pages(2)));
    EXPECT_EQ(SLAB_OK, heap.release(page(9), pages(2)));
    EXPECT_EQ(SLAB_ERR_RANGE, heap.release(page(9), pages(2))) << "released already";
}

TEST(ReserveBeforeInit, IsRefused) {
    TestMemory memory(32 * KiB);
    Heap heap;
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.reserve(memory.start(), pages(1)));
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.release(memory.start(), pages(1)));
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.reserve(nullptr, 1));
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.release(nullptr, 1));
}

TEST(ReserveInSeveralRegions, ARangeLiesWithinOne) {
    TestMemory memory(64 * KiB);
    Heap heap;
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), 32 * KiB));
    ASSERT_EQ(SLAB_OK, heap.add_memory(memory.start() + 32 * KiB, 32 * KiB));
    EXPECT_EQ(SLAB_ERR_RANGE, heap.reserve(memory.page(7), pages(3)));
    EXPECT_EQ(SLAB_OK, heap.reserve(memory.page(7), pages(1)));
    EXPECT_EQ(SLAB_OK, heap.reserve(memory.page(9), pages(7)));
    EXPECT_EQ(pages(6), heap.total_bytes());
    EXPECT_EQ(SLAB_ERR_RANGE, heap.release(memory.page(7), pages(9)));
    EXPECT_EQ(SLAB_OK, heap.release(memory.page(9), pages(7)));
    EXPECT_EQ(SLAB_OK, heap.release(memory.page(7), pages(1)));
    EXPECT_EQ(pages(14), heap.available_bytes());
    EXPECT_TRUE(audits(heap));
}

TEST(ReserveInAHugeRegion, WorksFarFromItsStart) {
    constexpr size_t size = handed_out(huge_size / 16), window_size = size / 16;
    TestHeap test(size, 0, TestMemory::Content::untouched);
    std::byte* window = test.memory.start() + size / 4 * 3 + pages(5);
    const size_t total = test.heap.total_bytes();
    ASSERT_EQ(SLAB_OK, test.heap.reserve(window, window_size));
    EXPECT_EQ(total - window_size, test.heap.total_bytes());
    test.heap.deallocate(window + window_size / 4);
    EXPECT_EQ(SLAB_FAULT_FOREIGN, test.faults.take().record.kind);
    EXPECT_EQ(nullptr, test.heap.allocate({size / 8 * 7, 8}));
    ASSERT_EQ(SLAB_OK, test.heap.release(window, window_size));
    EXPECT_NE(nullptr, test.heap.allocate({size / 8 * 7, 8}));
}

}  // namespace
}  // namespace slabheap::test
