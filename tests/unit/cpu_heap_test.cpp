// SPDX-License-Identifier: MIT
//
// What lies beneath SharedHeap: fronts that are busy, because a call was interrupted, and how much they keep.
#include "cpu_heap.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <vector>

#include "built_defences.hpp"
#include "shared_test_heap.hpp"

namespace slabheap {
namespace {

using test::machine;
using test::Moment;
using test::site;

class CpuHeapTest : public ::testing::Test {
protected:
    static constexpr size_t count = 3;

    CpuFronts& fronts(size_t cpu) {
        void* const start = test_.fronts.start() + (cpu << cpu_fronts_shift);
        return *static_cast<CpuFronts*>(start);
    }
    // Runs the code as what has interrupted a call of CPU 0, which must not notice.
    template <class Code>
    void interrupting_a_call(Code code) {
        fronts(0).busy = 1;
        CpuFronts const before = fronts(0);
        code();
        EXPECT_EQ(0, std::memcmp(&before, &fronts(0), sizeof before)) << "the fronts were used";
        fronts(0).busy = 0;
    }
    // Caches something in each of CPU 0's fronts.
    void warm_up() {
        for (size_t size : class_sizes) {
            void* const first = test_.allocate(size);
            test_.free(test_.allocate(size));
            test_.free(first);
        }
    }

    // All that is free is a block of a page, which the busy fronts of CPU 1 have.
    void* exhaust_but_for_a_busy_cpu() {
        test_.heap.set_barrier_hook([] { return 1; });
        void* const block = test_.exhaust(page_size)[0];
        machine.cpu = 1;
        test_.free(block);
        fronts(1).busy = 1;
        machine.cpu = 0;
        return block;
    }

    test::SharedTestHeap<CpuHeap> test_{1 << 20, count};
};

TEST_F(CpuHeapTest, WhoFindsItsFrontsBusyWorksWithoutThem) {
    warm_up();
    std::vector<void*> blocks;
    interrupting_a_call([&] {
        std::set<void*> seen;
        for (size_t i = 0; i < 300; ++i) {
            blocks.push_back(i % 2 == 0 ? test_.allocate(1 + i * 13) : test_.try_allocate(1 + i * 13));
            EXPECT_TRUE(seen.insert(blocks.back()).second);
            EXPECT_TRUE(test_.heap.owns(blocks.back()));
        }
        test_.free(test_.heap.allocate_zeroed(10, {30, 8}));
        blocks[0] = test_.heap.reallocate(blocks[0], {3000, 8}, site);
        EXPECT_EQ(blocks[0], test_.heap.reallocate(blocks[0], {2500, 8}, site));
        test_.heap.deallocate_pages(test_.heap.allocate_pages(3), 3, site);
        for (size_t i = 0; i < blocks.size(); i += 2) {
            test_.free(blocks[i]);
            test_.free(blocks[i]);
            test_.expect_fault(SLAB_FAULT_DOUBLE_FREE, blocks[i]);
        }
    });
    for (size_t i = 1; i < blocks.size(); i += 2) test_.free(blocks[i]);
    slab_stats const after = test_.stats();
    EXPECT_EQ(after.allocations, after.frees);
    EXPECT_TRUE(test_.audits());
    EXPECT_NE(nullptr, test_.heap.allocate_pages(after.total_bytes / page_size));
}

TEST_F(CpuHeapTest, AnNmiInACallThatHoldsTheLockFreesAllTheSame) {
    warm_up();
    void* const small = test_.allocate(100);
    void* const large = test_.heap.allocate_pages(2);
    size_t const failures = test_.failures();
    interrupting_a_call([&] {
        machine.is_nmi = machine.held_by_other = true;
        EXPECT_EQ(nullptr, test_.allocate(100)) << "though the front has one";
        EXPECT_EQ(nullptr, test_.try_allocate(100));
        test_.free(small);
        test_.free(large);
        test_.free(small);
        test_.expect_fault(SLAB_FAULT_DOUBLE_FREE, small);
        test_.free(large);
        test_.expect_fault(SLAB_FAULT_DOUBLE_FREE, large);
        machine.is_nmi = machine.held_by_other = false;
    });
    slab_stats const after = test_.stats();
    EXPECT_EQ(failures + 2, after.failures);
    EXPECT_EQ(0u, after.used_bytes);
    EXPECT_NE(nullptr, test_.heap.allocate_pages(after.total_bytes / page_size));
}

// A CPU that was interrupted keeps what it has: it is waited for, but not for ever.
TEST_F(CpuHeapTest, BusyFrontsAreNotTakenBack) {
    void* const block = exhaust_but_for_a_busy_cpu();
    machine.pauses = 0;
    EXPECT_EQ(nullptr, test_.allocate(page_size));
    EXPECT_GT(machine.pauses, 0u);
    EXPECT_LE(machine.pauses, 10000u);
    fronts(1).busy = 0;
    EXPECT_EQ(block, test_.allocate(page_size));
}

TEST_F(CpuHeapTest, ACallThatIsSoonOverIsWaitedFor) {
    void* const block = exhaust_but_for_a_busy_cpu();
    machine.meanwhile = [this](Moment moment) {
        if (moment == Moment::pauses && machine.pauses % 100 == 0) fronts(1).busy = 0;
    };
    EXPECT_EQ(block, test_.allocate(page_size));
    machine.meanwhile = nullptr;
}

// What a CPU can keep from the others, where there is no barrier hook: of each class a stack and a word.
class EveryClassOfACpu : public ::testing::TestWithParam<unsigned> {};

TEST_P(EveryClassOfACpu, KeepsAStackOfFreedBlocksAndNoMore) {
    test::SharedTestHeap<CpuHeap> test(1 << 20, 2);
    size_t const size = class_size(GetParam());
    machine.cpu = 1;
    std::vector<void*> blocks = test.exhaust(size);
    size_t const all = blocks.size();
    test.free_all(blocks);
    machine.cpu = 0;
    EXPECT_EQ(all - stack_limit(GetParam()), test.exhaust(size).size());
    EXPECT_LE(stack_limit(GetParam()), 47u);
}

TEST_P(EveryClassOfACpu, KeepsAWordOfNewBlocksAndNoMore) {
    test::SharedTestHeap<CpuHeap> test(1 << 20, 2);
    size_t const size = class_size(GetParam());
    size_t const all = test.stats().total_bytes / page_size * class_slots(GetParam());
    machine.cpu = 1;
    EXPECT_NE(nullptr, test.allocate(size));
    machine.cpu = 0;
    EXPECT_EQ(all - slots_in_word(GetParam(), 0), test.exhaust(size).size());
}

// A slab with one free slot would serve a single call: so the lock is taken for several slabs at once, but
// where the stack is a quarantine.
TEST_P(EveryClassOfACpu, FillsItsStackFromSeveralSlabsAtATime) {
    test::SharedTestHeap<CpuHeap> test(1 << 20, 2);
    size_t const size = class_size(GetParam());
    size_t const slots = class_slots(GetParam());
    if (slots == 1) return;  // such a slab is empty
    machine.cpu = 1;
    std::vector<void*> blocks = test.exhaust(size);
    std::set<void*> given;
    machine.cpu = 2;  // has no fronts
    for (size_t i = 0; i < 40; ++i) {
        test.free(blocks[i * slots]);
        given.insert(blocks[i * slots]);
    }
    machine.cpu = 0;
    test.stats();  // settles what is pending
    size_t const holds = machine.holds;
    size_t const half = stack_limit(GetParam()) / 2;
    for (size_t i = 0; i < 18; ++i) EXPECT_EQ(1u, given.erase(test.allocate(size))) << i;
    size_t const at_once = half < 8 ? half + 1 : 9;
    EXPECT_EQ(holds + (test::has_quarantine ? 18 : 17 / at_once + 1), machine.holds);
    EXPECT_TRUE(test.audits());
}

// Empty slabs may be wanted as pages: a CPU that caches nothing but a slot leaves them.
TEST_P(EveryClassOfACpu, StocksNoEmptySlabs) {
    test::SharedTestHeap<CpuHeap> test(1 << 20, 2);
    size_t const size = class_size(GetParam());
    machine.cpu = 2;  // has no fronts
    std::vector<void*> blocks = test.exhaust(size);
    test.free_all(blocks);
    machine.cpu = 1;
    EXPECT_NE(nullptr, test.allocate(size));
    machine.cpu = 0;
    EXPECT_EQ(test.stats().total_bytes / page_size - 1, test.exhaust(page_size).size());
}

INSTANTIATE_TEST_SUITE_P(Of, EveryClassOfACpu, ::testing::Range(0u, class_count));

// A block of a region that the primary view does not know hides the front; its CPU goes on as ever.
TEST(CpuHeapRegions, BlocksOfAnyRegionAreCachedAndTakenBack) {
    test::TestMemory more(test::pages(40));
    test::SharedTestHeap<CpuHeap> test(1 << 18, 2);
    ASSERT_EQ(SLAB_OK, test.heap.add_memory(more.start(), more.size()));
    test.heap.set_barrier_hook([] { return 1; });
    std::vector<void*> blocks = test.exhaust(1000);
    std::vector<void*> near, far;
    for (void* block : blocks) (more.contains(block) ? far : near).push_back(block);
    ASSERT_GT(far.size(), 100u);
    machine.cpu = 1;
    for (size_t i = 0; i < 20; ++i) {
        test.free(near[i]);
        test.free(far[i]);
        void* const last = test.allocate(1000);
        void* const before = test.allocate(1000);
        EXPECT_TRUE(test::is_next(far[i], last)) << "the block freed last comes first";
        EXPECT_TRUE(test::is_next(near[i], before));
        test.free(before);
        test.free(last);
        EXPECT_TRUE(test.audits());
    }
    machine.cpu = 0;
    for (size_t i = 0; i < 40; ++i) EXPECT_NE(nullptr, test.allocate(1000)) << i;
    EXPECT_EQ(nullptr, test.allocate(1000));
}

}  // namespace
}  // namespace slabheap
