// SPDX-License-Identifier: MIT
#include "bit_tree.hpp"

namespace slabheap {

// log2 of the numbers that a unit of the level stands for.
static unsigned shift_between(unsigned leaf, unsigned level) { return word_shift * (level - leaf); }

void BitTree::set(const Nodes& nodes, unsigned column, unsigned leaf, Word number) {
    unsigned level = leaf;
    for (;;) {
        Word const number_bit = bit_of(number);
        number >>= word_shift;
        Word& w = nodes.word(level, number, column);
        Word const before = w;
        w = before | number_bit;
        if (before != 0 || level == nodes.root) return;
        ++level;
    }
}

bool BitTree::clear(const Nodes& nodes, unsigned column, unsigned leaf, Word number) {
    unsigned level = leaf;
    for (;;) {
        Word const number_bit = bit_of(number);
        number >>= word_shift;
        Word& w = nodes.word(level, number, column);
        w &= ~number_bit;
        if (w != 0) return false;
        if (level == nodes.root) return true;
        ++level;
    }
}

Word BitTree::first(const Nodes& nodes, unsigned column, unsigned leaf) {
    Word node = nodes.first_node(nodes.root);
    if (nodes.word(nodes.root, node, column) == 0) node = nodes.last_node(nodes.root);
    for (unsigned level = nodes.root;; --level) {
        node = (node << word_shift) | lowest_bit(nodes.word(level, node, column));
        if (level == leaf) return node;
    }
}

Word BitTree::next(const Nodes& nodes, unsigned column, unsigned leaf, Word number) {
    unsigned level = nodes.root;
    if (number >> shift_between(leaf, level) >> word_shift > nodes.last_node(level)) return none;
    for (;;) {
        Word const unit = number >> shift_between(leaf, level);
        Word const candidates = nodes.word(level, unit >> word_shift, column) & ~bits_below(digit(unit));
        if (candidates == 0) {
            // Nothing more below this node: go on behind it, from the root, since only what a set bit leads
            // to is open.
            if (unit >> word_shift >= nodes.last_node(level)) return none;
            number = ((unit >> word_shift) + 1) << (shift_between(leaf, level) + word_shift);
            level = nodes.root;
            continue;
        }
        Word const found = (unit & ~Word{word_bits - 1}) | lowest_bit(candidates);
        if (found != unit) number = found << shift_between(leaf, level);
        if (level == leaf) return found;
        --level;
    }
}

Word BitTree::previous(const Nodes& nodes, unsigned column, unsigned leaf, Word number) {
    unsigned level = nodes.root;
    for (;;) {
        Word const unit = number >> shift_between(leaf, level);
        Word const candidates = nodes.word(level, unit >> word_shift, column) & bits_below(digit(unit) + 1);
        if (candidates == 0) {
            if (unit >> word_shift <= nodes.first_node(level)) return none;
            number = ((unit >> word_shift) << (shift_between(leaf, level) + word_shift)) - 1;
            level = nodes.root;
            continue;
        }
        Word const found = (unit & ~Word{word_bits - 1}) | highest_bit(candidates);
        if (found != unit) number = ((found + 1) << shift_between(leaf, level)) - 1;
        if (level == leaf) return found;
        --level;
    }
}

}  // namespace slabheap
