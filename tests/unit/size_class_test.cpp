// SPDX-License-Identifier: MIT
//
// Size classes: every size with every alignment, against the definition.
#include "size_class.hpp"

#include <gtest/gtest.h>

namespace slabheap {
namespace {

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

TEST(SizeClass, SlotsTileThePage) {
    for (unsigned c = 0; c < class_count; ++c) {
        EXPECT_EQ(page_size, class_slots(c) * class_size(c));
        for (size_t offset = 0; offset < page_size; ++offset) {
            unsigned const slot = slot_at(c, offset);
            ASSERT_LT(slot, class_slots(c));
            ASSERT_LE(slot_offset(c, slot), offset);
            ASSERT_LT(offset, slot_offset(c, slot) + class_size(c));
        }
    }
}

TEST(SizeClass, TheClassesAreTheSeedsSeven) {
    size_t const sizes[] = {64, 128, 256, 512, 1024, 2048, 4096};
    ASSERT_EQ(7u, class_count);
    for (unsigned c = 0; c < class_count; ++c) EXPECT_EQ(sizes[c], class_size(c));
}

}  // namespace
}  // namespace slabheap
