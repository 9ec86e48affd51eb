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
//
// With a quarantine the stack is a queue instead, and nothing is allocated from it: what was freed first
// leaves for its pool when a further block is freed into a full one. Placement at random draws the slot of
// the stack or the word; handed has a bit for each slot then.
//
// A Heap has one set of fronts, its own; where CPUs share a heap each has one (cpu_heap.hpp), and nothing
// but its fronts is a CPU's own. Pools are then given to by anybody, at any time; all else is done by one at
// a time, who holds the page lock.
#ifndef SLABHEAP_SLAB_HPP
#define SLABHEAP_SLAB_HPP

#include "defences.hpp"
#include "pending.hpp"

namespace slabheap {

// What the usual path of a call needs of its class. Its size is a power of two, so that it is found by a
// shift; what that leaves is the stack.
constexpr unsigned front_other_words = 16 + slot_words;
constexpr unsigned front_words = bit(order_of(defences::quarantine < 32 ? 64 : 2 * defences::quarantine));
constexpr unsigned stack_size = front_words - front_other_words;
static_assert(stack_size >= defences::quarantine);

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
    union {
        Word hidden_limit;
        Word oldest;  // in a quarantine, which no front hides: of a full one, before which block it is
    };
    Word hidden_word;

    uintptr_t stack[stack_size + 1];  // stack[1] is the oldest block, stack[depth] the newest; stack[0] is 0
};
static_assert(sizeof(Front) == front_words * sizeof(Word));

// The fronts of one CPU.
struct alignas(64) CpuFronts {
    Front of_class[class_count];
    uint8_t busy;      // a call is at them
    Word random;       // the last number drawn (defences random and guard)
    Word until_guard;  // small requests before the next that is given a guard (guards.hpp)

    [[gnu::cold]] void set_up();
};

// From one CPU's fronts to the next one's: a power of two, so that they are found by a shift.
constexpr unsigned cpu_fronts_shift = order_of(sizeof(CpuFronts));

// Blocks that a class's stack holds: no more than fit into it, and no more than 32 KiB; a quarantine is as
// long as it is said to be.
constexpr Word stack_limit(unsigned size_class) {
    if (defences::quarantine != 0) return defences::quarantine;
    size_t const by_bytes = 0x8000 / class_size(size_class);
    return by_bytes < stack_size ? by_bytes : stack_size;
}

// Marsaglia, "Xorshift RNGs", 2003. Not 0, if it was not. Who sees enough of it can tell the rest.
constexpr Word next_random(Word x) {
    x ^= x << 13;
    x ^= x >> (word_bits == 64 ? 7 : 17);
    return x ^ x << (word_bits == 64 ? 17 : 5);
}

// What a number becomes when something unknown is stirred into it: another for each CPU, and not 0.
constexpr Word stir(Word number, uint64_t entropy, Word cpu) {
    number ^= static_cast<Word>(entropy ^ entropy >> 32);
    for (unsigned turns = 0; turns < word_bits; ++turns) {
        number += cpu;
        number = next_random(number + (number == 0));
    }
    return number;
}

class Slabs : public PageAllocator {
public:
    // Makes the heap's own fronts ready; all else may be zero.
    [[gnu::cold]] void set_up();

    // Takes a slot of the class and marks it live, if its front has one that needs no search for its region;
    // false if not. The usual case: short, and without a call.
    [[gnu::always_inline]] bool take_front_slot(CpuFronts& fronts, Word size_class, size_t size,
                                                uintptr_t& address) {
        Front& front = front_at(fronts, size_class);
        uintptr_t live_bias = primary_.live_bias;
        address = defences::quarantine == 0 ? front.stack[front.depth] : 0;
        if (address != 0) [[likely]] {
            if constexpr (defences::random) address = draw_from_stack(fronts, front);
            if constexpr (shadow::seeks_leaks) front.stack[front.depth] = 0;
            --front.depth;
        } else {
            if (front.word == 0) return false;
            address = take_from_word(fronts, front);
            live_bias = front.word_live_bias;
        }
        hand_out(front, live_bias, address, size);
        return true;
    }

    // The same in every case. 0: neither slot nor page at hand.
    uintptr_t take_slot(CpuFronts& fronts, unsigned size_class, size_t size);
    uintptr_t take_slot(unsigned size_class, size_t size) { return take_slot(own_, size_class, size); }

    // Moves slots of at most so many slabs into a stack, so that the lock is taken less often.
    [[gnu::cold]] void stock(CpuFronts& fronts, unsigned size_class, unsigned most_slabs);

    // Takes the slot of a block that the primary view knows, and whose live mark was just cleared. Where
    // pools are shared, it may return false, and then it is place_slowly's.
    enum class Pools : bool { own, shared };
    template <Pools pools>
    [[gnu::always_inline]] bool push(CpuFronts& fronts, Word size_class, uintptr_t address) {
        Front& front = front_at(fronts, size_class);
        atomic::count(front.frees, 1);
        Word const depth = front.depth;
        if (depth != front.limit) [[likely]] {
            front.depth = depth + 1;
            front.stack[depth + 1] = address;
            return true;
        }
        uintptr_t const leaving = defences::quarantine == 0 ? front.stack[depth] : 0;
        if (leaving == 0) [[unlikely]] {
            if constexpr (pools == Pools::own) place_slowly(size_class, address);
            return pools == Pools::own;
        }
        front.stack[depth] = address;
        pool_slot<pools>(primary_, front, leaving);
        return true;
    }
    // Not marked as cold, because GCC 12 then takes the usual return of push for cold, too.
    void place_slowly(Word size_class, uintptr_t address);
    void place_slowly_shared(CpuFronts& fronts, Word size_class, uintptr_t address);
    // Takes the slot of any live block, or of one whose live mark was just cleared.
    [[gnu::cold]] void put_slot(unsigned size_class, uintptr_t address);

    // Where placement is random: stirs something unknown into the numbers of every CPU.
    [[gnu::cold]] void seed(uint64_t entropy);
    [[gnu::cold]] void keep_slot_shared(CpuFronts& fronts, unsigned size_class, uintptr_t address);

    // Gives an empty slab, of any class, back to the pages; false when there is none.
    [[gnu::always_inline]] bool return_a_spare() {
        Region* const region = region_with(column::spares);
        if (region != nullptr) return_spare_of(*region);
        return region != nullptr;
    }

    // Empties the heap's own fronts and gives every empty slab back to the pages. Cost: the fronts' blocks
    // and the spares.
    [[gnu::cold]] void collect();

    // Empties the stacks of the heap's own fronts, because the primary view changed.
    [[gnu::cold]] void empty_stacks();

    // Empties the stack and the word of a class, or one of them.
    [[gnu::cold]] void empty_front(CpuFronts& fronts, unsigned size_class);
    [[gnu::cold]] void empty_stack(CpuFronts& fronts, unsigned size_class);
    [[gnu::cold]] void empty_word(CpuFronts& fronts, unsigned size_class);

    // Where no front serves: takes a slot from a pool, or sets a slab up for it. Returns 0: neither slot nor
    // page at hand.
    [[gnu::cold]] uintptr_t take_pooled_slot(unsigned size_class, size_t size);
    // As take_pooled_slot, where a slab has room.
    [[gnu::cold]] uintptr_t take_slot_with_room(unsigned size_class, size_t size);

    // Where no front serves: puts a slot into its pool, which is shared.
    [[gnu::cold]] void put_pooled_slot(Word size_class, uintptr_t address);

    // Has a page looked at by the next holder of the page lock. At any time; never waits.
    [[gnu::cold]] void make_pending(uintptr_t address);

    // Settles pending pages: at most so many slabs, or a third as many large blocks. Returns whether there
    // may be more.
    [[gnu::cold]] bool settle_pending(unsigned most);

    // Was this slot of a slab ever handed out since the slab was set up? For a page that is or was a slab.
    [[gnu::cold]] bool was_handed_out(Region const& region, Word page, unsigned size_class,
                                      unsigned slot) const;

    // The front of the class whose word has the slot, or null.
    Front const* front_with(Word page, unsigned size_class, unsigned slot) const;

    CpuFronts& fronts_of(Word cpu) const {
        return *reinterpret_cast<CpuFronts*>(fronts_ + (cpu << cpu_fronts_shift));
    }
    Front const& front(unsigned size_class) const { return own_.of_class[size_class]; }
    // The slots that were ever handed out and taken back, and the bytes that were asked for.
    struct Traffic {
        size_t allocations;
        size_t frees;
        size_t requested;
    };
    Traffic traffic(unsigned size_class) const;
    size_t live(unsigned size_class) const {
        Traffic const sum = traffic(size_class);
        return sum.allocations - sum.frees;
    }
    Word slabs(unsigned size_class) const { return counts_[size_class].slabs; }
    Word with_room(unsigned size_class) const { return counts_[size_class].with_room; }
    Word spares(unsigned size_class) const { return counts_[size_class].spares; }
    // Empty slabs of one class that are kept while nobody else wants the pages: one, and at most a 64th of
    // the memory.
    Word spare_limit() const { return total_pages_ / 64 + 1; }

protected:
    friend class Auditor;

    // The class's front. The compiler is kept from knowing that it is an element of an array, because it
    // would compute the address of each field anew from the index.
    [[gnu::always_inline]] static Front& front_at(CpuFronts& fronts, Word size_class) {
        Front* front = &fronts.of_class[size_class];
        __asm__("" : "+r"(front));
        return *front;
    }

    // Has the front a slot to hand out, once it is no longer hidden?
    static bool has_slot(Front const& front) {
        return ((defences::quarantine == 0 ? front.depth : 0) | front.word | front.other) != 0;
    }

    [[gnu::always_inline]] static uintptr_t take_from_word(CpuFronts& fronts, Front& front) {
        unsigned const slot = chosen_slot(fronts, front.word);
        uintptr_t const address = front.word_base + slot * front.slot_bytes;
        // The lowest goes with one instruction less.
        Word const taken = defences::random ? bit(slot) : front.word & (0 - front.word);
        atomic::store<atomic::relaxed>(front.word, front.word & ~taken);
        return address;
    }

    // One of the slots of a word that is not 0: the lowest, or the next from a place on that is drawn.
    [[gnu::always_inline]] static unsigned chosen_slot(CpuFronts& fronts, Word slots) {
        if constexpr (!defences::random) return lowest_bit(slots);
        unsigned const first = static_cast<unsigned>(draw(fronts, highest_bit(slots) + 1));
        return first + lowest_bit(slots >> first);
    }
    // Brings a block that is drawn to the top of a stack that is not empty.
    static uintptr_t draw_from_stack(CpuFronts& fronts, Front& front) {
        uintptr_t& drawn = front.stack[1 + draw(fronts, front.depth)];
        uintptr_t const address = drawn;
        drawn = front.stack[front.depth];
        return address;
    }
    // A number below the bound, which fits into half a word.
    static Word draw(CpuFronts& fronts, Word bound) {
        constexpr unsigned half = word_bits / 2;
        Word const next = next_random(atomic::load<atomic::relaxed>(fronts.random));
        atomic::store<atomic::relaxed>(fronts.random, next);
        return (next >> half) * bound >> half;
    }

    [[gnu::always_inline]] static uintptr_t hand_out(Front& front, uintptr_t live_bias, uintptr_t address,
                                                     size_t size) {
        atomic::count(front.allocations, 1);
        atomic::count(front.requested, size);
        atomic::store<atomic::relaxed>(PageView::live_at(live_bias, address), uint8_t{1});
        return address;
    }

    // Puts a slot into the pool of its slab. Where pools are shared, at any time, and without waiting: if
    // that changes what the slab is, the page becomes pending.
    template <Pools pools>
    [[gnu::always_inline]] void pool_slot(PageView const& view, Front const& front, uintptr_t address) {
        Word const slot = address % page_size * front.reciprocal >> reciprocal_shift;
        Word const w = slot_words == 1 ? 0 : slot / word_bits;
        Word& pool = view.slots(address)[w];
        if constexpr (pools == Pools::own) {
            Word const before = pool;
            Word const now = before | bit_of(slot);
            pool = now;
            if (before == 0 || now == front.full[w]) [[unlikely]]
                slab_changed(address);
        } else {
            // Release: pairs with the loads and exchanges of who takes the slot.
            Word const before = atomic::fetch_or<atomic::release>(pool, bit_of(slot), among_);
            // From here on the page may be anything: it is looked at when it is settled.
            if (before == 0 || (before | bit_of(slot)) == front.full[w]) [[unlikely]]
                make_pending(address);
        }
    }
    template <Pools pools>
    [[gnu::always_inline]] void pool_any_slot(Word size_class, uintptr_t address);
    template <Pools pools>
    [[gnu::always_inline]] void keep_slot(CpuFronts& fronts, Word size_class, uintptr_t address);
    template <Pools pools>
    [[gnu::always_inline]] void place(CpuFronts& fronts, Word size_class, uintptr_t address);
    [[gnu::cold]] static void hide(Front& front, uintptr_t other);
    [[gnu::cold]] static uintptr_t show(Front& front);

    // Makes it known what a pool has come to: the slab has room, is a spare, or goes back to the pages. For a
    // page that was a slab, or a large block, when somebody saw it change.
    void settle(Region& region, Word page);
    void slab_changed(uintptr_t address);

    // Puts the next word of slots into the front, from a slab with room or from a new one.
    bool refill_from_room(unsigned size_class, Front& front);
    bool refill_from_page(unsigned size_class, Front& front);
    // A new slab, all of whose slots are in its pool; null: no page at hand.
    Region* start_slab(unsigned size_class, Word& page);
    // The slab with room that serves next; there is one.
    Region& slab_with_room(unsigned size_class, Word& page);
    void stop_being_spare(Region& region, Word page);
    void fetch_word(unsigned size_class, Front& front, Region& region, Word page, unsigned w);
    void gain_room(unsigned size_class, Region& region, Word page);
    void lose_room(unsigned size_class, Region& region, Word page);

    // The first region in the order of preference whose tree of this column has members, or null.
    [[gnu::cold]] Region* region_with(unsigned column) const;
    [[gnu::cold]] void return_spare_of(Region& region);
    void return_slab(unsigned size_class, Region& region, Word page);
    [[gnu::cold]] void add_to_pool(unsigned size_class, uintptr_t address, unsigned slot_word, Word slots);

    struct Counts {
        Word slabs;
        Word with_room;
        Word spares;  // empty
    };

    CpuFronts own_;

    // What each call of every CPU reads, and who holds the lock seldom writes, has a cache line of its own.
    uintptr_t fronts_;  // those of CPU 0; of a Heap, its own
    Word front_count_;
    Among among_;  // whoever changes pools meanwhile
    Word closed_;  // how many take fronts back: others use theirs under the lock only

    alignas(64) Word has_pending_;
    Counts counts_[class_count];
    Traffic without_front_[class_count];
};

}  // namespace slabheap

#endif
