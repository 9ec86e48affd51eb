// SPDX-License-Identifier: MIT
//
// The heap's figures: what each field of slab_stats counts, and the conservation laws between them: total is
// available plus used, and used is what the classes and the large blocks have out.
#include "class_set.hpp"
#include "test_heap.hpp"

#include <cstdint>
#include <cstring>
#include <iterator>
#include <type_traits>

namespace slabheap::test {
namespace {

const slab_class_stats* class_of(const slab_stats& stats, size_t size) {
    for (size_t i = 0; i < stats.class_count; ++i) {
        if (stats.classes[i].size == size) {
            return &stats.classes[i];
        }
    }
    return nullptr;
}

void expect_conserved(const slab_stats& stats, size_t large_bytes) {
    EXPECT_EQ(stats.total_bytes, stats.available_bytes + stats.used_bytes);
    EXPECT_LE(stats.requested_bytes_total, stats.taken_bytes_total);
    EXPECT_LE(stats.largest_free_bytes, stats.available_bytes);
    size_t slab_bytes = 0;
    size_t slab_pages = 0;
    for (size_t i = 0; i < stats.class_count; ++i) {
        const slab_class_stats& row = stats.classes[i];
        EXPECT_LE(row.live, row.capacity) << row.size;
        EXPECT_EQ(row.pages * slots_in_a_page(row.size), row.capacity) << row.size;
        slab_bytes += row.live * row.size;
        slab_pages += row.pages;
    }
    EXPECT_EQ(stats.used_bytes, slab_bytes + large_bytes);
    EXPECT_LE(pages(slab_pages) + large_bytes + stats.largest_free_bytes, stats.total_bytes);
}

TEST(Stats, AFreshHeap) {
    TestHeap test(64 * KiB);
    const slab_stats stats = test.stats();
    EXPECT_EQ(pages(15), stats.total_bytes);
    EXPECT_EQ(0u, stats.used_bytes);
    EXPECT_EQ(pages(15), stats.available_bytes);
    EXPECT_EQ(pages(1), stats.metadata_bytes);
    EXPECT_EQ(pages(8), stats.largest_free_bytes) << "the upper half of 64 KiB is one buddy block";
    EXPECT_EQ(0u, stats.allocations);
    EXPECT_EQ(0u, stats.frees);
    EXPECT_EQ(0u, stats.failures);
    EXPECT_EQ(0u, stats.faults);
    EXPECT_EQ(0u, stats.requested_bytes_total);
    EXPECT_EQ(0u, stats.taken_bytes_total);
    ASSERT_EQ(std::size(class_sizes), stats.class_count);
    for (size_t i = 0; i < stats.class_count; ++i) {
        EXPECT_EQ(class_sizes[i], stats.classes[i].size) << "ascending sizes";
        EXPECT_EQ(0u, stats.classes[i].live);
        EXPECT_EQ(0u, stats.classes[i].capacity);
        EXPECT_EQ(0u, stats.classes[i].pages);
    }
    expect_conserved(stats, 0);
}

TEST(Stats, AreAllZeroBeforeInit) {
    Heap heap;
    slab_stats stats;
    static_assert(std::is_trivially_copyable_v<slab_stats>);
    std::memset(&stats, 0xa5, sizeof stats);
    heap.stats(stats);
    const slab_stats zero{};
    EXPECT_EQ(0, std::memcmp(&zero, &stats, sizeof stats));
}

TEST(Stats, WritesEveryFieldOfTheRecord) {
    TestHeap test(32 * KiB);
    slab_stats first;
    slab_stats second;
    std::memset(&first, 0x00, sizeof first);
    std::memset(&second, 0xff, sizeof second);
    test.heap.stats(first);
    test.heap.stats(second);
    EXPECT_EQ(0, std::memcmp(&first, &second, sizeof first)) << "classes behind class_count are zero, too";
}

TEST(Stats, TheCallsOfTheirOwnAgreeWithTheRecord) {
    TestHeap test(64 * KiB);
    test.heap.allocate({1000, 8});
    test.heap.allocate({10000, 8});
    const slab_stats stats = test.stats();
    EXPECT_EQ(stats.total_bytes, test.heap.total_bytes());
    EXPECT_EQ(stats.used_bytes, test.heap.used_bytes());
    EXPECT_EQ(stats.available_bytes, test.heap.available_bytes());
}

TEST(Stats, ASlabBlockIsCountedAtItsClass) {
    TestHeap test(64 * KiB);
    for (const size_t size : class_sizes) {
        const slab_stats before = test.stats();
        void* block = test.heap.allocate({size - 3, 1});
        const slab_stats during = test.stats();
        EXPECT_EQ(before.used_bytes + size, during.used_bytes);
        EXPECT_EQ(before.allocations + 1, during.allocations);
        EXPECT_EQ(before.requested_bytes_total + size - 3, during.requested_bytes_total);
        EXPECT_EQ(before.taken_bytes_total + size, during.taken_bytes_total);
        const slab_class_stats* row = class_of(during, size);
        ASSERT_NE(nullptr, row);
        EXPECT_EQ(1u, row->live);
        EXPECT_EQ(1u, row->pages);
        EXPECT_EQ(slots_in_a_page(size), row->capacity);
        expect_conserved(during, 0);

        test.heap.deallocate(block);
        const slab_stats after = test.stats();
        EXPECT_EQ(before.used_bytes, after.used_bytes);
        EXPECT_EQ(before.frees + 1, after.frees);
        EXPECT_EQ(during.requested_bytes_total, after.requested_bytes_total)
            << "counted once, when allocated";
        EXPECT_EQ(during.taken_bytes_total, after.taken_bytes_total);
        EXPECT_EQ(0u, class_of(after, size)->live);
        expect_conserved(after, 0);
    }
}

TEST(Stats, ALargeBlockIsCountedAtItsPages) {
    TestHeap test(64 * KiB);
    void* block = test.heap.allocate({pages(2) + 1, 8});
    void* run = test.heap.allocate_pages(2);
    const slab_stats stats = test.stats();
    EXPECT_EQ(pages(5), stats.used_bytes);
    EXPECT_EQ(pages(2) + 1 + pages(2), stats.requested_bytes_total);
    EXPECT_EQ(pages(5), stats.taken_bytes_total);
    EXPECT_EQ(2u, stats.allocations);
    expect_conserved(stats, pages(5));
    test.heap.deallocate(block);
    test.heap.deallocate_pages(run, 2);
    EXPECT_EQ(2u, test.stats().frees);
    EXPECT_EQ(0u, test.stats().used_bytes);
}

TEST(Stats, AFullClassHasAsManyPagesAsItNeeds) {
    for (size_t i = 0; i < std::size(class_sizes); ++i) {
        TestHeap test(32 * KiB);
        const size_t slots = slots_in_a_page(class_sizes[i]);
        for (size_t count = 1; count <= 3 * slots; ++count) {
            ASSERT_NE(nullptr, test.heap.allocate({class_sizes[i], 1}));
            ASSERT_EQ((count + slots - 1) / slots, test.stats().classes[i].pages) << count;
            ASSERT_EQ(count, test.stats().classes[i].live);
        }
        EXPECT_EQ(3 * slots, test.stats().classes[i].capacity);
    }
}

TEST(Stats, AnEmptiedClassHoldsNoPagesWhenTheyAreNeeded) {
    TestHeap test(64 * KiB);
    for (const size_t size : class_sizes) {
        for (void* block : test.exhaust({size, 1})) {
            test.heap.deallocate(block);
        }
        EXPECT_EQ(0u, class_of(test.stats(), size)->live) << size;
        expect_conserved(test.stats(), 0);
        test.heap.deallocate(test.heap.allocate_pages(15));
        EXPECT_EQ(0u, class_of(test.stats(), size)->pages) << size;
        EXPECT_EQ(0u, class_of(test.stats(), size)->capacity) << size;
        EXPECT_EQ(pages(8), test.stats().largest_free_bytes) << "merged again";
    }
}

TEST(Stats, EveryRefusedRequestIsOneFailure) {
    TestHeap test(32 * KiB);
    size_t failures = 0;
    const auto expect_failure = [&](void* result) {
        EXPECT_EQ(nullptr, result);
        EXPECT_EQ(++failures, test.stats().failures);
    };
    expect_failure(test.heap.allocate({8, 0}));
    expect_failure(test.heap.allocate({pages(8), 8}));
    expect_failure(test.heap.allocate({SIZE_MAX, 8}));
    expect_failure(test.heap.allocate_zeroed({pages(8), 16}));
    expect_failure(test.heap.allocate_pages(8));
    expect_failure(test.heap.allocate_pages(1, 3));
    expect_failure(test.heap.reallocate(nullptr, {pages(8), 8}));
    void* block = test.heap.allocate({8, 8});
    expect_failure(test.heap.reallocate(block, {pages(8), 8}));
    expect_failure(test.heap.reallocate(block, {8, 3}));
    EXPECT_EQ(1u, test.stats().allocations);
    EXPECT_EQ(0u, test.stats().frees);
}

TEST(Stats, AllocationsLessFreesAreTheLiveBlocks) {
    TestHeap test(64 * KiB);
    void* a = test.heap.allocate({8, 8});
    void* b = test.heap.allocate_zeroed({100, 16});
    void* c = test.heap.allocate_pages(2);
    void* d = test.heap.reallocate(nullptr, {300, 8});
    d = test.heap.reallocate(d, {3000, 8});
    d = test.heap.reallocate(d, {2500, 8});
    const slab_stats stats = test.stats();
    EXPECT_EQ(4u, stats.allocations - stats.frees);
    for (void* block : {a, b, c, d}) {
        test.heap.deallocate(block);
    }
    EXPECT_EQ(test.stats().allocations, test.stats().frees);
}

TEST(Stats, UsableSizeOfALayoutIsWhatABlockWouldHave) {
    TestHeap test(64 * KiB);
    const struct {
        Layout layout;
        UsableSize expected;
    } cases[] = {
        {{1, 1}, {1, by_set(64, 32)}},
        {{64, 8}, {64, 64}},
        {{65, 8}, {65, by_set(128, 96)}},
        {{65, 64}, {65, 128}},
        {{10, 1024}, {10, 1024}},
        {{4096, 1}, {4096, 4096}},
        {{4097, 1}, {4097, 8192}},
        {{1, 8192}, {1, 4096}},
        {{pages(4), 8}, {pages(4), pages(4)}},
        {{8, 0}, {0, 0}},
        {{8, 24}, {0, 0}},
        {{SIZE_MAX, 8}, {0, 0}},
        {{SIZE_MAX - 4094, 1}, {0, 0}},
    };
    for (const auto& [layout, expected] : cases) {
        const UsableSize found = test.heap.usable_size(layout);
        EXPECT_EQ(expected.min, found.min) << layout.size << " aligned to " << layout.align;
        const size_t most = expected.max == 0 ? 0 : usable(layout.size, expected.max);
        EXPECT_EQ(most, found.max) << layout.size << " aligned to " << layout.align;
    }
    EXPECT_EQ(0u, test.stats().failures) << "asking is no request";
}

TEST(Stats, LayoutOfATypeHasItsSizeAndAlignment) {
    struct alignas(32) Wide {
        char bytes[96];
    };
    static_assert(Layout::of<Wide>().size == 96 && Layout::of<Wide>().align == 32);
    static_assert(Layout::of<Wide>(3).size == 288);
    TestHeap test(32 * KiB);
    void* block = test.heap.allocate(Layout::of<Wide>(3));
    EXPECT_EQ(usable(288, by_set(512, 384)), test.heap.usable_size(block));
    EXPECT_EQ(by_set(512, 384), test.heap.used_bytes());
}

}  // namespace
}  // namespace slabheap::test
