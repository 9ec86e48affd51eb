// SPDX-License-Identifier: MIT
//
// Guards: what lies behind a block faults at its first byte, and a freed small block at each; what that takes
// is in nobody's books, and comes back. On a Heap, and on a heap that CPUs share. For archives with guards.
#include <algorithm>
#include <map>
#include <vector>

#include "guarded_heap.hpp"
#include "random.hpp"

namespace slabheap::test {
namespace {

TYPED_TEST_SUITE(GuardsTest, GuardedHeaps);

constexpr size_t real_small(size_t size, size_t align = 1) {
    const size_t unit = std::max(align, size_t{16});
    return (size + unit - 1) / unit * unit;
}

TYPED_TEST(GuardsTest, BehindALargeBlockIsAPageThatFaults) {
    size_t taken = 0;
    for (const size_t count : std::initializer_list<size_t>{2, 3, 4, 64, 100}) {
        const size_t asked = pages(count) - 5;
        void* const block = this->heap.allocate(asked);
        ASSERT_EQ(0u, address_of(block) % page_size);
        EXPECT_EQ(defences::canary ? asked : pages(count), this->heap.usable_size(block));
        this->expect_guarded(block, asked, pages(count));
        EXPECT_EQ(pages(count), this->used());
        EXPECT_EQ(taken += pages(count), this->heap.stats().taken_bytes_total);
        EXPECT_TRUE(this->heap.audits());
        this->heap.free(block, asked);
        EXPECT_EQ(0u, this->used());
        EXPECT_TRUE(this->guards.closed.empty());
    }
}

TYPED_TEST(GuardsTest, SoIsBehindARunOfPages) {
    void* const run = this->heap.heap().allocate_pages(3, 4 * page_size);
    EXPECT_EQ(0u, address_of(run) % (4 * page_size));
    this->expect_guarded(run, pages(3), pages(3));
    this->heap.free_pages(run, 4);
    this->expect_fault(SLAB_FAULT_WRONG_SIZE, run, run, pages(3));
    this->heap.free_pages(run, 3);
    this->heap.free_pages(run, 3);
    this->expect_fault(SLAB_FAULT_DOUBLE_FREE, run, run, pages(3));
}

TYPED_TEST(GuardsTest, ASmallBlockEndsWhereItsGuardBegins) {
    this->guard_one_in(1);
    size_t asked = 0, taken = 0;
    for (size_t align = 1; align <= page_size; align *= 2) {
        for (size_t size = 1; size <= page_size; size = size * 5 / 3 + 1) {
            void* const block = this->heap.allocate(size, align);
            const size_t real = real_small(size, align);
            EXPECT_EQ(asked += size, this->heap.stats().requested_bytes_total) << size << " " << align;
            EXPECT_EQ(taken += real, this->heap.stats().taken_bytes_total) << size << " " << align;
            EXPECT_EQ(0u, address_of(block) % std::max(align, size_t{16})) << size << " " << align;
            EXPECT_EQ(0u, (address_of(block) + real) % page_size) << size << " " << align;
            EXPECT_EQ(defences::canary ? size : real, this->heap.usable_size(block));
            EXPECT_EQ(real, this->used());
            this->expect_guarded(block, size, real);
            this->heap.free(block, size, align);
            EXPECT_EQ(0u, this->used());
        }
    }
}

TYPED_TEST(GuardsTest, AFreedSmallBlockFaultsAtEachByteWhileItRests) {
    this->guard_one_in(1);
    void* const block = this->heap.allocate(100);
    this->heap.free(block);
    EXPECT_EQ(block, Access::read(block));
    EXPECT_EQ(bytes(block) + 100, Access::write(bytes(block) + 100));
    for (size_t i = 0; i + 1 < resting; ++i) this->heap.free(this->heap.allocate(2000));
    EXPECT_EQ(block, Access::read(block));
    EXPECT_TRUE(this->heap.audits());
    this->heap.free(this->heap.allocate(2000));
    EXPECT_EQ(nullptr, Access::read(block));
    EXPECT_EQ(2 * resting, this->guards.closed.size());
}

TYPED_TEST(GuardsTest, AboutOneSmallRequestInNHasAGuard) {
    for (const size_t one_in : std::initializer_list<size_t>{2, 10, 50}) {
        this->guard_one_in(one_in);
        size_t guarded = 0, gap = 0, longest = 0;
        for (size_t i = 0; i < 2000 * one_in; ++i, ++gap) {
            void* const block = this->heap.allocate(48);
            if (address_of(block) % 64 != 0) {  // as no slot is
                EXPECT_TRUE(this->guards.is_closed(bytes(block) + 48));
                ++guarded;
                longest = std::max(longest, gap);
                gap = 0;
            }
            this->heap.free(block);
        }
        EXPECT_GT(2200u, guarded) << one_in;
        EXPECT_LT(1800u, guarded) << one_in;
        EXPECT_EQ(2 * one_in - 1, longest) << one_in;
    }
    this->guard_one_in(0);
    const size_t calls = this->guards.calls;
    for (size_t i = 0; i < 100; ++i) this->heap.free(this->heap.allocate(48));
    EXPECT_EQ(calls, this->guards.calls);
}

TYPED_TEST(GuardsTest, WhatIsNoBlocksStartIsTold) {
    this->guard_one_in(1);
    void* const large = this->heap.allocate(pages(2));
    void* const small = this->heap.allocate(96);
    unsigned char* const page = bytes(small) + 96 - page_size;
    this->heap.free(bytes(large) + 4096);
    this->expect_fault(SLAB_FAULT_INTERIOR, bytes(large) + 4096, large, pages(2));
    this->heap.free(bytes(small) + 64);
    this->expect_fault(SLAB_FAULT_INTERIOR, bytes(small) + 64, small, 96);
    this->heap.free(bytes(small) + 1);
    this->expect_fault(SLAB_FAULT_MISALIGNED, bytes(small) + 1, small, 96);
    const std::initializer_list<unsigned char*> not_theirs = {page, page + 64, bytes(small) + 96,
                                                              bytes(large) + pages(2)};
    for (unsigned char* address : not_theirs) {
        EXPECT_FALSE(this->heap.heap().owns(address));
        this->heap.free(address);
        this->expect_fault(SLAB_FAULT_NEVER_ALLOCATED, address, nullptr, 0);
    }
    EXPECT_FALSE(this->heap.heap().owns(this));
    EXPECT_TRUE(this->heap.heap().owns(small));
    EXPECT_TRUE(this->heap.heap().owns(large));
    this->heap.free(small, 97);
    this->expect_fault(SLAB_FAULT_WRONG_SIZE, small, small, 96);
    for (const size_t align : {size_t{0}, size_t{3}, size_t{8192}}) {
        this->heap.free(small, 96, align);
        this->expect_fault(SLAB_FAULT_WRONG_SIZE, small, small, 96);
    }
    this->heap.free_pages(small, 1);
    this->expect_fault(SLAB_FAULT_WRONG_SIZE, small, small, 96);
    void* const as_a_page = this->heap.allocate(page_size);
    this->heap.free_pages(as_a_page, 1);
    this->expect_fault(SLAB_FAULT_WRONG_SIZE, as_a_page, as_a_page, page_size);
    this->heap.free(as_a_page);
    this->heap.free(large, pages(3));
    this->expect_fault(SLAB_FAULT_WRONG_SIZE, large, large, pages(2));
    this->heap.free(small);
    this->heap.free(large);
    // While it rests, and when its pages are free.
    for (int turn = 0; turn < 2; ++turn) {
        this->heap.free(small);
        this->expect_fault(SLAB_FAULT_DOUBLE_FREE, small, small, 96);
        this->heap.free(bytes(small) + 16);
        this->expect_fault(SLAB_FAULT_NEVER_ALLOCATED, bytes(small) + 16, small, 96);
        this->free_some_more();
    }
}

// Blocks that lie side by side, each with its guard.
TYPED_TEST(GuardsTest, AFreedBlockOpensItsOwnGuardAlone) {
    std::vector<void*> blocks;
    for (size_t i = 0; i < 16; ++i) blocks.push_back(this->heap.allocate(pages(3)));
    for (size_t i = 1; i < 16; i += 2) this->heap.free(blocks[i]);
    for (size_t i = 0; i < 16; i += 2) {
        this->expect_guarded(blocks[i], pages(3), pages(3));
        this->heap.free(blocks[i]);
    }
}

TYPED_TEST(GuardsTest, ALargeBlockKeepsAGuardWhenItIsResizedInPlace) {
    void* const block = this->heap.allocate(pages(2));
    bytes(block)[pages(2) - 1] = 7;
    for (const size_t count : std::initializer_list<size_t>{2, 3, 20, 5, 6, 1, 2}) {
        EXPECT_EQ(block, this->heap.reallocate(block, pages(count) - 3));
        this->expect_guarded(block, pages(count) - 3, pages(count));
        EXPECT_EQ(1u, this->guards.closed.size());
        EXPECT_EQ(pages(count), this->used());
        EXPECT_TRUE(this->heap.audits());
    }
    const size_t calls = this->guards.calls;
    EXPECT_EQ(block, this->heap.reallocate(block, pages(2) - 100));
    EXPECT_EQ(calls, this->guards.calls);
    void* const behind = this->heap.allocate(pages(2));
    void* const moved = this->heap.reallocate(block, pages(200));
    EXPECT_NE(block, moved);
    this->expect_guarded(moved, pages(200), pages(200));
    this->heap.free(moved);
    this->heap.free(behind);
    EXPECT_TRUE(this->guards.closed.empty());
}

TYPED_TEST(GuardsTest, ASmallBlockStaysWhileItIsLargeEnough) {
    this->guard_one_in(1);
    void* const block = this->heap.allocate(100);
    std::memset(block, 0x31, 100);
    EXPECT_EQ(block, this->heap.reallocate(block, 50));
    EXPECT_EQ(block, this->heap.reallocate(block, 112));
    void* const moved = this->heap.reallocate(block, 113);
    EXPECT_NE(block, moved);
    EXPECT_TRUE(
        std::all_of(bytes(moved), bytes(moved) + 50, [](unsigned char byte) { return byte == 0x31; }));
    EXPECT_EQ(block, Access::read(block));
    this->heap.free(moved);
}

TYPED_TEST(GuardsTest, AHookThatCannotProtectLeavesTheBlockWithoutAGuard) {
    this->guards.protects = false;
    this->guard_one_in(1);
    for (const size_t size : std::initializer_list<size_t>{100, pages(3)}) {
        void* const block = this->heap.allocate(size);
        std::memset(block, 1, size);
        this->heap.free(block);
    }
    EXPECT_TRUE(this->guards.closed.empty());
    EXPECT_EQ(0u, this->used());
}

TYPED_TEST(GuardsTest, PagesThatCannotBeOpenedAreNotGivenOutAgain) {
    this->guard_one_in(1);
    void* const large = this->heap.allocate(pages(2));
    void* const small = this->heap.allocate(100);
    void* const resized = this->heap.allocate(pages(2));
    this->guards.unprotects = false;
    void* const moved = this->heap.reallocate(resized, pages(3));
    EXPECT_NE(resized, moved);
    this->heap.free(large);
    this->heap.free(small);
    this->free_some_more();
    EXPECT_EQ(pages(3), this->used());
    this->guards.unprotects = true;
    this->heap.free(moved);
    EXPECT_EQ(0u, this->used());
    EXPECT_TRUE(this->heap.audits());
    this->guard_one_in(0);
    // Three of 3, 2 and 3 pages: what is closed still is theirs, and nobody else's.
    size_t free_pages = 0;
    while (void* const page = this->heap.allocate(page_size)) {
        EXPECT_EQ(nullptr, Access::write(page));
        ++free_pages;
    }
    EXPECT_EQ(this->heap.stats().total_bytes / page_size - 8, free_pages);
}

TYPED_TEST(GuardsTest, WhatWouldFailWithAGuardIsServedWithout) {
    this->guard_one_in(1);
    // An odd number of pages, so that there is one that no guard can follow.
    const size_t spare = 1 + this->heap.stats().total_bytes / page_size % 2;
    EXPECT_EQ(SLAB_OK, this->heap.heap().reserve(this->heap.memory().end() - pages(spare), pages(spare)));
    const size_t all = this->heap.stats().total_bytes / page_size;
    for (int turn = 0; turn < 3; ++turn) {
        this->free_some_more();
        void* const whole = this->heap.heap().allocate_pages(all);
        ASSERT_NE(nullptr, whole);
        EXPECT_TRUE(this->guards.closed.empty());
        this->heap.free(whole);
    }
    // Small ones: two pages each at first, then slots, to the last page.
    std::map<void*, size_t> blocks;
    while (void* const block = this->heap.allocate(1024)) blocks[block] = 1;
    EXPECT_LT(all / 2, blocks.size());
    EXPECT_EQ(nullptr, this->heap.heap().allocate_pages(1));
    for (const auto& [block, size] : blocks) this->heap.free(block);
    EXPECT_EQ(0u, this->used());
    void* const whole = this->heap.heap().allocate_pages(all);
    EXPECT_NE(nullptr, whole);
    this->heap.free(whole);
}

TYPED_TEST(GuardsTest, GuardsThatAreThereAreOpenedAfterTheHookThatClosesWasTakenAway) {
    this->guard_one_in(1);
    void* const large = this->heap.allocate(pages(2));
    void* const small = this->heap.allocate(100);
    EXPECT_TRUE(this->heap.heap().set_guard_hooks(nullptr, nullptr, 1));
    void* const plain = this->heap.allocate(pages(2));
    EXPECT_EQ(2u, this->guards.closed.size());
    this->heap.free(large);
    this->heap.free(small);
    this->heap.free(plain);
    void* const all = this->heap.heap().allocate_pages(this->heap.stats().total_bytes / page_size);
    EXPECT_NE(nullptr, all);
    this->heap.free(all);
    EXPECT_TRUE(this->guards.closed.empty());
}

TYPED_TEST(GuardsTest, TheWalkVisitsBlocksAndNoGuards) {
    this->heap.add_region();
    this->guard_one_in(2);
    std::map<void*, size_t> live;
    Random random(5);
    for (size_t i = 0; i < 400; ++i) {
        const size_t size = random.below(8) == 0 ? pages(1 + random.below(4)) : 1 + random.below(3000);
        void* const block = this->heap.allocate(size);
        if (random.below(3) == 0) {
            this->heap.free(block);
        } else if (block != nullptr) {
            live[block] = size;
        }
    }
    std::map<void*, size_t> visited;
    // Every other block is freed when it is visited.
    struct Visit {
        std::map<void*, size_t>& seen;
        TypeParam& heap;
    } visit{visited, this->heap};
    this->heap.heap().walk(
        [](void* block, size_t size, void* context) {
            const Visit& with = *static_cast<Visit*>(context);
            EXPECT_TRUE(with.seen.empty() || with.seen.rbegin()->first < block);
            with.seen[block] = size;
            if (with.seen.size() % 2 == 0) with.heap.free(block);
        },
        &visit);
    ASSERT_EQ(live.size(), visited.size());
    size_t number = 0;
    for (const auto& [block, size] : visited) {
        ASSERT_TRUE(live.count(block) == 1 && live[block] <= size);
        if (++number % 2 != 0) this->heap.free(block);
    }
    EXPECT_EQ(0u, this->used());
}

// Against a model, with guards for large blocks and every third small one, on two regions.
TYPED_TEST(GuardsTest, ContentIsNobodyElsesWhateverTheOrderOfCalls) {
    this->heap.add_region();
    this->guard_one_in(3);
    struct Owned {
        unsigned char* block;
        size_t size;
        unsigned char pattern;
    };
    std::vector<Owned> owned;
    Random random(9);
    const auto is_intact = [](Owned const& one, size_t size) {
        return std::all_of(one.block, one.block + size,
                           [&](unsigned char byte) { return byte == one.pattern; });
    };
    for (unsigned step = 0; step < 20000; ++step) {
        const size_t size = random.below(6) == 0 ? 1 + random.below(pages(6)) : 1 + random.below(600);
        const unsigned char pattern = static_cast<unsigned char>(step);
        if (owned.empty() || random.below(80) > owned.size()) {
            void* const block = this->heap.allocate(size);
            if (block == nullptr) continue;
            owned.push_back({bytes(block), size, pattern});
        } else {
            std::swap(owned[random.below(owned.size())], owned.back());
            Owned& one = owned.back();
            ASSERT_TRUE(is_intact(one, one.size)) << step;
            if (random.below(4) != 0) {
                this->heap.free(one.block, one.size);
                owned.pop_back();
                continue;
            }
            void* const moved = this->heap.reallocate(one.block, size);
            if (moved == nullptr) continue;
            const size_t kept = std::min(size, one.size);
            one.block = bytes(moved);
            ASSERT_TRUE(is_intact(one, kept)) << step;
            one.size = size;
            one.pattern = pattern;
        }
        std::memset(owned.back().block, owned.back().pattern, owned.back().size);
        if (step % 500 == 0) {
            ASSERT_TRUE(this->heap.audits()) << step;
        }
    }
    for (const Owned& one : owned) this->heap.free(one.block, one.size);
    EXPECT_EQ(0u, this->used());
}

}  // namespace
}  // namespace slabheap::test
