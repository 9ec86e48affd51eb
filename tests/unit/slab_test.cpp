// SPDX-License-Identifier: MIT
//
// Slabs and their fronts: where a slot comes from and where it goes.
#include <set>

#include "class_set.hpp"
#include "test_slabs.hpp"

namespace slabheap {
namespace {

using test::address_of;
using test::SlabTest;

class EveryClass : public SlabTest, public ::testing::WithParamInterface<unsigned> {};

TEST_P(EveryClass, SlotsAreDisjointAlignedAndFillTheirPages) {
    unsigned const c = GetParam();
    std::set<uintptr_t> seen;
    for (uintptr_t slot : take(c, 3 * class_slots(c))) {
        ASSERT_NE(0u, slot);
        EXPECT_EQ(0u, slot % test::alignment_of(class_size(c)));
        EXPECT_EQ(0u, slot % page_size % class_size(c));
        EXPECT_TRUE(seen.insert(slot).second);
    }
    EXPECT_EQ(3u, slabs_.slabs(c));
    EXPECT_EQ(3 * class_slots(c), slabs_.live(c));
}

TEST_P(EveryClass, TheSlotsOfAPageAreHandedOutInAscendingOrderOrAtRandom) {
    unsigned const c = GetParam();
    for (int page = 0; page < 3; ++page) {
        std::vector<uintptr_t> const slots = in_order(take(c, class_slots(c)));
        EXPECT_EQ(0u, slots[0] % page_size);
        for (unsigned i = 0; i < class_slots(c); ++i) EXPECT_EQ(slots[0] + i * class_size(c), slots[i]) << i;
    }
}

TEST_P(EveryClass, SoAreThoseThatWereFreed) {
    unsigned const c = GetParam();
    std::vector<uintptr_t> const slots = in_order(take(c, class_slots(c)));
    for (unsigned stride : {1u, 3u, 5u}) {
        std::vector<uintptr_t> freed;
        for (unsigned i = 1; i < class_slots(c); i += stride) freed.push_back(slots[i]);
        for (uintptr_t slot : freed) free(c, slot);
        slabs_.collect();
        EXPECT_EQ(freed, in_order(take(c, freed.size())));
    }
}

#if !defined SLABHEAP_QUARANTINE && !defined SLABHEAP_RANDOM
TEST_P(EveryClass, TheSlotFreedLastIsTakenFirst) {
    unsigned const c = GetParam();
    std::vector<uintptr_t> const slots = take(c, 8);
    for (uintptr_t slot : slots) free(c, slot);
    for (size_t i = slots.size(); i-- > 0;) EXPECT_EQ(slots[i], slabs_.take_slot(c, 1));
}

#endif

// The block below the new one; of a quarantine the oldest.
TEST_P(EveryClass, WhenTheStackIsFullABlockLeavesIt) {
    unsigned const c = GetParam();
    size_t const limit = stack_limit(c);
    std::vector<uintptr_t> const slots = take(c, limit + 5);
    for (uintptr_t slot : slots) free(c, slot);
    size_t const first = defences::quarantine == 0 ? limit - 1 : 0;
    std::vector<uintptr_t> stack;
    for (size_t i = 0; i < slots.size(); ++i) {
        bool const returned = tag::is_freed_slab(slabs_.region(0).tag(slots[i] >> page_shift));
        bool const left = i >= first && i < first + 5;
        EXPECT_EQ(left, returned || is_pooled(c, slots[i])) << i;
        if (!left) stack.insert(stack.begin(), slots[i]);
    }
    if (defences::quarantine != 0) return;
    std::vector<uintptr_t> const taken = take(c, limit);
    EXPECT_TRUE(std::is_permutation(stack.begin(), stack.end(), taken.begin()));
    EXPECT_EQ(defences::random, stack != taken);
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

TEST_P(EveryClass, ASlabWithOneLiveSlotIsNotEmptyWhicheverThatIs) {
    unsigned const c = GetParam();
    Word const before = slabs_.region(0).free_pages();
    for (unsigned live = 0; live < class_slots(c); ++live) {
        std::vector<uintptr_t> const slots = take(c, class_slots(c));
        for (unsigned i = 0; i < class_slots(c); ++i) {
            if (i != live) free(c, slots[i]);
        }
        slabs_.collect();
        ASSERT_EQ(1u, slabs_.slabs(c)) << live;
        ASSERT_EQ(class_slots(c) > 1, slabs_.with_room(c) == 1);
        free(c, slots[live]);
        slabs_.collect();
        ASSERT_EQ(0u, slabs_.slabs(c)) << live;
        ASSERT_EQ(before, slabs_.region(0).free_pages());
    }
}

// The stack is filled with slots of other pages; then each free sends the slot freed before to its pool. Of a
// quarantine those of other pages, which come later, push the slots out one by one. The words of the pool
// fill in every order that ends with another one.
TEST_P(EveryClass, ASlabIsASpareFromItsLastSlotInThePoolToTheFirstOneTaken) {
    unsigned const c = GetParam();
    unsigned const slots_here = class_slots(c);
    for (unsigned first = 0; first < slots_here; first += word_bits) {
        start();
        std::vector<uintptr_t> slots = in_order(take(c, slots_here));
        uintptr_t const lowest = slots[0];
        Word const page = slots[0] >> page_shift;
        BitTree const spares = slabs_.region(0).spares();
        std::vector<uintptr_t> const others = take(c, stack_limit(c) + 1);
        std::rotate(slots.begin(), slots.begin() + first, slots.end());
        std::vector<uintptr_t> freed(others.begin(), others.end() - 1);
        freed.insert(defences::quarantine == 0 ? freed.end() : freed.begin(), slots.begin(), slots.end());
        if (defences::quarantine == 0) freed.push_back(others.back());
        size_t const stay = freed.size() - slots_here;
        for (size_t i = 0; i + 1 < freed.size(); ++i) {
            free(c, freed[i]);
            ASSERT_EQ(i >= stay, slabs_.region(0).room(c).test(page));
            ASSERT_FALSE(spares.test(page));
        }
        Word const spares_before = slabs_.spares(c);
        free(c, freed.back());
        EXPECT_TRUE(spares.test(page));
        EXPECT_EQ(spares_before + 1, slabs_.spares(c));
        for (uintptr_t slot : slots) EXPECT_TRUE(is_pooled(c, slot));
        uintptr_t slot;
        while ((slot = slabs_.take_slot(c, 1)) >> page_shift != page) {
            ASSERT_NE(0u, slot);
            ASSERT_TRUE(spares.test(page));
        }
        EXPECT_TRUE(defences::random || slot == lowest);
        EXPECT_FALSE(spares.test(page));
    }
}

TEST_P(EveryClass, EmptySlabsBeyondTheSparesGoBackByThemselves) {
    unsigned const c = GetParam();
    std::vector<uintptr_t> const slots = take(c, 40 * class_slots(c));
    EXPECT_EQ(40u, slabs_.slabs(c));
    for (uintptr_t slot : slots) free(c, slot);
    // What stays: spares, and the slabs that the stack's blocks lie in.
    EXPECT_EQ(3u, slabs_.spare_limit());
    EXPECT_EQ(3u, slabs_.spares(c));
    EXPECT_LE(slabs_.slabs(c), 3 + stack_limit(c) / class_slots(c) + 2);
}

TEST_P(EveryClass, KnowsWhichSlotsWereEverHandedOut) {
    unsigned const c = GetParam();
    Region& region = slabs_.region(0);
    for (unsigned count = 1; count <= class_slots(c); ++count) {
        std::vector<uintptr_t> const slots = take(c, count);
        Word const page = slots[0] >> page_shift;
        std::set<unsigned> handed;
        for (uintptr_t slot : slots) handed.insert(slot_at(c, slot % page_size));
        auto expect_handed = [&](const char* when) {
            for (unsigned slot = 0; slot < class_slots(c); ++slot) {
                EXPECT_EQ(handed.count(slot) != 0, slabs_.was_handed_out(region, page, c, slot))
                    << when << ", slot " << slot;
            }
        };
        expect_handed("while the word is in the front");
        for (size_t i = 1; i < slots.size(); ++i) free(c, slots[i]);
        expect_handed("while freed slots are in the stack");
        slabs_.collect();
        expect_handed("when all free slots are in the pool");
        if (count > 1) {
            uintptr_t const again = slabs_.take_slot(c, 1);
            EXPECT_TRUE(defences::random || again == slots[1]);
            handed.insert(slot_at(c, again % page_size));
            expect_handed("when a slot was taken again");
            free(c, again);
        }
        free(c, slots[0]);
        slabs_.collect();
        EXPECT_TRUE(tag::is_freed_slab(region.tag(page)));
        expect_handed("after the slab went back to the pages");
    }
}

INSTANTIATE_TEST_SUITE_P(Classes, EveryClass, ::testing::Range(0u, class_count));

TEST_F(SlabTest, TheLowestSlabWithRoomIsUsedFirst) {
    std::vector<uintptr_t> slots = take(3, 4 * class_slots(3));
    std::sort(slots.begin(), slots.end());
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

TEST_F(SlabTest, ASpareOfOneClassIsAPageForAnother) {
    std::vector<uintptr_t> const pages = take(class_count - 1, slabs_.region(0).free_pages());
    for (uintptr_t page : pages) free(class_count - 1, page);
    EXPECT_EQ(3u, slabs_.spares(class_count - 1));
    while (slabs_.take_slot(0, 1) != 0) {
    }
    Word const slabs = slabs_.slabs(0);
    for (Word left = 3; left-- > 0;) {
        EXPECT_TRUE(slabs_.return_a_spare());
        EXPECT_EQ(left, slabs_.spares(class_count - 1));
        for (uintptr_t slot : take(0, class_slots(0))) EXPECT_NE(0u, slot);
        EXPECT_EQ(0u, slabs_.take_slot(0, 1));
    }
    EXPECT_EQ(slabs + 3, slabs_.slabs(0));
    EXPECT_FALSE(slabs_.return_a_spare());
}

TEST_F(SlabTest, APageThatIsLookedAtLateMayHaveBecomeFree) {
    uintptr_t const run = slabs_.allocate_run(3, 1);
    slabs_.free_run(slabs_.region(0), run >> page_shift);
    Word const free_pages = slabs_.region(0).free_pages();
    slabs_.make_pending(run);
    EXPECT_FALSE(slabs_.settle_pending(2));
    EXPECT_EQ(free_pages, slabs_.region(0).free_pages());
    EXPECT_EQ(tag::freed_large, slabs_.region(0).tag(run >> page_shift));
}

class SlabsOfManyPages : public SlabTest {
protected:
    SlabsOfManyPages() : SlabTest(2100) {}
    static constexpr unsigned c = class_count - 2;
};

TEST_F(SlabsOfManyPages, KeepMoreSpares) {
    std::vector<uintptr_t> const slots = take(c, 2 * 512);
    for (size_t i = 0; i < slots.size() / 2; ++i) free(c, slots[i]);
    EXPECT_EQ(slabs_.total_pages() / 64 + 1, slabs_.spare_limit());
    EXPECT_EQ(slabs_.spare_limit(), slabs_.spares(c));
}

TEST_F(SlabsOfManyPages, MayKeepASpareMoreForEach64Pages) {
    Word const first = address_of(memory_.page(1024)) >> page_shift;
    for (Word i = 0; i < 70; ++i) {
        EXPECT_EQ(slabs_.total_pages() / 64 + 1, slabs_.spare_limit());
        ASSERT_EQ(SLAB_OK, slabs_.reserve({first + i, first + i + 1}));
    }
}

TEST_F(SlabsOfManyPages, GainNoSparesBeyondALimitThatFell) {
    std::vector<uintptr_t> const slots = take(c, 2 * 512);
    for (size_t i = 0; i < slots.size() / 2; ++i) free(c, slots[i]);
    Word const limit_before = slabs_.spare_limit();
    Word const middle = address_of(memory_.page(1024)) >> page_shift;
    ASSERT_EQ(SLAB_OK, slabs_.reserve({middle, middle + 1024}));
    EXPECT_EQ(limit_before - 1024 / 64, slabs_.spare_limit());
    for (size_t i = slots.size() / 2; i < slots.size(); ++i) free(c, slots[i]);
    EXPECT_EQ(limit_before, slabs_.spares(c));
}

}  // namespace
}  // namespace slabheap
