// SPDX-License-Identifier: MIT
#include "buddy.hpp"

namespace slabheap {

namespace {

constexpr unsigned shift_of(unsigned level) { return word_shift * level; }  // log2 of a unit's pages

// The order of the largest block in a word of units of this level.
constexpr unsigned order_in(unsigned level, Word word) { return shift_of(level) + largest_run_order(word); }

}  // namespace

void Buddy::set_up(Word first, Word end, size_t header_bytes) {
    PageMap::set_up(first, end, header_bytes);
    orders_ = 0;
    free_pages_ = 0;
}

void Buddy::enter(unsigned order, Word node) {
    orders_ |= bit(order);
    if (order < shift_of(root)) order_tree(order).set(node);
}

void Buddy::leave(unsigned order, Word node) {
    if (order < shift_of(root)) {
        BitTree const tree = order_tree(order);
        if (tree.clear(node) && tree.empty()) orders_ &= ~bit(order);
    } else if (word(root, first_node(root), column::entered) != order + 1 &&
               word(root, last_node(root), column::entered) != order + 1) {
        orders_ &= ~bit(order);
    }
}

// Moves a node of the level from the tree of one order to that of another. Their columns lie side by side in
// the nodes above, so that mostly one node is touched.
inline void Buddy::move(unsigned level, Word node, unsigned from, unsigned to) {
    if (level == root) {
        leave(from, node);
        return enter(to, node);
    }
    Word* const orders = words(level + 1, node >> word_shift) + column::orders;
    orders[from] &= ~bit_of(node);
    if (orders[from] == 0) leave(from, node);
    if (orders[to] == 0) return enter(to, node);
    orders[to] |= bit_of(node);
}

void Buddy::store(unsigned level, Word node, Word units) {
    Word* const columns = words(level, node);
    Word const before = columns[column::entered];
    Word const now = units == 0 ? 0 : 1 + order_in(level, units);
    columns[column::free_units] = units;
    if (before == now) return;
    columns[column::entered] = now;
    unsigned const from = static_cast<unsigned>(before) - 1, to = static_cast<unsigned>(now) - 1;
    if (before != 0 && now != 0) return move(level, node, from, to);
    if (before != 0) leave(from, node);
    if (now != 0) enter(to, node);
}

inline bool Buddy::fill(unsigned level, Word node, Word units) {
    Word const now = word(level, node, column::free_units) | units;
    bool const full = now == all_ones && level != root;
    store(level, node, full ? 0 : now);
    return full;
}

void Buddy::merge(unsigned level, Word node, Word units) {
    while (fill(level, node, units)) {
        units = bit_of(node);
        node >>= word_shift;
        ++level;
    }
}

void Buddy::open_edges(PageRange pages) {
    open(0, pages.first >> word_shift);
    open(0, (pages.end - 1) >> word_shift);
}

void Buddy::give(PageRange pages) {
    free_pages_ += pages.count();
    // The units of the level that are to be given: first ... last. Words that they cover wholly need no
    // visit: they are units of the next level. A word at either edge is filled up, and is one when that makes
    // it full.
    Word first = pages.first;
    Word last = pages.end - 1;
    for (unsigned level = 0;; ++level) {
        Word const left = first >> word_shift;
        Word const right = last >> word_shift;
        Word const from_first = ~bits_below(digit(first));
        Word const to_last = all_ones >> (word_bits - 1 - digit(last));
        bool const at_root = level == root;
        if (left == right) {
            Word const units = from_first & to_last;
            bool const whole = units == all_ones && !at_root;
            return whole ? merge(level + 1, left >> word_shift, bit_of(left)) : merge(level, left, units);
        }
        bool const left_full = (from_first == all_ones && !at_root) || fill(level, left, from_first);
        bool const right_full = (to_last == all_ones && !at_root) || fill(level, right, to_last);
        first = left + !left_full;
        last = right - !right_full;
        if (at_root || first > last) return;
    }
}

// The free unit that has the page, which is free.
Buddy::Place Buddy::unit_of(Word page) const {
    unsigned level = root;
    while ((word(level, page >> shift_of(level + 1), column::free_units) & bit_of(page >> shift_of(level))) ==
           0) {
        --level;
    }
    return {level, page >> shift_of(level)};
}

void Buddy::take(PageRange pages) {
    free_pages_ -= pages.count();
    while (pages.first < pages.end) {
        Place at = unit_of(pages.first);
        Word units = word(at.level, at.unit >> word_shift, column::free_units);
        // Split the unit while the pages are no whole unit from its start on; what is split off counts as all
        // ones.
        while ((pages.first & bits_below(shift_of(at.level))) != 0 ||
               pages.count() >> shift_of(at.level) == 0) {
            store(at.level, at.unit >> word_shift, units & ~bit_of(at.unit));
            --at.level;
            at.unit = pages.first >> shift_of(at.level);
            open_below(at.level, at.unit >> word_shift);
            units = all_ones;
        }
        Word const last = at.unit + (pages.count() >> shift_of(at.level)) - 1;
        Word const last_here = last < (at.unit | (word_bits - 1)) ? last : at.unit | (word_bits - 1);
        store(at.level, at.unit >> word_shift, units & ~bits_between(digit(at.unit), digit(last_here)));
        pages.first = (last_here + 1) << shift_of(at.level);
    }
}

// The node of the level that has the block which orders_ tells of.
inline Word Buddy::node_with(unsigned order, unsigned level) const {
    if (level < root) return order_tree(order).first();
    return word(root, first_node(root), column::entered) == order + 1 ? first_node(root) : last_node(root);
}

Word Buddy::allocate(Word count, unsigned order) {
    Word const orders = orders_ >> order;
    if (orders == 0) return none;
    unsigned const found = order + lowest_bit(orders);
    unsigned const level = found / word_shift < root ? found / word_shift : root;
    Word const node = node_with(found, level);
    Word const units = word(level, node, column::free_units);
    unsigned const first = best_run(units, order > shift_of(level) ? order - shift_of(level) : 0);
    Word const page = ((node << word_shift) | first) << shift_of(level);
    Word const last = page + count - 1;
    free_pages_ -= count;
    // Cut the units that the pages reach into out of the word; what they leave of the last one is free again.
    store(level, node, units & ~bits_between(first, digit(last >> shift_of(level))));
    split(level, last + 1);
    return page;
}

// Frees the pages from `end` to the end of the unit of the level that it lies in: at each level below, the
// upper part of a word that counted as all ones. Its largest block is the largest that fits between there and
// the end, because that is aligned.
void Buddy::split(unsigned level, Word end) {
    for (unsigned shift = shift_of(level); (end & (bit(shift) - 1)) != 0; --level) {
        Word const unit = end >> shift;
        Word* const above = words(level, unit >> word_shift);
        if ((above[column::known] & bit_of(unit)) == 0) open_below(level - 1, unit);
        shift -= word_shift;
        unsigned const used = digit((end - 1) >> shift) + 1;
        if (used == word_bits) continue;  // the word below stays 0, as it was for the whole unit
        Word* const columns = words(level - 1, unit);
        unsigned const order = shift + highest_bit(word_bits - used);
        columns[column::free_units] = all_ones << used;
        columns[column::entered] = order + 1;
        orders_ |= bit(order);
        Word& nodes = above[column::orders + order];
        Word const before = nodes;
        nodes = before | bit_of(unit);
        if (before == 0 && level != root) {
            BitTree(*this, column::orders + order, level + 1).set(unit >> word_shift);
        }
    }
}

Buddy::Extent Buddy::extent(Word page) const {
    for (unsigned level = root;; --level) {
        Word const unit = page >> shift_of(level);
        Word const units = word(level, unit >> word_shift, column::free_units);
        Word const from_here = units >> digit(unit);
        if ((from_here & 1) != 0 || level == 0 || !is_open(level - 1, unit)) {
            bool const free = (from_here & 1) != 0;
            // Units of a higher level that are not free may be so in part: only a free run may be skipped as
            // one.
            Word const others = free ? ~from_here : from_here;
            Word run = level != 0 && !free ? 1 : others == 0 ? word_bits : lowest_bit(others);
            if (run > word_bits - digit(unit)) run = word_bits - digit(unit);
            Word const end = (unit + run) << shift_of(level);
            return {end < end_page ? end : end_page, free};
        }
    }
}

bool Buddy::is_free(PageRange pages) const {
    while (pages.first < pages.end) {
        Extent const piece = extent(pages.first);
        if (!piece.free) return false;
        pages.first = piece.end;
    }
    return true;
}

Word Buddy::search(Word count, Word align, Word& from, unsigned most) const {
    Word start = from;
    for (Word page = from; page < end_page;) {
        Extent const piece = extent(page);
        page = piece.end;
        most -= most != 0;
        if (!piece.free) {
            start = page;
            if (most != 0) continue;
            break;
        }
        Word const aligned = (start + align - 1) & ~(align - 1);
        if (aligned < page && page - aligned >= count) return aligned;
        if (page >= end_page) start = page;
    }
    from = start;
    return none;
}

}  // namespace slabheap
