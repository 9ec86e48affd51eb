// SPDX-License-Identifier: MIT
//
// Slabs in several regions: which region serves, and what a front does with blocks of one that is not the
// primary.
#include "test_slabs.hpp"

namespace slabheap {
namespace {

using test::address_of;
using test::SlabTest;
using test::TestMemory;

#ifndef SLABHEAP_QUARANTINE
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
#endif

// A small region, and a larger one behind it that came later: blocks of the smaller one go the longer way,
// and the order of frees is kept all the same. The class is the one with the most slots.
class TwoRegions : public SlabTest {
protected:
    TwoRegions() : SlabTest(8, 200) {
        small_ = take(0, 3 * class_slots(0));
        EXPECT_EQ(SLAB_OK, slabs_.add_region(address_of(memory_.page(8)), test::pages(200)));
        slabs_.empty_stacks();
        while (!slabs_.region(1).knows_all()) slabs_.take_slot(class_count - 1, 1);
        large_ = slabs_.take_slot(0, 1);
        EXPECT_TRUE(is_in_larger(large_)) << "all slots of the small region's slabs are live";
    }
    bool is_in_larger(uintptr_t slot) const { return slabs_.region(1).contains(slot >> page_shift); }

    std::vector<uintptr_t> small_;
    uintptr_t large_ = 0;
};

#ifndef SLABHEAP_QUARANTINE
TEST_F(TwoRegions, TheBlockFreedLastComesBackFirstWhicheverRegionHasIt) {
    for (int round = 0; round < 3; ++round) {
        for (uintptr_t slot : {small_[0], large_, small_[1], small_[2], large_}) {
            free(0, slot);
            EXPECT_EQ(slot, slabs_.take_slot(0, 1));
        }
    }
}

TEST_F(TwoRegions, AFreeOnTopOfAHiddenFrontShowsItAgain) {
    uintptr_t const second = slabs_.take_slot(0, 1);
    free(0, second);
    free(0, small_.front());
    EXPECT_EQ(small_.front(), slabs_.front(0).other);
    EXPECT_EQ(0u, slabs_.front(0).depth);
    free(0, small_.back());  // the one before goes to its pool
    free(0, large_);         // and so does this one
    EXPECT_EQ(0u, slabs_.front(0).other);
    EXPECT_EQ(in_order({large_, second}), in_order(take(0, 2)));
    EXPECT_TRUE(is_pooled(0, small_.front()));
    EXPECT_TRUE(is_pooled(0, small_.back()));
}
#endif

TEST_F(TwoRegions, CollectingFindsTheBlockOfAHiddenFront) {
    for (uintptr_t slot : small_) free(0, slot);
    free(0, large_);
    free(0, slabs_.take_slot(0, 1));
    Word const free_pages = slabs_.region(0).free_pages() + slabs_.region(1).free_pages();
    slabs_.collect();
    EXPECT_LT(free_pages, slabs_.region(0).free_pages() + slabs_.region(1).free_pages());
    EXPECT_EQ(0u, slabs_.slabs(0));
}

TEST_F(TwoRegions, NewSlabsAreMadeInTheLargerOneAsLongAsItHasPages) {
    while (slabs_.region(1).free_pages() != 0) {
        ASSERT_TRUE(is_in_larger(slabs_.take_slot(class_count - 1, 1)));
    }
    uintptr_t const slot = slabs_.take_slot(class_count - 1, 1);
    EXPECT_NE(0u, slot);
    EXPECT_FALSE(is_in_larger(slot));
}

TEST_F(TwoRegions, RoomIsUsedUpInTheLargerOneFirst) {
    slabs_.take_slot(0, 1);  // the slab stays in use
    free(0, large_);
    free(0, small_.back());
    free(0, small_.front());
    slabs_.collect();
    uintptr_t const slot = slabs_.take_slot(0, 1);
    EXPECT_TRUE(defences::random ? is_in_larger(slot) : slot == large_);
    while (!slabs_.region(1).room(0).empty() || slabs_.front(0).word != 0) {
        ASSERT_TRUE(is_in_larger(slabs_.take_slot(0, 1)));
    }
    EXPECT_EQ(small_.front(), slabs_.take_slot(0, 1)) << "room comes before a new slab";
    EXPECT_EQ(small_.back(), slabs_.take_slot(0, 1));
    EXPECT_TRUE(is_in_larger(slabs_.take_slot(0, 1)));
}

}  // namespace
}  // namespace slabheap
