// SPDX-License-Identifier: MIT
//
// The page map: its size, its laziness, and its arithmetic at the edges of the address space.
#include "page_map.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "class_set.hpp"
#include "map_memory.hpp"

namespace slabheap {
namespace {

using test::end_of_pages;
using test::Mapped;

TEST(PageMap, TakesAtMostTwoPercentFromOneMebibyteOnOrFourWithTheFineClasses) {
    for (Word pages = 256; pages <= end_of_pages / 2; pages *= 2) {
        for (Word first : {Word{1}, Word{63}, Word{4095}}) {
            size_t const bytes = PageMap::bytes_needed(first, first + pages, 512);
            EXPECT_LE((bytes + page_size - 1) / page_size,
                      (test::most_map_bytes(pages << page_shift) + page_size - 1) / page_size)
                << pages << " pages from " << first;
        }
    }
}

TEST(PageMap, TheSmallestHeapsMapFitsIntoOnePageWhereverItLies) {
    for (Word first = 1; first < 5000; ++first) {
        ASSERT_LE(PageMap::bytes_needed(first, first + 8, 512), page_size);
    }
}

TEST(PageMap, NothingIsKnownOfGarbageUntilItIsOpened) {
    Mapped<PageMap> map(1000, 9000, 0xff);
    for (Word page = 1000; page < 9000; ++page) ASSERT_FALSE(map->knows_page(page));
    EXPECT_FALSE(map->view().knows(uintptr_t{1000} << page_shift));
    EXPECT_FALSE(map->knows_page(999));
    EXPECT_FALSE(map->knows_page(9000));
}

TEST(PageMap, OpeningASectionClearsItsTagsMarksAndTreesAndNoOthers) {
    Mapped<PageMap> map(1000, 9000, 0x3c);
    Word const section = 5000 / word_bits;
    map->open(0, section);
    for (Word page = 1000; page < 9000; ++page) {
        ASSERT_EQ(page / word_bits == section, map->knows_page(page));
    }
    for (Word page = section * word_bits; page < (section + 1) * word_bits; ++page) {
        ASSERT_EQ(tag::none, map->tag(page));
        ASSERT_FALSE(map->runs().test(page));
        for (unsigned i = 0; i < live_marks; ++i) ASSERT_EQ(0u, map->live(page)[i]);
    }
    EXPECT_EQ(0x3c, map->live(section * word_bits - 1)[live_marks - 1]);
    EXPECT_EQ(0x3c, map->live((section + 1) * word_bits)[0]);
    EXPECT_TRUE(map->runs().empty());
    EXPECT_TRUE(map.end_is_intact(0x3c));
}

TEST(PageMap, TheKnownPartGrowsASectionAtATimeUpToTheEnd) {
    Mapped<PageMap> map(1000, 9000);
    map->open(0, 5000 / word_bits);  // what is open already is kept
    map->tag(5000) = tag::large;
    for (Word section = 1000 / word_bits; section <= 8999 / word_bits; ++section) {
        map->open_next();
        Word const end = (section + 1) * word_bits < 9000 ? (section + 1) * word_bits : 9000;
        ASSERT_EQ((end - 1000) * live_marks, map->view().known_marks);
        ASSERT_TRUE(map->knows_page(end - 1));
    }
    map->open_next();
    EXPECT_TRUE(map->view().knows((uintptr_t{9000} << page_shift) - 1));
    EXPECT_FALSE(map->view().knows(uintptr_t{9000} << page_shift));
    EXPECT_FALSE(map->view().knows((uintptr_t{1000} << page_shift) - 1));
    EXPECT_EQ(tag::large, map->tag(5000));
}

TEST(PageMap, OpeningTwiceKeepsWhatIsThere) {
    Mapped<PageMap> map(64, 640);
    map->open(0, 64 / word_bits);
    map->tag(64) = tag::large;
    map->runs().set(64);
    map->open(0, 64 / word_bits);
    EXPECT_EQ(tag::large, map->tag(64));
    EXPECT_TRUE(map->runs().test(64));
}

TEST(PageMap, EachPageHasItsOwnBytes) {
    Mapped<PageMap> map(100, 400);
    for (Word section = map->first_node(0); section <= map->last_node(0); ++section) map->open(0, section);
    for (Word page = 100; page < 400; ++page) {
        unsigned char const mark = static_cast<unsigned char>(page);
        map->tag(page) = mark;
        std::memset(map->live(page), mark, live_marks);
        std::memset(map->slots(page), mark, slot_words * sizeof(Word));
        std::memset(map->handed(page), mark, handed_bytes);
    }
    for (Word page = 100; page < 400; ++page) {
        Word const mark = (all_ones / 255) * (page & 255);
        ASSERT_EQ(page & 255, map->tag(page));
        ASSERT_EQ(page & 255, static_cast<uint8_t>(map->handed(page)[slot_words - 1]));
        for (unsigned i = 0; i < live_marks; ++i) ASSERT_EQ(page & 255, map->live(page)[i]);
        for (unsigned w = 0; w < slot_words; ++w) ASSERT_EQ(mark, map->slots(page)[w]);
    }
    EXPECT_TRUE(map.end_is_intact());
}

TEST(PageMap, ALiveMarkStandsForASmallestSlot) {
    Mapped<PageMap> map(100, 110);
    PageView const& view = map->view();
    uintptr_t const start = uintptr_t{100} << page_shift;
    for (uintptr_t offset = 0; offset < 2 * page_size; offset += mark_unit) {
        uintptr_t const index = offset / mark_unit;
        EXPECT_EQ(map->live(100) + index, &view.live(start + offset));
        EXPECT_EQ(index, view.mark_at(start + offset));
        EXPECT_EQ(&view.live(start + offset), view.live_start + index);
        for (uintptr_t inner = 1; inner < mark_unit; ++inner) {
            EXPECT_GT(view.mark_at(start + offset + inner), all_ones / mark_unit) << "none starts there";
        }
    }
}

TEST(PageMap, DescribesTheVeryTopOfTheAddressSpace) {
    Mapped<PageMap> map(end_of_pages - 100, end_of_pages);
    map->open(0, map->last_node(0));
    EXPECT_TRUE(map->knows_page(end_of_pages - 1));
    EXPECT_FALSE(map->knows_page(end_of_pages));
    while (map->view().known_marks != 100 * live_marks) map->open_next();
    EXPECT_EQ(100 * live_marks, map->view().known_marks);
    EXPECT_TRUE(map->view().knows(all_ones));
    EXPECT_FALSE(map->view().knows(0));
    EXPECT_TRUE(map.end_is_intact());
}

TEST(PageMap, TellsAHeaderThatDoesNotFit) {
    Mapped<PageMap> map(100, 5000);
    EXPECT_TRUE(map->has_geometry(100, 5000, sizeof(PageMap)));
    EXPECT_FALSE(map->has_geometry(100, 5001, sizeof(PageMap)));
    map->levels[1].bias += sizeof(Word);
    EXPECT_FALSE(map->has_geometry(100, 5000, sizeof(PageMap)));
}

TEST(PageMap, KnowsItsFirstAndItsLastPageAndNeitherBefore) {
    Mapped<PageMap> map(1000, 9000);
    map->open(0, 1000 / word_bits);
    map->open(0, 8999 / word_bits);
    EXPECT_FALSE(map->knows_page(999));
    EXPECT_TRUE(map->knows_page(1000));
    EXPECT_TRUE(map->knows_page(8999));
    EXPECT_FALSE(map->knows_page(9000));
}

TEST(PageMap, HasNoMoreLevelsThanItsPagesNeed) {
    constexpr Word v = word_bits * word_bits;
    EXPECT_EQ(1u, Mapped<PageMap>(v, 3 * v)->root) << "two nodes";
    EXPECT_EQ(2u, Mapped<PageMap>(v, 3 * v + 1)->root) << "three";
    EXPECT_EQ(2u, Mapped<PageMap>(v - 1, 2 * v + 1)->root);
    EXPECT_EQ(1u, Mapped<PageMap>(v - 1, 2 * v)->root);
}

TEST(PageMap, ASectionThatIsOpenedLeavesItsNeighboursTagsAlone) {
    Mapped<PageMap> map(word_bits, 9 * word_bits);
    map->open(0, 4);
    map->open(0, 6);
    for (Word page : {5 * word_bits - 1, 6 * word_bits}) map->tag(page) = tag::large;
    map->open(0, 5);
    map->open(0, 8);
    EXPECT_EQ(tag::large, map->tag(5 * word_bits - 1));
    EXPECT_EQ(tag::large, map->tag(6 * word_bits));
    EXPECT_EQ(0xa5, static_cast<uint8_t>(map->handed(word_bits)[0])) << "what lies behind the tags";
}

TEST(PageMap, OpensANodeOfAnyLevelAndThoseAboveIt) {
    constexpr Word v = word_bits * word_bits;
    Mapped<PageMap> map(v, 5 * v);
    ASSERT_EQ(2u, map->root);
    map->open(1, 3);
    for (Word node = 1; node < 5; ++node) EXPECT_EQ(node == 3, map->is_open(1, node));
    EXPECT_FALSE(map->is_open(0, 3 * word_bits));
}

}  // namespace
}  // namespace slabheap
