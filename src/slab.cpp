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

}  // namespace

uintptr_t Slabs::take_slot(unsigned size_class) {
    Front& front = fronts_[size_class];
    uintptr_t address;
    if (front.count != 0) {
        address = front.magazine[--front.count];
    } else {
        if (front.word == 0 && !refill(size_class)) return 0;
        address = front.word_base + slot_offset(size_class, lowest_bit(front.word));
        front.word &= front.word - 1;
    }
    hand_out(front, *view_to_use(address), address);
    return address;
}

void Slabs::put_slot(unsigned size_class, uintptr_t address) {
    Word& live = view_to_use(address)->live(address);
    if (put_front_slot(size_class, address, live)) return;
    spill(size_class, spill_batch(size_class), spare_limit(size_class));
    put_front_slot(size_class, address, live);
}

uintptr_t Slabs::take_slot_at_hand(unsigned size_class) {
    Front const& front = fronts_[size_class];
    bool const at_hand = front.count != 0 || front.word != 0 || refill_from_room(size_class);
    return at_hand ? take_slot(size_class) : 0;
}

bool Slabs::refill(unsigned size_class) {
    if (refill_from_room(size_class)) return true;
    Found const slab = set_up_slab(size_class);
    if (slab.region == nullptr) return false;
    fetch_word(size_class, *slab.region, slab.page);
    return true;
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

PageAllocator::Found Slabs::set_up_slab(unsigned size_class) {
    Found const slab = take_page();
    if (slab.region == nullptr) return slab;
    Region& region = *slab.region;
    region.set_head(slab.page, static_cast<uint8_t>(size_class));
    region.room(size_class).set(slab.page);
    for (unsigned w = 0; w < live_words; ++w) region.live(slab.page)[w] = 0;
    for (unsigned w = 0; w < slot_words; ++w) {
        region.slots(slab.page)[w] = all_slots(size_class, w);
        region.handed(slab.page)[w] = 0;
    }
    ++fronts_[size_class].pages;
    ++fronts_[size_class].spares;
    return slab;
}

void Slabs::return_slab(unsigned size_class, Region& region, Word page) {
    region.room(size_class).clear(page);
    region.clear_head(page, static_cast<uint8_t>(tag::freed_slab + size_class));
    give_page(region, page);
    --fronts_[size_class].pages;
}

// One spare for every 64 slabs of the class, from 1 to 16.
unsigned Slabs::spare_limit(unsigned size_class) const {
    size_t const share = fronts_[size_class].pages / 64;
    return share < 1 ? 1 : share > 16 ? 16 : static_cast<unsigned>(share);
}

bool Slabs::pool(unsigned size_class, Word* slots, unsigned slot_word, Word added) {
    Word const before = slots[slot_word];
    slots[slot_word] = before | added;
    return before == 0 || (before | added) == all_slots(size_class, slot_word);
}

bool Slabs::slab_changed(unsigned size_class, Region& region, Word page, unsigned max_spares) {
    region.room(size_class).set(page);
    if (!is_empty(region.slots(page), size_class)) return false;
    Front& front = fronts_[size_class];
    if (front.spares < max_spares) {
        ++front.spares;
        return false;
    }
    return_slab(size_class, region, page);
    return true;
}

void Slabs::spill(unsigned size_class, unsigned count, unsigned max_spares) {
    Front& front = fronts_[size_class];
    unsigned done = 0;
    // Returning a slab is the longest step: after one, the rest can wait for the next time, unless all have to go.
    for (bool returned = false; done < count && (!returned || max_spares == 0); ++done) {
        uintptr_t const address = front.magazine[done];
        unsigned const slot = slot_at(size_class, address % page_size);
        Word* const slots = view_of(address)->slots(address);
        if (!pool(size_class, slots, slot / word_bits, bit(slot % word_bits))) continue;
        returned = slab_changed(size_class, *region_of(address), address >> page_shift, max_spares);
    }
    front.count -= done;
    for (unsigned i = 0; i < front.count; ++i) front.magazine[i] = front.magazine[i + done];
}

// Gives the rest of the front's word back. Of its slots those at the top may never have been handed out.
void Slabs::pool_word(unsigned size_class) {
    Front& front = fronts_[size_class];
    if (front.word == 0) return;
    Word const page = front.word_base >> page_shift;
    unsigned const slot_word = slot_at(size_class, front.word_base % page_size) / word_bits;
    Region& region = *region_of(front.word_base);
    unsigned handed = slots_in_word(size_class, slot_word);
    while (handed > front.word_handed && (front.word & bit(handed - 1)) != 0) --handed;
    region.handed(page)[slot_word] = static_cast<uint8_t>(handed);
    Word const rest = front.word;
    front.word = 0;
    if (pool(size_class, region.slots(page), slot_word, rest)) slab_changed(size_class, region, page, 0);
}

void Slabs::return_spares(unsigned size_class) {
    for (unsigned i = 0; i < region_count_ && fronts_[size_class].spares != 0; ++i) {
        BitTree const room = region(i).room(size_class);
        for (Word page = room.next(region(i).first_page); page != BitTree::none; page = room.next(page + 1)) {
            if (!is_empty(region(i).slots(page), size_class)) continue;
            return_slab(size_class, region(i), page);
            --fronts_[size_class].spares;
        }
    }
}

void Slabs::collect() {
    for (unsigned c = 0; c < class_count; ++c) {
        spill(c, fronts_[c].count, 0);
        pool_word(c);
        return_spares(c);
    }
}

bool Slabs::was_handed_out(Region& region, Word page, unsigned size_class, unsigned slot) const {
    unsigned const slot_word = slot / word_bits, index = slot % word_bits;
    Front const& front = fronts_[size_class];
    uintptr_t const word_base = (page << page_shift) + slot_offset(size_class, first_slot(slot_word));
    bool const in_front = front.word != 0 && front.word_base == word_base;
    if (!in_front) return index < region.handed(page)[slot_word];
    // Of the front's word, what lies above the slots handed out before and is still there was never handed out.
    return index < front.word_handed || (front.word & bit(index)) == 0;
}

}  // namespace slabheap
