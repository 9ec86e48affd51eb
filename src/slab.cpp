// SPDX-License-Identifier: MIT
#include "slab.hpp"

namespace slabheap {

namespace {

bool has_room(Word const* slots) {
    Word any = 0;
    for (unsigned w = 0; w < slot_words; ++w) any |= slots[w];
    return any != 0;
}

bool is_empty(Word const* slots, unsigned size_class) {
    Word missing = 0;
    for (unsigned w = 0; w < slot_words; ++w) missing |= slots[w] ^ all_slots(size_class, w);
    return missing == 0;
}

constexpr unsigned slots_in_word(unsigned size_class, unsigned slot_word) {
    return popcount(all_slots(size_class, slot_word));
}

// The first empty slab at or behind the page, or none.
[[gnu::noinline]] Word next_empty_slab(Region& region, unsigned size_class, Word page) {
    do {
        page = region.room(size_class).next(page);
    } while (page != BitTree::none && !is_empty(region.slots(page), size_class) && ++page);
    return page;
}

}  // namespace

uintptr_t Slabs::take_slot(unsigned size_class) {
    Front& front = fronts_[size_class];
    Word const newest = (front.top - 1) & front.mask;
    uintptr_t address = front.ring[newest];
    if (address != 0) {
        front.ring[newest] = 0;
        front.top = newest;
    } else {
        if (front.word == 0 && !refill(size_class)) return 0;
        address = front.word_base + slot_offset(size_class, lowest_bit(front.word));
        front.word &= front.word - 1;
    }
    hand_out(front, *view_to_use(address), address);
    return address;
}

uintptr_t Slabs::take_slot_at_hand(unsigned size_class) {
    Front const& front = fronts_[size_class];
    bool const in_front = front.ring[(front.top - 1) & front.mask] != 0 || front.word != 0;
    return in_front || refill_from_room(size_class) ? take_slot(size_class) : 0;
}

bool Slabs::refill(unsigned size_class) {
    return refill_from_room(size_class) || refill_from_page(size_class);
}

bool Slabs::refill_from_room(unsigned size_class) {
    for (unsigned i = 0; i < region_count_; ++i) {
        BitTree const room = region(i).room(size_class);
        if (room.empty()) continue;
        fetch_word(size_class, region(i), room.first());
        return true;
    }
    return false;
}

// Moves the first word of the slab's pool into the front, whose own word is used up.
void Slabs::fetch_word(unsigned size_class, Region& region, Word page) {
    Front& front = fronts_[size_class];
    Word* const slots = region.slots(page);
    if (is_empty(slots, size_class)) --front.spares;
    unsigned w = 0;
    while (slots[w] == 0) ++w;
    front.word = slots[w];
    front.word_base = (page << page_shift) + slot_offset(size_class, first_slot(w));
    front.word_handed = region.handed(page)[w];
    region.handed(page)[w] = static_cast<uint8_t>(slots_in_word(size_class, w));
    slots[w] = 0;
    if (!has_room(slots)) region.room(size_class).clear(page);
}

bool Slabs::refill_from_page(unsigned size_class) {
    for (unsigned i = 0; i < region_count_; ++i) {
        Word const page = region(i).allocate(1, 0);
        if (page == Region::none) continue;
        taken(region(i), page);
        set_up_slab(size_class, region(i), page);
        fetch_word(size_class, region(i), page);
        return true;
    }
    return false;
}

void Slabs::set_up_slab(unsigned size_class, Region& region, Word page) {
    region.set_head(page, static_cast<uint8_t>(size_class));
    region.room(size_class).set(page);
    for (unsigned w = 0; w < live_words; ++w) region.live(page)[w] = 0;
    for (unsigned w = 0; w < slot_words; ++w) {
        region.slots(page)[w] = all_slots(size_class, w);
        region.handed(page)[w] = 0;
    }
    ++fronts_[size_class].pages;
    ++fronts_[size_class].spares;
}

void Slabs::return_slab(unsigned size_class, uintptr_t address) {
    Region& region = *region_of(address);
    Word const page = address >> page_shift;
    region.room(size_class).clear(page);
    region.clear_head(page, static_cast<uint8_t>(tag::freed_slab + size_class));
    --fronts_[size_class].pages;
    region.give({page, page + 1});
}

// One spare for every 64 slabs of the class, from 1 to 16.
unsigned Slabs::spare_limit(unsigned size_class) const {
    size_t const share = fronts_[size_class].pages / 64;
    return share < 1 ? 1 : share > 16 ? 16 : static_cast<unsigned>(share);
}

void Slabs::pool_slot(unsigned size_class, uintptr_t address) {
    if (!primary_.knows(address)) [[unlikely]]
        return pool_other_slot(size_class, address);
    pool_slot_in(primary_, size_class, address);
}

void Slabs::pool_other_slot(unsigned size_class, uintptr_t address) {
    pool_slot_in(*other_view_of(address), size_class, address);
}

inline void Slabs::pool_slot_in(PageView const& view, unsigned size_class, uintptr_t address) {
    unsigned const slot = slot_at(size_class, address % page_size);
    Word& pool = view.slots(address)[slot_words == 1 ? 0 : slot / word_bits];
    Word const before = pool;
    Word const now = before | bit_of(slot);
    pool = now;
    // If the pool has two words, on 32-bit machines, its slab is empty only when both are full.
    if (before == 0 || now == front_at(size_class).full) [[unlikely]]
        slab_changed(size_class, address);
}

void Slabs::slab_changed(unsigned size_class, uintptr_t address) {
    Region& region = *region_of(address);
    Word const page = address >> page_shift;
    region.room(size_class).set(page);
    if (!is_empty(region.slots(page), size_class)) return;
    Front& front = fronts_[size_class];
    if (front.spares < spare_limit(size_class)) {
        ++front.spares;
    } else {
        return_slab(size_class, address);
    }
}

// Empties the front into the pools.
void Slabs::empty_front(unsigned size_class) {
    Front& front = fronts_[size_class];
    for (Word i = 0; i <= front.mask; ++i) {
        uintptr_t const address = front.ring[i];
        if (address == 0) continue;
        unsigned const slot = slot_at(size_class, address % page_size);
        add_to_pool(size_class, address, slot / word_bits, bit_of(slot));
        front.ring[i] = 0;
    }
    if (front.word == 0) return;
    // Of the word's slots those at the top may never have been handed out.
    unsigned const slot_word = slot_at(size_class, front.word_base % page_size) / word_bits;
    unsigned handed = slots_in_word(size_class, slot_word);
    while (handed > front.word_handed && (front.word & bit(handed - 1)) != 0) --handed;
    region_of(front.word_base)->handed(front.word_base >> page_shift)[slot_word] =
        static_cast<uint8_t>(handed);
    add_to_pool(size_class, front.word_base, slot_word, front.word);
    front.word = 0;
}

void Slabs::add_to_pool(unsigned size_class, uintptr_t address, unsigned slot_word, Word slots) {
    Region& region = *region_of(address);
    region.slots(address >> page_shift)[slot_word] |= slots;
    region.room(size_class).set(address >> page_shift);
}

void Slabs::collect() {
    for (unsigned c = 0; c < class_count; ++c) {
        empty_front(c);
        fronts_[c].spares = 0;
        for (unsigned i = 0; i < region_count_; ++i) {
            Word page = region(i).first_page;
            while ((page = next_empty_slab(region(i), c, page)) != BitTree::none)
                return_slab(c, page << page_shift);
        }
    }
}

bool Slabs::front_has(Word page, unsigned size_class, unsigned slot) const {
    Front const& front = fronts_[size_class];
    uintptr_t const word_base = (page << page_shift) + slot_offset(size_class, first_slot(slot / word_bits));
    return front.word_base == word_base && (front.word & bit_of(slot)) != 0;
}

bool Slabs::was_handed_out(Region& region, Word page, unsigned size_class, unsigned slot) const {
    // A slot that the front's word still has was handed out if it had been before the word was taken.
    bool const in_front = front_has(page, size_class, slot);
    return digit(slot) < (in_front ? fronts_[size_class].word_handed : region.handed(page)[slot / word_bits]);
}

}  // namespace slabheap
