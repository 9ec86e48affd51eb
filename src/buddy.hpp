// SPDX-License-Identifier: MIT
//
// Buddy: the free pages of one region, in blocks of 2^order pages that are aligned to their size (Knuth,
// TAOCP 1, 2.5), kept as bits instead of lists.
//
// At level L a bit of the column `free_units` stands for a unit of word_bits^L pages that is wholly free. The
// form is canonical: a free page is told by exactly one bit, the highest possible. When a word fills up, it
// is stored as 0 and its bit one level up is set, where the merge goes on; this is the buddy merge,
// word_shift orders at a time:
//
//     level 1   ...0100 0000      unit 6 wholly free; its word below is stored as 0
//     level 0   0000 0000 | 0011 1100      a block of order 1 at 2 and one at 4: 2 and 4 are no buddies
//
// Within a word the orders need no bits of their own: a block of order 6L + k is an aligned run of 2^k ones
// at level L. Splitting is the way back: the bit is cleared, and the word below taken for all ones.
//
// To find a block, each word that is not 0 is entered, under the order of its largest run, in that order's
// tree; the mask orders_ says which of these trees have members. (The root's nodes, two at most, are looked
// at directly.) So the smallest order that will do is one count of trailing zeros, the word one search in a
// tree, the block a few shifts. Nothing is rounded up to a power of two: take() cuts any range of free pages
// out, and give() puts any range back. Costs are per level: a region of 64 GiB has four.
#ifndef SLABHEAP_BUDDY_HPP
#define SLABHEAP_BUDDY_HPP

#include "page_map.hpp"

namespace slabheap {

// Consecutive pages first ... end - 1.
struct PageRange {
    Word first;
    Word end;
    Word count() const { return end - first; }
};

class Buddy : public PageMap {
public:
    static constexpr Word none = BitTree::none;

    // Starts with no page free.
    [[gnu::cold]] void set_up(Word first, Word end, size_t header_bytes);

    // Makes pages free of which none is. The sections of the first and of the last page must be open: they
    // are when the pages are given as they were taken; for any others call open_edges before.
    void give(PageRange pages);
    void give_page(Word page) {
        ++free_pages_;
        merge(0, page >> word_shift, bit_of(page));
    }
    [[gnu::cold]] void open_edges(PageRange pages);

    // Takes `count` pages from the lower end of a free block of at least 2^order pages, which are no fewer;
    // returns the first, or none. The smallest order that has a block is used.
    Word allocate(Word count, unsigned order);
    Word allocate_page() { return allocate(1, 0); }

    // Takes pages of which all are free, wherever they lie.
    [[gnu::cold]] void take(PageRange pages);

    // First page of the lowest run of `count` free pages that starts at a multiple of `align`, wherever block
    // borders lie; or none. Cost: the number of free runs and of parts of the map in use.
    Word search(Word count, Word align) const {
        Word from = first_page;
        return search(count, align, from, ~0u);
    }
    // The same from a page on, where no free run is cut; after so many pieces it ends at the next that is not
    // free, and tells in `from` where to go on: end_page when all was searched.
    [[gnu::cold]] Word search(Word count, Word align, Word& from, unsigned most) const;

    // The pages from `page` on that are alike, free or not, as far as one word tells: [page, end).
    struct Extent {
        Word end;
        bool free;
    };
    [[gnu::cold]] Extent extent(Word page) const;

    [[gnu::cold]] bool is_free(PageRange pages) const;

    Word free_pages() const { return free_pages_; }
    // Pages in the largest free block.
    Word largest_block() const { return orders_ == 0 ? 0 : bit(highest_bit(orders_)); }
    Word order_mask() const { return orders_; }

private:
    // A unit of a level.
    struct Place {
        unsigned level;
        Word unit;
    };
    [[gnu::cold]] Place unit_of(Word page) const;
    Word node_with(unsigned order, unsigned level) const;
    void split(unsigned level, Word end);

    // Stores a word of free units, and enters its node under the order of the word's largest block.
    void store(unsigned level, Word node, Word units);
    void move(unsigned level, Word node, unsigned from, unsigned to);
    void enter(unsigned order, Word node);
    void leave(unsigned order, Word node);

    // Adds units; returns true when that fills the word, which then counts one level up.
    bool fill(unsigned level, Word node, Word units);
    // Adds units, and merges them with their buddies as far as those are free.
    void merge(unsigned level, Word node, Word units);

    Word orders_;  // bit k: there is a node entered under order k
    Word free_pages_;
};

}  // namespace slabheap

#endif
