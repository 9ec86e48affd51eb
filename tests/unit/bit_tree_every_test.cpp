// SPDX-License-Identifier: MIT
//
// The bit tree in every state: all subsets of a few numbers, which lie on both sides of the borders of words,
// nodes and levels. In each state every question is asked and every change made and undone, against
// std::set; and each word of the tree is what the set makes it.
#include "bit_tree.hpp"

#include <gtest/gtest.h>

#include <iterator>
#include <ostream>
#include <set>
#include <vector>

#include "map_memory.hpp"

namespace slabheap {
namespace {

using test::end_of_pages;
using test::Mapped;

constexpr Word w = word_bits;                    // pages of a node of level 0
constexpr Word v = word_bits * w;                // of level 1
constexpr Word u = word_bits * v;                // of level 2
constexpr unsigned pages_column = column::runs;  // any column of pages

// Numbers are pages where leaf is 0; where it is L, nodes of level L - 1, each in the tree of an order.
struct Universe {
    const char* name;
    Word first_page;
    Word end_page;
    unsigned root;  // that the region must have
    unsigned leaf;
    std::vector<Word> numbers;  // ascending
};

void PrintTo(Universe const& universe, std::ostream* out) { *out << universe.name; }

Universe const universes[] = {
    {"OneWord",
     w,
     2 * w,
     1,
     0,
     {w, w + 1, w + 2, w + w / 2 - 1, w + w / 2, w + w / 2 + 1, 2 * w - 2, 2 * w - 1}},
    {"EveryPageAcrossAWord",
     w - 5,
     w + 5,
     1,
     0,
     {w - 5, w - 4, w - 3, w - 2, w - 1, w, w + 1, w + 2, w + 3, w + 4}},
    {"WordsOfOneNode",
     v,
     2 * v,
     1,
     0,
     {v, v + w - 1, v + w, v + 3 * w - 1, v + 3 * w, v + 5 * w + 7, v + v / 2, 2 * v - w - 1, 2 * v - w,
      2 * v - 1}},
    {"TwoRootNodes",
     v - 3 * w,
     v + 3 * w,
     1,
     0,
     {v - 3 * w, v - 2 * w - 1, v - 2 * w, v - 1, v, v + 1, v + w - 1, v + w, v + 2 * w, v + 3 * w - 1}},
    {"ThreeLevels",
     v - w,
     5 * v - 7,
     2,
     0,
     {v - w, v - 1, v, v + 1, 2 * v - 1, 2 * v, 3 * v + w - 1, 3 * v + w, 4 * v + 5 * w, 5 * v - 8}},
    {"ThreeLevelsTwoRootNodes",
     u - 2 * v + 3,
     u + 2 * v,
     2,
     0,
     {u - 2 * v + 3, u - v - 1, u - v, u - w, u - 1, u, u + 1, u + w, u + v, u + 2 * v - 1}},
    {"TopOfTheAddressSpace",
     end_of_pages - 3 * v,
     end_of_pages,
     2,
     0,
     {end_of_pages - 3 * v, end_of_pages - 2 * v - 1, end_of_pages - 2 * v, end_of_pages - v - 1,
      end_of_pages - v, end_of_pages - w - 1, end_of_pages - w, end_of_pages - 2, end_of_pages - 1}},
    {"SectionsOfTwoLevels",
     v - w,
     5 * v,
     2,
     1,
     {w - 1, w, w + 1, 2 * w - 1, 2 * w, 3 * w, 4 * w - 1, 4 * w, 5 * w - 2, 5 * w - 1}},
    {"SectionsOfTheRoot", v - 4 * w, v + 4 * w, 1, 1, {w - 4, w - 3, w - 2, w - 1, w, w + 1, w + 2, w + 3}},
    {"NodesOfTheRoot", u - 3 * v, u + 3 * v, 2, 2, {w - 3, w - 2, w - 1, w, w + 1, w + 2}},
};

class EveryBitTree : public ::testing::TestWithParam<Universe> {
protected:
    EveryBitTree()
        : map_(universe().first_page, universe().end_page),
          column_(leaf() == 0 ? pages_column : column::orders + (leaf() - 1) * word_shift),
          tree_(*map_, column_, leaf()) {
        for (Word number : universe().numbers) {
            if (leaf() != map_->root) map_->open(leaf(), number >> word_shift);
        }
        // What is probed: each number, its neighbours, and the ends.
        std::set<Word> probes{first(), last()};
        for (Word number : universe().numbers) {
            for (Word probe : {number - 1, number, number + 1}) {
                if (probe >= first() && probe <= last()) probes.insert(probe);
            }
        }
        probes_.assign(probes.begin(), probes.end());
        for (unsigned level = leaf(); level <= map_->root; ++level) {
            for (Word node = map_->first_node(level); node <= map_->last_node(level); ++node) {
                if (map_->is_open(level, node)) open_.push_back({level, node});
            }
        }
    }

    Universe const& universe() const { return GetParam(); }
    unsigned leaf() const { return universe().leaf; }
    // The numbers that the region has.
    Word first() const { return universe().first_page >> (word_shift * leaf()); }
    Word last() const { return (universe().end_page - 1) >> (word_shift * leaf()); }

    bool root_node_is_empty(Word number) {
        unsigned const shift = word_shift * (map_->root - leaf() + 1);
        auto const member = set_.lower_bound(number >> shift << shift);
        return member == set_.end() || *member >> shift != number >> shift;
    }

    // The word that the set makes of a node of the tree.
    Word expected_word(unsigned level, Word node) const {
        unsigned const shift = word_shift * (level - leaf());  // log2 of the numbers below a bit
        Word word = 0;
        for (Word member : set_) {
            if (member >> shift >> word_shift == node) word |= bit_of(member >> shift);
        }
        return word;
    }

    // Each open node has the set's word in the tree's column, and nothing in any other.
    bool words_are_right() {
        for (auto [level, node] : open_) {
            Word const* const words = map_->words(level, node);
            for (unsigned column = 0; column < node_words(level); ++column) {
                if (column == column::known && level != 0) continue;
                if (words[column] != (column == column_ ? expected_word(level, node) : 0)) return false;
            }
        }
        return true;
    }

    void change(Word number, bool add) {
        if (add) {
            set_.insert(number);
            tree_.set(number);
        } else {
            set_.erase(number);
            ASSERT_EQ(root_node_is_empty(number), tree_.clear(number)) << number;
        }
        ASSERT_TRUE(words_are_right()) << (add ? "set " : "clear ") << number;
    }

    void ask_everything() {
        ASSERT_EQ(set_.empty(), tree_.empty());
        if (!set_.empty()) {
            ASSERT_EQ(*set_.begin(), tree_.first());
        }
        for (Word number : universe().numbers)
            ASSERT_EQ(set_.count(number) != 0, tree_.test(number)) << number;
        for (Word probe : probes_) {
            auto const behind = set_.upper_bound(probe), next = set_.lower_bound(probe);
            ASSERT_EQ(next == set_.end() ? BitTree::none : *next, tree_.next(probe)) << probe;
            ASSERT_EQ(behind == set_.begin() ? BitTree::none : *std::prev(behind), tree_.previous(probe))
                << probe;
        }
        ASSERT_EQ(BitTree::none, tree_.next(last() + 1));
    }

    struct Node {
        unsigned level;
        Word number;
    };

    Mapped<PageMap> map_;
    unsigned column_;
    BitTree tree_;
    std::set<Word> set_;
    std::vector<Word> probes_;
    std::vector<Node> open_;
};

TEST_P(EveryBitTree, IsASetInEveryState) {
    ASSERT_EQ(universe().root, map_->root);
    unsigned const states = 1u << universe().numbers.size();
    for (unsigned state = 0;; ++state) {
        ask_everything();
        for (Word number : universe().numbers) {
            bool const member = set_.count(number) != 0;
            change(number, member);  // what changes nothing
            change(number, !member);
            change(number, member);
        }
        if (HasFatalFailure()) FAIL() << "in the state number " << state;
        if (state + 1 == states) break;
        // On to the next one in the order of Gray's code: one number changes.
        Word const number = universe().numbers[lowest_bit(state + 1)];
        change(number, set_.count(number) == 0);
    }
    EXPECT_TRUE(map_.end_is_intact());
}

INSTANTIATE_TEST_SUITE_P(BitTree, EveryBitTree, ::testing::ValuesIn(universes),
                         [](auto const& universe) { return std::string(universe.param.name); });

}  // namespace
}  // namespace slabheap
