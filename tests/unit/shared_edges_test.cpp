// SPDX-License-Identifier: MIT
//
// As edges, of a heap that CPUs share: arguments, ways of serving them and walks, where one case ends and
// another begins.
#include "built_defences.hpp"
#include "shared_test_heap.hpp"

#include <algorithm>

namespace slabheap::test {
namespace {

using TestedHeap = SharedTestHeap<>;

std::vector<void*> walk(TestedHeap& test) {
    std::vector<void*> found;
    test.heap.walk([](void* block, size_t,
                      void* context) { static_cast<std::vector<void*>*>(context)->push_back(block); },
                   &found);
    return found;
}

// --- sizes and alignments
// -----------------------------------------------------------------------------------

TEST(SharedEdges, NothingWithALargeAlignmentIsAPageAndComesBackAsNothing) {
    TestedHeap test(128 * KiB, 2);
    for (const size_t size : {size_t{0}, size_t{1}, page_size}) {
        void* const block = test.allocate(size, pages(2));
        EXPECT_EQ(pages(1), test.stats().used_bytes);
        test.heap.deallocate(block, {size, pages(2)}, site);
        EXPECT_EQ(0u, test.stats().used_bytes);
    }
}

TEST(SharedEdges, ALargeBlockComesBackWithAnAlignmentThatThereIs) {
    TestedHeap test(128 * KiB, 2);
    void* block = nullptr;  // at a multiple of 3
    do block = test.heap.allocate_pages(2);
    while (address_of(block) % 3 != 0);
    for (const size_t align : {size_t{0}, size_t{3}, size_t{24}}) {
        test.heap.deallocate(block, {pages(2), align}, site);
        test.expect_fault(SLAB_FAULT_WRONG_SIZE, block);
    }
    test.heap.deallocate(block, {pages(2), 8}, site);
    EXPECT_FALSE(test.heap.owns(block));
}

// Whatever of it was asked for.
TEST(SharedEdges, AWrongSizeTellsTheSizeOfTheWholeBlock) {
    TestedHeap test(128 * KiB, 2);
    for (const size_t size : {size_t{4}, size_t{5000}}) {
        void* const block = test.allocate(size);
        test.heap.deallocate_pages(block, 7, site);
        const RecordedFault fault = test.faults.take();
        EXPECT_EQ(SLAB_FAULT_WRONG_SIZE, fault.record.kind);
        EXPECT_EQ(size < page_size ? class_for(size) : pages(2), fault.record.block_size);
        test.free(block);
    }
}

// A size class that no alignment divides is no answer to a request for that alignment.
TEST(SharedEdges, ASlotIsGivenAndTakenForAlignmentsThatItsClassHas) {
    for (const size_t size : class_sizes) {
        TestedHeap test(64 * KiB, 2);
        std::vector<void*> blocks = test.exhaust(size);
        for (size_t align = 1; align <= page_size; align *= 2) {
            if (size % align == 0) continue;
            test.heap.deallocate(blocks[1], {1, align}, site);
            test.expect_fault(SLAB_FAULT_WRONG_SIZE, blocks[1]);
            test.free(blocks[1]);
            EXPECT_EQ(nullptr, test.allocate(1, align)) << size << ", " << align;
            EXPECT_EQ(blocks[1], test.allocate(size, 1));
        }
    }
}

// --- what is at hand
// ----------------------------------------------------------------------------------------

// Pages that a class keeps for itself are at hand for others, without a search.
TEST(SharedEdges, TheLastPagesAreThoseOfSpares) {
    TestedHeap test(256 * KiB, 2);
    std::vector<void*> blocks = test.exhaust(page_size / 2);
    machine.cpu = 2;  // has no fronts
    test.free_all(blocks);
    const size_t spares = test.class_stats(page_size / 2).pages;
    machine.cpu = 0;
    for (size_t i = test.stats().total_bytes / page_size - spares; i != 0; --i)
        ASSERT_NE(nullptr, test.heap.allocate_pages(1));
    for (size_t i = 0; i < spares; ++i) {
        const size_t holds = machine.holds;
        EXPECT_NE(nullptr, test.try_allocate(page_size)) << i;
        EXPECT_EQ(holds + 1, machine.holds);
    }
    EXPECT_EQ(nullptr, test.try_allocate(page_size));
}

// Of slabs with a few free slots a CPU takes what fills half of its stack, and no more: what it frees next
// wants a place, too; nothing, if all that it frees rests in a quarantine. Of the slab that serves the call
// it has all.
TEST(SharedEdges, ACpuStocksHalfAStack) {
    for (const size_t size : class_sizes) {
        const size_t slots = slots_in_a_page(size);
        if (slots < 4) continue;
        const size_t words = std::max<size_t>(1, slots_in_a_page(class_sizes[0]) / (8 * sizeof(size_t)));
        const size_t limit = std::min<size_t>(32 * KiB / size, 48 - words);
        for (const size_t first : {size_t{0}, slots - 3}) {
            TestedHeap test(256 * KiB, 2);
            std::vector<void*> blocks = test.exhaust(size);
            std::sort(blocks.begin(), blocks.end());
            machine.cpu = 2;  // has no fronts
            for (size_t i = 0; i < 20; ++i) {
                for (size_t k = 0; k < 3; ++k) test.free(blocks[i * slots + first + k]);
            }
            machine.cpu = 0;
            test.stats();  // settles what is pending
            EXPECT_NE(nullptr, test.allocate(size));
            const size_t holds = machine.holds;
            size_t more = 0;
            while (test.allocate(size) != nullptr && holds == machine.holds) ++more;
            const size_t half = has_quarantine ? 0 : std::min(limit / 2, size_t{8 * 3});
            EXPECT_EQ(2 + half, more) << size << " from slot " << first;
        }
    }
}

// --- what the hook does
// -------------------------------------------------------------------------------------

// The block is the hook's to free; then there is nothing to resize, whatever room there is by now.
TEST(SharedEdges, ABlockThatTheHookFreesIsNotMovedToWhatTheHookAdds) {
    static TestedHeap* heap;
    static TestMemory* more;
    static void* block;
    TestMemory added(64 * KiB);
    TestedHeap test(64 * KiB, 2);
    heap = &test;
    more = &added;
    block = test.allocate(1000);
    const size_t live = test.exhaust(1000).size();
    test.heap.set_oom_hook([](size_t, size_t) {
        heap->free(block);
        return int{heap->heap.add_memory(more->start(), more->size()) == SLAB_OK};
    });
    EXPECT_EQ(nullptr, test.heap.reallocate(block, {3000, 8}, site));
    EXPECT_EQ(0u, test.faults.count());
    EXPECT_EQ(live * class_for(1000), test.stats().used_bytes);
}

// --- walks
// --------------------------------------------------------------------------------------------------

TEST(SharedEdges, AWalkVisitsLargeBlocksSideBySide) {
    TestedHeap test(256 * KiB, 2);
    std::vector<void*> blocks;
    for (const size_t count : {1u, 2u, 1u, 3u, 1u}) blocks.push_back(test.heap.allocate_pages(count));
    blocks.push_back(test.allocate(100));
    std::sort(blocks.begin(), blocks.end());
    EXPECT_EQ(blocks, walk(test));
}

TEST(SharedEdges, AWalkGoesOnBehindAReservedRange) {
    TestedHeap test(256 * KiB, 2);
    ASSERT_EQ(SLAB_OK, test.heap.reserve(test.memory.page(20), pages(3)));
    std::vector<void*> blocks = test.exhaust(page_size);
    std::sort(blocks.begin(), blocks.end());
    ASSERT_GT(blocks.back(), test.memory.page(23));
    EXPECT_EQ(blocks, walk(test));
}

// A few slabs at each hold of the lock, however many have no live block.
TEST(SharedEdges, AWalkPassesSlabsWithoutLiveBlocksAFewAtATime) {
    TestedHeap test(512 * KiB, 4);
    std::vector<void*> blocks = test.exhaust(page_size);
    std::sort(blocks.begin(), blocks.end());
    for (size_t i = 0; i + 1 < blocks.size(); ++i) {
        machine.cpu = i % 4;
        test.free(blocks[i]);
    }
    machine.cpu = 0;
    const size_t slabs = test.class_stats(page_size).pages;
    ASSERT_GE(slabs, 4 * (has_quarantine ? std::min(quarantine, size_t{8}) : 8));
    const size_t holds = machine.holds;
    EXPECT_EQ(std::vector<void*>{blocks.back()}, walk(test));
    EXPECT_GE(machine.holds - holds, slabs / 9);
    EXPECT_LE(machine.holds - holds, slabs / 8 + 2);
}

// What is at a place by the time that the walk has passed half of it was not there before.
TEST(SharedEdges, AWalkNeverGoesBackToABlockThatTookThePlaceOfAnother) {
    static TestedHeap* heap;
    static std::vector<void*> halves, seen;
    TestedHeap test(64 * KiB, 2);
    heap = &test;
    seen.clear();
    halves = {test.allocate(page_size / 2), test.allocate(page_size / 2)};
    std::sort(halves.begin(), halves.end());
    test.heap.walk(
        [](void* block, size_t, void*) {
            seen.push_back(block);
            if (block != halves[0]) return;
            for (void* half : halves) heap->free(half);
            while (heap->heap.allocate_pages(1) != nullptr) {
            }
        },
        nullptr);
    ASSERT_TRUE(test.heap.owns(halves[0])) << "a page is where the halves were";
    EXPECT_EQ(1, std::count(seen.begin(), seen.end(), halves[0]));
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

// --- what an NMI is told
// ------------------------------------------------------------------------------------

// A slab that has gone back to the pages still says what it was.
TEST(SharedEdges, ASecondFreeInAnNmiIsToldThoughTheSlabIsGone) {
    TestedHeap test(64 * KiB, 2);
    void* const block = test.allocate(page_size / 2);
    test.free(block);
    EXPECT_EQ(nullptr, test.heap.allocate_pages(100)) << "all that is cached goes back";
    ASSERT_EQ(0u, test.class_stats(page_size / 2).pages);
    machine.is_nmi = machine.held_by_other = true;
    test.free(block);
    test.expect_fault(SLAB_FAULT_DOUBLE_FREE, block);
    machine.is_nmi = machine.held_by_other = false;
}

// --- the part of the map that is known
// ----------------------------------------------------------------------

TEST(SharedEdges, TheFirstAddressThatWasNeverUsedIsNoBlock) {
    TestedHeap test(8 * MiB, 2);
    for (int used = 0; used < 5; ++used) {
        for (size_t page = 128; page < 8 * MiB / page_size; page += 32) {
            if (test.heap.owns(test.memory.page(page))) continue;
            test.free(test.memory.page(page));
            test.expect_fault(SLAB_FAULT_NEVER_ALLOCATED, test.memory.page(page));
            test.heap.deallocate(test.memory.page(page), {8, 8}, site);
            test.expect_fault(SLAB_FAULT_NEVER_ALLOCATED, test.memory.page(page));
        }
        ASSERT_NE(nullptr, test.heap.allocate_pages(1));
    }
}

// --- slots that never were handed out
// -----------------------------------------------------------------------

TEST(SharedEdges, EachCpusWordTellsWhichOfItsSlotsWereHandedOut) {
    TestedHeap test(64 * KiB, 4);
    for (machine.cpu = 0; machine.cpu < 4; ++machine.cpu) {
        void* const block = test.allocate(64);
        void* const neighbour = reinterpret_cast<void*>(address_of(block) ^ 64);
        test.free(neighbour);
        test.expect_fault(SLAB_FAULT_NEVER_ALLOCATED, neighbour);
        void* const second = test.allocate(64);
        EXPECT_TRUE(has_random ? second != nullptr : second == neighbour);
        test.free(second);
        test.free(second);
        test.expect_fault(SLAB_FAULT_DOUBLE_FREE, second);
    }
}

}  // namespace
}  // namespace slabheap::test
