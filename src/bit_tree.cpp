// SPDX-License-Identifier: MIT
#include "bit_tree.hpp"

namespace slabheap {

void BitTree::set(Word number) const {
    unsigned level = leaf_;
    for (;;) {
        Word const number_bit = bit_of(number);
        number >>= word_shift;
        Word& w = nodes_.word(level, number, column_);
        Word const before = w;
        w = before | number_bit;
        if (before != 0 || level == nodes_.root) return;
        ++level;
    }
}

bool BitTree::clear(Word number) const {
    unsigned level = leaf_;
    for (;;) {
        Word const number_bit = bit_of(number);
        number >>= word_shift;
        Word& w = nodes_.word(level, number, column_);
        w &= ~number_bit;
        if (w != 0) return false;
        if (level == nodes_.root) return true;
        ++level;
    }
}

Word BitTree::first() const {
    Word node = nodes_.first_node(nodes_.root);
    if (nodes_.word(nodes_.root, node, column_) == 0) node = nodes_.last_node(nodes_.root);
    for (unsigned level = nodes_.root;; --level) {
        node = (node << word_shift) | lowest_bit(nodes_.word(level, node, column_));
        if (level == leaf_) return node;
    }
}

Word BitTree::next(Word number) const {
    unsigned level = nodes_.root;
    if (number >> shift_to(level) >> word_shift > nodes_.last_node(level)) return none;
    for (;;) {
        Word const unit = number >> shift_to(level);
        Word const candidates = word(level, unit) & ~bits_below(digit(unit));
        if (candidates == 0) {
            // Nothing more below this node: go on behind it, from the root, since only what a set bit leads
            // to is open.
            if (unit >> word_shift >= nodes_.last_node(level)) return none;
            number = ((unit >> word_shift) + 1) << (shift_to(level) + word_shift);
            level = nodes_.root;
            continue;
        }
        Word const found = (unit & ~Word{word_bits - 1}) | lowest_bit(candidates);
        if (found != unit) number = found << shift_to(level);
        if (level == leaf_) return found;
        --level;
    }
}

Word BitTree::previous(Word number) const {
    unsigned level = nodes_.root;
    for (;;) {
        Word const unit = number >> shift_to(level);
        Word const candidates = word(level, unit) & bits_below(digit(unit) + 1);
        if (candidates == 0) {
            if (unit >> word_shift <= nodes_.first_node(level)) return none;
            number = ((unit >> word_shift) << (shift_to(level) + word_shift)) - 1;
            level = nodes_.root;
            continue;
        }
        Word const found = (unit & ~Word{word_bits - 1}) | highest_bit(candidates);
        if (found != unit) number = ((found + 1) << shift_to(level)) - 1;
        if (level == leaf_) return found;
        --level;
    }
}

}  // namespace slabheap
