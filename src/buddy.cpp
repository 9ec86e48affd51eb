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

// Does a node's largest block have this order?
bool Buddy::has_block_of(unsigned order) const {
    if (order < shift_of(root)) return !order_tree(order).empty();
    return word(root, first_node(root), column::entered) == order + 1 ||
           word(root, last_node(root), column::entered) == order + 1;
}

void Buddy::store(unsigned level, Word node, Word units) {
    Word* const columns = words(level, node);
    Word const before = columns[column::entered];
    Word const now = units == 0 ? 0 : 1 + order_in(level, units);
    columns[column::free_units] = units;
    if (before == now) return;
    columns[column::entered] = now;
    reenter(level, node, before, now);
}

// Moves a node from the tree of one order to that of another. Their columns lie in the same nodes, so one
// climb changes both.
void Buddy::reenter(unsigned level, Word node, Word before, Word now) {
    bool leaving = before != 0, entering = now != 0;
    while (level != root && (leaving || entering)) {
        Word const node_bit = bit_of(node);
        node >>= word_shift;
        Word* const orders = words(++level, node) + column::orders - 1;
        if (leaving) leaving = (orders[before] &= ~node_bit) == 0;
        if (entering) {
            entering = orders[now] == 0;
            orders[now] |= node_bit;
        }
    }
    if (leaving && !has_block_of(static_cast<unsigned>(before - 1))) orders_ &= ~(Word{1} << (before - 1));
    if (now != 0) orders_ |= Word{1} << (now - 1);
}

bool Buddy::fill(unsigned level, Word node, Word units) {
    Word const now = word(level, node, column::free_units) | units;
    bool const full = now == all_ones && level != root;
    store(level, node, full ? 0 : now);
    return full;
}

void Buddy::give_page(Word page) {
    ++free_pages_;
    for (unsigned level = 0; fill(level, page >> word_shift, bit_of(page)); ++level) page >>= word_shift;
}

void Buddy::open_edges(PageRange pages) {
    open(0, pages.first >> word_shift);
    open(0, (pages.end - 1) >> word_shift);
}

void Buddy::give(PageRange pages) {
    free_pages_ += pages.count();
    // The units of the level that are to be given: first ... end - 1. Words that they cover wholly need no
    // visit: they are units of the next level. A word at either edge is filled up, and is one when that makes
    // it full.
    Word first = pages.first;
    Word end = pages.end;
    for (unsigned level = 0; first < end; ++level) {
        Word const left = first >> word_shift;
        Word const right = (end - 1) >> word_shift;
        bool const at_root = level == root;
        bool const left_whole = digit(first) == 0 && !at_root;
        bool const right_whole = digit(end) == 0 && !at_root;
        Word next_first = left, next_end = right + 1;
        if (left == right && !(left_whole && right_whole)) {
            if (!fill(level, left, bits_between(digit(first), digit(end - 1)))) ++next_first;
        } else {
            if (!left_whole && !fill(level, left, ~bits_below(digit(first)))) ++next_first;
            if (!right_whole && !fill(level, right, bits_below(digit(end - 1) + 1))) --next_end;
        }
        if (at_root) return;
        first = next_first;
        end = next_end;
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
    Word const orders = order < max_orders ? orders_ >> order : 0;
    if (orders == 0) return none;
    unsigned const found = order + lowest_bit(orders);
    unsigned level = found / word_shift < root ? found / word_shift : root;
    Word const node = node_with(found, level);
    Word units = word(level, node, column::free_units);
    unsigned const run_order = order > shift_of(level) ? order - shift_of(level) : 0;
    unsigned const first = best_run(units, run_order);
    Word const page = ((node << word_shift) | first) << shift_of(level);
    Word const last = page + count - 1;
    free_pages_ -= count;
    // At the level of the block, cut the units that the pages reach into. The last of them may be cut on
    // below.
    for (Word cut = bits_between(first, digit(last >> shift_of(level)));;) {
        store(level, last >> shift_of(level + 1), units & ~cut);
        if (((last + 1) & bits_below(shift_of(level))) == 0) return page;
        --level;
        open_below(level, last >> shift_of(level + 1));
        units = all_ones;
        cut = bits_below(digit(last >> shift_of(level)) + 1);
    }
}

Word Buddy::allocate_page() {
    if (orders_ == 0) return none;
    unsigned const order = lowest_bit(orders_);
    unsigned const level = order / word_shift < root ? order / word_shift : root;
    Word const node = node_with(order, level);
    Word const units = word(level, node, column::free_units);
    unsigned const first = best_run(units, 0);
    Word const unit = (node << word_shift) | first;
    store(level, node, units & ~bit(first));
    --free_pages_;
    return level == 0 ? unit : split_to_page(level, unit);
}

// Takes the first page of a unit; what is left at each level below is a word of ones without the lowest.
Word Buddy::split_to_page(unsigned level, Word unit) {
    do {
        open_below(--level, unit);
        store(level, unit, all_ones - 1);
        unit <<= word_shift;
    } while (level != 0);
    return unit;
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

Word Buddy::search(Word count, Word align) const {
    Word start = first_page;
    for (Word page = first_page; page < end_page;) {
        Extent const piece = extent(page);
        page = piece.end;
        if (!piece.free) {
            start = page;
            continue;
        }
        Word const aligned = (start + align - 1) & ~(align - 1);
        if (aligned < page && page - aligned >= count) return aligned;
    }
    return none;
}

}  // namespace slabheap
