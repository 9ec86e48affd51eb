// SPDX-License-Identifier: MIT
//
// LockedHeap: every call holds the lock for its own length and no longer, and does what the Heap's call does.
#include "class_set.hpp"
#include "test_heap.hpp"

#include <slabheap/locked_heap.hpp>

#include <mutex>
#include <thread>

namespace slabheap::test {
namespace {

// A lock that remembers how it was used. Heaps make their own lock, so the record is shared.
struct Record {
    int taken = 0;
    int held = 0;
    int nested = 0;
};

Record record;

struct RecordingLock {
    void lock() {
        ++record.taken;
        record.nested += record.held++ != 0;
    }
    void unlock() { --record.held; }
};

class LockedHeapCalls : public ::testing::Test {
protected:
    LockedHeapCalls() { record = {}; }

    // True when the lock was taken exactly once since the last look, and given back.
    ::testing::AssertionResult locked_once() {
        const Record seen = record;
        record = {};
        if (seen.taken == 1 && seen.held == 0 && seen.nested == 0) {
            return ::testing::AssertionSuccess();
        }
        return ::testing::AssertionFailure() << "taken " << seen.taken << " times, still held: " << seen.held
                                             << ", nested: " << seen.nested;
    }

    TestMemory memory{64 * KiB};
    TestMemory more{pages(4)};
    LockedHeap<RecordingLock> heap;
};

TEST_F(LockedHeapCalls, EachTakesTheLockOnceAndGivesItBack) {
    EXPECT_EQ(SLAB_OK, heap.init(memory.start(), memory.size()));
    EXPECT_TRUE(locked_once());
    EXPECT_EQ(SLAB_OK, heap.add_memory(more.start(), more.size()));
    EXPECT_TRUE(locked_once());

    void* block = heap.allocate({100, 8});
    EXPECT_TRUE(locked_once());
    EXPECT_NE(nullptr, block);
    EXPECT_EQ(usable(100, 128), heap.usable_size(block));
    EXPECT_TRUE(locked_once());
    EXPECT_TRUE(heap.owns(block));
    EXPECT_TRUE(locked_once());
    block = heap.reallocate(block, {300, 8});
    EXPECT_TRUE(locked_once());
    EXPECT_EQ(class_for(300), heap.used_bytes());
    EXPECT_TRUE(locked_once());
    EXPECT_EQ(pages(15 + 3), heap.total_bytes());
    EXPECT_TRUE(locked_once());
    EXPECT_EQ(pages(15 + 3) - class_for(300), heap.available_bytes());
    EXPECT_TRUE(locked_once());
    heap.deallocate(block, {300, 8});
    EXPECT_TRUE(locked_once());

    auto* zeroed = static_cast<unsigned char*>(heap.allocate_zeroed({10, 16}));
    EXPECT_TRUE(locked_once());
    EXPECT_EQ(0, zeroed[9]);
    heap.deallocate(zeroed);
    EXPECT_TRUE(locked_once());

    void* run = heap.allocate_pages(2);
    EXPECT_TRUE(locked_once());
    heap.deallocate_pages(run, 2);
    EXPECT_TRUE(locked_once());

    EXPECT_EQ(SLAB_OK, heap.reserve(memory.page(9), pages(2)));
    EXPECT_TRUE(locked_once());
    EXPECT_EQ(SLAB_OK, heap.release(memory.page(9), pages(2)));
    EXPECT_TRUE(locked_once());

    slab_stats stats;
    heap.stats(stats);
    EXPECT_TRUE(locked_once());
    EXPECT_EQ(stats.allocations, stats.frees);
    EXPECT_EQ(SLAB_OK, heap.check());
    EXPECT_TRUE(locked_once());
}

TEST_F(LockedHeapCalls, TheLayoutsUsableSizeNeedsNoLock) {
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), memory.size()));
    record = {};
    EXPECT_EQ(usable(100, 128), heap.usable_size(Layout{100, 8}).max);
    EXPECT_EQ(0, record.taken);
}

TEST_F(LockedHeapCalls, UnlockedIsTheHeapItself) {
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), memory.size()));
    void* block = heap.allocate({100, 8});
    record = {};
    EXPECT_TRUE(heap.unlocked().owns(block));
    EXPECT_EQ(0, record.taken);
}

TEST_F(LockedHeapCalls, TheFaultHandlerRunsWithTheLockHeld) {
    static int held;
    held = -1;
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), memory.size()));
    heap.unlocked().set_fault_handler([](const slab_fault*) { held = record.held; });
    heap.deallocate(&heap);
    EXPECT_EQ(1, held);
    EXPECT_EQ(0, record.held);
}

TEST(LockedHeapThreads, ShareOneHeap) {
    TestMemory memory(1 * MiB);
    LockedHeap<std::mutex> heap;
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), memory.size()));
    const auto work = [&heap](unsigned seed) {
        void* blocks[64] = {};
        for (int i = 0; i < 20000; ++i) {
            seed = seed * 1664525 + 1013904223;
            void*& block = blocks[seed >> 26];
            heap.deallocate(block);
            block = heap.allocate({std::max<size_t>(seed >> 8 & 0x7ff, sizeof seed), 8});
            if (block != nullptr) {
                *static_cast<unsigned*>(block) = seed;
            }
        }
        for (void* block : blocks) {
            heap.deallocate(block);
        }
    };
    std::thread threads[] = {std::thread(work, 1), std::thread(work, 2), std::thread(work, 3)};
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(0u, heap.used_bytes());
    EXPECT_EQ(SLAB_OK, heap.check());
}

static_assert(Lockable<RecordingLock> && Lockable<std::mutex>);
static_assert(!Lockable<int>);

// A heap behind a lock is usable before any constructor has run.
constinit LockedHeap<RecordingLock> global_heap;

TEST(LockedHeapGlobal, NeedsNoStaticConstructor) {
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, global_heap.check());
    EXPECT_EQ(nullptr, global_heap.allocate({8, 8}));
}

}  // namespace
}  // namespace slabheap::test
