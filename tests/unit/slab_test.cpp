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
        ASSERT_NE(0u, view->live(address) & PageView::live_bit(address));
        slabs_.put_slot(size_class, address, view->live(address));
    }
    std::vector<uintptr_t> take(unsigned size_class, size_t count) {
        std::vector<uintptr_t> slots;
        for (size_t i = 0; i < count; ++i) slots.push_back(slabs_.take_slot(size_class));
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
    EXPECT_EQ(3u, slabs_.front(c).pages);
    EXPECT_EQ(3 * class_slots(c), slabs_.live(c));
}

TEST_P(EveryClass, TheSlotFreedLastIsTakenFirst) {
    unsigned const c = GetParam();
    std::vector<uintptr_t> const slots = take(c, 8);
    for (uintptr_t slot : slots) free(c, slot);
    for (size_t i = slots.size(); i-- > 0;) EXPECT_EQ(slots[i], slabs_.take_slot(c));
}

TEST_P(EveryClass, TheOldestLeavesTheRingWhenItIsFull) {
    unsigned const c = GetParam();
    std::vector<uintptr_t> const slots = take(c, ring_capacity(c) + 5);
    for (uintptr_t slot : slots) free(c, slot);
    for (unsigned i = 0; i < 5; ++i) {
        Word const pool = slabs_.region(0).slots(slots[i] >> page_shift)[0];
        bool const returned = tag::is_freed_slab(slabs_.region(0).tag(slots[i] >> page_shift));
        EXPECT_TRUE(returned || (pool & bit(slot_at(c, slots[i] % page_size) % word_bits)) != 0);
    }
    for (size_t i = slots.size(); i-- > 5;) EXPECT_EQ(slots[i], slabs_.take_slot(c));
}

TEST_P(EveryClass, CollectingReturnsEveryPageOnceAllSlotsAreFree) {
    unsigned const c = GetParam();
    Word const before = slabs_.region(0).free_pages();
    std::vector<uintptr_t> const slots = take(c, 5 * class_slots(c) - 1);
    for (uintptr_t slot : slots) free(c, slot);
    slabs_.collect();
    EXPECT_EQ(before, slabs_.region(0).free_pages());
    EXPECT_EQ(0u, slabs_.front(c).pages);
    EXPECT_EQ(0u, slabs_.front(c).spares);
    EXPECT_EQ(0u, slabs_.front(c).word);
}

TEST_P(EveryClass, CollectingKeepsWhatIsLive) {
    unsigned const c = GetParam();
    std::vector<uintptr_t> const slots = take(c, 2 * class_slots(c));
    for (size_t i = 1; i < slots.size(); ++i) free(c, slots[i]);
    slabs_.collect();
    EXPECT_EQ(1u, slabs_.front(c).pages);
    EXPECT_EQ(1u, slabs_.live(c));
    // What is left of that slab is handed out before a new page is.
    for (unsigned i = 1; i < class_slots(c); ++i)
        EXPECT_EQ(slots[0] / page_size, slabs_.take_slot(c) / page_size);
    EXPECT_EQ(1u, slabs_.front(c).pages);
}

TEST_P(EveryClass, EmptySlabsBeyondTheSparesGoBackByThemselves) {
    unsigned const c = GetParam();
    std::vector<uintptr_t> const slots = take(c, 40 * class_slots(c));
    EXPECT_EQ(40u, slabs_.front(c).pages);
    for (uintptr_t slot : slots) free(c, slot);
    // What stays: a spare, and the slabs that the ring's blocks lie in.
    EXPECT_EQ(1u, slabs_.front(c).spares);
    EXPECT_LE(slabs_.front(c).pages, 1 + ring_capacity(c) / class_slots(c) + 2);
}

TEST_P(EveryClass, ASlotAtHandNeedsNoPage) {
    unsigned const c = GetParam();
    EXPECT_EQ(0u, slabs_.take_slot_at_hand(c));
    uintptr_t const slot = slabs_.take_slot(c);
    free(c, slot);
    slabs_.collect();
    EXPECT_EQ(0u, slabs_.take_slot_at_hand(c));
    free(c, slabs_.take_slot(c));
    EXPECT_NE(0u, slabs_.take_slot_at_hand(c));
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
        expect_handed("while freed slots are in the ring");
        slabs_.collect();
        expect_handed("when all free slots are in the pool");
        if (count > 1) {
            EXPECT_EQ(slots[1], slabs_.take_slot(c));
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
    EXPECT_EQ(slots[1], slabs_.take_slot(3));
    EXPECT_EQ(slots[2 * class_slots(3)], slabs_.take_slot(3));
}

TEST_F(SlabTest, WithoutPagesThereIsNoSlot) {
    while (slabs_.take_slot(class_count - 1) != 0) {
    }
    EXPECT_EQ(0u, slabs_.region(0).free_pages());
    EXPECT_EQ(0u, slabs_.take_slot(0));
    EXPECT_EQ(0u, slabs_.live(0));
}

TEST(SlabsOfManyPages, KeepMoreSparesTheMoreSlabsThereAre) {
    TestMemory memory(test::pages(2100));
    Slabs slabs{};
    slabs.set_up();
    ASSERT_EQ(SLAB_OK, slabs.add_region(address_of(memory.start()), memory.size()));
    unsigned const c = class_count - 2;
    std::vector<uintptr_t> slots;
    for (unsigned i = 0; i < 2 * 512; ++i) slots.push_back(slabs.take_slot(c));
    for (size_t i = 0; i < slots.size() / 2; ++i) {
        slabs.put_slot(c, slots[i], slabs.view_of(slots[i])->live(slots[i]));
    }
    EXPECT_GE(slabs.front(c).spares, 4u);
    EXPECT_LE(slabs.front(c).spares, 16u);
}

}  // namespace
}  // namespace slabheap
