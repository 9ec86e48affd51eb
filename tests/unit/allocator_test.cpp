// SPDX-License-Identifier: MIT
//
// Allocator: what standard containers need of it, on the heap of the C ABI, on a Heap and on a LockedHeap.
#include "fresh_process.hpp"
#include "test_heap.hpp"

#include <slabheap/allocator.hpp>
#include <slabheap/locked_heap.hpp>

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace slabheap::test {
namespace {

template <class T>
using OnHeap = Allocator<T, Heap>;

struct alignas(512) Aligned {
    char bytes[512];
};

// A heap that has nothing, and remembers what it was asked for last.
struct EmptyHeap {
    void* allocate(Layout layout) {
        asked = layout;
        return nullptr;
    }
    void deallocate(void*, Layout layout) { asked = layout; }

    Layout asked{0, 0};
};

TEST(AllocatorOfTheGlobalHeap, TakesNoRoomInItsContainer) {
    using Traits = std::allocator_traits<Allocator<int>>;
    static_assert(sizeof(std::vector<int, Allocator<int>>) == sizeof(std::vector<int>));
    static_assert(Traits::is_always_equal::value);
    static_assert(std::is_same_v<Traits::rebind_alloc<long>, Allocator<long>>);
    EXPECT_EQ(Allocator<int>(), Allocator<long>());
}

TEST(AllocatorOfTheGlobalHeap, ServesContainers) {
    in_fresh_process([] {
        TestMemory memory(1 * MiB);
        ASSERT_EQ(SLAB_OK, slab_heap_init(memory.start(), memory.size()));
        {
            std::vector<int, Allocator<int>> numbers;
            for (int i = 0; i < 10'000; ++i) numbers.push_back(i);
            EXPECT_TRUE(slab_owns(numbers.data()));
            EXPECT_EQ(9'999, numbers.back());
        }
        slab_stats stats;
        slab_heap_stats(&stats);
        EXPECT_EQ(0u, stats.used_bytes);
        EXPECT_GT(stats.allocations, 1u);
        EXPECT_EQ(0u, stats.faults);
    });
}

TEST(AllocatorOfAnyHeap, AsksForAsManyObjectsAsThereCanBe) {
    constexpr size_t most = PTRDIFF_MAX / sizeof(Aligned);
    EmptyHeap heap;
    Allocator<Aligned, EmptyHeap> allocator(heap);
    EXPECT_THROW(static_cast<void>(allocator.allocate(most)), std::bad_alloc);
    EXPECT_EQ(most * sizeof(Aligned), heap.asked.size);
    heap.asked.size = 0;
    EXPECT_THROW(static_cast<void>(allocator.allocate(most + 1)), std::bad_alloc);
    EXPECT_EQ(0u, heap.asked.size) << "nobody was asked";
}

TEST(AllocatorOfAnyHeap, AsksForTheObjectsSizeAndAlignment) {
    EmptyHeap heap;
    Allocator<Aligned, EmptyHeap> allocator(heap);
    EXPECT_THROW(static_cast<void>(allocator.allocate(3)), std::bad_alloc);
    EXPECT_EQ(3 * sizeof(Aligned), heap.asked.size);
    EXPECT_EQ(alignof(Aligned), heap.asked.align);
    allocator.deallocate(nullptr, 2);
    EXPECT_EQ(2 * sizeof(Aligned), heap.asked.size);
    EXPECT_EQ(alignof(Aligned), heap.asked.align);
}

class AllocatorOfAHeap : public ::testing::Test {
protected:
    TestHeap test{1 * MiB};
    Heap& heap = test.heap;

    ~AllocatorOfAHeap() override { EXPECT_EQ(0u, heap.used_bytes()); }
};

TEST_F(AllocatorOfAHeap, NeedsAHeap) {
    static_assert(!std::is_default_constructible_v<OnHeap<int>>);
    static_assert(std::is_convertible_v<Heap&, OnHeap<int>>);
    static_assert(!std::allocator_traits<OnHeap<int>>::is_always_equal::value);
}

TEST_F(AllocatorOfAHeap, ChecksTheCountThatIsGivenBack) {
    OnHeap<char> allocator(heap);
    char* const block = allocator.allocate(100);
    allocator.deallocate(block, 200);
    EXPECT_EQ(SLAB_FAULT_WRONG_SIZE, test.faults.take().record.kind);
    allocator.deallocate(block, 100);
}

TEST_F(AllocatorOfAHeap, ThrowsWhenThereIsNoMemory) {
    OnHeap<char> allocator(heap);
    EXPECT_THROW(static_cast<void>(allocator.allocate(2 * MiB)), std::bad_alloc);
    EXPECT_EQ(1u, test.stats().failures);
}

TEST_F(AllocatorOfAHeap, ThrowsWhenTheSizeOverflows) {
    OnHeap<Aligned> allocator(heap);
    EXPECT_THROW(static_cast<void>(allocator.allocate(SIZE_MAX / sizeof(Aligned) + 2)), std::bad_alloc);
    EXPECT_THROW(static_cast<void>(allocator.allocate(SIZE_MAX)), std::bad_alloc);
}

TEST_F(AllocatorOfAHeap, IsEqualToThoseOfTheSameHeap) {
    TestHeap other(64 * KiB);
    EXPECT_EQ(OnHeap<int>(heap), OnHeap<int>(heap));
    EXPECT_EQ(OnHeap<int>(heap), OnHeap<long>(OnHeap<int>(heap)));
    EXPECT_NE(OnHeap<int>(heap), OnHeap<int>(other.heap));
}

TEST_F(AllocatorOfAHeap, ServesEveryKindOfContainer) {
    std::vector<int, OnHeap<int>> vector(heap);
    std::deque<int, OnHeap<int>> deque(heap);
    std::list<int, OnHeap<int>> list(heap);
    using Pairs = OnHeap<std::pair<const int, int>>;
    std::map<int, int, std::less<>, Pairs> map(heap);
    std::unordered_map<int, int, std::hash<int>, std::equal_to<>, Pairs> hash_map(heap);
    for (int i = 0; i < 1000; ++i) {
        vector.push_back(i);
        deque.push_front(i);
        list.push_back(i);
        map[i] = i;
        hash_map[i] = i;
    }
    EXPECT_TRUE(audits(heap));
    EXPECT_TRUE(heap.owns(vector.data()));
    for (int i = 0; i < 1000; i += 2) {
        map.erase(i);
        hash_map.erase(i);
    }
    EXPECT_EQ(500u, map.size());
    EXPECT_EQ(500u, hash_map.size());
    EXPECT_EQ(999, deque.front());
    EXPECT_EQ(999, list.back());
}

TEST_F(AllocatorOfAHeap, ServesStringsAndSharedPointers) {
    using String = std::basic_string<char, std::char_traits<char>, OnHeap<char>>;
    const String text(300, 'x', heap);
    EXPECT_TRUE(heap.owns(text.data()));
    const auto shared = std::allocate_shared<String>(OnHeap<String>(heap), text, heap);
    EXPECT_EQ(text, *shared);
    EXPECT_EQ(3u, test.stats().allocations);
}

TEST_F(AllocatorOfAHeap, KeepsEachContainerOnItsOwnHeap) {
    TestHeap other(64 * KiB);
    std::vector<int, OnHeap<int>> here(100, 7, heap);
    std::vector<int, OnHeap<int>> there(other.heap);
    there = std::move(here);
    EXPECT_TRUE(other.heap.owns(there.data()));
    const auto copy = there;
    EXPECT_TRUE(other.heap.owns(copy.data()));
    EXPECT_EQ(100u, copy.size());
}

TEST(AllocatorOfALockedHeap, ServesContainers) {
    TestMemory memory(64 * KiB);
    LockedHeap<std::mutex> heap;
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), memory.size()));
    {
        std::list<int, Allocator<int, LockedHeap<std::mutex>>> list({1, 2, 3}, heap);
        EXPECT_GT(heap.used_bytes(), 0u);
    }
    EXPECT_EQ(0u, heap.used_bytes());
}

}  // namespace
}  // namespace slabheap::test
