// SPDX-License-Identifier: MIT
//
// Out of memory: the hook that is called once before a request fails, which may free or add memory; and that
// the heap is whole afterwards, whatever it was full of.
#include "content.hpp"
#include "test_heap.hpp"

#include <cstdint>
#include <cstring>

namespace slabheap::test {
namespace {

// What the hook of a test does, and what it was asked. A hook has no context of its own.
struct Hook {
    size_t calls = 0;
    size_t size = 0;
    size_t align = 0;
    Heap* heap = nullptr;
    void* to_free = nullptr;
    TestHeap* to_enlarge = nullptr;
    int answer = 0;
};

Hook hook;

int record(size_t size, size_t align) {
    ++hook.calls;
    hook.size = size;
    hook.align = align;
    if (hook.to_free != nullptr) {
        hook.heap->deallocate(hook.to_free);
        hook.to_free = nullptr;
    }
    if (hook.to_enlarge != nullptr) {
        hook.to_enlarge->add_region(pages(10));
        hook.to_enlarge = nullptr;
    }
    return hook.answer;
}

class Oom : public ::testing::Test {
protected:
    Oom() {
        hook = {};
        hook.heap = &test.heap;
        heap.set_oom_hook(record);
    }

    TestHeap test{32 * KiB};
    Heap& heap = test.heap;
};

TEST_F(Oom, SettingAHookReturnsThePreviousOne) {
    const slab_oom_hook other = [](size_t, size_t) { return 0; };
    EXPECT_EQ(record, heap.set_oom_hook(other));
    EXPECT_EQ(other, heap.set_oom_hook(nullptr));
    EXPECT_EQ(nullptr, heap.set_oom_hook(nullptr));
}

TEST_F(Oom, WithoutAHookTheRequestFails) {
    heap.set_oom_hook(nullptr);
    EXPECT_EQ(nullptr, heap.allocate({pages(8), 8}));
    EXPECT_EQ(1u, test.stats().failures);
}

TEST_F(Oom, TheHookIsAskedOnceWithSizeAndAlign) {
    EXPECT_EQ(nullptr, heap.allocate({pages(8) + 5, 64}));
    EXPECT_EQ(1u, hook.calls);
    EXPECT_EQ(pages(8) + 5, hook.size);
    EXPECT_EQ(64u, hook.align);
    EXPECT_EQ(1u, test.stats().failures);
}

TEST_F(Oom, ARequestThatFailsAgainIsNotTriedAThirdTime) {
    hook.answer = 1;
    EXPECT_EQ(nullptr, heap.allocate({pages(8), 8}));
    EXPECT_EQ(1u, hook.calls);
    EXPECT_EQ(1u, test.stats().failures) << "one request, one failure";
}

TEST_F(Oom, EveryKindOfRequestAsks) {
    test.exhaust({4096, 8});
    void* block = nullptr;
    heap.walk([](void* visited, size_t, void* context) { *static_cast<void**>(context) = visited; }, &block);
    hook.calls = 0;
    EXPECT_EQ(nullptr, heap.allocate({8, 8}));
    EXPECT_EQ(1u, hook.calls);
    EXPECT_EQ(nullptr, heap.allocate_zeroed({8, 16}));
    EXPECT_EQ(2u, hook.calls);
    EXPECT_EQ(nullptr, heap.allocate_pages(1));
    EXPECT_EQ(3u, hook.calls);
    EXPECT_EQ(nullptr, heap.reallocate(nullptr, {8, 8}));
    EXPECT_EQ(4u, hook.calls);
    EXPECT_EQ(nullptr, heap.reallocate(block, {5000, 8}));
    EXPECT_EQ(5u, hook.calls);
    EXPECT_EQ(5000u, hook.size);
}

TEST_F(Oom, ItIsNotAskedForBadArguments) {
    heap.allocate({8, 0});
    heap.allocate({8, 24});
    heap.allocate({SIZE_MAX, 8});
    heap.allocate_zeroed({SIZE_MAX, 16});
    heap.allocate_pages(SIZE_MAX);
    heap.allocate_pages(SIZE_MAX / page_size + 1);
    heap.allocate_pages(1, 3);
    void* block = heap.allocate({8, 8});
    heap.reallocate(block, {8, 3});
    heap.reallocate(block, {SIZE_MAX, 8});
    EXPECT_EQ(9u, test.stats().failures);
    EXPECT_EQ(0u, hook.calls);
}

TEST_F(Oom, ItIsNotAskedWhenTheRequestFits) {
    std::vector<void*> blocks = test.exhaust({64, 8});
    hook.calls = 0;
    for (void* block : blocks) {
        heap.deallocate(block);
    }
    EXPECT_NE(nullptr, heap.allocate_pages(7)) << "collected from caches and empty slabs";
    EXPECT_EQ(0u, hook.calls);
}

TEST_F(Oom, ItIsNotAskedWhenALargeBlockGrowsIntoThePagesOfEmptySlabs) {
    void* block = heap.allocate_pages(7);
    ASSERT_EQ(block, heap.reallocate(block, {pages(2), 8}));
    for (void* slot : test.exhaust({4096, 8})) {
        heap.deallocate(slot);
    }
    const size_t failures = test.stats().failures;
    hook.calls = 0;
    EXPECT_EQ(block, heap.reallocate(block, {pages(7), 8}));
    EXPECT_EQ(0u, hook.calls) << "the request fits";
    EXPECT_EQ(failures, test.stats().failures);
}

TEST_F(Oom, MemoryThatTheHookFreesServesTheRequest) {
    const std::vector<void*> blocks = test.exhaust({4096, 8});
    const slab_stats before = test.stats();
    hook.calls = 0;
    hook.to_free = blocks[3];
    hook.answer = 1;
    EXPECT_EQ(blocks[3], heap.allocate({3000, 8}));
    EXPECT_EQ(1u, hook.calls);
    EXPECT_EQ(before.failures, test.stats().failures) << "it did not fail";
    EXPECT_EQ(before.allocations + 1, test.stats().allocations);
    EXPECT_EQ(before.requested_bytes_total + 3000, test.stats().requested_bytes_total);
}

TEST_F(Oom, MemoryThatTheHookAddsServesTheRequest) {
    hook.to_enlarge = &test;
    hook.answer = 1;
    void* run = heap.allocate_pages(9);
    ASSERT_NE(nullptr, run);
    EXPECT_FALSE(test.memory.contains(run));
    EXPECT_EQ(0u, test.stats().failures);
}

TEST_F(Oom, AHookThatSaysNoIsNotFollowedByAnotherTry) {
    const std::vector<void*> blocks = test.exhaust({4096, 8});
    hook.calls = 0;
    hook.to_free = blocks[0];
    hook.answer = 0;
    EXPECT_EQ(nullptr, heap.allocate({8, 8}));
    EXPECT_EQ(1u, hook.calls);
    EXPECT_NE(nullptr, heap.allocate({8, 8})) << "the next request finds the memory";
}

TEST_F(Oom, ReallocTriesAgainAndKeepsTheContent) {
    void* large = heap.allocate({pages(5), 8});
    auto* block = static_cast<std::byte*>(heap.allocate({1000, 8}));
    block[999] = std::byte{42};
    hook.to_free = large;
    hook.answer = 1;
    auto* grown = static_cast<std::byte*>(heap.reallocate(block, {pages(4), 8}));
    ASSERT_NE(nullptr, grown);
    EXPECT_EQ(std::byte{42}, grown[999]);
    EXPECT_EQ(1u, hook.calls);
    EXPECT_EQ(pages(4), heap.used_bytes());
}

TEST_F(Oom, CallocOfMemoryThatTheHookFreedIsZero) {
    std::vector<void*> blocks = test.exhaust({4096, 8});
    std::memset(blocks[2], 0xff, 4096);
    hook.to_free = blocks[2];
    hook.answer = 1;
    const void* block = heap.allocate_zeroed({4096, 16});
    ASSERT_NE(nullptr, block);
    EXPECT_TRUE(is_zero(block, 4096));
}

// Full of one class, then emptied in some order: the heap is whole again, and one block of all pages can be
// had.
class Recovery : public ::testing::TestWithParam<size_t> {};

TEST_P(Recovery, AFullHeapIsWholeAgainAfterEverythingIsFreed) {
    const size_t size = GetParam();
    for (const size_t stride : {1u, 3u, 7u, 11u, 13u}) {
        TestHeap test(256 * KiB);
        const size_t count = test.heap.total_bytes() / page_size;
        const std::vector<void*> blocks = test.exhaust({size, 1});
        ASSERT_FALSE(blocks.empty());
        EXPECT_TRUE(audits(test.heap));
        for (size_t start = 0; start < stride; ++start) {
            for (size_t i = start; i < blocks.size(); i += stride) {
                test.heap.deallocate(blocks[i]);
            }
            EXPECT_TRUE(audits(test.heap));
        }
        EXPECT_EQ(pages(count), test.heap.available_bytes());
        EXPECT_NE(nullptr, test.heap.allocate_pages(count)) << "stride " << stride;
    }
}

INSTANTIATE_TEST_SUITE_P(OfSize, Recovery,
                         ::testing::Values(1, 30, 64, 90, 100, 190, 256, 380, 512, 1000, 1300, 2048, 4096,
                                           5000, 12288, 40000, 100000),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace slabheap::test
