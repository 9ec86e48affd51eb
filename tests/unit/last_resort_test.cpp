// SPDX-License-Identifier: MIT
//
// What SharedHeap does before it returns NULL: it empties the fronts of all CPUs that it may, through the
// barrier hook, and drops the lock again and again; then it asks the out-of-memory hook.
#include "shared_test_heap.hpp"

#include <algorithm>
#include <functional>

namespace slabheap::test {
namespace {

using TestedHeap = SharedTestHeap<>;

class LastResort : public ::testing::Test {
protected:
    static constexpr size_t count = 4;

    TestMemory more{64 * KiB};
    TestedHeap test{512 * KiB, count};

    static inline int barriers, answer;
    LastResort() {
        barriers = 0;
        answer = 1;
    }
    static int barrier() {
        EXPECT_FALSE(machine.is_held) << "the barrier hook runs with the lock held";
        ++barriers;
        return answer;
    }

    // What the out-of-memory hook does.
    static inline std::function<bool()> relief;
    static int out_of_memory(size_t, size_t) {
        EXPECT_FALSE(machine.is_held) << "the out-of-memory hook runs with the lock held";
        return relief();
    }
    void set_relief(std::function<bool()> what) {
        relief = what;
        test.heap.set_oom_hook(out_of_memory);
    }

    // All pages are in blocks; then CPU 1 has given as many back as its fronts hold.
    std::vector<void*> fill_fronts_of_cpu_1(size_t size) {
        std::vector<void*> blocks = test.exhaust(size);
        machine.cpu = 1;
        for (size_t i = 0; i < 8; ++i) test.free(blocks[i]);
        blocks.erase(blocks.begin(), blocks.begin() + 8);
        machine.cpu = 0;
        barriers = 0;
        return blocks;
    }

    // All pages are in blocks, and CPU 2 frees the last one, in its own way, while the heap is closed.
    static inline std::vector<void*> all_blocks;
    static inline TestedHeap* heap;
    static inline void (*way)();
    static void free_last() { heap->free(all_blocks.back()); }
    void expect_freed_while_closed(void (*freeing)()) {
        heap = &test;
        way = freeing;
        all_blocks = test.exhaust(page_size);
        test.heap.set_barrier_hook([] {
            machine.cpu = 2;
            way();
            machine.cpu = 0;
            return 1;
        });
        EXPECT_EQ(all_blocks.back(), test.allocate(page_size));
        test.heap.set_barrier_hook(nullptr);
        test.free_all(all_blocks);
        EXPECT_EQ(0u, test.stats().used_bytes);
    }

    // True while the fast path of a CPU is open: a block comes and goes without the lock.
    static bool is_open(TestedHeap& test, size_t cpu) {
        machine.cpu = cpu;
        test.free(test.allocate(64));
        const size_t holds = machine.holds;
        test.free(test.allocate(64));
        return holds == machine.holds;
    }
};

TEST_F(LastResort, WithoutABarrierHookOtherCpusKeepWhatTheyHave) {
    fill_fronts_of_cpu_1(4096);
    EXPECT_EQ(nullptr, test.allocate(4096));
    machine.cpu = 1;
    for (int i = 0; i < 8; ++i) EXPECT_NE(nullptr, test.allocate(4096));
    EXPECT_EQ(nullptr, test.allocate(4096));
}

TEST_F(LastResort, WithOneItIsTakenBack) {
    test.heap.set_barrier_hook(barrier);
    for (const size_t size : {size_t{4096}, size_t{64}, size_t{1024}}) {
        std::vector<void*> blocks = fill_fronts_of_cpu_1(size);
        for (int i = 0; i < 8; ++i) {
            blocks.push_back(test.allocate(size));
            EXPECT_NE(nullptr, blocks.back()) << size << ": " << i;
        }
        EXPECT_EQ(1, barriers) << "once";
        EXPECT_EQ(nullptr, test.allocate(size));
        test.free_all(blocks);
    }
}

// Also for pages, which need whole slabs back from several CPUs at once.
TEST_F(LastResort, AllPagesComeBackFromAllCpus) {
    test.heap.set_barrier_hook(barrier);
    const size_t all = test.stats().total_bytes / page_size;
    std::vector<void*> blocks;
    for (const size_t size : class_sizes) {
        for (size_t i = 0; i < 100; ++i) {
            machine.cpu = i % count;
            if (void* block = test.allocate(size)) blocks.push_back(block);
        }
    }
    for (size_t i = 0; i < blocks.size(); ++i) {
        machine.cpu = i * 7 / 5 % count;
        test.free(blocks[i]);
    }
    machine.cpu = 2;
    EXPECT_NE(nullptr, test.heap.allocate_pages(all));
}

TEST_F(LastResort, ABarrierThatFailsIsNoBarrier) {
    test.heap.set_barrier_hook(barrier);
    answer = 0;
    fill_fronts_of_cpu_1(4096);
    EXPECT_EQ(nullptr, test.allocate(4096));
    EXPECT_EQ(1, barriers);
    answer = 1;
    EXPECT_NE(nullptr, test.allocate(4096));
}

TEST_F(LastResort, AfterwardsTheFrontsAreOpenAgain) {
    test.heap.set_barrier_hook(barrier);
    for (answer = 0; answer < 2; ++answer) {
        std::vector<void*> blocks = test.exhaust(4096);
        test.free_all(blocks);
        for (size_t cpu = 0; cpu < count; ++cpu) EXPECT_TRUE(is_open(test, cpu)) << cpu;
    }
}

// What a CPU does while the barrier is on its way, or later in the reclaiming, is allowed, and is kept.
TEST_F(LastResort, OtherCpusAllocateAndFreeMeanwhile) {
    test.heap.set_barrier_hook(barrier);
    std::vector<void*> theirs;
    bool gives = false;
    machine.meanwhile = [&](Moment moment) {
        if (moment != Moment::unlocked && moment != Moment::begins) return;
        const size_t cpu = machine.cpu;
        machine.cpu = (cpu + 1 + theirs.size() % (count - 1)) % count;
        gives = !gives;
        if (gives && !theirs.empty()) {
            test.free(theirs.back());
            theirs.pop_back();
        } else if (void* block = test.try_allocate(64)) {
            theirs.push_back(block);
        }
        machine.cpu = cpu;
    };
    for (int round = 0; round < 5; ++round) {
        std::vector<void*> blocks = test.exhaust(1000);
        test.free_all(blocks);
    }
    machine.meanwhile = nullptr;
    EXPECT_GE(barriers, 5);
    EXPECT_EQ(theirs.size(), test.class_stats(64).live);
    EXPECT_EQ(0u, test.class_stats(1000).live);
    for (void* block : theirs) EXPECT_TRUE(test.heap.owns(block));
    EXPECT_TRUE(test.audits());
    test.free_all(theirs);
}

// Two CPUs reclaim at the same time: the heap stays closed until the last one is done.
TEST_F(LastResort, TwoReclaimAtTheSameTime) {
    static std::function<void()> nested;
    std::vector<void*> blocks = fill_fronts_of_cpu_1(4096);
    void* inner = nullptr;
    nested = [&] {
        machine.cpu = 2;
        inner = test.allocate(4096);
        machine.cpu = 0;
    };
    test.heap.set_barrier_hook([] {
        if (++barriers == 1) nested();
        return 1;
    });
    EXPECT_NE(nullptr, test.allocate(4096));
    EXPECT_NE(nullptr, inner);
    EXPECT_EQ(2, barriers);
    EXPECT_EQ(0u, test.class_stats(64).live);
    for (size_t cpu = 0; cpu < count; ++cpu) EXPECT_TRUE(is_open(test, cpu));
}

TEST_F(LastResort, TheOutOfMemoryHookIsAskedOnceWithoutTheLock) {
    static size_t asked;
    asked = 0;
    test.heap.set_barrier_hook(barrier);
    std::vector<void*> blocks = test.exhaust(64);
    test.heap.set_oom_hook([](size_t size, size_t align) {
        EXPECT_FALSE(machine.is_held);
        EXPECT_EQ(1000u, size);
        EXPECT_EQ(8u, align);
        return ++asked, 1;
    });
    EXPECT_EQ(nullptr, test.allocate(1000));
    EXPECT_EQ(1u, asked);
    EXPECT_EQ(nullptr, test.heap.reallocate(blocks[0], {1000, 8}, site));
    EXPECT_EQ(2u, asked);
    test.free_all(blocks);
}

TEST_F(LastResort, WhatTheHookAddsOrFreesServesTheRequest) {
    std::vector<void*> blocks = test.exhaust(1000);
    set_relief([&] { return test.heap.add_memory(more.start(), more.size()) == SLAB_OK; });
    void* const block = test.allocate(1000);
    EXPECT_TRUE(more.contains(block));
    set_relief([&] { return test.free_all(blocks), true; });
    EXPECT_NE(nullptr, test.allocate(20 * page_size));
    EXPECT_TRUE(blocks.empty());
    set_relief([] { return false; });
    blocks = test.exhaust(1000);
    set_relief([&] { return test.free_all(blocks), true; });
    EXPECT_NE(nullptr, test.heap.reallocate(block, {4000, 8}, site));
    EXPECT_TRUE(blocks.empty());
}

// A block that the hook frees is not there to be resized.
TEST_F(LastResort, TheHookMayFreeTheBlockThatIsResized) {
    void* const block = test.allocate(1000);
    std::vector<void*> blocks = test.exhaust(1000);
    set_relief([&] { return test.free(block), true; });
    EXPECT_EQ(nullptr, test.heap.reallocate(block, {3000, 8}, site));
    EXPECT_EQ(0u, test.faults.count());
    test.heap.set_oom_hook(nullptr);
    test.free_all(blocks);
}

// What a larger class has free serves before NULL.
TEST_F(LastResort, ALargerClassHelpsOut) {
    std::vector<void*> blocks = test.exhaust(2048);
    test.free(blocks[1]);
    EXPECT_EQ(blocks[1], test.allocate(500));
    EXPECT_EQ(nullptr, test.allocate(500));
}

// A run across buddy blocks is found, in however many steps.
TEST_F(LastResort, ARunIsFoundAcrossBuddyBlocks) {
    std::vector<void*> blocks = test.exhaust(4096);
    std::sort(blocks.begin(), blocks.end());
    for (size_t i = 0; i < blocks.size(); i += 2) test.free(blocks[i]);
    test.free(blocks[61]);
    test.free(blocks[63]);
    EXPECT_EQ(nullptr, test.heap.allocate_pages(6));
    EXPECT_EQ(blocks[60], test.heap.allocate_pages(5));
    EXPECT_EQ(nullptr, test.heap.allocate_pages(2));
}

// While the heap is closed to take fronts back, frees go through the lock; and so are found.
TEST_F(LastResort, WhatIsFreedWhileTheHeapIsClosedIsFreed) {
    expect_freed_while_closed([] {
        const size_t holds = machine.holds;
        free_last();
        EXPECT_EQ(holds + 1, machine.holds);
    });
}

// Even those of an NMI, which cannot have the lock.
TEST_F(LastResort, WhatAnNmiFreesWhileTheHeapIsClosedIsFreed) {
    expect_freed_while_closed([] {
        machine.is_nmi = machine.held_by_other = true;
        free_last();
        machine.is_nmi = machine.held_by_other = false;
    });
}

// The pages behind a block are in fronts and empty slabs.
TEST_F(LastResort, ABlockGrowsIntoPagesThatAreGatheredBehindIt) {
    const size_t all = test.stats().total_bytes;
    void* const block = test.heap.allocate_pages(all / page_size);
    ASSERT_EQ(block, test.heap.reallocate(block, {2 * page_size, 8}, site));
    std::vector<void*> slots = test.exhaust(page_size);
    test.free_all(slots);
    EXPECT_EQ(block, test.heap.reallocate(block, {all, 8}, site));
    EXPECT_EQ(all, test.stats().used_bytes);
}

// The lock is dropped between steps: of many spares few go back at once.
TEST(LastResortOfALargeHeap, TheLockIsHeldForAFewPagesAtATime) {
    TestedHeap test(64 * MiB, 2);
    std::vector<void*> blocks = test.exhaust(4096);
    test.free_all(blocks);
    const size_t spares = test.class_stats(4096).pages;
    EXPECT_GT(spares, 200u) << "some pages are kept for the class";
    size_t most = 0, before = spares, steps = 0;
    machine.meanwhile = [&](Moment moment) {
        if (moment != Moment::unlocked) return;
        const size_t now = test.class_stats(4096).pages;
        most = std::max(most, before - now);
        steps += before != now;
        before = now;
    };
    EXPECT_NE(nullptr, test.heap.allocate_pages(test.stats().total_bytes / page_size));
    machine.meanwhile = nullptr;
    EXPECT_EQ(0u, before);
    EXPECT_EQ(4u, most);
    EXPECT_GE(steps, spares / 4);
}

// A search for a run looks at some of the free pieces at a time.
TEST(LastResortOfALargeHeap, ASearchIsDoneInPieces) {
    TestedHeap test(4 * MiB, 2);
    std::vector<void*> blocks = test.exhaust(4096);
    std::sort(blocks.begin(), blocks.end());
    for (size_t i = 0; i < blocks.size(); i += 2) test.free(blocks[i]);
    EXPECT_EQ(nullptr, test.heap.allocate_pages(2));
    const size_t holds = machine.holds;
    EXPECT_EQ(nullptr, test.heap.allocate_pages(2));
    EXPECT_GE(machine.holds - holds, blocks.size() / 2 / 64);
}

// So are the pages of large blocks that NMIs freed.
TEST(LastResortOfALargeHeap, PendingPagesAreSettledAFewAtATime) {
    TestedHeap test(1 * MiB, 2);
    std::vector<void*> blocks = test.exhaust(2 * page_size);
    machine.is_nmi = machine.held_by_other = true;
    for (void* block : blocks) test.free(block);
    machine.is_nmi = machine.held_by_other = false;
    size_t steps = 0;
    machine.meanwhile = [&](Moment moment) { steps += moment == Moment::unlocked; };
    EXPECT_EQ(0u, test.stats().used_bytes);
    EXPECT_GE(steps, blocks.size() / 4);
    EXPECT_LE(steps, blocks.size() / 4 + 2);
    machine.meanwhile = nullptr;
    EXPECT_NE(nullptr, test.heap.allocate_pages(test.stats().total_bytes / page_size));
}

// Of slabs that have room again it is some more.
TEST(LastResortOfALargeHeap, PendingSlabsAreSettledSomeAtATime) {
    TestedHeap test(1 * MiB, 2);
    std::vector<void*> blocks = test.exhaust(page_size / 2);
    std::sort(blocks.begin(), blocks.end());
    machine.cpu = 2;  // has no fronts
    for (size_t i = 0; i < blocks.size(); i += 2) test.free(blocks[i]);
    size_t steps = 0;
    machine.meanwhile = [&](Moment moment) { steps += moment == Moment::unlocked; };
    EXPECT_EQ(blocks.size() / 2, test.class_stats(page_size / 2).live);
    machine.meanwhile = nullptr;
    EXPECT_GE(steps, blocks.size() / 2 / 12);
    EXPECT_LE(steps, blocks.size() / 2 / 12 + 2);
}

// An interrupt puts something into a front that was just emptied, again and again.
TEST_F(LastResort, ACallEndsThoughItsFrontsAreRefilledMeanwhile) {
    test.free(test.allocate(64));
    size_t refills = 0;
    machine.meanwhile = [&](Moment moment) {
        if (moment == Moment::unlocked && ++refills < 10000) test.free(test.try_allocate(64));
    };
    EXPECT_EQ(nullptr, test.heap.allocate_pages(1000));
    machine.meanwhile = nullptr;
    EXPECT_LT(refills, 10000u);
}

}  // namespace
}  // namespace slabheap::test
