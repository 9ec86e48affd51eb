// SPDX-License-Identifier: MIT
//
// SharedHeap by itself: each call does what the Heap's call of its name does, with one CPU and with several;
// and how it gets its CPUs.
#include "content.hpp"
#include "shared_test_heap.hpp"

#include <algorithm>

namespace slabheap::test {
namespace {

using TestedHeap = SharedTestHeap<>;

// With one CPU, and on each of four.
class SharedHeapOn : public ::testing::TestWithParam<size_t> {
protected:
    static size_t cpus() { return GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Cpus, SharedHeapOn, ::testing::Values(1, 4));

TEST_P(SharedHeapOn, BlocksOfEveryKindComeAndGo) {
    TestedHeap test(256 * KiB, cpus());
    const slab_stats before = test.stats();
    for (machine.cpu = 0; machine.cpu < cpus(); ++machine.cpu) {
        for (const size_t size :
             {size_t{0}, size_t{1}, size_t{64}, size_t{65}, size_t{4096}, size_t{4097}, 5 * page_size}) {
            for (const size_t align : {size_t{1}, size_t{16}, size_t{256}, size_t{4096}, size_t{16384}}) {
                void* const block = test.allocate(size, align);
                ASSERT_NE(nullptr, block) << size << ", " << align;
                EXPECT_TRUE(test.memory.contains(block, size));
                EXPECT_EQ(0u, address_of(block) % align);
                const bool is_small = size <= page_size && align <= page_size;
                const size_t real = is_small
                                        ? class_for(size, align)
                                        : (std::max<size_t>(size, 1) + page_size - 1) / page_size * page_size;
                EXPECT_EQ(usable(size, real), test.heap.usable_size(block, site));
                EXPECT_TRUE(test.heap.owns(block));
                EXPECT_FALSE(test.heap.owns(static_cast<char*>(block) + 16));
                EXPECT_EQ(real, test.stats().used_bytes);
                if (align == 16) {
                    test.free(block);
                } else {
                    test.heap.deallocate(block, {size, align}, site);
                }
                EXPECT_FALSE(test.heap.owns(block));
                EXPECT_EQ(0u, test.stats().used_bytes);
            }
        }
    }
    const slab_stats after = test.stats();
    EXPECT_EQ(cpus() * 35, after.allocations - before.allocations);
    EXPECT_EQ(after.allocations, after.frees);
    EXPECT_EQ(0u, after.failures);
}

TEST_P(SharedHeapOn, NullIsNothingToFree) {
    TestedHeap test(64 * KiB, cpus());
    test.free(nullptr);
    test.heap.deallocate(nullptr, {100, 8}, site);
    test.heap.deallocate_pages(nullptr, 3, site);
    EXPECT_EQ(0u, test.stats().frees);
}

TEST_P(SharedHeapOn, WhatCannotBeIsRefusedAndCounted) {
    TestedHeap test(64 * KiB, cpus());
    size_t failures = 0;
    for (const Layout layout :
         {Layout{8, 0}, Layout{8, 3}, Layout{SIZE_MAX, 8}, Layout{1 * GiB, 8}, Layout{8, 1 * GiB}}) {
        EXPECT_EQ(nullptr, test.heap.allocate(layout));
        EXPECT_EQ(nullptr, test.heap.try_allocate(layout));
        EXPECT_EQ(nullptr, test.heap.allocate_zeroed(1, layout));
        EXPECT_EQ(nullptr, test.heap.reallocate(nullptr, layout, site));
        EXPECT_EQ(failures += 4, test.failures());
    }
    EXPECT_EQ(nullptr, test.heap.allocate_pages(16));
    EXPECT_EQ(nullptr, test.heap.allocate_pages(1, 3));
    EXPECT_EQ(nullptr, test.heap.allocate_pages(SIZE_MAX));
    EXPECT_EQ(nullptr, test.heap.allocate_zeroed(SIZE_MAX / 2, {4, 8}));
    EXPECT_EQ(failures + 4, test.failures());
}

TEST_P(SharedHeapOn, ZeroedBlocksAreZero) {
    TestedHeap test(64 * KiB, cpus());
    for (const size_t size : {size_t{5}, size_t{100}, 3 * page_size}) {
        void* block = test.allocate(size * 4);
        fill(block, size * 4);
        test.free(block);
        block = test.heap.allocate_zeroed(4, {size, 8});
        EXPECT_TRUE(is_zero(block, size * 4));
        test.free(block);
    }
}

TEST_P(SharedHeapOn, ResizingKeepsTheContent) {
    TestedHeap test(256 * KiB, cpus());
    void* block = test.allocate(40);
    size_t size = 40;
    fill(block, size);
    for (const size_t next : {60u, 64u, 65u, 700u, 4096u, 4097u, 20000u, 30000u, 9000u, 300u, 5u, 0u}) {
        void* const moved = test.heap.reallocate(block, {next, 8}, site);
        ASSERT_NE(nullptr, moved) << next;
        EXPECT_TRUE(is_filled(moved, std::min(size, next)));
        const slab_stats now = test.stats();
        EXPECT_EQ(usable(next, now.used_bytes), test.heap.usable_size(moved, site));
        EXPECT_EQ(1u, now.allocations - now.frees) << "the old block is free";
        block = moved;
        size = next;
        fill(block, size);
    }
    EXPECT_EQ(nullptr, test.heap.reallocate(block, {1 * MiB, 8}, site));
    EXPECT_EQ(1u, test.failures());
    EXPECT_TRUE(test.heap.owns(block));
}

TEST_P(SharedHeapOn, ALargeBlockIsResizedInPlace) {
    TestedHeap test(256 * KiB, cpus());
    void* const block = test.heap.allocate_pages(4);
    EXPECT_EQ(block, test.heap.reallocate(block, {pages(7), 8}, site));
    EXPECT_EQ(pages(7), test.stats().used_bytes);
    EXPECT_EQ(block, test.heap.reallocate(block, {pages(1), 8}, site));
    EXPECT_EQ(pages(1), test.stats().used_bytes);
    test.heap.deallocate_pages(block, 1, site);
    EXPECT_EQ(0u, test.stats().used_bytes);
}

TEST_P(SharedHeapOn, EveryMisuseIsToldByKindAndChangesNothing) {
    TestedHeap test(128 * KiB, cpus());
    auto* const small = static_cast<char*>(test.allocate(100));
    auto* const large = static_cast<char*>(test.allocate(3 * page_size));
    void* const freed = test.allocate(100);
    void* const freed_large = test.allocate(2 * page_size);
    void* const barrier = test.allocate(2 * page_size);
    test.free(freed);
    test.free(freed_large);
    const struct {
        const void* address;
        slab_fault_kind kind;
    } cases[] = {
        {freed, SLAB_FAULT_DOUBLE_FREE},
        {freed_large, SLAB_FAULT_DOUBLE_FREE},
        {small + 64, SLAB_FAULT_INTERIOR},
        {large + page_size, SLAB_FAULT_INTERIOR},
        {small + 8, SLAB_FAULT_MISALIGNED},
        {large + 1, SLAB_FAULT_MISALIGNED},
        {&test, SLAB_FAULT_FOREIGN},
        {test.memory.start(), SLAB_FAULT_FOREIGN},
        {test.memory.end() - 64, SLAB_FAULT_NEVER_ALLOCATED},
    };
    const slab_stats before = test.stats();
    size_t faults = 0;
    for (machine.cpu = 0; machine.cpu < cpus(); ++machine.cpu) {
        for (const auto& [address, kind] : cases) {
            void* const bad = const_cast<void*>(address);
            test.free(bad);
            test.expect_fault(kind, bad);
            test.heap.deallocate(bad, {100, 8}, site);
            test.expect_fault(kind, bad);
            test.heap.deallocate_pages(bad, 1, site);
            test.expect_fault(kind, bad);
            EXPECT_EQ(nullptr, test.heap.reallocate(bad, {500, 8}, site));
            test.expect_fault(kind, bad);
            EXPECT_EQ(0u, test.heap.usable_size(bad, site));
            test.expect_fault(kind, bad);
            faults += 5;
        }
        for (const Layout wrong : {Layout{129, 8}, Layout{100, 256}, Layout{100, 3}, Layout{5000, 8}}) {
            test.heap.deallocate(small, wrong, site);
            test.expect_fault(SLAB_FAULT_WRONG_SIZE, small);
        }
        for (const Layout wrong :
             {Layout{2 * page_size, 8}, Layout{100, 8}, Layout{3 * page_size, 1 * GiB}}) {
            test.heap.deallocate(large, wrong, site);
            test.expect_fault(SLAB_FAULT_WRONG_SIZE, large);
        }
        test.heap.deallocate_pages(large, 2, site);
        test.expect_fault(SLAB_FAULT_WRONG_SIZE, large);
        test.heap.deallocate_pages(small, 1, site);
        test.expect_fault(SLAB_FAULT_WRONG_SIZE, small);
        faults += 9;
    }
    EXPECT_TRUE(same_books(before, test.stats(), faults));
    test.free(barrier);
}

TEST_P(SharedHeapOn, RangesAreReservedAndReleased) {
    TestedHeap test(128 * KiB, cpus());
    const slab_stats before = test.stats();
    EXPECT_EQ(SLAB_ERR_ALIGN, test.heap.reserve(test.memory.page(9) + 16, pages(2)));
    EXPECT_EQ(SLAB_ERR_TOO_SMALL, test.heap.reserve(test.memory.page(9), 0));
    EXPECT_EQ(SLAB_ERR_RANGE, test.heap.reserve(test.memory.page(31), pages(2)));
    EXPECT_EQ(SLAB_OK, test.heap.reserve(test.memory.page(9), pages(2)));
    EXPECT_EQ(before.total_bytes - pages(2), test.stats().total_bytes);
    EXPECT_EQ(SLAB_ERR_IN_USE, test.heap.reserve(test.memory.page(10), pages(2)));
    EXPECT_EQ(SLAB_OK, test.heap.release(test.memory.page(9), pages(2)));
    EXPECT_EQ(SLAB_ERR_RANGE, test.heap.release(test.memory.page(9), pages(2)));
    EXPECT_TRUE(same_books(before, test.stats()));
}

// Pages that are held only by spares and the CPU's own front are no reason to refuse.
TEST_P(SharedHeapOn, ReservingEmptiesWhatIsCached) {
    TestedHeap test(128 * KiB, cpus());
    std::vector<void*> blocks = test.exhaust(64);
    test.free_all(blocks);
    EXPECT_EQ(SLAB_OK,
              test.heap.reserve(test.memory.page(test.stats().metadata_bytes / page_size), pages(20)));
}

TEST_P(SharedHeapOn, AWalkVisitsEachLiveBlockAndMayFreeIt) {
    TestMemory more(64 * KiB);
    TestedHeap test(256 * KiB, cpus());
    ASSERT_EQ(SLAB_OK, test.heap.add_memory(more.start(), more.size()));
    std::map<void*, size_t> live;
    std::vector<void*> blocks;
    for (size_t i = 0; i < 300; ++i) {
        machine.cpu = i % cpus();
        const size_t used = test.stats().used_bytes;
        void* const block = test.allocate(i * 37 % 3000);
        if (block == nullptr) continue;
        blocks.push_back(block);
        live[block] = test.stats().used_bytes - used;
    }
    for (size_t i = 0; i < blocks.size(); i += 3) {
        machine.cpu = i % cpus();
        test.free(blocks[i]);
        live.erase(blocks[i]);
    }
    struct Seen {
        TestedHeap& test;
        std::map<void*, size_t> blocks;
        bool frees;
    };
    const auto visit = [](void* block, size_t size, void* context) {
        Seen& seen = *static_cast<Seen*>(context);
        EXPECT_FALSE(machine.is_held) << "a visitor runs with the lock held";
        EXPECT_TRUE(seen.blocks.empty() || seen.blocks.rbegin()->first < block) << "in ascending order";
        seen.blocks[block] = size;
        if (seen.frees) seen.test.free(block);
    };
    Seen seen{test, {}, false};
    test.heap.walk(visit, &seen);
    EXPECT_EQ(live, seen.blocks);
    Seen freeing{test, {}, true};
    test.heap.walk(visit, &freeing);
    EXPECT_EQ(live, freeing.blocks);
    EXPECT_EQ(0u, test.stats().used_bytes);
}

TEST(SharedHeap, BeforeInitNothingIsThere) {
    machine = {};
    FaultRecorder faults;
    SharedHeap<TestCpu, TestLock> heap;
    heap.set_fault_handler(FaultRecorder::handler);
    EXPECT_EQ(nullptr, heap.allocate({8, 8}));
    EXPECT_EQ(nullptr, heap.try_allocate({8, 8}));
    EXPECT_EQ(nullptr, heap.allocate_pages(1));
    EXPECT_EQ(nullptr, heap.allocate_zeroed(8, {8, 8}));
    EXPECT_FALSE(heap.owns(&heap));
    heap.deallocate(&heap, site);
    EXPECT_EQ(SLAB_FAULT_FOREIGN, faults.take().record.kind);
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.audit(nullptr));
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.set_cpus(2, &heap, SIZE_MAX));
    slab_stats stats;
    heap.stats(stats);
    EXPECT_EQ(4u, stats.failures);
    EXPECT_EQ(1u, stats.faults);
}

// A heap that lies in zeroed memory needs no constructor.
constinit SharedHeap<TestCpu, TestLock> global_heap;
TEST(SharedHeap, NeedsNoStaticConstructor) {
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, global_heap.audit(nullptr));
}

TEST(SharedHeap, WithOneCpuNobodyWaitsNorAsksForTheContext) {
    TestedHeap test(64 * KiB);
    std::vector<void*> blocks = test.exhaust(100);
    test.free_all(blocks);
    test.free(test.heap.allocate_pages(3));
    test.free(blocks.data());
    test.expect_fault(SLAB_FAULT_FOREIGN, blocks.data());
    EXPECT_TRUE(test.audits());
    EXPECT_EQ(0u, machine.waits);
    EXPECT_EQ(0u, machine.asked_context);
}

TEST(SharedHeap, TheRefusalsOfSetCpusComeInTheirOrderAndChangeNothing) {
    TestMemory memory(cpu_memory(SLAB_MAX_CPUS + 1), 0, TestMemory::Content::all_ones);
    TestedHeap test(256 * KiB);
    std::vector<void*> blocks;
    for (int i = 0; i < 100; ++i) blocks.push_back(test.allocate(100));
    for (int i = 0; i < 30; ++i) test.free(blocks[static_cast<size_t>(i)]);
    const slab_stats before = test.stats();
    std::byte* const good = memory.start();
    EXPECT_EQ(SLAB_ERR_RANGE, test.heap.set_cpus(0, nullptr, 0));
    EXPECT_EQ(SLAB_ERR_RANGE, test.heap.set_cpus(SLAB_MAX_CPUS + 1, good + 1, memory.size()));
    EXPECT_EQ(SLAB_ERR_RANGE, test.heap.set_cpus(SIZE_MAX, good, memory.size()));
    EXPECT_EQ(SLAB_ERR_RANGE, test.heap.set_cpus(2, nullptr, 0));
    EXPECT_EQ(SLAB_ERR_ALIGN, test.heap.set_cpus(2, good + 32, 0));
    EXPECT_EQ(SLAB_ERR_TOO_SMALL, test.heap.set_cpus(2, good, cpu_memory(2) - 1));
    EXPECT_EQ(SLAB_ERR_TOO_SMALL, test.heap.set_cpus(SLAB_MAX_CPUS, good, cpu_memory(SLAB_MAX_CPUS) - 1));
    EXPECT_EQ(SLAB_OK, test.heap.set_cpus(1, nullptr, 0)) << "what it has already";
    EXPECT_TRUE(same_books(before, test.stats()));
    for (size_t i = 0; i < memory.size(); i += 64) ASSERT_EQ(std::byte{0xff}, good[i]);
    for (size_t i = 30; i-- > 0;) {
        void* const next = test.allocate(100);
        EXPECT_TRUE(is_next(blocks[i], next)) << "the front is as it was";
        blocks[i] = next;
    }
    EXPECT_EQ(SLAB_OK, test.heap.set_cpus(2, good, cpu_memory(2)));
    EXPECT_EQ(SLAB_ERR_ALREADY_INITIALISED, test.heap.set_cpus(2, good, cpu_memory(2)));
    EXPECT_EQ(SLAB_ERR_ALREADY_INITIALISED, test.heap.set_cpus(0, nullptr, 0));
    EXPECT_EQ(std::byte{0xff}, good[cpu_memory(2)]);
    test.free_all(blocks);
}

TEST(SharedHeap, SetCpusTakesTheMostThereAre) {
    TestedHeap test(64 * KiB, SLAB_MAX_CPUS);
    for (const size_t cpu : {size_t{0}, size_t{1}, size_t{511}, size_t{SLAB_MAX_CPUS - 1}}) {
        machine.cpu = cpu;
        test.free(test.allocate(100));
    }
    EXPECT_EQ(4u, test.stats().frees);
}

TEST(SharedHeap, TheMemoryForCpusGrowsWithTheirNumber) {
    EXPECT_EQ(0u, cpu_memory(0));
    EXPECT_EQ(0u, cpu_memory(1));
    for (size_t cpus = 2; cpus < SLAB_MAX_CPUS; cpus = cpus * 3 / 2) {
        EXPECT_EQ(cpus * (cpu_memory(2) / 2), cpu_memory(cpus));
    }
    EXPECT_LE(cpu_memory(2) / 2, by_set(4096, 8192));
}

// Blocks and cached ones, of every kind and age, from before set_cpus.
TEST(SharedHeap, SetCpusAfterUseKeepsTheBooks) {
    TestMemory more(256 * KiB);
    TestedHeap test(3 * MiB);
    ASSERT_EQ(SLAB_OK, test.heap.add_memory(more.start(), more.size()));
    std::vector<void*> blocks;
    for (size_t i = 0; i < 1500; ++i) blocks.push_back(test.allocate(1 + i * 131 % 1400));
    for (size_t i = 0; i < blocks.size(); i += 2) {
        test.free(blocks[i]);
        blocks[i] = nullptr;
    }
    void* const memory = test.allocate(cpu_memory(4), 64);
    const slab_stats before = test.stats();
    ASSERT_EQ(SLAB_OK, test.heap.set_cpus(4, memory, cpu_memory(4)));
    EXPECT_TRUE(same_books(before, test.stats()));
    EXPECT_TRUE(test.audits());
    for (size_t i = 0; i < blocks.size(); ++i) {
        machine.cpu = i % 4;
        test.free(blocks[i]);
    }
    const slab_stats after = test.stats();
    EXPECT_EQ(1500u + 1, after.allocations);
    EXPECT_EQ(1500u, after.frees);
    EXPECT_EQ((cpu_memory(4) + page_size - 1) / page_size * page_size, after.used_bytes);
}

// A region that comes later, even a larger one, serves as any; its blocks are freed anywhere.
TEST(SharedHeap, RegionsAreAddedAfterSetCpus) {
    TestMemory larger(512 * KiB), small(pages(3));
    TestedHeap test(64 * KiB, 3);
    void* const first = test.allocate(100);
    EXPECT_EQ(SLAB_OK, test.heap.add_memory(larger.start(), larger.size()));
    EXPECT_EQ(SLAB_OK, test.heap.add_memory(small.start(), small.size()));
    EXPECT_EQ(SLAB_ERR_OVERLAP, test.heap.add_memory(small.start(), pages(3)));
    std::vector<void*> blocks = test.exhaust(1000);
    EXPECT_EQ(test.class_stats(1000).live, blocks.size());
    const auto in = [&](const TestMemory& memory) {
        return std::count_if(blocks.begin(), blocks.end(),
                             [&](void* block) { return memory.contains(block); });
    };
    EXPECT_GT(in(larger), 400);
    EXPECT_EQ(8, in(small));
    EXPECT_GT(in(test.memory), 40);
    for (size_t i = 0; i < blocks.size(); ++i) {
        machine.cpu = i % 3;
        test.free(blocks[i]);
        if (i % 7 != 0) continue;
        test.free(blocks[i]);
        test.expect_fault(SLAB_FAULT_DOUBLE_FREE, blocks[i]);
    }
    test.free(first);
    EXPECT_EQ(0u, test.stats().used_bytes);
}

// A count of 0 is 1; one that no run can have is told, and changes nothing.
TEST_P(SharedHeapOn, ARunsCountIsCheckedWhateverItIs) {
    TestedHeap test(64 * KiB, cpus());
    test.heap.deallocate_pages(test.heap.allocate_pages(1), 0, site);
    void* const run = test.heap.allocate_pages(2);
    for (const size_t count : {size_t{0}, size_t{1}, size_t{3}, SIZE_MAX / page_size + 3, SIZE_MAX}) {
        test.heap.deallocate_pages(run, count, site);
        test.expect_fault(SLAB_FAULT_WRONG_SIZE, run);
    }
    test.heap.deallocate_pages(run, 2, site);
    EXPECT_EQ(0u, test.stats().used_bytes);
}

// What a CPU leaves behind that calls no more is there for the others, without a barrier.
TEST(SharedHeap, FrontsThatAreEmptiedKeepNothing) {
    TestedHeap test(64 * KiB, 2);
    machine.cpu = 1;
    for (const size_t size : {size_t{64}, size_t{500}, page_size}) test.free(test.allocate(size));
    machine.cpu = 0;
    const size_t all = test.stats().total_bytes / page_size;
    EXPECT_EQ(nullptr, test.heap.allocate_pages(all));
    test.heap.empty_fronts(1);
    EXPECT_NE(nullptr, test.heap.allocate_pages(all));
}

}  // namespace
}  // namespace slabheap::test
