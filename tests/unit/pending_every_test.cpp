// SPDX-License-Identifier: MIT
//
// The tree of pending pages in every state that one caller after the other can bring about: all subsets of a
// few pages on both sides of the borders of words and levels, each also with every bit above them that an
// addition may have set too late, which leads nowhere.
#include "pending.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <set>
#include <vector>

#include "map_memory.hpp"

namespace slabheap {
namespace {

using test::end_of_pages;
using test::Mapped;

constexpr Word w = word_bits, v = word_bits * w, u = word_bits * v;  // pages of a node of level 0, 1, 2

struct Universe {
    const char* name;
    PageRange region;
    unsigned root;            // that the region must have
    std::vector<Word> pages;  // ascending
};

void PrintTo(Universe const& universe, std::ostream* out) { *out << universe.name; }

Universe const universes[] = {
    {"EveryPageAcrossAWord", {w - 4, w + 4}, 1, {w - 4, w - 3, w - 2, w - 1, w, w + 1, w + 2, w + 3}},
    {"TwoRootNodes",
     {v - 2 * w, v + 2 * w},
     1,
     {v - 2 * w, v - w - 1, v - w, v - 1, v, v + w, v + 2 * w - 1}},
    {"ThreeLevels", {v - w, 5 * v}, 2, {v - w, v - 1, v, v + w, 2 * v, 5 * v - 1}},
    {"ThreeLevelsTwoRootNodes",
     {u - 2 * v, u + 2 * v},
     2,
     {u - 2 * v, u - v - 1, u - v, u - 1, u, u + 2 * v - 1}},
    {"TopOfTheAddressSpace",
     {end_of_pages - 3 * v, end_of_pages},
     2,
     {end_of_pages - 3 * v, end_of_pages - v - 1, end_of_pages - v, end_of_pages - w, end_of_pages - 1}},
};

class EveryPending : public ::testing::TestWithParam<Universe> {
protected:
    EveryPending() : map_(universe().region.first, universe().region.end) {
        std::set<Word> nodes[max_levels];
        for (Word page : universe().pages) {
            map_->open(0, page >> word_shift);
            for (unsigned level = 0; level <= map_->root; ++level)
                nodes[level].insert(page >> shift_above(level));
        }
        for (unsigned level = 0; level <= map_->root; ++level) {
            for (Word node : nodes[level]) open_.push_back({level, node});
        }
    }

    Universe const& universe() const { return GetParam(); }
    static unsigned shift_above(unsigned level) { return word_shift * (level + 1); }
    Word& word(unsigned level, Word node) { return map_->word(level, node, column::pending); }

    // Above the leaves a bit is set exactly when the word below is not 0.
    bool words_are_right(std::set<Word> const& members) {
        for (auto [level, node] : open_) {
            Word expected = 0;
            for (Word page : members) {
                if (page >> shift_above(level) == node) expected |= bit_of(page >> (word_shift * level));
            }
            if (word(level, node) != expected) return false;
        }
        return true;
    }
    std::set<Word> members(unsigned state) const {
        std::set<Word> result;
        for (size_t i = 0; i < universe().pages.size(); ++i) {
            if ((state >> i & 1) != 0) result.insert(universe().pages[i]);
        }
        return result;
    }
    unsigned states() const { return 1u << universe().pages.size(); }

    // Takes them all, and finds nothing behind them.
    void drain(Pending pending, std::set<Word> left) {
        while (!left.empty()) {
            ASSERT_EQ(*left.begin(), pending.take());
            left.erase(left.begin());
        }
        ASSERT_EQ(Region::none, pending.take());
        ASSERT_TRUE(words_are_right({}));
    }

    struct Node {
        unsigned level;
        Word number;
    };

    Mapped<PageMap> map_;
    std::vector<Node> open_;
};

TEST_P(EveryPending, GivesWhatWasAddedInAscendingOrder) {
    ASSERT_EQ(universe().root, map_->root);
    for (Among among : {Among::contexts, Among::cpus}) {
        Pending pending(*map_, among);
        for (unsigned state = 0; state < states(); ++state) {
            std::set<Word> const all = members(state);
            // Before each, in every order that matters: first, last, in the midst, a second time.
            for (Word once_more : universe().pages) {
                for (Word page : all) pending.add(page);
                ASSERT_TRUE(words_are_right(all));
                pending.add(once_more);
                std::set<Word> more = all;
                more.insert(once_more);
                ASSERT_TRUE(words_are_right(more)) << once_more;
                while (!more.empty()) {
                    ASSERT_EQ(*more.begin(), pending.take());
                    more.erase(more.begin());
                    ASSERT_TRUE(words_are_right(more));
                }
                drain(pending, more);
            }
            for (auto page = all.rbegin(); page != all.rend(); ++page) pending.add(*page);
            ASSERT_TRUE(words_are_right(all));
            drain(pending, all);
            if (HasFatalFailure()) FAIL() << "in the state number " << state;
        }
    }
}

// A taker between an addition's two steps leaves a bit that leads to no page.
TEST_P(EveryPending, PassesBitsThatLeadNowhere) {
    Pending pending(*map_, Among::cpus);
    std::vector<Node> below;  // nodes that have a bit above
    for (Node node : open_) {
        if (node.level != map_->root) below.push_back(node);
    }
    for (unsigned state = 0; state < states(); ++state) {
        std::set<Word> const all = members(state);
        for (unsigned stale = 0; stale < 1u << below.size(); ++stale) {
            for (Word page : all) pending.add(page);
            for (size_t i = 0; i < below.size(); ++i) {
                auto [level, node] = below[i];
                if ((stale >> i & 1) == 0) continue;
                for (; level != map_->root; ++level, node >>= word_shift)
                    word(level + 1, node >> word_shift) |= bit_of(node);
            }
            drain(pending, all);
            if (HasFatalFailure()) FAIL() << "in the state number " << state << ", bits " << stale;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Pending, EveryPending, ::testing::ValuesIn(universes),
                         [](auto const& universe) { return std::string(universe.param.name); });

}  // namespace
}  // namespace slabheap
