// SPDX-License-Identifier: MIT
//
// Slabs: blocks of up to a page, by size class (Bonwick, "The Slab Allocator", 1994, without its lists).
//
// A slab is one page of slots of one class. A set bit in its `slots` words means: free, and in the slab's
// pool. A slab whose pool is not empty is a member of its class's tree `room`; alloc takes from the lowest
// one, which keeps the heap dense and lets high slabs drain.
//
// In front of the pools each class has a front: a stack of blocks freed lately (what Bonwick and Adams, 2001,
// call a magazine), and one word of slots taken from a pool.
//
//     alloc   stack  ->  lowest slot of word  ->  next word of the lowest slab with room  ->  new slab
//     free    stack; when that is full, the block below the new one leaves it, for the pool of its slab
//
// Every free slot is in exactly one of the three places, which the audit proves:
//     slots of a slab = live + pool + stack + word
//
// A slab whose slots are all in its pool is empty. Some empty slabs of each class are kept as spares, so that
// a workload at the boundary does not set up and return the same page again and again; any other goes back to
// the pages at once, and the spares do when pages run short.
//
// Slots are handed out for the first time in ascending order, because a word is consumed from its lowest bit
// up; so a count per word, `handed`, tells which slots never were handed out, at no cost on the usual path.
#ifndef SLABHEAP_SLAB_HPP
#define SLABHEAP_SLAB_HPP

#include "page_allocator.hpp"

namespace slabheap {

// What the usual path of a call needs of its class. Its size is a power of two, so that it is found by a
// shift; what that leaves is the stack.
constexpr unsigned front_words = 64;
constexpr unsigned stack_size = front_words - 16 - slot_words;

struct alignas(64) Front {
    Word depth;                // blocks in the stack
    Word limit;                // stack_limit
    Word word;                 // slots taken from a pool and not handed out yet
    uintptr_t word_base;       // address of the slot that the word's bit 0 stands for
    uintptr_t word_live_bias;  // its region's PageView::live_bias
    Word slot_bytes;           // class_size
    size_t allocations;        // blocks handed out, ever
    size_t frees;              // blocks taken back, ever
    size_t requested;          // bytes asked for, ever
    Word reciprocal;           // class_reciprocal
    Word full[slot_words];     // the pool of an empty slab
    Word word_handed;          // slots of the word that had ever been handed out when it was taken

    // While the block freed last is one that the primary view does not know, it is here, and the front
    // hidden: depth, limit and word are 0, so that both of the usual paths leave for the slow ones.
    uintptr_t other;
    Word hidden_depth;
    Word hidden_limit;
    Word hidden_word;

    uintptr_t stack[stack_size + 1];  // stack[1] is the oldest block, stack[depth] the newest; stack[0] is 0
};
static_assert(sizeof(Front) == front_words * sizeof(Word));

// Blocks that a class's stack holds: no more than fit into it, and no more than 32 KiB.
constexpr Word stack_limit(unsigned size_class) {
    size_t const by_bytes = 0x8000 / class_size(size_class);
    return by_bytes < stack_size ? by_bytes : stack_size;
}

class Slabs : public PageAllocator {
public:
    // Makes the fronts ready; all else may be zero.
    [[gnu::cold]] void set_up();

    // Takes a slot of the class and marks it live, if its front has one that needs no search for its region;
    // false if not. The usual case: short, and without a call.
    [[gnu::always_inline]] bool take_front_slot(Word size_class, size_t size, uintptr_t& address) {
        Front& front = front_at(size_class);
        uintptr_t live_bias = primary_.live_bias;
        address = front.stack[front.depth];
        if (address != 0) [[likely]] {
            --front.depth;
        } else {
            if (front.word == 0) return false;
            address = take_from_word(front);
            live_bias = front.word_live_bias;
        }
        hand_out(front, live_bias, address, size);
        return true;
    }

    // The same in every case. 0: neither slot nor page at hand.
    uintptr_t take_slot(unsigned size_class, size_t size);

    // As take_slot, from a class that has a free slot already: 0 when that needs a page.
    uintptr_t take_slot_at_hand(unsigned size_class, size_t size);

    // Takes the slot of a block that the primary view knows, and whose live bit was just cleared.
    [[gnu::always_inline]] void push(Word size_class, uintptr_t address) {
        Front& front = front_at(size_class);
        ++front.frees;
        place(front, size_class, address);
    }
    [[gnu::always_inline]] void place(Front& front, Word size_class, uintptr_t address) {
        Word const depth = front.depth;
        if (depth != front.limit) [[likely]] {
            front.depth = depth + 1;
            front.stack[depth + 1] = address;
            return;
        }
        uintptr_t const leaving = front.stack[depth];
        if (leaving == 0) [[unlikely]]
            return place_slowly(size_class, address);
        front.stack[depth] = address;
        pool_slot(primary_, front, size_class, leaving);
    }
    // Takes the slot of any live block.
    [[gnu::cold]] void put_slot(unsigned size_class, uintptr_t address);

    // Gives an empty slab, of any class, back to the pages; false when there is none.
    [[gnu::always_inline]] bool return_a_spare() {
        Region* const region = region_with(column::spares);
        if (region != nullptr) return_spare_of(*region);
        return region != nullptr;
    }

    // Empties all fronts and gives every empty slab back to the pages. Cost: the fronts' blocks and the
    // spares.
    [[gnu::cold]] void collect();

    // Empties the stacks, because the primary view changed.
    [[gnu::cold]] void empty_stacks();

    // Was this slot of a slab ever handed out since the slab was set up? For a page that is or was a slab.
    [[gnu::cold]] bool was_handed_out(Region const& region, Word page, unsigned size_class,
                                      unsigned slot) const;

    // Is the slot in the word of its class's front?
    bool front_has(Word page, unsigned size_class, unsigned slot) const {
        Front const& front = fronts_[size_class];
        uintptr_t const word_base =
            (page << page_shift) + slot_offset(size_class, first_slot(slot / word_bits));
        return front.word_base == word_base && ((front.word | front.hidden_word) & bit_of(slot)) != 0;
    }

    Front const& front(unsigned size_class) const { return fronts_[size_class]; }
    size_t live(unsigned size_class) const {
        return fronts_[size_class].allocations - fronts_[size_class].frees;
    }
    Word slabs(unsigned size_class) const { return counts_[size_class].slabs; }
    Word with_room(unsigned size_class) const { return counts_[size_class].with_room; }
    Word spares(unsigned size_class) const { return counts_[size_class].spares; }
    // Empty slabs of one class that are kept while nobody else wants the pages: one, and at most a 64th of the
    // memory.
    Word spare_limit() const { return total_pages_ / 64 + 1; }

protected:
    friend class Auditor;

    // The class's front. The compiler is kept from knowing that it is an element of an array, because it
    // would compute the address of each field anew from the index.
    [[gnu::always_inline]] Front& front_at(Word size_class) {
        Front* front = &fronts_[size_class];
        __asm__("" : "+r"(front));
        return *front;
    }

    [[gnu::always_inline]] static uintptr_t take_from_word(Front& front) {
        uintptr_t const address = front.word_base + lowest_bit(front.word) * front.slot_bytes;
        front.word &= front.word - 1;
        return address;
    }

    [[gnu::always_inline]] static uintptr_t hand_out(Front& front, uintptr_t live_bias, uintptr_t address,
                                                     size_t size) {
        ++front.allocations;
        front.requested += size;
        PageView::live_at(live_bias, address) = 1;
        return address;
    }

    // Puts a slot into the pool of its slab.
    [[gnu::always_inline]] void pool_slot(PageView const& view, Front const& front, Word size_class,
                                          uintptr_t address) {
        Word const slot = address % page_size * front.reciprocal >> reciprocal_shift;
        Word const w = slot_words == 1 ? 0 : slot / word_bits;
        Word& pool = view.slots(address)[w];
        Word const before = pool;
        Word const now = before | bit_of(slot);
        pool = now;
        if (before == 0 || now == front.full[w]) [[unlikely]]
            slab_changed(size_class, address);
    }
    [[gnu::cold]] void pool_any_slot(Word size_class, uintptr_t address);
    // Not marked as cold, because GCC 12 then takes the usual return of push for cold, too.
    void place_slowly(Word size_class, uintptr_t address);
    [[gnu::cold]] static void hide(Front& front, uintptr_t other);
    [[gnu::cold]] static uintptr_t show(Front& front);

    // A pool is no longer empty, or one of its words is full: the slab has room, becomes a spare, or goes
    // back to the pages.
    void slab_changed(Word size_class, uintptr_t address);

    // Puts the next word of slots into the front, from a slab with room or from a new one.
    bool refill_from_room(unsigned size_class, Front& front);
    bool refill_from_page(unsigned size_class, Front& front);
    static void fetch_word(unsigned size_class, Front& front, Region& region, Word page, unsigned w);
    void gain_room(unsigned size_class, Region& region, Word page);
    void lose_room(unsigned size_class, Region& region, Word page);

    // The first region in the order of preference whose tree of this column has members, or null.
    [[gnu::cold]] Region* region_with(unsigned column) const;
    [[gnu::cold]] void return_spare_of(Region& region);
    void return_slab(unsigned size_class, Region& region, Word page);
    [[gnu::cold]] void empty_stack(unsigned size_class);
    [[gnu::cold]] void empty_word(unsigned size_class);
    [[gnu::cold]] void add_to_pool(unsigned size_class, uintptr_t address, unsigned slot_word, Word slots);

    struct Counts {
        Word slabs;
        Word with_room;
        Word spares;  // empty
    };

    Front fronts_[class_count];
    Counts counts_[class_count];
};

}  // namespace slabheap

#endif
