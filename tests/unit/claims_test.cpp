// SPDX-License-Identifier: MIT
//
// What becomes of a free beneath SharedHeap: into which place the slot goes, with fronts and without, while
// the heap is open or closed; and which sizes a block may be said to have.
#include "cpu_heap.hpp"

#include <gtest/gtest.h>

#include <set>

#include "shared_test_heap.hpp"

namespace slabheap {
namespace {

using test::address_of;

constexpr Claim any{Claim::any, 0, 0};

Claim sized(size_t size, size_t align = 1) { return {Claim::sized, size, align}; }
Claim run(size_t pages) { return {Claim::run, pages * page_size, page_size}; }

class Claims : public ::testing::Test {
protected:
    Claims() : memory_(test::pages(64)), fronts_(test::pages(16)) {
        EXPECT_EQ(SLAB_OK, heap_.init(address_of(memory_.start()), memory_.size()));
        EXPECT_EQ(SLAB_OK, heap_.set_cpus(2, fronts_.start(), fronts_.size()));
    }
    ~Claims() override {
        while (heap_.settle_some()) {
        }
        EXPECT_EQ(SLAB_OK, heap_.audit(nullptr));
    }

    uintptr_t allocate(size_t size, size_t align = 1) {
        Request request;
        EXPECT_TRUE(heap_.is_possible(size, align, request));
        return address_of(heap_.take_at_hand(cpu(0), request));
    }
    CpuFronts* cpu(size_t index) { return heap_.fronts_of(index); }
    Front& front(size_t size) { return cpu(0)->of_class[class_of(size, 1)]; }
    Freed free(uintptr_t block, Claim const& claim = any, Way way = Way::front, size_t of = 0) {
        Damage damage{};
        return heap_.free(cpu(of), block, claim, false, way, damage);
    }
    bool is_live(uintptr_t block) { return heap_.block_size(block) != 0; }
    Region& region() { return *reinterpret_cast<Region*>(memory_.start()); }

    test::TestMemory memory_, fronts_;
    test::TestMemory more_{test::pages(128)};
    CpuHeap heap_{};
};

TEST_F(Claims, ASlotGoesIntoTheFrontOfWhoFreesIt) {
    const uintptr_t block = allocate(64);
    EXPECT_EQ(Freed::done, free(block));
    EXPECT_EQ(block, front(64).stack[front(64).depth]);
    EXPECT_FALSE(is_live(block));
    EXPECT_EQ(0, cpu(0)->busy);
    EXPECT_EQ(Freed::not_a_block, free(block));
    EXPECT_EQ(0, cpu(0)->busy);
}

TEST_F(Claims, WithoutFrontsItGoesIntoItsPool) {
    const uintptr_t block = allocate(64);
    const Word depth = front(64).depth;
    EXPECT_EQ(Freed::done, free(block, any, Way::front, 2)) << "there is no CPU 2";
    EXPECT_FALSE(is_live(block));
    EXPECT_EQ(depth, front(64).depth);
    EXPECT_EQ(Freed::not_a_block, free(block, any, Way::front, 2));
    const uintptr_t other = allocate(64);
    cpu(0)->busy = 1;
    EXPECT_EQ(Freed::done, free(other));
    EXPECT_EQ(Freed::not_a_block, free(other));
    EXPECT_EQ(1, cpu(0)->busy) << "it is the interrupted call's";
    cpu(0)->busy = 0;
    EXPECT_FALSE(is_live(other));
}

TEST_F(Claims, WhileTheHeapIsClosedNothingIsDoneButOnTheWayToThePool) {
    const uintptr_t block = allocate(64), other = allocate(64);
    const Word depth = front(64).depth;
    heap_.close();
    for (size_t of : {0u, 1u, 2u}) {
        EXPECT_EQ(Freed::closed, free(block, any, Way::front, of));
        EXPECT_TRUE(is_live(block));
    }
    EXPECT_EQ(0, cpu(0)->busy);
    EXPECT_EQ(Freed::done, free(block, any, Way::pool));
    EXPECT_FALSE(is_live(block));
    EXPECT_EQ(Freed::not_a_block, free(block, any, Way::pool));
    EXPECT_EQ(depth, front(64).depth);
    heap_.open();
    EXPECT_EQ(Freed::done, free(other, any, Way::pool));
    EXPECT_EQ(depth, front(64).depth) << "the pool was asked for";
}

TEST_F(Claims, WhoClosedTwiceOpensTwice) {
    const uintptr_t block = allocate(64);
    heap_.close();
    heap_.close();
    heap_.open();
    EXPECT_EQ(Freed::closed, free(block));
    heap_.open();
    EXPECT_EQ(Freed::done, free(block));
}

// While its pages are not given back yet, or defences fill it.
TEST_F(Claims, ALargeBlockThatIsLeavingIsFreedAlready) {
    const uintptr_t block = allocate(5 * page_size);
    Region const& region = *reinterpret_cast<Region*>(memory_.start());
    const Word page = block >> page_shift;
    region.tag(page) = defences::touch_blocks ? tag::retiring : tag::leaving;
    EXPECT_EQ(Freed::not_a_block, free(block));
    for (const bool is_locked : {false, true}) {
        EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, heap_.examine(block, is_locked).kind);
        EXPECT_EQ(SLAB_FAULT_NEVER_ALLOCATED, heap_.examine(block + page_size, is_locked).kind);
    }
    EXPECT_EQ(SLAB_OK, heap_.audit(nullptr));
    region.tag(page) = tag::leaving;
    heap_.settle_large(block);
}

TEST_F(Claims, ALargeBlockIsClaimedOnceAndSettledOnce) {
    const uintptr_t block = allocate(5 * page_size);
    EXPECT_EQ(Freed::large, free(block));
    EXPECT_FALSE(is_live(block));
    EXPECT_EQ(Freed::not_a_block, free(block));
    EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, heap_.examine(block, false).kind);
    EXPECT_EQ(5 * page_size, heap_.examine(block, false).block_size);
    EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, heap_.examine(block, true).kind);
    EXPECT_EQ(5 * page_size, heap_.examine(block, true).block_size);
    EXPECT_EQ(SLAB_FAULT_NEVER_ALLOCATED, heap_.examine(block + granule, false).kind);
    EXPECT_EQ(SLAB_FAULT_NEVER_ALLOCATED, heap_.examine(block + page_size, true).kind);
    EXPECT_EQ(SLAB_FAULT_NEVER_ALLOCATED, heap_.examine(block + granule, true).kind);
    heap_.settle_large(block);
    EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, heap_.examine(block, false).kind);
    EXPECT_EQ(5 * page_size, heap_.examine(block, false).block_size);
    for (const bool is_locked : {false, true}) {
        EXPECT_EQ(SLAB_FAULT_NEVER_ALLOCATED, heap_.examine(block + granule, is_locked).kind);
        EXPECT_EQ(SLAB_FAULT_NEVER_ALLOCATED, heap_.examine(block + page_size, is_locked).kind);
    }
    heap_.settle_large(block);  // somebody has done so
    const uintptr_t small = allocate(64);
    heap_.settle_large(small);
    EXPECT_TRUE(is_live(small));
}

// While another CPU fills what it has claimed, or is about to give the pages back.
TEST_F(Claims, ALargeBlockThatAnotherCpuIsFreeingIsFreeAlready) {
    const uintptr_t block = allocate(3 * page_size);
    region().tag(block >> page_shift) = defences::touch_blocks ? tag::retiring : tag::leaving;
    EXPECT_EQ(Freed::not_a_block, free(block));
    for (const bool is_locked : {false, true}) {
        EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, heap_.examine(block, is_locked).kind);
        EXPECT_EQ(3 * page_size, heap_.examine(block, is_locked).block_size);
        EXPECT_EQ(SLAB_FAULT_NEVER_ALLOCATED, heap_.examine(block + granule, is_locked).kind);
    }
    region().tag(block >> page_shift) = tag::large;
}

TEST_F(Claims, ALargerClassServesOnlyIfItsSlotsAreAlignedToo) {
    for (const size_t size : class_sizes) free(allocate(size), any, Way::pool);
    for (const size_t size : class_sizes) {
        for (size_t align = 1; align <= page_size; align *= 2) {
            Request request;
            if (!heap_.is_possible(size, align, request) || request.pages != 0) continue;
            const uintptr_t block = address_of(heap_.take_larger(request));
            if (block == 0) continue;
            EXPECT_EQ(0u, block % align) << size;
            EXPECT_GT(heap_.block_size(block), class_sizes[class_of(size, align)]);
            free(block, any, Way::pool);
        }
    }
}

TEST_F(Claims, WhatIsToldOfAnAddressWithoutTheLock) {
    const uintptr_t block = allocate(64);
    free(block, any, Way::pool);
    EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, heap_.examine(block, false).kind);
    EXPECT_EQ(SLAB_FAULT_NEVER_ALLOCATED, heap_.examine(block + granule, false).kind);
    Diagnosis found = heap_.examine(address_of(&heap_), false);
    EXPECT_EQ(SLAB_FAULT_FOREIGN, found.kind);
    EXPECT_EQ(0u, found.block);
    EXPECT_EQ(0u, found.block_size);
    const uintptr_t large = allocate(3 * page_size);
    found = heap_.examine(large + page_size, false);
    EXPECT_EQ(SLAB_FAULT_NEVER_ALLOCATED, found.kind);
    EXPECT_EQ(0u, found.block);
    EXPECT_EQ(0u, found.block_size);
    free(large);
    heap_.settle_large(large);
}

TEST_F(Claims, SizesThatASlotMayHave) {
    const uintptr_t block = allocate(128);
    for (size_t size : {129u, 4096u, 4097u, 100000u}) {
        EXPECT_EQ(Freed::wrong_size, free(block, sized(size))) << size;
    }
    EXPECT_EQ(Freed::wrong_size, free(block, sized(1, 256)));
    EXPECT_EQ(Freed::wrong_size, free(block, sized(1, 3)));
    EXPECT_EQ(Freed::wrong_size, free(block, run(1)));
    EXPECT_EQ(Freed::wrong_size, free(block, {Claim::run, 128, 1}));
    EXPECT_TRUE(is_live(block));
    EXPECT_EQ(Freed::done, free(block, sized(128, 128)));
}

TEST_F(Claims, SizesThatPagesMayHave) {
    const uintptr_t block = allocate(3 * page_size);
    for (size_t size : {size_t{1}, 2 * page_size, 3 * page_size + 1, 4 * page_size}) {
        EXPECT_EQ(Freed::wrong_size, free(block, sized(size))) << size;
    }
    EXPECT_EQ(Freed::wrong_size, free(block, sized(3 * page_size, 3)));
    EXPECT_EQ(Freed::wrong_size, free(block, sized(3 * page_size, ~(all_ones >> 1))));
    EXPECT_EQ(Freed::wrong_size, free(block, run(2)));
    EXPECT_EQ(Freed::wrong_size, free(block, run(4)));
    EXPECT_EQ(Freed::large, free(block, sized(2 * page_size + 1)));
    heap_.settle_large(block);
    const uintptr_t page = address_of(heap_.take_at_hand(cpu(0), {1, page_size, page_size}));
    EXPECT_EQ(Freed::large, free(page, sized(0))) << "0 counts as 1";
    heap_.settle_large(page);
}

TEST_F(Claims, WhatIsServedWithoutFrontsIsInTheBooks) {
    slab_stats before, after;
    heap_.stats(before);
    Request request;
    ASSERT_TRUE(heap_.is_possible(100, 4, request));
    const uintptr_t first = address_of(heap_.take_at_hand(nullptr, request));
    const uintptr_t second = address_of(heap_.take_at_hand(nullptr, request));
    EXPECT_NE(first, second);
    heap_.stats(after);
    EXPECT_EQ(before.requested_bytes_total + 200, after.requested_bytes_total);
    EXPECT_EQ(before.allocations + 2, after.allocations);
    EXPECT_EQ(Freed::done, free(first, any, Way::pool));
    EXPECT_EQ(Freed::done, free(second, any, Way::pool));
    // The slab is a spare now; who takes a slot of it must say that it is none any more.
    while (heap_.settle_some()) {
    }
    EXPECT_NE(0u, address_of(heap_.take_at_hand(nullptr, request)));
    EXPECT_EQ(SLAB_OK, heap_.audit(nullptr));
}

TEST_F(Claims, EverySlotOfAPageServesWithoutFronts) {
    Request request;
    ASSERT_TRUE(heap_.is_possible(1, 1, request));
    std::set<uintptr_t> slots;
    for (unsigned i = 0; i < class_slots(0); ++i) {
        slots.insert(address_of(heap_.take_at_hand(nullptr, request)));
    }
    EXPECT_EQ(class_slots(0), slots.size());
    EXPECT_EQ(*slots.begin() >> page_shift, *slots.rbegin() >> page_shift);
}

TEST_F(Claims, OnceThereAreCpusTheRegionThatIsPreferredStays) {
    test::TestMemory larger(test::pages(64)), largest(test::pages(128));
    CpuHeap alone{};
    ASSERT_EQ(SLAB_OK, alone.init(address_of(larger.start()), larger.size()));
    ASSERT_EQ(SLAB_OK, alone.add_memory(address_of(largest.start()), largest.size()));
    EXPECT_TRUE(largest.contains(alone.take_at_hand(nullptr, {1, page_size, page_size})));
    ASSERT_EQ(SLAB_OK, heap_.add_memory(address_of(more_.start()), more_.size()));
    EXPECT_TRUE(memory_.contains(heap_.take_at_hand(nullptr, {1, page_size, page_size})));
}

TEST_F(Claims, RequestsThatNothingCanServe) {
    Request request;
    const size_t most = all_ones >> page_shift;
    EXPECT_FALSE(heap_.is_possible(64, 3, request));
    EXPECT_FALSE(heap_.is_possible(64, 0, request));
    EXPECT_TRUE(heap_.is_possible(0, 1, request));
    EXPECT_EQ(1u, request.size);
    EXPECT_TRUE(heap_.is_possible(most << page_shift, 1, request));
    EXPECT_EQ(most, request.pages);
    EXPECT_FALSE(heap_.is_possible((most << page_shift) + 1, 1, request));
    EXPECT_FALSE(heap_.is_possible_run(1, 3, request));
    EXPECT_TRUE(heap_.is_possible_run(0, page_size, request));
    EXPECT_EQ(1u, request.pages);
    EXPECT_EQ(page_size, request.size);
    EXPECT_TRUE(heap_.is_possible_run(most, page_size, request));
    EXPECT_FALSE(heap_.is_possible_run(most + 1, page_size, request));
    EXPECT_FALSE(CpuHeap{}.is_possible(64, 8, request));
    EXPECT_FALSE(CpuHeap{}.is_possible_run(1, page_size, request));
}

TEST_F(Claims, CpusAreGivenOnceAndInRange) {
    CpuHeap heap{};
    void* const memory = fronts_.start();
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.set_cpus(2, memory, fronts_.size()));
    EXPECT_EQ(SLAB_ERR_ALREADY_INITIALISED, heap_.set_cpus(2, memory, fronts_.size()));
    test::TestMemory more(test::pages(8));
    EXPECT_EQ(SLAB_OK, heap.init(address_of(more.start()), more.size()));
    EXPECT_EQ(SLAB_ERR_RANGE, heap.set_cpus(0, memory, fronts_.size()));
    EXPECT_EQ(SLAB_ERR_RANGE, heap.set_cpus(SLAB_MAX_CPUS + 1, memory, all_ones));
    EXPECT_EQ(SLAB_ERR_RANGE, heap.set_cpus(2, nullptr, fronts_.size()));
    EXPECT_EQ(SLAB_ERR_ALIGN, heap.set_cpus(2, static_cast<char*>(memory) + 32, fronts_.size()));
    EXPECT_EQ(SLAB_ERR_TOO_SMALL, heap.set_cpus(2, memory, CpuHeap::cpu_memory(2) - 1));
    EXPECT_EQ(SLAB_OK, heap.set_cpus(1, nullptr, 0));
}

}  // namespace
}  // namespace slabheap
