// SPDX-License-Identifier: MIT
//
// Slabs: blocks of up to a page, by size class (Bonwick, "The Slab Allocator", 1994, without its lists).
//
// A slab is one page of slots of one class. A set bit in its `slots` words means: free, and in the slab's
// pool. A slab whose pool is not empty is a member of its class's tree `room`; alloc takes from the lowest
// one, which keeps the heap dense and lets high slabs drain.
//
// In front of the pools each class has a front: a ring of the blocks freed last (what Bonwick and Adams,
// 2001, call a magazine), and one word of slots taken from a pool.
//
//     alloc   newest of ring  ->  lowest slot of word  ->  next word of the lowest slab with room  ->  new
//     slab free    newest of ring; if that pushes the oldest out, it goes to the pool of its slab
//
// Every free slot is in exactly one of the three places, which the audit proves:
//     slots of a slab = live + pool + ring + word
//
// A slab whose slots are all in its pool is empty. A few empty slabs per class are kept as spares, so that a
// workload at the boundary does not set up and return the same page again and again; any other goes back to
// the pages at once.
//
// Slots are handed out for the first time in ascending order, because a word is consumed from its lowest bit
// up; so a count per word, `handed`, tells which slots never were handed out, at no cost on the usual path.
#ifndef SLABHEAP_SLAB_HPP
#define SLABHEAP_SLAB_HPP

#include "page_allocator.hpp"

namespace slabheap {

constexpr unsigned ring_size = 32;

// Blocks that a class's ring holds, a power of two: no more than 32, and no more than 32 KiB.
constexpr unsigned ring_capacity(unsigned size_class) {
    size_t const by_bytes = 0x8000 >> class_shift(size_class);
    return by_bytes < ring_size ? static_cast<unsigned>(by_bytes) : ring_size;
}
static_assert(is_power_of_two(ring_capacity(0)) && is_power_of_two(ring_capacity(class_count - 1)));

struct Front {
    Word top;                   // where in the ring the next freed block goes; the newest is before it
    Word mask;                  // ring_capacity - 1
    Word full;                  // the pool's (first) word in an empty slab
    Word word;                  // slots taken from a pool and not handed out yet
    uintptr_t word_base;        // address of the slot that the word's bit 0 stands for
    unsigned word_handed;       // slots of the word that had ever been handed out when it was taken
    unsigned spares;            // empty slabs of the class
    size_t pages;               // slabs of the class
    size_t allocations;         // blocks handed out, ever
    size_t frees;               // blocks taken back, ever
    uintptr_t ring[ring_size];  // 0: empty
};

class Slabs : public PageAllocator {
public:
    // Makes the fronts ready; all else may be zero.
    void set_up() {
        for (unsigned c = 0; c < class_count; ++c) {
            fronts_[c].mask = ring_capacity(c) - 1;
            fronts_[c].full = all_slots(c, 0);
        }
    }

    // Takes a slot of the class and marks it live, if its front has one in the primary region; false if not.
    // The usual case: short, and without a call.
    [[gnu::always_inline]] bool take_front_slot(unsigned size_class, uintptr_t& address) {
        Front& front = front_at(size_class);
        Word const newest = (front.top - 1) & front.mask;
        address = front.ring[newest];
        if (address != 0) {
            if (!primary_.knows(address)) return false;
            front.ring[newest] = 0;
            front.top = newest;
        } else {
            if (front.word == 0) return false;
            address = front.word_base + slot_offset(size_class, lowest_bit(front.word));
            if (!primary_.knows(address)) return false;
            front.word &= front.word - 1;
        }
        hand_out(front, primary_, address);
        return true;
    }

    // The same in every case. 0: neither slot nor page at hand.
    uintptr_t take_slot(unsigned size_class);

    // Takes the slot of a live block back.
    [[gnu::always_inline]] void put_slot(unsigned size_class, uintptr_t address, Word& live) {
        Front& front = front_at(size_class);
        live &= ~PageView::live_bit(address);
        ++front.frees;
        uintptr_t const oldest = front.ring[front.top];
        front.ring[front.top] = address;
        front.top = (front.top + 1) & front.mask;
        if (oldest != 0) pool_slot(size_class, oldest);
    }

    // As take_slot, from a class that has a free slot already: 0 when that needs a page.
    uintptr_t take_slot_at_hand(unsigned size_class);

    // Empties all fronts and gives every empty slab back to the pages. Cost: the slabs with room.
    void collect();

    // Was this slot of a slab ever handed out since the slab was set up? For a page that is or was a slab.
    bool was_handed_out(Region& region, Word page, unsigned size_class, unsigned slot) const;

    // Is the slot in the word of its class's front?
    bool front_has(Word page, unsigned size_class, unsigned slot) const;

    Front const& front(unsigned size_class) const { return fronts_[size_class]; }
    size_t live(unsigned size_class) const {
        return fronts_[size_class].allocations - fronts_[size_class].frees;
    }

protected:
    friend class Auditor;

    // The class's front. The compiler is kept from knowing that it is an element of an array, because it
    // would compute the address of each field anew from the index.
    [[gnu::always_inline]] Front& front_at(unsigned size_class) {
        Front* front = &fronts_[size_class];
        __asm__("" : "+r"(front));
        return *front;
    }

    [[gnu::always_inline]] static void hand_out(Front& front, PageView const& view, uintptr_t address) {
        ++front.allocations;
        view.live(address) |= PageView::live_bit(address);
    }

    // Puts the next word of slots into the front, from a slab with room or from a new one.
    bool refill(unsigned size_class);
    bool refill_from_room(unsigned size_class);
    void fetch_word(unsigned size_class, Region& region, Word page);
    bool refill_from_page(unsigned size_class);
    void set_up_slab(unsigned size_class, Region& region, Word page);

    // Puts a slot that left the ring into the pool of its slab.
    void pool_slot(unsigned size_class, uintptr_t address);
    void pool_other_slot(unsigned size_class, uintptr_t address);
    void pool_slot_in(PageView const& view, unsigned size_class, uintptr_t address);
    // What follows when a pool is no longer empty, or has all slots: the slab has room, becomes a spare, or
    // goes back to the pages.
    void slab_changed(unsigned size_class, uintptr_t address);
    void empty_front(unsigned size_class);
    void add_to_pool(unsigned size_class, uintptr_t address, unsigned slot_word, Word slots);
    void return_slab(unsigned size_class, uintptr_t address);

    unsigned spare_limit(unsigned size_class) const;

    Front fronts_[class_count];
};

}  // namespace slabheap

#endif
