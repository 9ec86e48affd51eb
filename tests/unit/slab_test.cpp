// SPDX-License-Identifier: MIT
//
// Slabs and their fronts: where a slot comes from and where it goes.
#include "slab.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "test_memory.hpp"

namespace slabheap {
namespace {

using test::address_of;
using test::TestMemory;

class SlabTest : public ::testing::Test {
protected:
    explicit SlabTest(size_t pages = 64) : memory_(test::pages(pages)) {
        slabs_.set_up();
        EXPECT_EQ(SLAB_OK, slabs_.add_region(address_of(memory_.start()), memory_.size()));
    }
    // Frees a slot that must be live.
    void free(unsigned size_class, uintptr_t address) {
        PageView const* const view = slabs_.view_of(address);
        ASSERT_NE(nullptr, view);
        ASSERT_TRUE(view->is_live(address));
        slabs_.put_slot(size_class, address);
    }
    std::vector<uintptr_t> take(unsigned size_class, size_t count) {
        std::vector<uintptr_t> slots;
        for (size_t i = 0; i < count; ++i) slots.push_back(slabs_.take_slot(size_class, 1));
        return slots;
    }

    TestMemory memory_;
    Slabs slabs_{};
};

class EveryClass : public SlabTest, public ::testing::WithParamInterface<unsigned> {};

TEST_P(EveryClass, SlotsAreDisjointAlignedAndFillTheirPages) {
    unsigned const c = GetParam();
    std::set<uintptr_t> seen;
    for (uintptr_t slot : take(c, 3 * class_slots(c))) {
        ASSERT_NE(0u, slot);
        EXPECT_EQ(0u, slot % class_size(c));
        EXPECT_TRUE(seen.insert(slot).second);
    }
    EXPECT_EQ(3u, slabs_.slabs(c));
    EXPECT_EQ(3 * class_slots(c), slabs_.live(c));
}

TEST_P(EveryClass, TheSlotFreedLastIsTakenFirst) {
    unsigned const c = GetParam();
    std::vector<uintptr_t> const slots = take(c, 8);
    for (uintptr_t slot : slots) free(c, slot);
    for (size_t i = slots.size(); i-- > 0;) EXPECT_EQ(slots[i], slabs_.take_slot(c, 1));
}

TEST_P(EveryClass, WhenTheStackIsFullTheBlockBelowTheNewOneLeavesIt) {
    unsigned const c = GetParam();
    size_t const limit = stack_limit(c);
    std::vector<uintptr_t> const slots = take(c, limit + 5);
    for (uintptr_t slot : slots) free(c, slot);
    for (size_t i = limit - 1; i < limit + 4; ++i) {
        unsigned const slot = slot_at(c, slots[i] % page_size);
        Word const pool = slabs_.region(0).slots(slots[i] >> page_shift)[slot / word_bits];
        bool const returned = tag::is_freed_slab(slabs_.region(0).tag(slots[i] >> page_shift));
        EXPECT_TRUE(returned || (pool & bit_of(slot)) != 0);
    }
    EXPECT_EQ(slots.back(), slabs_.take_slot(c, 1));
    for (size_t i = limit - 1; i-- > 0;) EXPECT_EQ(slots[i], slabs_.take_slot(c, 1));
}

TEST_P(EveryClass, CollectingReturnsEveryPageOnceAllSlotsAreFree) {
    unsigned const c = GetParam();
    Word const before = slabs_.region(0).free_pages();
    std::vector<uintptr_t> const slots = take(c, 5 * class_slots(c) - 1);
    for (uintptr_t slot : slots) free(c, slot);
    slabs_.collect();
    EXPECT_EQ(before, slabs_.region(0).free_pages());
    EXPECT_EQ(0u, slabs_.slabs(c));
    EXPECT_EQ(0u, slabs_.spares(c));
    EXPECT_EQ(0u, slabs_.front(c).word);
}

TEST_P(EveryClass, CollectingKeepsWhatIsLive) {
    unsigned const c = GetParam();
    std::vector<uintptr_t> const slots = take(c, 2 * class_slots(c));
    for (size_t i = 1; i < slots.size(); ++i) free(c, slots[i]);
    slabs_.collect();
    EXPECT_EQ(1u, slabs_.slabs(c));
    EXPECT_EQ(1u, slabs_.live(c));
    // What is left of that slab is handed out before a new page is.
    for (unsigned i = 1; i < class_slots(c); ++i)
        EXPECT_EQ(slots[0] / page_size, slabs_.take_slot(c, 1) / page_size);
    EXPECT_EQ(1u, slabs_.slabs(c));
}

TEST_P(EveryClass, EmptySlabsBeyondTheSparesGoBackByThemselves) {
    unsigned const c = GetParam();
    std::vector<uintptr_t> const slots = take(c, 40 * class_slots(c));
    EXPECT_EQ(40u, slabs_.slabs(c));
    for (uintptr_t slot : slots) free(c, slot);
    // What stays: a spare, and the slabs that the stack's blocks lie in.
    EXPECT_EQ(1u, slabs_.spare_limit());
    EXPECT_EQ(1u, slabs_.spares(c));
    EXPECT_LE(slabs_.slabs(c), 1 + stack_limit(c) / class_slots(c) + 2);
}

TEST_P(EveryClass, ASlotAtHandNeedsNoPage) {
    unsigned const c = GetParam();
    EXPECT_EQ(0u, slabs_.take_slot_at_hand(c, 1));
    uintptr_t const slot = slabs_.take_slot(c, 1);
    free(c, slot);
    slabs_.collect();
    EXPECT_EQ(0u, slabs_.take_slot_at_hand(c, 1));
    free(c, slabs_.take_slot(c, 1));
    EXPECT_NE(0u, slabs_.take_slot_at_hand(c, 1));
}

TEST_P(EveryClass, KnowsWhichSlotsWereEverHandedOut) {
    unsigned const c = GetParam();
    Region& region = slabs_.region(0);
    for (unsigned count = 1; count <= class_slots(c); ++count) {
        std::vector<uintptr_t> const slots = take(c, count);
        Word const page = slots[0] >> page_shift;
        auto expect_handed = [&](const char* when) {
            for (unsigned slot = 0; slot < class_slots(c); ++slot) {
                EXPECT_EQ(slot < count, slabs_.was_handed_out(region, page, c, slot))
                    << when << ", slot " << slot;
            }
        };
        expect_handed("while the word is in the front");
        for (size_t i = 1; i < slots.size(); ++i) free(c, slots[i]);
        expect_handed("while freed slots are in the stack");
        slabs_.collect();
        expect_handed("when all free slots are in the pool");
        if (count > 1) {
            EXPECT_EQ(slots[1], slabs_.take_slot(c, 1));
            expect_handed("when a handed out slot was taken again");
            free(c, slots[1]);
        }
        free(c, slots[0]);
        slabs_.collect();
        EXPECT_TRUE(tag::is_freed_slab(region.tag(page)));
        expect_handed("after the slab went back to the pages");
    }
}

INSTANTIATE_TEST_SUITE_P(Classes, EveryClass, ::testing::Range(0u, class_count));

TEST_F(SlabTest, TheLowestSlabWithRoomIsUsedFirst) {
    std::vector<uintptr_t> const slots = take(3, 4 * class_slots(3));
    free(3, slots[2 * class_slots(3)]);
    free(3, slots[1]);
    slabs_.collect();
    EXPECT_EQ(slots[1], slabs_.take_slot(3, 1));
    EXPECT_EQ(slots[2 * class_slots(3)], slabs_.take_slot(3, 1));
}

TEST_F(SlabTest, WithoutPagesThereIsNoSlot) {
    while (slabs_.take_slot(class_count - 1, 1) != 0) {
    }
    EXPECT_EQ(0u, slabs_.region(0).free_pages());
    EXPECT_EQ(0u, slabs_.take_slot(0, 1));
    EXPECT_EQ(0u, slabs_.live(0));
}

TEST_F(SlabTest, AClassTakesThePageOfAnothersSpare) {
    std::vector<uintptr_t> const pages = take(class_count - 1, slabs_.region(0).free_pages());
    for (uintptr_t page : pages) free(class_count - 1, page);
    EXPECT_EQ(1u, slabs_.spares(class_count - 1));
    while (slabs_.region(0).free_pages() != 0) EXPECT_NE(0u, slabs_.take_slot(0, 1));
    std::vector<uintptr_t> const rest = take(0, class_slots(0));
    EXPECT_NE(0u, rest.back());
    EXPECT_EQ(0u, slabs_.spares(class_count - 1));
}

TEST_F(SlabTest, ALargerPrimaryRegionEmptiesTheStacks) {
    std::vector<uintptr_t> const slots = take(1, 10);
    free(1, slots[3]);
    TestMemory more(test::pages(200));
    ASSERT_EQ(SLAB_OK, slabs_.add_region(address_of(more.start()), more.size()));
    slabs_.empty_stacks();
    EXPECT_EQ(0u, slabs_.front(1).depth);
    // The block is known through another view now, and still the one that comes back first.
    free(1, slots[4]);
    EXPECT_EQ(slots[4], slabs_.front(1).other);
    EXPECT_EQ(slots[4], slabs_.take_slot(1, 1));
}

// Two regions: blocks of the smaller one go the longer way, and the order of frees is kept all the same.
class TwoRegions : public SlabTest {
protected:
    TwoRegions() : SlabTest(8), more_(test::pages(200)) {
        small_ = take(2, 3 * class_slots(2));
        EXPECT_EQ(SLAB_OK, slabs_.add_region(address_of(more_.start()), more_.size()));
        slabs_.empty_stacks();
        while (!slabs_.region_of(address_of(more_.start()))->knows_all()) slabs_.take_slot(class_count - 1, 1);
        while ((large_ = slabs_.take_slot(2, 1)) < address_of(more_.start()) ||
               large_ >= address_of(more_.start()) + more_.size()) {
            small_.push_back(large_);
        }
    }
    TestMemory more_;
    std::vector<uintptr_t> small_;
    uintptr_t large_ = 0;
};

TEST_F(TwoRegions, TheBlockFreedLastComesBackFirstWhicheverRegionHasIt) {
    for (int round = 0; round < 3; ++round) {
        for (uintptr_t slot : {small_[0], large_, small_[1], small_[2], large_}) {
            free(2, slot);
            EXPECT_EQ(slot, slabs_.take_slot(2, 1));
        }
    }
}

TEST_F(TwoRegions, AFreeOnTopOfAHiddenFrontShowsItAgain) {
    uintptr_t const second = slabs_.take_slot(2, 1);
    free(2, second);
    free(2, small_[0]);
    EXPECT_EQ(small_[0], slabs_.front(2).other);
    EXPECT_EQ(0u, slabs_.front(2).depth);
    free(2, small_[1]);  // the one before goes to its pool
    free(2, large_);     // and so does this one
    EXPECT_EQ(0u, slabs_.front(2).other);
    EXPECT_EQ(large_, slabs_.take_slot(2, 1));
    EXPECT_EQ(second, slabs_.take_slot(2, 1));
    for (uintptr_t slot : {small_[0], small_[1]}) {
        Word const pool = slabs_.region_of(slot)->slots(slot >> page_shift)[0];
        EXPECT_NE(0u, pool & bit_of(slot_at(2, slot % page_size)));
    }
}

TEST_F(TwoRegions, CollectingFindsTheBlockOfAHiddenFront) {
    for (uintptr_t slot : small_) free(2, slot);
    free(2, large_);
    free(2, slabs_.take_slot(2, 1));
    Word const free_pages = slabs_.region(0).free_pages() + slabs_.region(1).free_pages();
    slabs_.collect();
    EXPECT_LT(free_pages, slabs_.region(0).free_pages() + slabs_.region(1).free_pages());
    EXPECT_EQ(0u, slabs_.slabs(2));
}

TEST(SlabsOfManyPages, KeepMoreSpares) {
    TestMemory memory(test::pages(2100));
    Slabs slabs{};
    slabs.set_up();
    ASSERT_EQ(SLAB_OK, slabs.add_region(address_of(memory.start()), memory.size()));
    unsigned const c = class_count - 2;
    std::vector<uintptr_t> slots;
    for (unsigned i = 0; i < 2 * 512; ++i) slots.push_back(slabs.take_slot(c, 1));
    for (size_t i = 0; i < slots.size() / 2; ++i) slabs.put_slot(c, slots[i]);
    EXPECT_EQ(33u, slabs.spare_limit());
    EXPECT_EQ(33u, slabs.spares(c));
}

}  // namespace
}  // namespace slabheap
