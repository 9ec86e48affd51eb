// SPDX-License-Identifier: MIT
//
// What the audit relies on first: has_geometry notices when any number of a page map's header is off by one.
#include "page_map.hpp"

#include <gtest/gtest.h>

#include <set>

#include "map_memory.hpp"

namespace slabheap {
namespace {

using test::Mapped;

constexpr Word first = 1000, end = 20000;

class PageMapHeader : public ::testing::Test {
protected:
    PageMapHeader() { EXPECT_TRUE(is_right()); }

    bool is_right() { return map_->has_geometry(first, end, sizeof(PageMap)); }
    Word* words() { return reinterpret_cast<Word*>(&*map_); }
    size_t index_of(const void* field) const {
        return static_cast<size_t>(static_cast<const Word*>(field) - reinterpret_cast<const Word*>(&*map_));
    }

    mutable Mapped<PageMap> map_{first, end};
};

TEST_F(PageMapHeader, NoNumberMayBeOffByOne) {
    for (int opened = 0; opened < 3; ++opened) {
        for (size_t i = 0; i < sizeof(PageMap) / sizeof(Word); ++i) {
            // Levels above the root, and what pads it, mean nothing.
            const size_t levels = index_of(&map_->levels[map_->root + 1]);
            if (i >= levels && i < index_of(&map_->levels[max_levels])) continue;
            for (Word change : {Word{1}, ~Word{0}}) {
                if (&words()[i] == reinterpret_cast<Word*>(&map_->root)) {
                    map_->root += static_cast<unsigned>(change);
                    EXPECT_FALSE(is_right()) << "the root's level";
                    map_->root -= static_cast<unsigned>(change);
                    continue;
                }
                words()[i] += change;
                EXPECT_FALSE(is_right()) << "word " << i << ", after " << opened;
                words()[i] -= change;
            }
        }
        EXPECT_TRUE(is_right());
        map_->open_next();
    }
}

// The last two numbers are the end of the known part and, in the view, the marks up to it.
TEST_F(PageMapHeader, TheKnownPartLiesInTheRegionAndIsOpen) {
    Word& known_end = words()[sizeof(PageMap) / sizeof(Word) - 1];
    Word& known_marks = const_cast<Word&>(map_->view().known_marks);
    const auto claim = [&](Word page) {
        known_end = page;
        known_marks = (page - first) << (page_shift - mark_shift);
        return is_right();
    };
    ASSERT_EQ(first, known_end);
    EXPECT_FALSE(claim(first - 1));
    EXPECT_FALSE(claim(first + 1));
    EXPECT_FALSE(claim(first + 200));
    EXPECT_TRUE(claim(first));
    while (!map_->knows_all()) map_->open_next();
    EXPECT_TRUE(claim(end));
    EXPECT_FALSE(claim(end + 1));
    EXPECT_TRUE(claim(first));
    map_->word(1, first >> word_shift >> word_shift, column::known) &= ~bit_of((first >> word_shift) + 2);
    EXPECT_FALSE(claim(first + 3 * word_bits));
    EXPECT_TRUE(claim((first | (word_bits - 1)) + 1));
}

}  // namespace
}  // namespace slabheap
