// SPDX-License-Identifier: MIT
//
// Slabs and their fronts: where a slot comes from and where it goes.
#include "slab.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "class_set.hpp"

namespace slabheap {
namespace {

using test::address_of;
using test::TestMemory;

class SlabTest : public ::testing::Test {
protected:
    // The heap's pages, and more that it does not have yet.
    explicit SlabTest(size_t pages = 140, size_t more = 0)
        : pages_(pages), memory_(test::pages(pages + more)) {
        start();
    }
    // Empty, and the whole map known: until that is so, it grows with each call for pages.
    void start() {
        slabs_ = {};
        slabs_.set_up();
        EXPECT_EQ(SLAB_OK, slabs_.add_region(address_of(memory_.start()), test::pages(pages_)));
        Region& region = slabs_.region(0);
        while (!region.knows_all()) slabs_.free_run(region, slabs_.allocate_run(1, 1) >> page_shift);
    }
    // Frees a slot that must be live.
    void free(unsigned size_class, uintptr_t address) {
        PageView const* const view = slabs_.view_of(address);
        ASSERT_NE(nullptr, view);
        ASSERT_EQ(1, view->live(address));
        slabs_.put_slot(size_class, address);
    }
    std::vector<uintptr_t> take(unsigned size_class, size_t count) {
        std::vector<uintptr_t> slots;
        for (size_t i = 0; i < count; ++i) slots.push_back(slabs_.take_slot(size_class, 1));
        return slots;
    }

    // Is the slot in the pool of its slab?
    bool is_pooled(unsigned size_class, uintptr_t address) const {
        unsigned const slot = slot_at(size_class, address % page_size);
        Word const pool = slabs_.region_of(address)->slots(address >> page_shift)[slot / word_bits];
        return (pool & bit_of(slot)) != 0;
    }

    size_t pages_;
    TestMemory memory_;
    Slabs slabs_{};
};

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

TEST_P(EveryClass, TheSlotsOfAPageAreHandedOutInAscendingOrder) {
    unsigned const c = GetParam();
    for (int page = 0; page < 3; ++page) {
        std::vector<uintptr_t> const slots = take(c, class_slots(c));
        EXPECT_EQ(0u, slots[0] % page_size);
        for (unsigned i = 0; i < class_slots(c); ++i) EXPECT_EQ(slots[0] + i * class_size(c), slots[i]) << i;
    }
}

TEST_P(EveryClass, SoAreThoseThatWereFreed) {
    unsigned const c = GetParam();
    std::vector<uintptr_t> const slots = take(c, class_slots(c));
    for (unsigned stride : {1u, 3u, 5u}) {
        for (unsigned i = 1; i < class_slots(c); i += stride) free(c, slots[i]);
        slabs_.collect();
        for (unsigned i = 1; i < class_slots(c); i += stride) EXPECT_EQ(slots[i], slabs_.take_slot(c, 1));
    }
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
        bool const returned = tag::is_freed_slab(slabs_.region(0).tag(slots[i] >> page_shift));
        EXPECT_TRUE(returned || is_pooled(c, slots[i]));
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

// The stack is filled with slots of other pages; then each free sends the slot freed before to its pool. The
// words of the pool fill in every order that ends with another one.
TEST_P(EveryClass, ASlabIsASpareFromItsLastSlotInThePoolToTheFirstOneTaken) {
    unsigned const c = GetParam();
    unsigned const slots_here = class_slots(c);
    for (unsigned first = 0; first < slots_here; first += word_bits) {
        start();
        std::vector<uintptr_t> const slots = take(c, slots_here);
        Word const page = slots[0] >> page_shift;
        BitTree const spares = slabs_.region(0).spares();
        std::vector<uintptr_t> const others = take(c, stack_limit(c) + 1);
        for (size_t i = 0; i + 1 < others.size(); ++i) free(c, others[i]);
        for (unsigned i = 0; i < slots_here; ++i) {
            free(c, slots[(first + i) % slots_here]);
            ASSERT_EQ(i != 0, slabs_.region(0).room(c).test(page));
            ASSERT_FALSE(spares.test(page));
        }
        Word const spares_before = slabs_.spares(c);
        free(c, others.back());
        EXPECT_TRUE(spares.test(page));
        EXPECT_EQ(spares_before + 1, slabs_.spares(c));
        for (uintptr_t slot : slots) EXPECT_TRUE(is_pooled(c, slot));
        for (uintptr_t slot; (slot = slabs_.take_slot(c, 1)) != slots[0];) {
            ASSERT_NE(0u, slot);
            ASSERT_TRUE(spares.test(page));
        }
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
    EXPECT_EQ(large_, slabs_.take_slot(0, 1));
    EXPECT_EQ(second, slabs_.take_slot(0, 1));
    EXPECT_TRUE(is_pooled(0, small_.front()));
    EXPECT_TRUE(is_pooled(0, small_.back()));
}

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
    EXPECT_EQ(large_, slabs_.take_slot(0, 1));
    while (!slabs_.region(1).room(0).empty() || slabs_.front(0).word != 0) {
        ASSERT_TRUE(is_in_larger(slabs_.take_slot(0, 1)));
    }
    EXPECT_EQ(small_.front(), slabs_.take_slot(0, 1)) << "room comes before a new slab";
    EXPECT_EQ(small_.back(), slabs_.take_slot(0, 1));
    EXPECT_TRUE(is_in_larger(slabs_.take_slot(0, 1)));
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
