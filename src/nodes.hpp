// SPDX-License-Identifier: MIT
//
// Nodes: the storage that all trees of one region share.
//
// A node of level 0 stands for a section of word_bits consecutive pages, a node of level L for word_bits
// nodes of level L - 1; the number of a node is its first page's number shifted right. Every level ends in
// the root level, where a region has one node, or two when it straddles a boundary. Each tree (the free
// units, the runs, the spares, the room of each class, the nodes of each buddy order) owns one word, its
// column, in every node. The columns of a node lie side by side, so an operation that follows a path touches
// one cache line or two a level.
//
// Page numbers are absolute (address / 4096), so buddy blocks are aligned in memory, and nothing is
// subtracted to find a node: the arrays are reached through biases, the addresses that node 0 would have.
#ifndef SLABHEAP_NODES_HPP
#define SLABHEAP_NODES_HPP

#include "size_class.hpp"

namespace slabheap {

constexpr unsigned page_number_bits = word_bits - page_shift;
constexpr unsigned max_levels = (page_number_bits + word_shift - 1) / word_shift;
constexpr unsigned max_orders = max_levels * word_shift;
static_assert(max_orders <= word_bits);

namespace column {
constexpr unsigned free_units = 0;  // units (pages or children) that are wholly free
constexpr unsigned entered = 1;     // not a set: 1 + the order that this node is entered under; 0: none
constexpr unsigned runs = 2;        // first pages of large blocks and reserved ranges
constexpr unsigned spares = 3;      // slabs whose slots are all available
constexpr unsigned pending = 4;     // pages that changed while nobody held the page lock (pending.hpp)
constexpr unsigned room = 5;        // + class: slabs with available slots
constexpr unsigned known = room + class_count;  // children that are open; from level 1 on
constexpr unsigned orders = known + 1;  // + order: nodes below whose largest free block has that order
}  // namespace column

// Words in a node: a node of level L indexes the orders that blocks below it can have.
constexpr unsigned node_words(unsigned level) {
    return level == 0 ? column::known : column::orders + word_shift * level;
}

struct Nodes {
    Word first_page;
    Word end_page;
    unsigned root;  // the highest level
    struct Level {
        uintptr_t bias;
        size_t node_bytes;
    } levels[max_levels];

    Word* words(unsigned level, Word node) const {
        return reinterpret_cast<Word*>(levels[level].bias + node * levels[level].node_bytes);
    }
    Word& word(unsigned level, Word node, unsigned column) const { return words(level, node)[column]; }

    // The first and the last node of a level.
    Word first_node(unsigned level) const { return first_page >> (word_shift * (level + 1)); }
    Word last_node(unsigned level) const { return (end_page - 1) >> (word_shift * (level + 1)); }
    Word node_count(unsigned level) const { return last_node(level) - first_node(level) + 1; }
};

}  // namespace slabheap

#endif
