// SPDX-License-Identifier: MIT
//
// Size classes: the set, every size with every alignment, every slot at every offset, against the definition.
#include "size_class.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "class_set.hpp"

namespace slabheap {
namespace {

TEST(SizeClass, TheClassesAreThoseOfTheSet) {
    EXPECT_EQ(test::by_set(7, 12), class_count);
    EXPECT_TRUE(std::equal(std::begin(class_sizes), std::end(class_sizes), std::begin(test::class_sizes),
                           std::end(test::class_sizes)));
    EXPECT_TRUE(std::is_sorted(std::begin(class_sizes), std::end(class_sizes)));
    for (size_t size : class_sizes) EXPECT_EQ(0u, size % granule) << size << ": blocks start at granules";
}

TEST(SizeClass, EveryRequestGetsTheSmallestClassThatHoldsAndAlignsIt) {
    for (size_t size = 1; size <= page_size; ++size) {
        for (size_t align = 1; align <= page_size; align *= 2) {
            unsigned expected = 0;
            while (class_size(expected) < size || class_size(expected) % align != 0) ++expected;
            ASSERT_EQ(expected, class_of(size, align)) << size << " bytes aligned to " << align;
        }
    }
}

TEST(SizeClass, OnlyRequestsOfUpToAPageFitAClass) {
    EXPECT_TRUE(fits_a_class(page_size, page_size));
    EXPECT_FALSE(fits_a_class(page_size + 1, 1));
    EXPECT_FALSE(fits_a_class(1, 2 * page_size));
}

// The short way of a sized free takes any class that is not smaller than the request's for one of its own.
TEST(SizeClass, LargerClassesAlignWhatTheyAreSaidToAlign) {
    for (size_t align = 1; align <= page_size; align *= 2) {
        bool all = true;
        for (unsigned c = static_cast<unsigned>(class_of(1, align)); c < class_count; ++c) {
            all = all && class_size(c) % align == 0;
        }
        EXPECT_TRUE(all || !larger_classes_align(align)) << align;
    }
    EXPECT_TRUE(larger_classes_align(granule)) << "the usual alignments go the short way";
}

TEST(SizeClass, APageHasAsManySlotsAsFit) {
    for (unsigned c = 0; c < class_count; ++c) {
        EXPECT_LE(class_slots(c) * class_size(c), page_size);
        EXPECT_GT((class_slots(c) + 1) * class_size(c), page_size);
        EXPECT_LE(class_slots(c), max_slots);
        EXPECT_EQ(class_slots(c) * class_size(c), slot_offset(c, class_slots(c)));
    }
}

TEST(SizeClass, EveryOffsetBelongsToItsSlot) {
    for (unsigned c = 0; c < class_count; ++c) {
        for (size_t offset = 0; offset < page_size; ++offset) {
            unsigned const slot = slot_at(c, offset);
            ASSERT_EQ(offset / class_size(c), slot) << "class of " << class_size(c) << " at " << offset;
            ASSERT_EQ(offset - offset % class_size(c), slot_offset(c, slot));
            // What is left of the page behind its last slot counts as one slot more.
            ASSERT_LE(slot, class_slots(c));
        }
    }
}

}  // namespace
}  // namespace slabheap
