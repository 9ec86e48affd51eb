// SPDX-License-Identifier: MIT
//
// What SharedHeap makes of what its Cpu and its Lock say: who is alone, who has no index yet, who may wait,
// who waits for whom, and for how long.
#include "cpu_heap.hpp"

#include "built_defences.hpp"
#include "content.hpp"
#include "shared_test_heap.hpp"

namespace slabheap::test {
namespace {

constexpr size_t most_pauses = 1000;  // for a call of another CPU that does not end

template <class Cpu>
using HeapOf = SharedTestHeap<CpuHeapState, Cpu>;

template <class Heap>
CpuFronts& fronts_of(Heap& test, size_t cpu) {
    return *static_cast<CpuFronts*>(static_cast<void*>(test.fronts.start() + (cpu << cpu_fronts_shift)));
}

// Another CPU has the lock whenever this one wants it, and lets go when it is waited for.
void contend() {
    machine.held_by_other = true;
    machine.meanwhile = [](Moment moment) {
        if (moment == Moment::waits) machine.held_by_other = false;
        if (moment == Moment::unlocked) machine.held_by_other = true;
    };
}
void end_contention() {
    machine.meanwhile = nullptr;
    machine.held_by_other = false;
}

// --- where no other CPU is
// ----------------------------------------------------------------------------------

struct LonelyCpu : TestCpu {
    static bool is_alone(size_t) { return true; }
};

template <class H>
void use_up_without_a_barrier(H& test) {
    test.heap.set_barrier_hook([] {
        ADD_FAILURE() << "there is nobody to pass it";
        return 1;
    });
    std::vector<void*> blocks = test.exhaust(page_size);
    EXPECT_EQ(SLAB_OK, test.heap.audit(nullptr));
    test.free_all(blocks);
}

// CPUs that sleep, for instance: nobody has to pass a barrier.
TEST(CpuPolicy, WhoIsAloneKeepsNobodyOut) {
    HeapOf<LonelyCpu> test(64 * KiB, 4);
    use_up_without_a_barrier(test);
}

struct CautiousCpu : TestCpu {
    static bool is_alone(size_t) { return false; }
};

TEST(CpuPolicy, NorDoesTheOnlyCpuEvenIfItDoesNotKnow) {
    HeapOf<CautiousCpu> test(64 * KiB);
    use_up_without_a_barrier(test);
}

TEST(CpuPolicy, TheLockOfOneCpuIsTakenAsOnlyAnInterruptCanHoldIt) {
    HeapOf<TestCpu> test(64 * KiB);
    std::vector<void*> blocks = test.exhaust(page_size);
    test.free_all(blocks);
    test.free(test.heap.allocate_pages(3));
    test.free(test.memory.start());
    test.expect_fault(SLAB_FAULT_FOREIGN, test.memory.start());
    EXPECT_TRUE(test.audits());
    EXPECT_EQ(0u, machine.tries_among_cpus);
}

// An interrupt that came while its CPU, the only one, had the lock: to wait or to search would be in vain.
TEST(CpuPolicy, WhatInterruptsTheHolderOfTheLockOnTheOnlyCpuGetsWhatItsFrontHas) {
    HeapOf<TestCpu> test(64 * KiB);
    void* const cached = test.allocate(100);
    void* const large = test.heap.allocate_pages(2);
    test.free(cached);
    test.heap.set_oom_hook([](size_t, size_t) {
        ADD_FAILURE() << "the hook is asked";
        return 0;
    });
    size_t const failures = test.failures();
    machine.is_held = true;
    size_t const holds = machine.holds;
    void* const block = test.allocate(100);
    EXPECT_TRUE(is_next(cached, block));
    EXPECT_EQ(nullptr, test.heap.allocate_pages(1));
    EXPECT_EQ(nullptr, test.allocate(1000));
    EXPECT_EQ(nullptr, test.heap.reallocate(block, {1000, 8}, site));
    test.free(large);
    EXPECT_EQ(holds, machine.holds);
    machine.is_held = false;
    EXPECT_EQ(failures + 3, test.failures());
    EXPECT_FALSE(test.heap.owns(large));
    test.free(block);
    EXPECT_EQ(0u, test.stats().used_bytes);
}

// --- CPUs that come and go
// ----------------------------------------------------------------------------------

struct EnrollingCpu : TestCpu {
    static inline size_t enrolled, given;  // how often; the index that it was given

    static size_t index(size_t) { return enrolled != 0 ? given : machine.cpu; }
    static size_t enrol() {
        ++enrolled;
        return given;
    }
};

TEST(CpuPolicy, ASlowCallGivesACpuWithoutFrontsAnIndexOnce) {
    for (size_t const first : {size_t{2}, size_t{3}, SIZE_MAX}) {
        HeapOf<EnrollingCpu> test(64 * KiB, 2);
        EnrollingCpu::enrolled = 0;
        EnrollingCpu::given = 1;
        machine.cpu = first;
        void* const block = test.allocate(100);
        EXPECT_EQ(1u, EnrollingCpu::enrolled) << first;
        size_t const holds = machine.holds;
        test.free(block);
        void* const next = test.allocate(100);
        EXPECT_TRUE(is_next(block, next));
        EXPECT_EQ(holds, machine.holds) << "it has fronts now";
        test.free(next);
        EXPECT_EQ(1u, EnrollingCpu::enrolled);
    }
}

TEST(CpuPolicy, ACpuThatHasAnIndexKeepsIt) {
    HeapOf<EnrollingCpu> test(64 * KiB, 2);
    EnrollingCpu::enrolled = 0;
    for (machine.cpu = 0; machine.cpu < 2; ++machine.cpu) test.free(test.allocate(100));
    EXPECT_EQ(0u, EnrollingCpu::enrolled);
}

// --- who waits
// ----------------------------------------------------------------------------------------------

TEST(CpuPolicy, WhatHasToBeDoneWaitsForTheLock) {
    HeapOf<TestCpu> test(64 * KiB, 2);
    std::byte* const page = test.memory.page(10);
    contend();
    EXPECT_EQ(SLAB_OK, test.heap.reserve(page, page_size));
    EXPECT_EQ(1u, machine.waits);
    EXPECT_EQ(SLAB_OK, test.heap.release(page, page_size));
    EXPECT_EQ(2u, machine.waits);
    end_contention();
}

// The page comes from an empty slab of another class, which has to be gathered first.
TEST(CpuPolicy, WhatWasGatheredIsTakenHoweverLongTheLockIsWaitedFor) {
    HeapOf<TestCpu> test(64 * KiB, 2);
    std::vector<void*> blocks = test.exhaust(page_size / 2);
    for (int i = 0; i < 2; ++i) {
        test.free(blocks.back());
        blocks.pop_back();
    }
    contend();
    EXPECT_NE(nullptr, test.allocate(page_size));
    end_contention();
}

// --- calls of other CPUs that are waited for
// ----------------------------------------------------------------

class BusyCpu : public ::testing::TestWithParam<size_t> {
protected:
    static constexpr size_t count = 3;

    HeapOf<TestCpu> test{64 * KiB, count};
    size_t taker = (GetParam() + 1) % count;

    BusyCpu() {
        test.heap.set_barrier_hook([] { return 1; });
        machine.cpu = taker;
        busy() = 1;
    }
    ~BusyCpu() override {
        machine.meanwhile = nullptr;
        busy() = 0;
    }
    uint8_t& busy() { return fronts_of(test, GetParam()).busy; }
    // Its call ends when it was waited for so often.
    void end_after(size_t pauses) {
        machine.pauses = 0;
        machine.meanwhile = [this, pauses](Moment moment) {
            if (moment == Moment::pauses && machine.pauses == pauses) busy() = 0;
        };
    }
};
INSTANTIATE_TEST_SUITE_P(Cpus, BusyCpu, ::testing::Range(size_t{0}, size_t{3}));

TEST_P(BusyCpu, IsWaitedForByAnAudit) {
    end_after(100);
    EXPECT_EQ(SLAB_OK, test.heap.audit(nullptr));
    EXPECT_EQ(100u, machine.pauses);
}

TEST_P(BusyCpu, IsNotWaitedForForEver) {
    machine.pauses = 0;
    EXPECT_EQ(SLAB_OK, test.heap.audit(nullptr));
    EXPECT_EQ(most_pauses, machine.pauses);
    machine.pauses = 0;
    EXPECT_EQ(nullptr, test.heap.allocate_pages(100));
    EXPECT_EQ(2 * most_pauses, machine.pauses) << "when the heap is closed, and when fronts are taken back";
}

// It keeps its blocks until it lets go of its fronts.
TEST_P(BusyCpu, GivesItsBlocksBackWhenItIsDoneAtLast) {
    std::vector<void*> blocks = test.exhaust(page_size);
    busy() = 0;
    machine.cpu = GetParam();
    test.free(blocks.back());
    machine.cpu = taker;
    busy() = 1;
    end_after(most_pauses + 500);
    EXPECT_EQ(blocks.back(), test.allocate(page_size));
    EXPECT_EQ(most_pauses + 500, machine.pauses);
}

// Who was interrupted by the call that waits would never be done.
TEST_P(BusyCpu, IsNotWaitedForByWhatHasInterruptedIt) {
    machine.cpu = GetParam();
    machine.pauses = 0;
    EXPECT_EQ(nullptr, test.heap.allocate_pages(100));
    EXPECT_EQ(SLAB_OK, test.heap.audit(nullptr));
    EXPECT_EQ(0u, machine.pauses);
}

// --- blocks that move
// ---------------------------------------------------------------------------------------

// A smaller block that has to be aligned better takes what fits into it, and no more.
TEST(CpuPolicy, ABlockThatShrinksAsItMovesLeavesItsNeighboursAlone) {
    HeapOf<TestCpu> test(128 * KiB, 2);
    std::vector<void*> singles;
    while (void* page = test.heap.allocate_pages(1)) singles.push_back(page);
    std::sort(singles.begin(), singles.end());
    for (void* page : singles) fill(page, page_size);
    size_t const odd = address_of(singles[4]) % (2 * page_size) != 0 ? 4 : 5;
    for (size_t i = odd; i < odd + 3; ++i) test.free(singles[i]);
    void* const block = test.heap.allocate_pages(3);
    ASSERT_EQ(singles[odd], block);
    fill(block, 3 * page_size, 1);
    test.free(singles[odd + 5]);
    EXPECT_EQ(singles[odd + 5], test.heap.reallocate(block, {page_size, 2 * page_size}, site));
    EXPECT_TRUE(is_filled(singles[odd + 5], page_size, 1));
    EXPECT_TRUE(is_filled(singles[odd + 6], page_size));
    EXPECT_TRUE(is_filled(singles[odd + 7], page_size));
}

}  // namespace
}  // namespace slabheap::test
