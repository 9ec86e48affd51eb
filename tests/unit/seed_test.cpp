// SPDX-License-Identifier: MIT
//
// The behaviour of the Rust crate slab_allocator that this heap took over: the crate's own seven tests, by
// their names, and every example and table of its "Getting Started" page: the checks at initialisation, the
// examples, the routing of a layout to a class or to the pages, the statistics and the error.
//
// The crate's classes are the seed set; what a figure is with the fine set stands beside it.
#include "class_set.hpp"
#include "test_heap.hpp"

#include <cstdint>

namespace slabheap::test {
namespace {

constexpr size_t heap_size = 16 * 4096;
constexpr size_t big_heap_size = heap_size * 10 / SLAB_MIN_HEAP_SIZE * SLAB_MIN_HEAP_SIZE;
constexpr size_t usize = 8;  // in bytes: the crate's tests are for machines of 64 bits
constexpr size_t usize_align = usize;

struct Pair {
    uintptr_t first;
    uintptr_t second;
};

constexpr uintptr_t dead_leaf = static_cast<uintptr_t>(0xdeafdeadbeafbabe);

class Seed : public ::testing::Test {
protected:
    TestHeap test{heap_size};
    Heap& heap = test.heap;
};

class SeedBigHeap : public ::testing::Test {
protected:
    TestHeap test{big_heap_size};
    Heap& heap = test.heap;
};

TEST_F(Seed, oom) {
    EXPECT_EQ(nullptr, heap.allocate({heap_size + 1, usize_align}));
}

TEST_F(Seed, allocate_double_usize) {
    EXPECT_NE(nullptr, heap.allocate({usize * 2, usize_align}));
}

TEST_F(Seed, allocate_and_free_double_usize) {
    const Layout layout{usize * 2, usize_align};
    auto* pair = static_cast<Pair*>(heap.allocate(layout));
    ASSERT_NE(nullptr, pair);
    *pair = {dead_leaf, dead_leaf};
    EXPECT_EQ(dead_leaf, pair->first);
    heap.deallocate(pair, layout);
    EXPECT_EQ(0u, heap.used_bytes());
}

TEST_F(Seed, reallocate_double_usize) {
    const Layout layout{usize * 2, usize_align};
    void* x = heap.allocate(layout);
    heap.deallocate(x, layout);
    void* y = heap.allocate(layout);
    heap.deallocate(y, layout);
    EXPECT_NE(nullptr, x);
    EXPECT_TRUE(is_next(x, y));
}

TEST_F(Seed, allocate_multiple_sizes) {
    const Layout two{usize * 2, usize_align};
    const Layout three{usize * 3, usize_align};
    const Layout aligned{usize * 3, usize_align * 8};
    const Layout ten{usize * 10, usize_align};

    void* x = heap.allocate(two);
    void* y = heap.allocate(three);
    void* z = heap.allocate(aligned);
    EXPECT_EQ(0u, address_of(z) % (usize_align * 8));
    heap.deallocate(x, two);

    void* a = heap.allocate(ten);
    void* b = heap.allocate(two);
    EXPECT_TRUE(is_next(x, b));
    EXPECT_EQ(usable(ten.size, by_set(128, 96)), heap.usable_size(a));

    heap.deallocate(y, three);
    heap.deallocate(z, aligned);
    heap.deallocate(a, ten);
    heap.deallocate(b, two);
    EXPECT_EQ(0u, heap.used_bytes());
}

TEST_F(SeedBigHeap, allocate_one_4096_block) {
    const Layout page{usize * 512, usize_align};
    void* x = heap.allocate(page);
    EXPECT_NE(nullptr, x);
    heap.deallocate(x, page);
    EXPECT_EQ(0u, heap.used_bytes());
}

TEST_F(SeedBigHeap, allocate_multiple_4096_blocks) {
    const Layout page{usize * 512, usize_align};
    const Layout two_pages{usize * 1024, usize_align};

    void* x = heap.allocate(page);
    void* y = heap.allocate(page);
    void* z = heap.allocate(page);
    EXPECT_NE(nullptr, x);
    heap.deallocate(y, page);

    void* a = heap.allocate(page);
    EXPECT_TRUE(is_next(y, a));
    void* b = heap.allocate(page);
    EXPECT_NE(nullptr, b);
    heap.deallocate(a, page);
    heap.deallocate(z, page);

    auto* c = static_cast<Pair*>(heap.allocate(two_pages));
    void* d = heap.allocate(page);
    ASSERT_NE(nullptr, c);
    EXPECT_NE(nullptr, d);
    *c = {dead_leaf, dead_leaf};
    EXPECT_EQ(5 * pages(1), heap.used_bytes());
}

// "Heap Initialization Flow": start % 4096 == 0, size >= MIN_HEAP_SIZE, size % MIN_HEAP_SIZE == 0.

TEST(SeedInit, AStartOffThePageBoundaryIsRefused) {
    TestMemory memory(heap_size + pages(1));
    Heap heap;
    EXPECT_EQ(SLAB_ERR_ALIGN, heap.init(memory.start() + 64, heap_size));
}

TEST(SeedInit, LessThanTheMinimumIsRefused) {
    TestMemory memory(heap_size);
    Heap heap;
    EXPECT_EQ(SLAB_ERR_TOO_SMALL, heap.init(memory.start(), SLAB_MIN_HEAP_SIZE - pages(1)));
}

TEST(SeedInit, ASizeThatIsNoMultipleOfTheMinimumIsRefused) {
    TestMemory memory(heap_size);
    Heap heap;
    EXPECT_EQ(SLAB_ERR_NOT_MULTIPLE, heap.init(memory.start(), SLAB_MIN_HEAP_SIZE + pages(1)));
}

TEST(SeedInit, AfterTheChecksTheHeapIsReadyForAllocation) {
    TestMemory memory(heap_size);
    Heap heap;
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), heap_size));
    EXPECT_NE(nullptr, heap.allocate({1, 1}));
    EXPECT_EQ(0x8000, SLAB_MIN_HEAP_SIZE);
}

TEST(SeedInit, EverySlabOfTheFlowIsThere) {
    TestHeap test(SLAB_MIN_HEAP_SIZE);
    const slab_stats stats = test.stats();
    for (size_t size = 64; size <= 4096; size *= 2) {
        bool found = false;
        for (size_t i = 0; i < stats.class_count; ++i) {
            found |= stats.classes[i].size == size;
        }
        EXPECT_TRUE(found) << "no class of " << size << " bytes";
    }
}

TEST(SeedExample, BasicInitialization) {
    alignas(4096) static unsigned char heap_space[heap_size];
    Heap heap;
    EXPECT_EQ(SLAB_OK, heap.init(heap_space, heap_size));
    EXPECT_EQ(SLAB_OK, heap.check());
}

TEST_F(Seed, BasicAllocationAndDeallocation) {
    const Layout layout{usize * 2, usize_align};
    auto* pair = static_cast<Pair*>(heap.allocate(layout));
    ASSERT_NE(nullptr, pair);
    *pair = {dead_leaf, dead_leaf};
    heap.deallocate(pair, layout);
    EXPECT_EQ(heap.total_bytes(), heap.available_bytes());
}

TEST_F(Seed, MultiSizeAllocation) {
    void* x = heap.allocate({usize * 2, usize_align});
    void* y = heap.allocate({usize * 3, usize_align});
    void* z = heap.allocate({usize * 3, usize_align * 8});
    ASSERT_NE(nullptr, x);
    ASSERT_NE(nullptr, y);
    ASSERT_NE(nullptr, z);
    EXPECT_NE(x, y);
    EXPECT_NE(y, z);
    EXPECT_NE(x, z);
    EXPECT_EQ(0u, address_of(z) % 64);
}

TEST_F(Seed, MemoryUsageStatistics) {
    const Layout layout{usize * 2, usize_align};
    ASSERT_NE(nullptr, heap.allocate(layout));
    EXPECT_EQ(by_set(64, 32), heap.used_bytes());
    EXPECT_EQ(heap.total_bytes() - by_set(64, 32), heap.available_bytes());
    const UsableSize bounds = heap.usable_size(layout);
    EXPECT_EQ(usize * 2, bounds.min);
    EXPECT_EQ(usable(layout.size, by_set(64, 32)), bounds.max);
}

TEST_F(Seed, ErrorHandling) {
    EXPECT_EQ(nullptr, heap.allocate({heap_size + 1, usize_align}));
    EXPECT_EQ(1u, test.stats().failures);
    EXPECT_NE(nullptr, heap.allocate({usize, usize_align})) << "a failure leaves the heap usable";
}

// "Layout-to-Allocator Routing" and "Slab Size Categories": a layout takes the smallest class that has its
// size and its alignment; above 4096 bytes it takes pages. The fine set has classes that are no powers of
// two: the smallest class there is the smallest that is a multiple of the alignment.

struct Route {
    size_t size;
    size_t align;
    size_t taken;
};

class SeedRouting : public ::testing::TestWithParam<Route> {};

TEST_P(SeedRouting, TakesTheSmallestClassThatHasSizeAndAlignment) {
    const Route route = GetParam();
    TestHeap test(big_heap_size);
    void* block = test.heap.allocate({route.size, route.align});
    ASSERT_NE(nullptr, block);
    EXPECT_EQ(usable(route.size, route.taken), test.heap.usable_size(block));
    EXPECT_EQ(0u, address_of(block) % route.align);
    EXPECT_EQ(route.taken, test.heap.used_bytes());
    EXPECT_EQ(usable(route.size, route.taken), test.heap.usable_size(Layout{route.size, route.align}).max);
    test.heap.deallocate(block, {route.size, route.align});
    EXPECT_EQ(0u, test.heap.used_bytes());
}

// Both sides of every boundary of the size, with the least alignment and the most; powers of two also as the
// alignment of the least size.
std::vector<Route> boundaries() {
    std::vector<Route> routes;
    size_t below = 0;
    for (const size_t size : class_sizes) {
        const size_t align = alignment_of(size);
        routes.push_back({below + 1, 1, size});
        routes.push_back({size - 1, 8, size});
        routes.push_back({size, 8, size});
        routes.push_back({size, 16, size});
        routes.push_back({size, align, size});
        routes.push_back({below + 1, align, size});
        if (align == size) routes.push_back({1, align, size});
        below = size;
    }
    routes.push_back({1, 1, by_set(64, 32)});
    routes.push_back({1, 16, by_set(64, 32)});
    routes.push_back({17, 1, by_set(64, 32)});
    routes.push_back({1, 32, by_set(64, 32)});
    routes.push_back({65, 1, by_set(128, 96)});
    routes.push_back({65, 32, by_set(128, 96)});
    routes.push_back({65, 64, 128});
    routes.push_back({100, 512, 512});
    routes.push_back({129, 64, by_set(256, 192)});
    routes.push_back({129, 128, 256});
    routes.push_back({257, 128, by_set(512, 384)});
    routes.push_back({257, 256, 512});
    routes.push_back({513, 16, 1024});
    routes.push_back({513, 256, 1024});
    routes.push_back({1025, 64, by_set(2048, 1344)});
    routes.push_back({1025, 128, 2048});
    routes.push_back({4097, 8, pages(2)});
    routes.push_back({4097, 4096, pages(2)});
    routes.push_back({pages(2), 1, pages(2)});
    routes.push_back({pages(2) + 1, 1, pages(3)});
    routes.push_back({pages(5), 8, pages(5)});
    return routes;
}

std::string name_of(const ::testing::TestParamInfo<Route>& param) {
    return std::to_string(param.index) + "_size_" + std::to_string(param.param.size) + "_align_" +
           std::to_string(param.param.align);
}

INSTANTIATE_TEST_SUITE_P(EveryBoundary, SeedRouting, ::testing::ValuesIn(boundaries()), name_of);

}  // namespace
}  // namespace slabheap::test
