// SPDX-License-Identifier: MIT
//
// What slab_alloc, slab_calloc and slab_alloc_pages promise of the blocks they return, and of the requests
// they refuse. Everything here is about one region; region_test.cpp has several.
#include "class_set.hpp"
#include "content.hpp"
#include "test_heap.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <set>

namespace slabheap::test {
namespace {

TEST(Alloc, EverySizeUpToTwoPagesGetsItsSizeAndAlignment) {
    TestHeap test(64 * KiB);
    for (size_t size = 0; size <= pages(2); ++size) {
        void* block = test.heap.allocate({size, 16});
        ASSERT_NE(nullptr, block) << size;
        ASSERT_GE(test.heap.usable_size(block), std::max<size_t>(size, 1)) << size;
        ASSERT_EQ(0u, address_of(block) % 16) << size;
        std::memset(block, 0x5a, size);
        test.heap.deallocate(block, {size, 16});
    }
    EXPECT_EQ(0u, test.heap.used_bytes());
}

TEST(Alloc, EveryRequestOfUpToAPageTakesTheSmallestClassThatHasItsSizeAndAlignment) {
    TestHeap test(64 * KiB);
    for (size_t align = 1; align <= 4096; align *= 2) {
        for (size_t size = 1; size <= 4096; ++size) {
            void* block = test.heap.allocate({size, align});
            const size_t room = usable(size, class_for(size, align));
            ASSERT_EQ(class_for(size, align), test.heap.used_bytes()) << size << ", " << align;
            ASSERT_EQ(room, test.heap.usable_size(block)) << size << ", " << align;
            ASSERT_EQ(room, test.heap.usable_size(Layout{size, align}).max);
            ASSERT_EQ(0u, address_of(block) % align);
            test.heap.deallocate(block, {size, align});
        }
    }
    EXPECT_EQ(0u, test.heap.used_bytes());
}

TEST(Alloc, SizeZeroCountsAsOne) {
    TestHeap test(32 * KiB);
    void* block = test.heap.allocate({0, 1});
    void* other = test.heap.allocate({0, 1});
    ASSERT_NE(nullptr, block);
    EXPECT_NE(block, other);
    EXPECT_EQ(usable(0, class_for(1)), test.heap.usable_size(block));
    EXPECT_EQ(2u, test.stats().requested_bytes_total);
    test.heap.deallocate(block, {0, 1});
    EXPECT_EQ(class_for(1), test.heap.used_bytes());
}

TEST(Alloc, EveryAlignmentUpTo64KiBHoldsWithSizeOne) {
    for (const size_t offset : {size_t{0}, pages(1), pages(5), pages(15)}) {
        TestHeap test(256 * KiB, offset);
        for (size_t align = 1; align <= 64 * KiB; align *= 2) {
            void* block = test.heap.allocate({1, align});
            ASSERT_NE(nullptr, block) << align;
            EXPECT_EQ(0u, address_of(block) % align) << align;
            EXPECT_TRUE(test.memory.contains(block, test.heap.usable_size(block)));
            const size_t real = align <= 4096 ? class_for(1, align) : pages(1);
            EXPECT_EQ(usable(1, real), test.heap.usable_size(block));
        }
        EXPECT_TRUE(audits(test.heap));
    }
}

TEST(Alloc, LargeBlocksKeepTheirAlignmentToo) {
    TestHeap test(512 * KiB, pages(3));
    for (size_t align = 16; align <= 64 * KiB; align *= 2) {
        void* block = test.heap.allocate({pages(2) + 1, align});
        ASSERT_NE(nullptr, block) << align;
        EXPECT_EQ(0u, address_of(block) % align) << align;
        EXPECT_EQ(usable(pages(2) + 1, pages(3)), test.heap.usable_size(block));
    }
}

TEST(Alloc, BlocksAreAlignedToTheirClass) {
    TestHeap test(64 * KiB);
    for (const size_t size : class_sizes) {
        for (int i = 0; i < 3; ++i) {
            EXPECT_EQ(0u, address_of(test.heap.allocate({size, 1})) % alignment_of(size)) << size;
        }
    }
}

TEST(Alloc, AnInvalidAlignmentGivesNullAndIsCounted) {
    TestHeap test(32 * KiB);
    size_t failures = 0;
    for (const size_t align : {size_t{0}, size_t{3}, size_t{24}, size_t{4097}, SIZE_MAX}) {
        EXPECT_EQ(nullptr, test.heap.allocate({8, align})) << align;
        EXPECT_EQ(nullptr, test.heap.allocate_pages(1, align)) << align;
        EXPECT_EQ(nullptr, test.heap.reallocate(nullptr, {8, align})) << align;
        failures += 3;
    }
    EXPECT_EQ(failures, test.stats().failures);
    EXPECT_EQ(0u, test.stats().allocations);
}

TEST(Alloc, ASizeThatOverflowsGivesNullAndIsCounted) {
    TestHeap test(32 * KiB);
    const slab_stats before = test.stats();
    size_t failures = 0;
    const size_t top = SIZE_MAX / 2 + 1;  // the highest power of two
    for (const size_t size : {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 15, SIZE_MAX - 4094, SIZE_MAX - 4095,
                              SIZE_MAX - 4096, top, top - 1, top + 1}) {
        for (const size_t align : {size_t{1}, size_t{16}, size_t{4096}, size_t{64} * KiB, top}) {
            EXPECT_EQ(nullptr, test.heap.allocate({size, align})) << size << " aligned to " << align;
            EXPECT_EQ(nullptr, test.heap.reallocate(nullptr, {size, align}));
            failures += 2;
        }
        EXPECT_EQ(nullptr, test.heap.allocate_zeroed({size, 16})) << size;
        EXPECT_EQ(nullptr, test.heap.allocate_pages(size)) << size;
        failures += 2;
    }
    slab_stats expected = before;
    expected.failures = failures;
    EXPECT_TRUE(same_books(expected, test.stats()));
}

TEST(Alloc, AnAlignmentBeyondTheMemoryGivesNull) {
    TestHeap test(32 * KiB, pages(1));
    for (size_t align = size_t{4} * MiB; align != 0; align *= 2) {
        EXPECT_EQ(nullptr, test.heap.allocate({1, align})) << align;
        EXPECT_EQ(nullptr, test.heap.allocate_pages(1, align)) << align;
    }
}

TEST(Alloc, TheBlockFreedLastComesFirst) {
    TestHeap test(64 * KiB);
    for (const size_t size : class_sizes) {
        void* first = test.heap.allocate({size, 1});
        void* second = test.heap.allocate({size, 1});
        test.heap.deallocate(first);
        void* next = test.heap.allocate({size, 1});
        EXPECT_TRUE(is_next(first, next)) << size;
        test.heap.deallocate(second);
        test.heap.deallocate(next);
        next = test.heap.allocate({size, 1});
        EXPECT_TRUE(is_next(first, next)) << size;
        void* last = test.heap.allocate({size, 1});
        EXPECT_TRUE(is_next(second, last)) << size;
        test.heap.deallocate(next);
        test.heap.deallocate(last);
    }
}

TEST(Alloc, TheBlockFreedLastComesFirstAlsoWhenItsSlabWasFull) {
    for (const size_t size : class_sizes) {
        TestHeap test(64 * KiB);
        const std::vector<void*> blocks = test.exhaust({size, 1});
        for (const void* block : blocks) {
            void* freed = const_cast<void*>(block);
            test.heap.deallocate(freed);
            ASSERT_EQ(freed, test.heap.allocate({size, 1})) << size;
        }
    }
}

TEST(Alloc, A32KiBHeapServesTheSevenPowersOfTwoAtOnce) {
    TestHeap test(32 * KiB);
    EXPECT_EQ(pages(7), test.heap.total_bytes());
    for (size_t size = 64; size <= 4096; size *= 2) {
        EXPECT_NE(nullptr, test.heap.allocate({size, 1})) << size;
    }
    const slab_stats stats = test.stats();
    for (size_t i = 0; i < stats.class_count; ++i) {
        const slab_class_stats& row = stats.classes[i];
        EXPECT_EQ(row.size >= 64 && alignment_of(row.size) == row.size, row.pages == 1) << row.size;
    }
}

TEST(Alloc, A32KiBHeapServesEveryClassAtOnceTheSmallerFromSlotsOfLargerOnes) {
    TestHeap test(32 * KiB);
    const size_t smallest_of_seven = std::end(class_sizes)[-7];
    for (auto size = std::rbegin(class_sizes); size != std::rend(class_sizes); ++size) {
        void* block = test.heap.allocate({*size, 1});
        ASSERT_NE(nullptr, block) << *size;
        EXPECT_EQ(usable(*size, std::max(*size, smallest_of_seven)), test.heap.usable_size(block));
    }
}

TEST(Alloc, OneClassCanTakeTheWholeHeap) {
    for (const size_t size : class_sizes) {
        TestHeap test(32 * KiB);
        const Layout layout{size, alignment_of(size)};
        const std::vector<void*> blocks = test.exhaust(layout);
        EXPECT_EQ(7 * slots_in_a_page(size), blocks.size()) << size;
        EXPECT_EQ(std::set<void*>(blocks.begin(), blocks.end()).size(), blocks.size());
        EXPECT_EQ(7 * (page_size % size), test.heap.available_bytes()) << "what no slot of a page has";
        EXPECT_EQ(0u, test.stats().largest_free_bytes);
        EXPECT_EQ(1u, test.stats().failures);
        for (void* block : blocks) {
            test.heap.deallocate(block, layout);
        }
        EXPECT_EQ(pages(7), test.heap.available_bytes());
    }
}

TEST(Alloc, MemoryOfOneClassComesBackForEveryOther) {
    TestHeap test(32 * KiB);
    for (const size_t first : class_sizes) {
        for (const size_t second : class_sizes) {
            for (const size_t size : {first, second}) {
                const std::vector<void*> blocks = test.exhaust({size, 1});
                ASSERT_EQ(7 * slots_in_a_page(size), blocks.size())
                    << size << " of " << first << ", " << second;
                for (void* block : blocks) {
                    test.heap.deallocate(block);
                }
            }
        }
        void* everything = test.heap.allocate_pages(7);
        ASSERT_NE(nullptr, everything) << "after " << first;
        test.heap.deallocate_pages(everything, 7);
    }
}

TEST(Alloc, AFullHeapServesASmallRequestFromALargerClassThatHasTheAlignment) {
    for (const size_t size : class_sizes) {
        if (size == page_size) continue;  // its only slot freed, the page is free for any class
        TestHeap test(32 * KiB);
        void* const freed = test.exhaust({size, 1}).back();
        const size_t used = test.heap.used_bytes();
        test.heap.deallocate(freed);
        for (size_t align = 1; align <= 4096; align *= 2) {
            void* small = test.heap.allocate({8, align});
            ASSERT_EQ(size % align == 0 ? freed : nullptr, small) << size << " aligned to " << align;
            if (small == nullptr) continue;
            EXPECT_EQ(usable(8, size), test.heap.usable_size(small)) << "the slot that it really has";
            EXPECT_EQ(used, test.heap.used_bytes());
            test.heap.deallocate(small, {8, align});
            EXPECT_EQ(used - size, test.heap.used_bytes());
        }
    }
}

TEST(Alloc, ARequestOf20KiBTakes20KiB) {
    TestHeap test(64 * KiB);
    void* block = test.heap.allocate({20 * KiB, 8});
    ASSERT_NE(nullptr, block);
    EXPECT_EQ(20 * KiB, test.heap.used_bytes());
    EXPECT_EQ(20 * KiB, test.heap.usable_size(block));
}

TEST(Alloc, ARunOfPagesIsFoundAcrossBuddyBlocks) {
    TestHeap test(32 * KiB);
    void* all = test.heap.allocate({pages(7), 1});
    ASSERT_EQ(test.memory.page(1), all) << "seven pages, no power of two, at no multiple of one";
    test.heap.deallocate(all);
    void* six = test.heap.allocate({pages(6), 1});
    EXPECT_NE(nullptr, six);
}

TEST(Alloc, BlocksDoNotOverlapAndKeepTheirContent) {
    TestHeap test(256 * KiB);
    std::vector<std::pair<unsigned char*, size_t>> blocks;
    size_t size = 1;
    while (auto* block = static_cast<unsigned char*>(test.heap.allocate({size, 1}))) {
        std::memset(block, static_cast<int>(blocks.size() % 251), test.heap.usable_size(block));
        blocks.emplace_back(block, test.heap.usable_size(block));
        size = size * 7 % 10007;
    }
    for (size_t i = 0; i < blocks.size(); ++i) {
        const auto [block, length] = blocks[i];
        ASSERT_TRUE(std::all_of(block, block + length, [&](unsigned char byte) { return byte == i % 251; }));
        test.heap.deallocate(block);
    }
    EXPECT_EQ(0u, test.heap.used_bytes());
}

TEST(Alloc, TheHeapDoesNotDependOnWhatTheMemoryHolds) {
    using Content = TestMemory::Content;
    for (const Content content : {Content::noise, Content::all_ones, Content::zero}) {
        TestHeap test(256 * KiB, 0, content);
        EXPECT_TRUE(audits(test.heap));
        void* large = test.heap.allocate({100 * KiB, 8});
        EXPECT_NE(nullptr, large);
        EXPECT_NE(nullptr, test.heap.allocate({100, 8}));
        EXPECT_EQ(0u, test.heap.usable_size(Layout{8, 3}).max);
        test.heap.deallocate(large);
    }
}

TEST(Calloc, EveryByteIsZeroAlthoughTheMemoryWasGarbage) {
    for (const size_t size : {1u, 16u, 63u, 64u, 65u, 1000u, 4096u, 4097u, 20000u}) {
        TestHeap test(64 * KiB, 0, TestMemory::Content::all_ones);
        for (int i = 0; i < 2; ++i) {
            void* block = test.heap.allocate_zeroed({size, 16});
            ASSERT_NE(nullptr, block) << size;
            EXPECT_TRUE(is_zero(block, size)) << size;
            EXPECT_EQ(0u, address_of(block) % 16);
            std::memset(block, 0xff, test.heap.usable_size(block));
            test.heap.deallocate(block);
        }
    }
}

TEST(Calloc, AlignmentsHold) {
    TestHeap test(256 * KiB);
    for (size_t align = 1; align <= 64 * KiB; align *= 2) {
        void* block = test.heap.allocate_zeroed({100, align});
        ASSERT_NE(nullptr, block) << align;
        EXPECT_EQ(0u, address_of(block) % align);
        EXPECT_TRUE(is_zero(block, 100));
    }
}

TEST(Pages, RunsHaveTheirCountAndAlignment) {
    TestHeap test(1 * MiB, pages(3));
    for (size_t count = 0; count <= 9; ++count) {
        for (size_t align = 1; align <= 64 * KiB; align *= 2) {
            void* run = test.heap.allocate_pages(count, align);
            ASSERT_NE(nullptr, run) << count << " pages aligned to " << align;
            EXPECT_EQ(0u, address_of(run) % std::max(align, page_size));
            EXPECT_EQ(pages(std::max<size_t>(count, 1)), test.heap.usable_size(run));
            test.heap.deallocate_pages(run, count);
        }
    }
    EXPECT_EQ(0u, test.heap.used_bytes());
}

TEST(Pages, ARunMayBeGivenBackWithFreeAndALargeBlockWithFreePages) {
    TestHeap test(64 * KiB);
    void* run = test.heap.allocate_pages(3);
    test.heap.deallocate(run);
    run = test.heap.allocate_pages(3);
    test.heap.deallocate(run, {pages(3), 4096});
    void* block = test.heap.allocate({pages(3), 8});
    test.heap.deallocate_pages(block, 3);
    EXPECT_EQ(0u, test.heap.used_bytes());
}

TEST(Pages, EveryPageCanBeHadOneByOne) {
    TestHeap test(32 * KiB);
    std::set<void*> runs;
    while (void* run = test.heap.allocate_pages(1)) {
        EXPECT_TRUE(runs.insert(run).second);
    }
    EXPECT_EQ(7u, runs.size());
    for (void* run : runs) {
        test.heap.deallocate_pages(run, 1);
    }
    EXPECT_NE(nullptr, test.heap.allocate_pages(7));
}

TEST(Free, NullIsAllowedAndDoesNothing) {
    TestHeap test(32 * KiB);
    const slab_stats before = test.stats();
    test.heap.deallocate(nullptr);
    test.heap.deallocate(nullptr, {8, 8});
    test.heap.deallocate_pages(nullptr, 1);
    EXPECT_TRUE(same_books(before, test.stats()));
}

TEST(Free, EverySizeAndAlignmentThatABlockCanHaveIsAccepted) {
    TestHeap test(64 * KiB);
    for (const size_t size : class_sizes) {
        for (size_t align = 1; align <= alignment_of(size); align *= 2) {
            for (size_t asked = 0; asked <= size; ++asked) {
                void* block = test.heap.allocate({size, 1});
                test.heap.deallocate(block, {asked, align});
            }
        }
    }
    EXPECT_EQ(0u, test.heap.used_bytes());
}

TEST(Owns, OnlyTheStartOfALiveBlockIsOwned) {
    TestHeap test(64 * KiB);
    auto* small = static_cast<std::byte*>(test.heap.allocate({100, 8}));
    auto* large = static_cast<std::byte*>(test.heap.allocate({pages(3), 8}));
    EXPECT_TRUE(test.heap.owns(small));
    EXPECT_TRUE(test.heap.owns(large));
    for (const void* other :
         {static_cast<void*>(small + 1), static_cast<void*>(small + 16), static_cast<void*>(small + 128),
          static_cast<void*>(large + 4096), static_cast<void*>(test.memory.start()),
          static_cast<void*>(test.memory.end()), static_cast<void*>(&test), static_cast<void*>(nullptr)}) {
        EXPECT_FALSE(test.heap.owns(other)) << other;
    }
    test.heap.deallocate(small);
    test.heap.deallocate(large);
    EXPECT_FALSE(test.heap.owns(small));
    EXPECT_FALSE(test.heap.owns(large));
}

}  // namespace
}  // namespace slabheap::test
