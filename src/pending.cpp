// SPDX-License-Identifier: MIT
#include "pending.hpp"

namespace slabheap {

// Release: who finds the bit finds what the page's pool is. Pairs with the loads and the fetch_and of a
// taker.
void Pending::announce(unsigned level, Word unit) {
    while (atomic::fetch_or<atomic::acq_rel>(word(level, unit), bit_of(unit), among_) == 0 &&
           level != nodes_.root) {
        unit >>= word_shift;
        ++level;
    }
}

void Pending::withdraw(unsigned level, Word unit) {
    for (;;) {
        // Acquire: pairs with announce. What was announced before this is seen below.
        Word const before = atomic::fetch_and<atomic::acq_rel>(word(level, unit), ~bit_of(unit), among_);
        if (level != 0 && atomic::load<atomic::acquire>(word(level - 1, unit << word_shift)) != 0) {
            return announce(level, unit);
        }
        if ((before & ~bit_of(unit)) != 0 || level == nodes_.root) return;
        unit >>= word_shift;
        ++level;
    }
}

Word Pending::take() {
    for (;;) {
        Word node = nodes_.first_node(nodes_.root);
        unsigned level = nodes_.root;
        Word units = atomic::load<atomic::acquire>(nodes_.word(level, node, column::pending));
        if (units == 0) {
            node = nodes_.last_node(level);
            units = atomic::load<atomic::acquire>(nodes_.word(level, node, column::pending));
        }
        if (units == 0) return none;
        Word unit = (node << word_shift) | lowest_bit(units);
        while (level != 0) {
            units = atomic::load<atomic::acquire>(nodes_.word(level - 1, unit, column::pending));
            if (units == 0) break;
            --level;
            unit = (unit << word_shift) | lowest_bit(units);
        }
        // Where there is nothing below, an addition was late to tell of what was taken already.
        withdraw(level, unit);
        if (level == 0) return unit;
    }
}

}  // namespace slabheap
