// SPDX-License-Identifier: MIT
//
// BitTree: a set of numbers as a radix tree of bit words (word_bits children a node), the structure that
// van Emde Boas trees become when the radix is the machine's word. Membership is a bit of a leaf word; a bit
// above says that the word below is not zero. Setting and clearing stop at the first level that does not
// change; searches follow one path down, one count of trailing (or leading) zeros a level.
//
// Invariant: a bit above the leaves is set exactly when its child's word is not zero. A child is read only
// when its bit is set, so words that were never opened are never read.
//
// The tree is one column of a region's Nodes. A tree of pages has its leaves at level 0; a tree of nodes of
// level L, at level L + 1.
#ifndef SLABHEAP_BIT_TREE_HPP
#define SLABHEAP_BIT_TREE_HPP

#include "nodes.hpp"

namespace slabheap {

class BitTree {
public:
    static constexpr Word none = all_ones;

    BitTree(const Nodes& nodes, unsigned column, unsigned leaf_level)
        : nodes_(nodes), column_(column), leaf_(leaf_level) {}

    // Is the number in the set? Its leaf must be open.
    bool test(Word number) const { return (word(leaf_, number) & bit_of(number)) != 0; }

    // Adds a number; its leaf must be open.
    void set(Word number) const { set(nodes_, column_, leaf_, number); }

    // Removes a number, if it is there. Returns true when that left its root node empty.
    bool clear(Word number) const { return clear(nodes_, column_, leaf_, number); }

    bool empty() const {
        return nodes_.word(nodes_.root, nodes_.first_node(nodes_.root), column_) == 0 &&
               nodes_.word(nodes_.root, nodes_.last_node(nodes_.root), column_) == 0;
    }

    // The smallest member that is at least `number`, or none.
    Word next(Word number) const { return next(nodes_, column_, leaf_, number); }

    // The largest member that is at most `number`, which the region has, or none.
    Word previous(Word number) const { return previous(nodes_, column_, leaf_, number); }

    // The smallest member; the set must not be empty.
    Word first() const { return first(nodes_, column_, leaf_); }

private:
    // What runs takes the tree apart, so that a tree is never more than three registers.
    static void set(const Nodes& nodes, unsigned column, unsigned leaf, Word number);
    static bool clear(const Nodes& nodes, unsigned column, unsigned leaf, Word number);
    static Word first(const Nodes& nodes, unsigned column, unsigned leaf);
    [[gnu::cold]] static Word next(const Nodes& nodes, unsigned column, unsigned leaf, Word number);
    [[gnu::cold]] static Word previous(const Nodes& nodes, unsigned column, unsigned leaf, Word number);

    Word& word(unsigned level, Word unit) const { return nodes_.word(level, unit >> word_shift, column_); }

    const Nodes& nodes_;
    unsigned column_;
    unsigned leaf_;
};

}  // namespace slabheap

#endif
