// SPDX-License-Identifier: MIT
//
// Pending: the pages of a region that changed while nobody held the page lock, as a tree of bits that anybody
// adds to at any time, in any context, without waiting; whoever holds the lock takes pages out, and looks
// what has become of them. So a page may be in the tree without need, but never has changed without being in
// it, or about to be.
//
// Adding goes from the leaf up, as far as words were 0. Taking goes the same way, clears, and after each step
// up looks back: if the word below is no longer 0, it makes it known again. So a bit that an addition has set
// leads to its leaf from then on, whatever a taker did meanwhile (LLFree's hints work alike).
#ifndef SLABHEAP_PENDING_HPP
#define SLABHEAP_PENDING_HPP

#include "page_allocator.hpp"

namespace slabheap {

class Pending {
public:
    Pending(Nodes const& nodes, Among among) : nodes_(nodes), among_(among) {}

    // Adds a page of an open section. Cost: a step for each level.
    void add(Word page) { announce(0, page); }

    // Takes a page out, the lowest it finds; none: there is none. One caller at a time.
    Word take();

private:
    static constexpr Word none = Region::none;

    Word& word(unsigned level, Word unit) const {
        return nodes_.word(level, unit >> word_shift, column::pending);
    }
    // Tells of a unit at this level, and above.
    void announce(unsigned level, Word unit);
    void withdraw(unsigned level, Word unit);

    Nodes const& nodes_;
    Among among_;
};

}  // namespace slabheap

#endif
