// SPDX-License-Identifier: MIT
//
// The bit tree against std::set, for pages low, high, straddling a node, and over several levels.
#include "bit_tree.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "map_memory.hpp"

namespace slabheap {
namespace {

using test::end_of_pages;
using test::Mapped;

struct Range {
    Word first;
    Word end;
};

class BitTreeOverPages : public ::testing::TestWithParam<Range> {
protected:
    BitTreeOverPages() : map_(GetParam().first, GetParam().end) {
        for (Word node = map_->first_node(0); node <= map_->last_node(0); ++node) map_->open(0, node);
    }
    Word random_page() {
        Word const count = GetParam().end - GetParam().first;
        return GetParam().first + static_cast<Word>(random_() % count);
    }

    Mapped<PageMap> map_;
    std::mt19937_64 random_{7};
};

TEST_P(BitTreeOverPages, HoldsWhatAPlainSetHolds) {
    BitTree tree = map_->runs();
    std::set<Word> model;
    EXPECT_TRUE(tree.empty());
    for (int step = 0; step < 6000; ++step) {
        // Grow, then shrink, so that words fill and run empty on all levels.
        Word const page = random_page();
        bool const grow = random_() % 10 < (step / 500 % 2 == 0 ? 8u : 2u);
        if (grow) {
            tree.set(page);
            model.insert(page);
        } else {
            Word const victim = model.empty() || random_() % 4 == 0 ? page : *model.begin();
            model.erase(victim);
            tree.clear(victim);
        }
        ASSERT_EQ(model.empty(), tree.empty());
        ASSERT_EQ(model.count(page) != 0, tree.test(page));
        Word const probe = random_page();
        auto const next = model.lower_bound(probe);
        ASSERT_EQ(next == model.end() ? BitTree::none : *next, tree.next(probe));
        auto const behind = model.upper_bound(probe);
        ASSERT_EQ(behind == model.begin() ? BitTree::none : *std::prev(behind), tree.previous(probe));
        if (!model.empty()) {
            ASSERT_EQ(*model.begin(), tree.first());
        }
    }
    EXPECT_TRUE(map_.end_is_intact());
}

TEST_P(BitTreeOverPages, FindsTheOnlyMemberFromBothEnds) {
    Word const first = GetParam().first, last = GetParam().end - 1;
    BitTree tree = map_->runs();
    for (Word page : {first, last, first + (last - first) / 2}) {
        tree.set(page);
        EXPECT_EQ(page, tree.next(first));
        EXPECT_EQ(page, tree.previous(last));
        EXPECT_EQ(page == last ? page : BitTree::none, tree.next(last));
        EXPECT_EQ(page == first ? page : BitTree::none, tree.previous(first));
        EXPECT_EQ(BitTree::none, tree.next(page + 1));
        tree.clear(page);
        EXPECT_TRUE(tree.empty());
    }
}

TEST_P(BitTreeOverPages, TreesOfDifferentColumnsDoNotMeet) {
    BitTree runs = map_->runs(), room = map_->room(class_count - 1);
    Word const page = GetParam().first;
    runs.set(page);
    EXPECT_TRUE(room.empty());
    room.set(page + 1);
    EXPECT_FALSE(runs.test(page + 1));
    runs.clear(page);
    EXPECT_TRUE(runs.empty());
    EXPECT_TRUE(room.test(page + 1));
}

// Only what a parent tells of was ever opened; the rest of the map is garbage of every kind.
TEST(BitTree, SearchesNeverReadWhatWasNotOpened) {
    for (int garbage : {0x00, 0x80, 0xa5, 0xff}) {
        Word const node_pages = word_bits * word_bits;  // a node of level 1
        Word const first = 3 * node_pages - 40, end = first + 5 * word_bits * node_pages;
        Mapped<PageMap> map(first, end, garbage);
        ASSERT_GE(map->root, 2u);
        // Members that are not the last page of their section, in the last and the first section of a node.
        Word const low = 16 * node_pages - 3, high = 64 * node_pages + 2;
        for (Word page : {low, high}) {
            map->open(0, page / word_bits);
            map->runs().set(page);
        }
        EXPECT_EQ(low, map->runs().next(first));
        EXPECT_EQ(high, map->runs().next(low + 1));
        EXPECT_EQ(BitTree::none, map->runs().next(high + 1));
        EXPECT_EQ(high, map->runs().previous(end - 1));
        EXPECT_EQ(low, map->runs().previous(high - 1));
        EXPECT_EQ(BitTree::none, map->runs().previous(low - 1));
    }
}

INSTANTIATE_TEST_SUITE_P(Ranges, BitTreeOverPages,
                         ::testing::Values(Range{1, 9}, Range{1, 65}, Range{60, 70}, Range{100, 5000},
                                           Range{4090, 4100}, Range{1, 70000}, Range{262140, 262150},
                                           Range{end_of_pages - 9, end_of_pages},
                                           Range{end_of_pages - 5000, end_of_pages}));

}  // namespace
}  // namespace slabheap
