// SPDX-License-Identifier: MIT
//
// Where one thing ends and another begins: arguments at the border of what a call takes, blocks at the border
// of what a way of serving them reaches, and what must be left alone on the other side.
#include "class_set.hpp"
#include "content.hpp"
#include "test_heap.hpp"

#include <algorithm>
#include <set>

namespace slabheap::test {
namespace {

constexpr size_t all_pages = SIZE_MAX / page_size;  // the most that a count of pages can mean

void* at(uintptr_t address) { return reinterpret_cast<void*>(address); }

// How often the out-of-memory hook was asked, which always says that it has done something.
size_t asked;
int promise_memory(size_t, size_t) {
    ++asked;
    return 1;
}

std::vector<void*> all_pages_of(TestHeap& test) {
    std::vector<void*> singles;
    while (void* page = test.heap.allocate_pages(1)) singles.push_back(page);
    std::sort(singles.begin(), singles.end());
    return singles;
}

// --- the top of the address space
// ---------------------------------------------------------------------------

TEST(Edges, ARangeThatWrapsIsRefusedAsThatWhateverElseIsWrongWithIt) {
    Heap heap;
    const uintptr_t top = SIZE_MAX - page_size + 1;
    EXPECT_EQ(SLAB_ERR_RANGE, heap.init(at(SIZE_MAX - 100), 32 * KiB));
    EXPECT_EQ(SLAB_ERR_RANGE, heap.init(at(top), 32 * KiB + 5));
    EXPECT_EQ(SLAB_ERR_RANGE, heap.init(at(top), page_size + 1));
}

TEST(Edges, ARangeThatEndsAtTheTopDoesNotWrap) {
    Heap heap;
    const uintptr_t top = SIZE_MAX - page_size + 1;
    EXPECT_EQ(SLAB_ERR_TOO_SMALL, heap.init(at(top), page_size));
    EXPECT_EQ(SLAB_ERR_TOO_SMALL, heap.init(at(top), page_size - 1));
    EXPECT_EQ(SLAB_ERR_TOO_SMALL, heap.init(at(page_size), 1));
    EXPECT_EQ(SLAB_ERR_TOO_SMALL, heap.init(at(page_size), 0));
}

// What no address space holds is nothing to ask for; what one just might is.
TEST(Edges, TheHookIsAskedForUpToTheWholeAddressSpace) {
    TestHeap test(64 * KiB);
    test.heap.set_oom_hook(promise_memory);
    void* const block = test.heap.allocate({100, 8});
    asked = 0;
    EXPECT_EQ(nullptr, test.heap.allocate_pages(all_pages));
    EXPECT_EQ(1u, asked);
    EXPECT_EQ(nullptr, test.heap.allocate_pages(all_pages + 1));
    EXPECT_EQ(1u, asked);
    EXPECT_EQ(nullptr, test.heap.reallocate(block, {pages(all_pages), 8}));
    EXPECT_EQ(2u, asked);
    EXPECT_EQ(nullptr, test.heap.reallocate(block, {pages(all_pages) + 1, 8}));
    EXPECT_EQ(2u, asked);
    test.heap.deallocate(block);
}

TEST(Edges, ALayoutsUsableSizeIsKnownUpToTheLastPage) {
    TestHeap test(64 * KiB);
    EXPECT_EQ(SIZE_MAX - page_size, test.heap.usable_size(Layout{SIZE_MAX - page_size, 8}).min);
    EXPECT_EQ(0u, test.heap.usable_size(Layout{SIZE_MAX - page_size + 1, 8}).min);
    EXPECT_EQ(0u, test.heap.usable_size(Layout{SIZE_MAX - page_size + 1, 8}).max);
    EXPECT_EQ(usable(0, class_for(1)), test.heap.usable_size(Layout{0, 8}).max);
    EXPECT_EQ(usable(1, class_for(1)), test.heap.usable_size(Layout{1, 8}).max);
    EXPECT_EQ(usable(0, pages(1)), test.heap.usable_size(Layout{0, pages(2)}).max);
}

TEST(Edges, OfOneObjectThereIsOne) {
    EXPECT_EQ(sizeof(long), Layout::of<long>().size);
    EXPECT_EQ(3 * sizeof(long), Layout::of<long>(3).size);
}

// --- what is asked once
// -------------------------------------------------------------------------------------

TEST(Edges, TheHookIsAskedOnceByACallThatResizes) {
    TestHeap test(64 * KiB);
    std::vector<void*> blocks = test.exhaust({1000, 8});
    test.heap.set_oom_hook(promise_memory);
    asked = 0;
    EXPECT_EQ(nullptr, test.heap.reallocate(blocks[0], {3000, 8}));
    EXPECT_EQ(1u, asked);
}

// The block is the hook's to free; then there is nothing to resize, whatever room there is by now.
TEST(Edges, ABlockThatTheHookFreesIsNotMovedToWhatTheHookAdds) {
    static TestHeap* heap;
    static TestMemory* more;
    static void* block;
    TestMemory added(64 * KiB);
    TestHeap test(64 * KiB);
    heap = &test;
    more = &added;
    block = test.heap.allocate({1000, 8});
    const size_t live = test.exhaust({1000, 8}).size();
    test.heap.set_oom_hook([](size_t, size_t) {
        heap->heap.deallocate(block);
        return int{heap->heap.add_memory(more->start(), more->size()) == SLAB_OK};
    });
    EXPECT_EQ(nullptr, test.heap.reallocate(block, {3000, 8}));
    EXPECT_EQ(0u, test.faults.count());
    EXPECT_EQ(live * class_for(1000), test.heap.used_bytes());
}

// --- what a fault says of the call
// --------------------------------------------------------------------------

TEST(Edges, AFaultTellsTheSizeThatTheCallWasGiven) {
    TestHeap test(64 * KiB);
    void* const run = test.heap.allocate_pages(2);
    const struct {
        size_t count;
        size_t size;
    } cases[] = {{0, pages(1)},
                 {1, pages(1)},
                 {3, pages(3)},
                 {all_pages, pages(all_pages)},
                 {all_pages + 1, SIZE_MAX},
                 {SIZE_MAX, SIZE_MAX}};
    for (const auto& [count, size] : cases) {
        test.heap.deallocate_pages(run, count);
        const RecordedFault fault = test.faults.take();
        EXPECT_EQ(SLAB_FAULT_WRONG_SIZE, fault.record.kind);
        EXPECT_EQ(size, fault.record.size);
        EXPECT_EQ(page_size, fault.record.align);
    }
    EXPECT_EQ(0u, test.heap.usable_size(test.memory.start()));
    const RecordedFault fault = test.faults.take();
    EXPECT_EQ(0u, fault.record.size);
    EXPECT_EQ(0u, fault.record.align);
    EXPECT_EQ(0u, fault.record.block_size) << "it belongs to no block";
}

TEST(Edges, ASecondFreeOfALargeBlockTellsItsSize) {
    TestHeap test(64 * KiB);
    void* const run = test.heap.allocate_pages(2);
    test.heap.deallocate(run);
    test.heap.deallocate(run);
    const RecordedFault fault = test.faults.take();
    EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, fault.record.kind);
    EXPECT_EQ(run, fault.record.block);
    EXPECT_EQ(pages(2), fault.record.block_size);
}

// --- sizes and alignments that come back
// --------------------------------------------------------------------

TEST(Edges, NothingWithALargeAlignmentIsAPageAndComesBackAsNothing) {
    TestHeap test(128 * KiB);
    for (const size_t size : {size_t{0}, size_t{1}, page_size}) {
        void* const block = test.heap.allocate({size, pages(2)});
        EXPECT_EQ(pages(1), test.heap.used_bytes());
        test.heap.deallocate(block, {size, pages(2)});
        EXPECT_EQ(0u, test.heap.used_bytes());
    }
}

TEST(Edges, ALargeBlockComesBackWithAnAlignmentThatThereIs) {
    TestHeap test(128 * KiB);
    void* block = nullptr;  // at a multiple of 3
    do block = test.heap.allocate_pages(2);
    while (address_of(block) % 3 != 0);
    for (const size_t align : {size_t{0}, size_t{3}, size_t{24}}) {
        test.heap.deallocate(block, {pages(2), align});
        EXPECT_EQ(SLAB_FAULT_WRONG_SIZE, test.faults.take().record.kind) << align;
    }
    test.heap.deallocate(block, {pages(2), 8});
    EXPECT_FALSE(test.heap.owns(block));
}

// A size class that no alignment divides is no answer to a request for that alignment.
TEST(Edges, ASlotIsGivenAndTakenForAlignmentsThatItsClassHas) {
    for (const size_t size : class_sizes) {
        TestHeap test(64 * KiB);
        std::vector<void*> blocks = test.exhaust({size, 1});
        for (size_t align = 1; align <= page_size; align *= 2) {
            if (size % align == 0) continue;
            test.heap.deallocate(blocks[1], {1, align});
            EXPECT_EQ(SLAB_FAULT_WRONG_SIZE, test.faults.take().record.kind) << size << ", " << align;
            test.heap.deallocate(blocks[1]);
            EXPECT_EQ(nullptr, test.heap.allocate({1, align})) << size << ", " << align;
            EXPECT_EQ(blocks[1], test.heap.allocate({size, 1}));
        }
    }
}

// --- blocks that move
// ---------------------------------------------------------------------------------------

// A smaller block that has to be aligned better takes what fits into it, and no more.
TEST(Edges, ABlockThatShrinksAsItMovesLeavesItsNeighboursAlone) {
    TestHeap test(128 * KiB);
    const std::vector<void*> singles = all_pages_of(test);
    for (void* page : singles) fill(page, page_size);
    const size_t odd = address_of(singles[4]) % pages(2) != 0 ? 4 : 5;
    for (size_t i = odd; i < odd + 3; ++i) test.heap.deallocate(singles[i]);
    void* const block = test.heap.allocate_pages(3);
    ASSERT_EQ(singles[odd], block);
    fill(block, pages(3), 1);
    EXPECT_EQ(nullptr, test.heap.reallocate(block, {page_size, pages(2)})) << "there is no such page";
    test.heap.deallocate(singles[odd + 5]);
    EXPECT_EQ(singles[odd + 5], test.heap.reallocate(block, {page_size, pages(2)}));
    EXPECT_TRUE(is_filled(singles[odd + 5], page_size, 1));
    EXPECT_TRUE(is_filled(singles[odd + 6], page_size));
    EXPECT_TRUE(is_filled(singles[odd + 7], page_size));
}

// --- what is tried in which order
// ---------------------------------------------------------------------------

// A class without a page takes a spare of another one, and disturbs nothing else.
TEST(Edges, ASpareServesBeforeFrontsAreEmptied) {
    TestHeap test(256 * KiB);
    constexpr size_t size = page_size / 2;
    std::vector<void*> blocks;
    for (int i = 0; i < 60; ++i) blocks.push_back(test.heap.allocate({size, 8}));
    std::sort(blocks.begin(), blocks.end());
    for (void* block : blocks) test.heap.deallocate(block);
    const slab_stats stats = test.stats();
    size_t free = stats.total_bytes / page_size;
    for (const slab_class_stats& row : stats.classes) free -= row.pages;
    for (; free != 0; --free) ASSERT_NE(nullptr, test.heap.allocate_pages(1));
    EXPECT_NE(nullptr, test.heap.allocate({64, 8}));
    EXPECT_TRUE(is_next(blocks.back(), test.heap.allocate({size, 8}))) << "the block freed last is still at hand";
}

// What is cached may be a better place than free pages across block borders.
TEST(Edges, ARunAcrossBlockBordersIsLookedForLast) {
    TestHeap test(128 * KiB);
    const std::vector<void*> singles = all_pages_of(test);
    const auto first_with = [&](size_t remainder, size_t from) {
        while (address_of(singles[from]) % pages(4) != pages(remainder)) ++from;
        return from;
    };
    const size_t across = first_with(2, 3), aligned = first_with(0, across + 5);
    for (size_t i = aligned; i < aligned + 4; ++i) test.heap.deallocate(singles[i]);
    std::vector<void*> cached;
    for (int i = 0; i < 4; ++i) cached.push_back(test.heap.allocate({page_size, 8}));
    for (void* block : cached) test.heap.deallocate(block);
    for (size_t i = across; i < across + 4; ++i) test.heap.deallocate(singles[i]);
    EXPECT_EQ(singles[aligned], test.heap.allocate_pages(4));
    EXPECT_EQ(singles[across], test.heap.allocate_pages(4));
}

// --- regions
// ------------------------------------------------------------------------------------------------

// The usual path knows the largest region only. What was cached of the one before is still what it was.
TEST(Edges, BlocksThatWereCachedWhenALargerRegionCameAreHandedOutAsWhatTheyAre) {
    for (const size_t size : class_sizes) {
        TestHeap test(64 * KiB);
        void* const block = test.heap.allocate({size, 1});
        void* const other = test.heap.allocate({size, 1});
        test.heap.deallocate(block);
        test.heap.deallocate(other);
        const TestMemory& larger = test.add_region(1 * MiB);
        std::set<void*> blocks;
        for (int i = 0; i < 20; ++i) {
            void* const it = test.heap.allocate({size, 1});
            EXPECT_TRUE(blocks.insert(it).second) << size;
            EXPECT_TRUE(test.heap.owns(it)) << size;
            EXPECT_TRUE(larger.contains(it) || test.memory.contains(it));
        }
        EXPECT_TRUE(audits(test.heap)) << size;
    }
}

// Every section's first byte, whatever its map holds: the known part ends at one of them.
TEST(Edges, TheFirstAddressThatWasNeverUsedIsNoBlock) {
    for (const auto content : {TestMemory::Content::noise, TestMemory::Content::all_ones}) {
        TestHeap test(8 * MiB, 0, content);
        for (int used = 0; used < 5; ++used) {
            for (size_t page = 128; page < 8 * MiB / page_size; page += 32) {
                if (test.heap.owns(test.memory.page(page))) continue;
                test.heap.deallocate(test.memory.page(page));
                ASSERT_EQ(SLAB_FAULT_NEVER_ALLOCATED, test.faults.take().record.kind) << page;
                test.heap.deallocate(test.memory.page(page), {8, 8});
                ASSERT_EQ(SLAB_FAULT_NEVER_ALLOCATED, test.faults.take().record.kind) << page;
            }
            ASSERT_NE(nullptr, test.heap.allocate_pages(1));
        }
    }
}

}  // namespace
}  // namespace slabheap::test
