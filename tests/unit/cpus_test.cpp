// SPDX-License-Identifier: MIT
//
// SharedHeap on several CPUs, which one thread plays: who takes the lock and when, what an NMI gets, how
// blocks come back from other CPUs, and what is done before NULL is returned.
#include "content.hpp"
#include "shared_test_heap.hpp"

#include <algorithm>
#include <set>

namespace slabheap::test {
namespace {

using TestedHeap = SharedTestHeap<>;

class Cpus : public ::testing::Test {
protected:
    static constexpr size_t count = 4;

    TestMemory more{64 * KiB};
    TestedHeap test{512 * KiB, count};

    void* allocate_on(size_t cpu, size_t size) {
        machine.cpu = cpu;
        return test.allocate(size);
    }
    void free_on(size_t cpu, void* block) {
        machine.cpu = cpu;
        test.free(block);
    }
    // Runs the code as an NMI that came while another CPU, or the CPU itself, holds the lock.
    template <class Code>
    void in_nmi_with_lock_held(Code code) {
        machine.is_nmi = machine.held_by_other = true;
        const size_t holds = machine.holds;
        code();
        EXPECT_EQ(holds, machine.holds);
        machine.is_nmi = machine.held_by_other = false;
    }
    // All of the heap's pages, as one run: nobody has kept anything.
    ::testing::AssertionResult is_whole() {
        const size_t all = test.stats().total_bytes / page_size;
        void* const run = test.heap.allocate_pages(all);
        test.free(run);
        if (run != nullptr) return ::testing::AssertionSuccess();
        return ::testing::AssertionFailure() << "of " << all << " pages some are stranded";
    }
};

TEST_F(Cpus, TheBlockFreedLastOnACpuComesFirstThere) {
    void* const a = allocate_on(0, 100);
    void* const b = allocate_on(1, 100);
    void* const c = allocate_on(0, 100);
    free_on(0, a);
    free_on(0, b);
    free_on(1, c);
    EXPECT_TRUE(is_next(c, allocate_on(1, 100)));
    EXPECT_TRUE(is_next(b, allocate_on(0, 100))) << "whoever had it before";
    EXPECT_TRUE(is_next(a, allocate_on(0, 100)));
}

TEST_F(Cpus, SmallBlocksComeAndGoWithoutTheLock) {
    for (machine.cpu = 0; machine.cpu < count; ++machine.cpu) test.free(test.allocate(100));
    const size_t holds = machine.holds;
    const size_t asked = machine.asked_context;
    std::vector<void*> blocks;
    for (size_t i = 0; i < 20; ++i) blocks.push_back(allocate_on(i % count, 100));
    for (size_t i = 0; i < 20; ++i) free_on((i + 1) % count, blocks[i]);
    EXPECT_EQ(holds, machine.holds);
    EXPECT_EQ(asked, machine.asked_context);
}

TEST_F(Cpus, ACpuBeyondTheCountSharesByTheLock) {
    for (const size_t cpu : {count, size_t{SLAB_MAX_CPUS}, SIZE_MAX}) {
        std::set<void*> blocks;
        for (size_t i = 0; i < 200; ++i) {
            const size_t holds = machine.holds;
            EXPECT_TRUE(blocks.insert(allocate_on(cpu, 100)).second);
            EXPECT_EQ(holds + 1, machine.holds);
        }
        EXPECT_EQ(200u, test.class_stats(100).live);
        for (void* block : blocks) {
            free_on(cpu, block);
            free_on(cpu, block);
            test.expect_fault(SLAB_FAULT_DOUBLE_FREE, block);
        }
        EXPECT_EQ(0u, test.class_stats(100).live);
        EXPECT_TRUE(test.audits());
    }
    EXPECT_TRUE(is_whole());
}

// One CPU allocates, another frees, without end: what the one lacks the other has too much of.
TEST_F(Cpus, WhatOtherCpusFreeComesBack) {
    const slab_stats before = test.stats();
    for (int round = 0; round < 100; ++round) {
        std::vector<void*> blocks;
        for (int i = 0; i < 200; ++i) blocks.push_back(allocate_on(0, 1000));
        for (void* block : blocks) free_on(1, block);
    }
    EXPECT_EQ(0u, test.failures());
    EXPECT_LE(test.class_stats(1000).pages, size_t{200 / 4 + 24}) << "it takes no more and more pages";
    EXPECT_TRUE(test.audits());
    machine.cpu = 1;
    EXPECT_TRUE(is_whole());
    machine.cpu = 0;
    EXPECT_TRUE(is_whole());
    EXPECT_EQ(before.largest_free_bytes, test.stats().largest_free_bytes);
}

TEST_F(Cpus, ASecondFreeIsToldWhicheverCpuItComesFrom) {
    for (const size_t size :
         {size_t{32}, size_t{64}, size_t{2048}, size_t{4096}, 2 * page_size, 66 * page_size}) {
        for (size_t first = 0; first <= count; ++first) {
            for (size_t second = 0; second <= count; ++second) {
                void* const block = allocate_on(0, size);
                free_on(first, block);
                free_on(second, block);
                test.expect_fault(SLAB_FAULT_DOUBLE_FREE, block);
                machine.cpu = second;
                test.heap.deallocate(block, {size, 8}, site);
                test.expect_fault(SLAB_FAULT_DOUBLE_FREE, block);
            }
        }
    }
    EXPECT_EQ(0u, test.stats().used_bytes);
}

TEST_F(Cpus, ABlockThatIsSaidToBeLargerIsTold) {
    void* const block = test.allocate(100);
    test.heap.deallocate(block, {1000, 8}, site);
    test.expect_fault(SLAB_FAULT_WRONG_SIZE, block);
    test.heap.deallocate(block, {100, 8}, site);
    EXPECT_FALSE(test.heap.owns(block));
}

TEST_F(Cpus, ABlockThatMovesToAnAlignmentMayShrink) {
    void* const block = test.allocate(200);
    fill(block, 200);
    void* const moved = test.heap.reallocate(block, {10, page_size}, site);
    ASSERT_NE(nullptr, moved);
    EXPECT_EQ(0u, address_of(moved) % page_size);
    EXPECT_FALSE(test.heap.owns(block));
    EXPECT_TRUE(is_filled(moved, 10));
}

TEST_F(Cpus, AnNmiGetsWhatItsFrontHas) {
    void* block = nullptr;
    void* const first = allocate_on(1, 100);
    const auto expect_next = [&](void* got) {
        EXPECT_TRUE(is_next(block == nullptr ? first : block, got));
        block = got;
    };
    free_on(1, first);
    in_nmi_with_lock_held([&] {
        expect_next(allocate_on(1, 100));
        free_on(1, block);
        expect_next(test.try_allocate(100));
        test.heap.deallocate(block, {100, 8}, site);
        expect_next(test.heap.allocate_zeroed(10, {10, 8}));
        EXPECT_TRUE(is_zero(block, 100));
        EXPECT_EQ(block, test.heap.reallocate(block, {120, 8}, site));
        EXPECT_EQ(usable(120, 128), test.heap.usable_size(block, site));
        EXPECT_TRUE(test.heap.owns(block));
        free_on(1, block);
    });
    EXPECT_EQ(0u, test.failures());
}

TEST_F(Cpus, AnNmiThatNeedsTheLockGetsNullAndIsCounted) {
    test.heap.set_oom_hook([](size_t, size_t) {
        ADD_FAILURE() << "the hook is asked in an NMI";
        return 0;
    });
    void* const kept = test.allocate(200);
    fill(kept, 200);
    in_nmi_with_lock_held([&] {
        EXPECT_EQ(nullptr, allocate_on(2, 1000));
        EXPECT_EQ(nullptr, allocate_on(count, 1000));
        EXPECT_EQ(nullptr, test.try_allocate(1000));
        EXPECT_EQ(nullptr, test.heap.allocate_zeroed(1, {1000, 8}));
        EXPECT_EQ(nullptr, test.allocate(2 * page_size));
        EXPECT_EQ(nullptr, test.heap.allocate_pages(2));
        EXPECT_EQ(nullptr, test.heap.reallocate(kept, {1000, 8}, site));
        EXPECT_EQ(nullptr, test.heap.reallocate(nullptr, {1000, 8}, site));
    });
    EXPECT_EQ(8u, test.failures());
    EXPECT_TRUE(is_filled(kept, 200));
    test.free(kept);
}

// When the lock is free an NMI takes it; but it does not reclaim, search or ask.
TEST_F(Cpus, AnNmiTakesTheLockWhenItIsFree) {
    test.heap.set_oom_hook([](size_t, size_t) {
        ADD_FAILURE() << "the hook is asked in an NMI";
        return 0;
    });
    machine.is_nmi = true;
    void* const small = allocate_on(0, 1000);
    void* const large = allocate_on(0, 3 * page_size);
    EXPECT_NE(nullptr, small);
    EXPECT_NE(nullptr, large);
    free_on(3, small);
    free_on(3, large);
    const size_t holds = machine.holds;
    EXPECT_EQ(nullptr, allocate_on(0, 100 * page_size + 1 * MiB));
    EXPECT_EQ(holds + 1, machine.holds);
    machine.is_nmi = false;
    EXPECT_EQ(0u, test.stats().used_bytes);
}

// However many; every front is full by the end, and has to pass slots on.
TEST_F(Cpus, AFreeOfASmallBlockInAnNmiNeverFailsNorWaits) {
    std::vector<void*> blocks = test.exhaust(64);
    const slab_stats before = test.stats();
    in_nmi_with_lock_held([&] {
        for (size_t i = 0; i < blocks.size(); ++i) {
            machine.cpu = i % (count + 1);
            if (i % 2 == 0) {
                test.free(blocks[i]);
            } else {
                test.heap.deallocate(blocks[i], {60, 8}, site);
            }
        }
        free_on(0, blocks[0]);
        test.expect_fault(SLAB_FAULT_DOUBLE_FREE, blocks[0]);
        free_on(0, blocks.back());
        test.expect_fault(SLAB_FAULT_DOUBLE_FREE, blocks.back());
    });
    EXPECT_EQ(before.frees + blocks.size(), test.stats().frees);
    EXPECT_TRUE(test.audits());
    for (machine.cpu = count - 1; machine.cpu > 0; --machine.cpu) {
        EXPECT_FALSE(is_whole()) << "without a hook the others' fronts stay as they are";
    }
    EXPECT_TRUE(is_whole());
}

TEST_F(Cpus, ALargeBlockThatAnNmiFreesComesBackWhenTheLockIsNextHeld) {
    const slab_stats before = test.stats();
    std::vector<void*> blocks;
    for (const size_t pages_wanted : {1u, 2u, 3u, 5u, 70u})
        blocks.push_back(test.heap.allocate_pages(pages_wanted));
    in_nmi_with_lock_held([&] {
        test.free(blocks[0]);
        test.heap.deallocate_pages(blocks[1], 2, site);
        test.heap.deallocate(blocks[2], {3 * page_size, 8}, site);
        free_on(count, blocks[3]);
        free_on(1, blocks[4]);
        for (void* block : blocks) {
            EXPECT_FALSE(test.heap.owns(block));
            free_on(2, block);
            test.expect_fault(SLAB_FAULT_DOUBLE_FREE, block);
        }
    });
    const size_t holds = machine.holds;
    void* const page = test.heap.allocate_pages(1);
    EXPECT_EQ(holds + 1, machine.holds);
    test.free(page);
    const slab_stats after = test.stats();
    EXPECT_EQ(0u, after.used_bytes);
    EXPECT_EQ(before.largest_free_bytes, after.largest_free_bytes);
    EXPECT_EQ(6u, after.frees);
    EXPECT_TRUE(is_whole());
}

// Each kind of misuse is told in an NMI, too; by kind as far as it can be known without the lock.
TEST_F(Cpus, AnNmisMisuseIsTold) {
    auto* const block = static_cast<char*>(test.allocate(200));
    auto* const large = static_cast<char*>(test.heap.allocate_pages(3));
    void* const freed = test.allocate(200);
    test.free(freed);
    in_nmi_with_lock_held([&] {
        free_on(2, freed);
        test.expect_fault(SLAB_FAULT_DOUBLE_FREE, freed);
        free_on(2, block + 64);
        test.expect_fault(SLAB_FAULT_INTERIOR, block + 64);
        free_on(2, block + 1);
        test.expect_fault(SLAB_FAULT_MISALIGNED, block + 1);
        free_on(2, &test);
        test.expect_fault(SLAB_FAULT_FOREIGN, &test);
        test.heap.deallocate(block, {500, 8}, site);
        test.expect_fault(SLAB_FAULT_WRONG_SIZE, block);
        test.heap.deallocate_pages(large, 2, site);
        test.expect_fault(SLAB_FAULT_WRONG_SIZE, large);
        EXPECT_EQ(0u, test.heap.usable_size(freed, site));
        test.expect_fault(SLAB_FAULT_DOUBLE_FREE, freed);
        EXPECT_EQ(nullptr, test.heap.reallocate(freed, {5, 8}, site));
        test.expect_fault(SLAB_FAULT_DOUBLE_FREE, freed);
    });
    EXPECT_EQ(8u, test.stats().faults);
    test.free(block);
    test.free(large);
}

// try_allocate is the same for a caller that must not wait, in whatever context.
TEST_F(Cpus, TryAllocateTakesWhatIsAtHandAndNeverMore) {
    static bool asked;
    asked = false;
    test.heap.set_oom_hook([](size_t, size_t) { return asked = true, 0; });
    test.heap.set_barrier_hook([] { return asked = true, 1; });
    EXPECT_NE(nullptr, test.try_allocate(100));
    EXPECT_NE(nullptr, test.try_allocate(3 * page_size));
    machine.held_by_other = true;
    const size_t holds = machine.holds;
    EXPECT_NE(nullptr, test.try_allocate(100)) << "the front has more";
    EXPECT_EQ(nullptr, test.try_allocate(3 * page_size));
    EXPECT_EQ(nullptr, test.try_allocate(1000));
    EXPECT_EQ(holds, machine.holds);
    machine.held_by_other = false;
    // Another CPU's front has all there is.
    std::vector<void*> blocks = test.exhaust(4096);
    machine.waits = asked = 0;
    for (size_t i = 0; i < 4; ++i) free_on(1, blocks[i]);
    machine.cpu = 0;
    for (const size_t size : {size_t{4096}, 2 * page_size}) {
        const size_t before = machine.holds;
        EXPECT_EQ(nullptr, test.try_allocate(size));
        EXPECT_EQ(before + 1, machine.holds) << "one step";
    }
    EXPECT_EQ(0u, machine.waits);
    EXPECT_FALSE(asked);
    EXPECT_EQ(5u, test.failures());
    EXPECT_NE(nullptr, test.allocate(4096)) << "which others may take";
}

// A call that waits for the lock goes on when it is free.
TEST_F(Cpus, AThreadWaitsForTheLock) {
    machine.held_by_other = true;
    machine.meanwhile = [](Moment moment) {
        if (moment == Moment::waits) machine.held_by_other = false;
    };
    EXPECT_NE(nullptr, test.allocate(3 * page_size));
    EXPECT_EQ(1u, machine.waits);
}

}  // namespace
}  // namespace slabheap::test
