// SPDX-License-Identifier: MIT
//
// slab_realloc: a block grows and shrinks with its content, in place when it can: within its class, within
// its pages, by giving back its tail, by taking free pages behind it. When it fails, the block is as it was.
#include "class_set.hpp"
#include "content.hpp"
#include "test_heap.hpp"

#include <algorithm>
#include <cstdint>

namespace slabheap::test {
namespace {

class Realloc : public ::testing::Test {
protected:
    TestHeap test{64 * KiB};  // pages 1 to 15 are free
    Heap& heap = test.heap;
};

TEST_F(Realloc, OfNullAllocates) {
    void* block = heap.reallocate(nullptr, {100, 64});
    ASSERT_NE(nullptr, block);
    EXPECT_EQ(usable(100, 128), heap.usable_size(block));
    EXPECT_EQ(0u, address_of(block) % 64);
    EXPECT_EQ(1u, test.stats().allocations);
}

TEST_F(Realloc, ToSizeZeroCountsAsOne) {
    void* block = heap.allocate({40, 8});
    EXPECT_EQ(block, heap.reallocate(block, {0, 8})) << "it stays, it is not freed";
    EXPECT_TRUE(heap.owns(block));
    void* other = heap.reallocate(nullptr, {0, 8});
    EXPECT_EQ(usable(0, class_for(1)), heap.usable_size(other));
}

TEST_F(Realloc, StaysInPlaceWithinItsClass) {
    size_t least = 1;
    for (const size_t most : class_sizes) {
        void* block = heap.allocate({least, 8});
        fill(block, least);
        for (const size_t size : {least + 1, most, most - 1, least, most}) {
            EXPECT_EQ(block, heap.reallocate(block, {size, 8})) << size;
            EXPECT_EQ(usable(size, most), heap.usable_size(block));
        }
        EXPECT_TRUE(is_filled(block, least));
        EXPECT_EQ(most, heap.used_bytes());
        heap.deallocate(block, {most, 8});
        least = most + 1;
    }
}

TEST_F(Realloc, MovesToALargerClassWithItsContent) {
    void* block = nullptr;
    size_t size = 0;
    for (const size_t larger : class_sizes) {
        void* const old = block;
        block = heap.reallocate(old, {larger, 8});
        ASSERT_NE(nullptr, block);
        EXPECT_NE(old, block);
        EXPECT_FALSE(heap.owns(old));
        EXPECT_TRUE(is_filled(block, size));
        size = larger;
        fill(block, size);
        EXPECT_EQ(size, heap.used_bytes());
    }
}

TEST_F(Realloc, CopiesFromSlabToPagesAndBack) {
    void* block = heap.allocate({1000, 8});
    fill(block, 1000);
    block = heap.reallocate(block, {20000, 8});
    ASSERT_NE(nullptr, block);
    EXPECT_EQ(usable(20000, pages(5)), heap.usable_size(block));
    EXPECT_TRUE(is_filled(block, 1000));
    fill(block, 20000);
    block = heap.reallocate(block, {500, 8});
    ASSERT_NE(nullptr, block);
    EXPECT_TRUE(is_filled(block, 500));
    EXPECT_LE(heap.used_bytes(), pages(1));
}

TEST_F(Realloc, StaysInPlaceWithinItsPages) {
    void* block = heap.allocate({pages(2) + 1, 8});
    for (const size_t size : {pages(2) + 2, pages(3), pages(2) + 1}) {
        EXPECT_EQ(block, heap.reallocate(block, {size, 8})) << size;
        EXPECT_EQ(pages(3), heap.used_bytes());
    }
}

TEST_F(Realloc, AShrunkLargeBlockGivesItsTailBack) {
    void* block = heap.allocate({pages(15), 8});
    ASSERT_NE(nullptr, block);
    fill(block, pages(4));
    EXPECT_EQ(nullptr, heap.allocate({1, 1}));
    EXPECT_EQ(block, heap.reallocate(block, {pages(4), 8}));
    EXPECT_EQ(pages(4), heap.usable_size(block));
    EXPECT_EQ(pages(4), heap.used_bytes());
    void* tail = heap.allocate({pages(11), 8});
    EXPECT_EQ(static_cast<std::byte*>(block) + pages(4), tail);
    EXPECT_TRUE(is_filled(block, pages(4)));
    heap.deallocate(block, {pages(4), 8});
    heap.deallocate(tail, {pages(11), 8});
}

TEST_F(Realloc, ALargeBlockShrunkToAPageAcceptsThatPagesSizes) {
    void* block = heap.allocate({pages(6), 8});
    EXPECT_EQ(block, heap.reallocate(block, {3000, 8}));
    EXPECT_EQ(usable(3000, pages(1)), heap.usable_size(block));
    EXPECT_EQ(pages(1), heap.used_bytes());
    heap.deallocate(block, {3000, 8});
    EXPECT_EQ(0u, heap.used_bytes());
}

TEST_F(Realloc, ALargeBlockGrowsIntoTheFreePagesBehind) {
    void* block = heap.allocate({pages(15), 8});
    ASSERT_EQ(block, heap.reallocate(block, {pages(2), 8}));
    fill(block, pages(2));
    for (size_t count = 3; count <= 15; ++count) {
        ASSERT_EQ(block, heap.reallocate(block, {pages(count), 8})) << count;
        EXPECT_EQ(pages(count), heap.used_bytes());
        EXPECT_TRUE(audits(heap));
    }
    EXPECT_TRUE(is_filled(block, pages(2)));
    EXPECT_EQ(nullptr, heap.reallocate(block, {pages(15) + 1, 8})) << "the region ends there";
    heap.deallocate(block, {pages(15), 8});
    EXPECT_EQ(pages(15), heap.available_bytes());
}

TEST_F(Realloc, ALargeBlockMovesWhenThePagesBehindAreTaken) {
    auto* block = static_cast<std::byte*>(heap.allocate({pages(15), 8}));
    ASSERT_EQ(block, heap.reallocate(block, {pages(2), 8}));
    fill(block, pages(2));
    ASSERT_EQ(SLAB_OK, heap.reserve(block + pages(3), pages(1)));
    EXPECT_EQ(block, heap.reallocate(block, {pages(3), 8})) << "one page behind is free";
    void* moved = heap.reallocate(block, {pages(4), 8});
    ASSERT_NE(nullptr, moved);
    EXPECT_NE(block, moved);
    EXPECT_TRUE(is_filled(moved, pages(2)));
    EXPECT_FALSE(heap.owns(block));
    EXPECT_EQ(pages(4), heap.used_bytes());
}

TEST_F(Realloc, KeepsTheAlignmentAskedFor) {
    void* block = heap.allocate({3 * KiB, 8});
    for (size_t align = 16; align <= 8 * KiB; align *= 2) {
        block = heap.reallocate(block, {5 * KiB, align});
        ASSERT_NE(nullptr, block) << align;
        EXPECT_EQ(0u, address_of(block) % align);
    }
}

TEST_F(Realloc, MovesABlockThatLacksTheNewAlignment) {
    void* odd = heap.allocate({100, 8});
    while (address_of(odd) % 256 == 0) odd = heap.allocate({100, 8});
    ASSERT_NE(nullptr, odd);
    fill(odd, 100);
    void* moved = heap.reallocate(odd, {100, 256});
    ASSERT_NE(nullptr, moved);
    EXPECT_NE(odd, moved);
    EXPECT_EQ(0u, address_of(moved) % 256);
    EXPECT_TRUE(is_filled(moved, 100));
    EXPECT_FALSE(heap.owns(odd));
}

TEST_F(Realloc, EveryClassToEveryAlignment) {
    for (const size_t size : class_sizes) {
        for (size_t align = 1; align <= 8 * KiB; align *= 2) {
            void* const old = heap.allocate({size, 1});
            fill(old, size);
            void* block = heap.reallocate(old, {size / 2, align});
            ASSERT_NE(nullptr, block) << size << " aligned to " << align;
            EXPECT_EQ(0u, address_of(block) % align);
            EXPECT_EQ(size % align == 0, block == old) << "a class of " << size << " for " << align;
            EXPECT_TRUE(is_filled(block, size / 2));
            heap.deallocate(block, {size / 2, align});
            ASSERT_EQ(0u, heap.used_bytes());
        }
    }
}

TEST_F(Realloc, AFailureLeavesTheBlockAsItWas) {
    void* block = heap.allocate({1000, 8});
    fill(block, usable(1000, 1024));
    const slab_stats before = test.stats();
    size_t failures = 0;
    for (const Layout layout : {Layout{pages(16), 8}, Layout{SIZE_MAX, 8}, Layout{SIZE_MAX - 4095, 8},
                                Layout{100, 0}, Layout{100, 24}, Layout{100, SIZE_MAX / 2 + 1}}) {
        EXPECT_EQ(nullptr, heap.reallocate(block, layout)) << layout.size << " aligned to " << layout.align;
        EXPECT_EQ(++failures, test.stats().failures);
        EXPECT_TRUE(heap.owns(block));
        EXPECT_TRUE(is_filled(block, usable(1000, 1024)));
    }
    EXPECT_EQ(before.used_bytes, heap.used_bytes());
    EXPECT_EQ(before.allocations, test.stats().allocations);
    EXPECT_EQ(before.frees, test.stats().frees);
    heap.deallocate(block, {1000, 8});
}

TEST_F(Realloc, AFailureLeavesALargeBlockAsItWas) {
    void* block = heap.allocate({pages(5), 8});
    void* other = heap.allocate({pages(6), 8});
    fill(block, pages(5));
    for (const size_t size : {pages(16), SIZE_MAX, SIZE_MAX - 4095}) {
        EXPECT_EQ(nullptr, heap.reallocate(block, {size, 8}));
    }
    EXPECT_EQ(pages(5), heap.usable_size(block));
    EXPECT_TRUE(is_filled(block, pages(5)));
    heap.deallocate(block, {pages(5), 8});
    heap.deallocate(other, {pages(6), 8});
}

TEST_F(Realloc, InAFullHeapABlockStillShrinksAndStays) {
    std::vector<void*> blocks = test.exhaust({4096, 8});
    for (void* block : blocks) {
        EXPECT_EQ(block, heap.reallocate(block, {1, 8}));
        EXPECT_EQ(block, heap.reallocate(block, {4096, 8}));
    }
    EXPECT_EQ(nullptr, heap.reallocate(blocks[0], {4097, 8}));
    EXPECT_TRUE(heap.owns(blocks[0]));
}

TEST_F(Realloc, GrowsIntoThePagesOfEmptySlabsToo) {
    void* block = heap.allocate({pages(15), 8});
    ASSERT_EQ(block, heap.reallocate(block, {pages(2), 8}));
    fill(block, pages(2));
    for (const size_t size : {64u, 512u, 4096u}) {
        for (void* slot : test.exhaust({size, 8})) {
            heap.deallocate(slot);
        }
    }
    EXPECT_EQ(block, heap.reallocate(block, {pages(15), 8})) << "spare slabs are returned first";
    EXPECT_TRUE(is_filled(block, pages(2)));
}

TEST_F(Realloc, PagesMoveToAnAlignmentThatTheyHaveNot) {
    void* block = heap.allocate({pages(2), 8});
    while (address_of(block) % pages(4) == 0) block = heap.allocate({pages(2), 8});
    fill(block, pages(2));
    void* const moved = heap.reallocate(block, {pages(2), pages(4)});
    ASSERT_NE(nullptr, moved);
    EXPECT_EQ(0u, address_of(moved) % pages(4));
    EXPECT_FALSE(heap.owns(block));
    EXPECT_TRUE(is_filled(moved, pages(2)));
    EXPECT_EQ(moved, heap.reallocate(moved, {pages(2), pages(4)})) << "which they have";
}

// Every size to every size: the content, the size and the books hold.
TEST_F(Realloc, EverySizeToEverySize) {
    std::vector<size_t> sizes = {1, 500, 8192, 12289, 20480};
    for (const size_t size : class_sizes) {
        sizes.insert(sizes.end(), {size - 1, size, size + 1});
    }
    for (const size_t from : sizes) {
        for (const size_t to : sizes) {
            void* block = heap.allocate({from, 8});
            fill(block, from);
            block = heap.reallocate(block, {to, 8});
            ASSERT_NE(nullptr, block) << from << " to " << to;
            ASSERT_GE(heap.usable_size(block), to);
            ASSERT_TRUE(is_filled(block, std::min(from, to))) << from << " to " << to;
            heap.deallocate(block, {to, 8});
            ASSERT_EQ(0u, heap.used_bytes());
        }
    }
    EXPECT_EQ(test.stats().allocations, test.stats().frees);
}

}  // namespace
}  // namespace slabheap::test
