// SPDX-License-Identifier: MIT
//
// Several regions: added in any order, with gaps or touching, odd sizes, at the ends of the address space
// that a process has; none reaches into another. And regions far larger than the machine's memory, which cost
// nothing until they are used.
#include "class_set.hpp"
#include "test_heap.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace slabheap::test {
namespace {

TEST(Region, MemoryIsAddedAtAnyTime) {
    TestHeap test(32 * KiB);
    const std::vector<void*> first = test.exhaust({1000, 8});
    const TestMemory& more = test.add_region(pages(17));
    const std::vector<void*> second = test.exhaust({1000, 8});
    EXPECT_EQ(4 * 7u, first.size());
    const size_t map = test.stats().metadata_bytes / page_size - 1;
    EXPECT_LE(map, has_canary ? 2u : 1u);
    EXPECT_EQ(4 * (17 - map), second.size()) << "17 pages, one of them the map";
    for (void* block : second) {
        EXPECT_TRUE(more.contains(block, 1024));
    }
    EXPECT_EQ(pages(7 + 17 - map), test.heap.total_bytes());
}

TEST(Region, TheSmallestHasOnePageBesideItsMap) {
    TestHeap test(32 * KiB);
    const TestMemory& more = test.add_region(pages(2));
    EXPECT_EQ(pages(8), test.heap.total_bytes());
    std::vector<void*> blocks = test.exhaust({4096, 4096});
    EXPECT_EQ(8u, blocks.size());
    EXPECT_EQ(1, std::count(blocks.begin(), blocks.end(), static_cast<void*>(more.page(1))));
}

TEST(Region, EverySizeIsTaken) {
    for (size_t count = 2; count <= 300; ++count) {
        TestHeap test(32 * KiB);
        test.add_region(pages(count), pages(count % 5));
        const size_t added = test.heap.total_bytes() - pages(7);
        ASSERT_EQ(pages(count) + pages(1), added + test.stats().metadata_bytes) << count;
        ASSERT_NE(nullptr, test.heap.allocate_pages(added / page_size))
            << "all of the region at once: " << count;
    }
}

TEST(Region, BlocksNeverReachFromOneIntoAnother) {
    for (const bool ascending : {true, false}) {
        TestMemory memory(96 * KiB);
        FaultRecorder faults;
        Heap heap;
        std::byte* const first = ascending ? memory.start() : memory.start() + 32 * KiB;
        std::byte* const second = ascending ? memory.start() + 32 * KiB : memory.start();
        ASSERT_EQ(SLAB_OK, heap.init(first, 32 * KiB));
        ASSERT_EQ(SLAB_OK, heap.add_memory(second, 32 * KiB));
        ASSERT_EQ(SLAB_OK, heap.add_memory(memory.start() + 64 * KiB, 32 * KiB));
        EXPECT_EQ(pages(21), heap.total_bytes());
        EXPECT_EQ(nullptr, heap.allocate_pages(8));
        std::set<void*> runs;
        for (int i = 0; i < 3; ++i) {
            void* run = heap.allocate_pages(7);
            ASSERT_NE(nullptr, run);
            EXPECT_EQ(pages(1), (address_of(run) - address_of(memory.start())) % (32 * KiB));
            runs.insert(run);
        }
        EXPECT_EQ(3u, runs.size());
        for (void* run : runs) {
            heap.deallocate_pages(run, 7);
        }
        EXPECT_EQ(nullptr, heap.allocate_pages(8)) << "freed neighbours must not merge across regions";
        EXPECT_TRUE(audits(heap));
    }
}

TEST(Region, TheGapBetweenTwoIsForeign) {
    TestMemory memory(96 * KiB);
    FaultRecorder faults;
    Heap heap;
    heap.set_fault_handler(FaultRecorder::handler);
    ASSERT_EQ(SLAB_OK, heap.init(memory.start() + 64 * KiB, 32 * KiB));
    ASSERT_EQ(SLAB_OK, heap.add_memory(memory.start(), 32 * KiB));
    for (const size_t offset : {32 * KiB, 48 * KiB, 64 * KiB - 16}) {
        heap.deallocate(memory.start() + offset);
        EXPECT_EQ(SLAB_FAULT_FOREIGN, faults.take().record.kind) << offset;
        EXPECT_FALSE(heap.owns(memory.start() + offset));
    }
}

TEST(Region, TheMapsOfAllRegionsAreForeign) {
    TestMemory memory(96 * KiB);
    FaultRecorder faults;
    Heap heap;
    heap.set_fault_handler(FaultRecorder::handler);
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), 32 * KiB));
    ASSERT_EQ(SLAB_OK, heap.add_memory(memory.start() + 32 * KiB, 64 * KiB));
    for (const size_t offset : {size_t{0}, 32 * KiB}) {
        heap.deallocate(memory.start() + offset);
        EXPECT_EQ(SLAB_FAULT_FOREIGN, faults.take().record.kind) << offset;
    }
}

// Maps 64 KiB at exactly this address, or gives null.
void* map_at(uintptr_t address) {
    void* wanted = reinterpret_cast<void*>(address);
    void* start = mmap(wanted, 64 * KiB, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return start == MAP_FAILED ? nullptr : start;
}

void expect_two_regions_work(void* mapping) {
    ASSERT_NE(nullptr, mapping);
    auto* start = static_cast<std::byte*>(mapping);
    std::memset(start, 0xa5, 64 * KiB);
    Heap heap;
    ASSERT_EQ(SLAB_OK, heap.init(start, 32 * KiB));
    ASSERT_EQ(SLAB_OK, heap.add_memory(start + 32 * KiB, 32 * KiB));
    FaultRecorder faults;
    heap.set_fault_handler(FaultRecorder::handler);
    void* runs[2] = {heap.allocate_pages(7), heap.allocate_pages(7)};
    EXPECT_NE(nullptr, runs[0]);
    EXPECT_NE(nullptr, runs[1]);
    for (void* run : runs) {
        heap.deallocate(static_cast<std::byte*>(run) + pages(6));
        const RecordedFault fault = faults.take();
        EXPECT_EQ(SLAB_FAULT_INTERIOR, fault.record.kind);
        EXPECT_EQ(run, fault.record.block);
    }
    EXPECT_EQ(nullptr, heap.allocate({1, 1}));
    heap.deallocate_pages(runs[0], 7);
    heap.deallocate_pages(runs[1], 7);
    EXPECT_EQ(pages(14), heap.available_bytes());
    EXPECT_TRUE(audits(heap));
    EXPECT_EQ(0, munmap(mapping, 64 * KiB));
}

TEST(Region, WorksAtTheLowestAddressesThatAProcessHas) {
    expect_two_regions_work(map_at(64 * KiB));
}

TEST(Region, WorksAtTheHighestAddressesThatAProcessHas) {
    void* mapping = nullptr;
    for (unsigned bits = 63; bits > 30 && mapping == nullptr; --bits) {
        mapping = map_at((uintptr_t{1} << bits) - pages(1) - 64 * KiB);
    }
    expect_two_regions_work(mapping);
}

TEST(Region, TheMapTakesAtMostTwoPercentOf1MiBAndMoreOrFourWithTheFineClasses) {
    for (size_t size = 1 * MiB; size <= 512 * MiB;
         size = size * 3 / 2 / SLAB_MIN_HEAP_SIZE * SLAB_MIN_HEAP_SIZE) {
        TestMemory memory(size, 0, TestMemory::Content::untouched);
        Heap heap;
        ASSERT_EQ(SLAB_OK, heap.init(memory.start(), size));
        const slab_stats stats = stats_of(heap);
        EXPECT_LE(stats.metadata_bytes, most_map_bytes(size) + pages(1) - 1) << size;
        EXPECT_EQ(size, stats.total_bytes + stats.metadata_bytes);
    }
}

class HugeRegion : public ::testing::Test {
protected:
    TestMemory memory{huge_size, 0, TestMemory::Content::untouched};
    FaultRecorder faults;
    Heap heap;
};

TEST_F(HugeRegion, InitTouchesFewPages) {
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), memory.size()));
    EXPECT_LE(memory.touched_pages(), 32u);
    EXPECT_LE(stats_of(heap).metadata_bytes, most_map_bytes(memory.size()));
}

TEST_F(HugeRegion, ServesSmallAndLargeBlocksAndGetsThemBack) {
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), handed_out(huge_size)));
    const size_t total = heap.total_bytes();
    std::vector<void*> blocks;
    for (size_t size = 1; size <= handed_out(huge_size) / 8; size *= 2) {
        blocks.push_back(heap.allocate({size, 16}));
        ASSERT_NE(nullptr, blocks.back()) << size;
        std::memset(blocks.back(), 0xa5, std::min(size, page_size));
    }
    EXPECT_TRUE(audits(heap));
    for (void* block : blocks) {
        heap.deallocate(block);
    }
    EXPECT_EQ(total, heap.available_bytes());
    EXPECT_LE(memory.touched_pages(), fills_blocks ? total / 2 / page_size : 1000u);
}

TEST_F(HugeRegion, IsOneBlockWhenAllOfItIsAskedFor) {
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), handed_out(huge_size)));
    const size_t count = heap.total_bytes() / page_size;
    void* everything = heap.allocate_pages(count);
    ASSERT_NE(nullptr, everything);
    EXPECT_EQ(0u, heap.available_bytes());
    EXPECT_EQ(pages(count), heap.usable_size(everything));
    EXPECT_EQ(nullptr, heap.allocate({1, 1}));
    heap.deallocate_pages(everything, count);
    EXPECT_EQ(pages(count), heap.available_bytes());
}

TEST(LargeRegion, NeverUsedPagesAreNoBlocksWhateverTheirMapHolds) {
    for (const auto content : {TestMemory::Content::noise, TestMemory::Content::all_ones}) {
        TestHeap test(64 * MiB, 0, content);
        for (size_t offset = test.stats().metadata_bytes; offset < 64 * MiB; offset += 100 * KiB + 64) {
            std::byte* ptr = test.memory.start() + offset;
            EXPECT_FALSE(test.heap.owns(ptr));
            test.heap.deallocate(ptr);
            ASSERT_EQ(SLAB_FAULT_NEVER_ALLOCATED, test.faults.take().record.kind) << offset;
        }
    }
}

}  // namespace
}  // namespace slabheap::test
