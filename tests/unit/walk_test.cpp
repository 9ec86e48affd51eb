// SPDX-License-Identifier: MIT
//
// slab_heap_walk: every live block once, in ascending order, with its real size; the visitor may free what it
// is given.
#include "class_set.hpp"
#include "test_heap.hpp"

#include <algorithm>
#include <map>

namespace slabheap::test {
namespace {

using Blocks = std::vector<std::pair<void*, size_t>>;

Blocks walk(Heap& heap) {
    Blocks found;
    heap.walk([](void* block, size_t size,
                 void* context) { static_cast<Blocks*>(context)->emplace_back(block, size); },
              &found);
    return found;
}

TEST(Walk, AnEmptyHeapHasNoBlocks) {
    TestHeap test(64 * KiB);
    EXPECT_TRUE(walk(test.heap).empty());
    test.heap.deallocate(test.heap.allocate({100, 8}));
    EXPECT_TRUE(walk(test.heap).empty()) << "a spare slab holds no live block";
}

TEST(Walk, VisitsEveryLiveBlockOnceInAscendingOrderWithItsSize) {
    TestHeap test(256 * KiB);
    test.add_region(pages(40));
    std::map<void*, size_t> live;
    size_t size = 1;
    for (int i = 0; i < 200; ++i) {
        const size_t before = test.heap.used_bytes();
        if (void* block = test.heap.allocate({size, 8})) {
            live[block] = test.heap.used_bytes() - before;
        }
        size = size * 13 % 7919;
    }
    ASSERT_GT(live.size(), 50u);
    for (auto block = live.begin(); block != live.end();) {
        test.heap.deallocate(block->first);
        block = live.erase(block);
        for (int keep = 0; keep < 2 && block != live.end(); ++keep) {
            ++block;
        }
    }
    const Blocks found = walk(test.heap);
    EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
    EXPECT_EQ((Blocks{live.begin(), live.end()}), found);
}

TEST(Walk, TheContextIsPassedOn) {
    TestHeap test(32 * KiB);
    void* block = test.heap.allocate({8, 8});
    void* seen = nullptr;
    test.heap.walk([](void* visited, size_t, void* context) { *static_cast<void**>(context) = visited; },
                   &seen);
    EXPECT_EQ(block, seen);
}

struct Freeing {
    Heap* heap;
    size_t count;
    size_t every;
};

void free_some(void* block, size_t, void* context) {
    auto* freeing = static_cast<Freeing*>(context);
    if (++freeing->count % freeing->every == 0) {
        freeing->heap->deallocate(block);
    }
}

TEST(Walk, TheVisitorMayFreeTheBlockItIsGiven) {
    for (const size_t every : {1u, 2u, 3u}) {
        TestHeap test(128 * KiB);
        size_t count = 0;
        for (const size_t size : {64u, 512u, 4096u, 10000u}) {
            for (int i = 0; i < 5; ++i) {
                count += test.heap.allocate({size, 8}) != nullptr;
            }
        }
        Freeing freeing{&test.heap, 0, every};
        test.heap.walk(free_some, &freeing);
        EXPECT_EQ(count, freeing.count) << "every block is visited although others went";
        EXPECT_EQ(count - count / every, walk(test.heap).size());
        EXPECT_TRUE(audits(test.heap));
    }
}

TEST(Walk, FreesEveryBlockOfAFullHeap) {
    for (const size_t size : class_sizes) {
        TestHeap test(64 * KiB);
        test.exhaust({size, 8});
        Freeing freeing{&test.heap, 0, 1};
        test.heap.walk(free_some, &freeing);
        EXPECT_EQ(15 * slots_in_a_page(size), freeing.count);
        EXPECT_EQ(0u, test.heap.used_bytes());
        EXPECT_NE(nullptr, test.heap.allocate_pages(15));
    }
}

TEST(Walk, PassesOverReservedPages) {
    TestHeap test(64 * KiB);
    ASSERT_EQ(SLAB_OK, test.heap.reserve(test.memory.page(8), pages(4)));
    const size_t count = test.exhaust({2048, 8}).size();
    EXPECT_EQ(count, walk(test.heap).size());
}

}  // namespace
}  // namespace slabheap::test
