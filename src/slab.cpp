// SPDX-License-Identifier: MIT
#include "slab.hpp"

namespace slabheap {

namespace {

bool has_room(Word const* slots) {
    Word any = 0;
    for (unsigned w = 0; w < slot_words; ++w) any |= slots[w];
    return any != 0;
}

bool is_empty(Word const* slots, Word const* full) {
    Word missing = 0;
    for (unsigned w = 0; w < slot_words; ++w) missing |= slots[w] ^ full[w];
    return missing == 0;
}

}  // namespace

void Slabs::set_up() {
    for (unsigned c = 0; c < class_count; ++c) {
        Front& front = fronts_[c];
        front.limit = stack_limit(c);
        front.slot_bytes = class_size(c);
        front.reciprocal = class_reciprocal(c);
        for (unsigned w = 0; w < slot_words; ++w) front.full[w] = all_slots(c, w);
    }
}

// Moves a word of the slab's pool into the front, whose own word is used up.
inline void Slabs::fetch_word(unsigned size_class, Front& front, Region& region, Word page, unsigned w) {
    Word& slots = region.slots(page)[w];
    uint8_t& handed = region.handed(page)[w];
    front.word = slots;
    front.word_base = (page << page_shift) + w * word_bits * front.slot_bytes;
    front.word_live_bias = region.view().live_bias;
    front.word_handed = handed;
    handed = slots_in_word(size_class, w);
    slots = 0;
}

inline bool Slabs::refill_from_page(unsigned size_class, Front& front) {
    unsigned i = 0;
    Word page;
    while ((page = preferred(i).allocate_page()) == Region::none) {
        if (++i == region_count_) return false;
    }
    Region& region = preferred(i);
    taken(region, page);
    region.tag(page) = static_cast<uint8_t>(size_class);
    for (unsigned w = 0; w < slot_words; ++w) {
        region.slots(page)[w] = front.full[w];
        region.handed(page)[w] = 0;
    }
    fetch_word(size_class, front, region, page, 0);
    if (class_slots(size_class) > word_bits) gain_room(size_class, region, page);
    ++counts_[size_class].slabs;
    return true;
}

uintptr_t Slabs::take_slot(unsigned size_class, size_t size) {
    Front& front = fronts_[size_class];
    if ((front.depth | front.word | front.other) == 0) {
        bool const refilled = counts_[size_class].with_room != 0 ? refill_from_room(size_class, front)
                                                                 : refill_from_page(size_class, front);
        if (!refilled) return 0;
        return hand_out(front, front.word_live_bias, take_from_word(front), size);
    }
    uintptr_t address;
    if (front.other == 0) {
        take_front_slot(size_class, size, address);
    } else {
        address = show(front);
        hand_out(front, view_to_use(address)->live_bias, address, size);
    }
    return address;
}

uintptr_t Slabs::take_slot_at_hand(unsigned size_class, size_t size) {
    Front const& front = fronts_[size_class];
    bool const in_front = front.depth != 0 || front.word != 0 || front.other != 0;
    return in_front || with_room(size_class) != 0 ? take_slot(size_class, size) : 0;
}

void Slabs::put_slot(unsigned size_class, uintptr_t address) {
    Front& front = fronts_[size_class];
    PageView const& view = *view_to_use(address);
    view.live(address) = 0;
    ++front.frees;
    if (primary_.knows(address)) return place_slowly(size_class, address);
    uintptr_t const before = front.other;
    if (before != 0) pool_any_slot(size_class, before);
    hide(front, address);
}

void Slabs::pool_any_slot(Word size_class, uintptr_t address) {
    pool_slot(*view_of(address), fronts_[size_class], size_class, address);
}

void Slabs::hide(Front& front, uintptr_t other) {
    if (front.other == 0) {
        front.hidden_depth = front.depth;
        front.hidden_limit = front.limit;
        front.hidden_word = front.word;
        front.depth = front.limit = front.word = 0;
    }
    front.other = other;
}

// Returns what was on top.
uintptr_t Slabs::show(Front& front) {
    uintptr_t const other = front.other;
    front.depth = front.hidden_depth;
    front.limit = front.hidden_limit;
    front.word = front.hidden_word;
    front.other = front.hidden_depth = front.hidden_limit = front.hidden_word = 0;
    return other;
}

// Places a block of the primary region on a front that may be hidden, or full.
void Slabs::place_slowly(Word size_class, uintptr_t address) {
    Front& front = front_at(size_class);
    if (front.other != 0) pool_any_slot(size_class, show(front));
    if (front.depth == front.limit) pool_any_slot(size_class, front.stack[front.depth--]);
    front.stack[++front.depth] = address;
}

[[gnu::always_inline]] inline void Slabs::return_slab(unsigned size_class, Region& region, Word page) {
    lose_room(size_class, region, page);
    region.tag(page) = static_cast<uint8_t>(tag::freed_slab + size_class);
    region.give_page(page);
    --counts_[size_class].slabs;
}

void Slabs::slab_changed(Word size_class, uintptr_t address) {
    Region& region = *region_of(address);
    Word const page = address >> page_shift;
    unsigned const c = static_cast<unsigned>(size_class);
    if (is_empty(region.slots(page), fronts_[c].full)) {
        if (counts_[c].spares >= spare_limit()) return return_slab(c, region, page);
        ++counts_[c].spares;
        region.spares().set(page);
    }
    gain_room(c, region, page);
}

void Slabs::gain_room(unsigned size_class, Region& region, Word page) {
    BitTree const room = region.room(size_class);
    if (room.test(page)) return;
    ++counts_[size_class].with_room;
    room.set(page);
}

void Slabs::lose_room(unsigned size_class, Region& region, Word page) {
    BitTree const room = region.room(size_class);
    if (!room.test(page)) return;
    --counts_[size_class].with_room;
    room.clear(page);
}

Region* Slabs::region_with(unsigned column) const {
    for (unsigned i = 0; i < region_count_; ++i) {
        if (!BitTree(preferred(i), column, 0).empty()) return &preferred(i);
    }
    return nullptr;
}

void Slabs::return_spare_of(Region& region) {
    Word const page = region.spares().first();
    unsigned const size_class = region.tag(page);
    region.spares().clear(page);
    --counts_[size_class].spares;
    return_slab(size_class, region, page);
}

bool Slabs::refill_from_room(unsigned size_class, Front& front) {
    Region& region = region_count_ == 1 ? *primary_region_ : *region_with(column::room + size_class);
    Word const page = region.room(size_class).first();
    Word* const slots = region.slots(page);
    if (is_empty(slots, front.full)) {
        --counts_[size_class].spares;
        region.spares().clear(page);
    }
    unsigned w = 0;
    while (slot_words > 1 && slots[w] == 0) ++w;
    fetch_word(size_class, front, region, page, w);
    if (slot_words > 1 && has_room(slots)) return true;
    --counts_[size_class].with_room;
    region.room(size_class).clear(page);
    return true;
}

void Slabs::add_to_pool(unsigned size_class, uintptr_t address, unsigned slot_word, Word slots) {
    Region& region = *region_of(address);
    Word const page = address >> page_shift;
    region.slots(page)[slot_word] |= slots;
    gain_room(size_class, region, page);
    if (!is_empty(region.slots(page), fronts_[size_class].full)) return;
    ++counts_[size_class].spares;
    region.spares().set(page);
}

void Slabs::empty_stack(unsigned size_class) {
    Front& front = fronts_[size_class];
    uintptr_t address = front.other != 0 ? show(front) : front.stack[front.depth--];
    for (; address != 0; address = front.stack[front.depth--]) {
        unsigned const slot = slot_at(size_class, address % page_size);
        add_to_pool(size_class, address, slot / word_bits, bit_of(slot));
    }
    front.depth = 0;
}

void Slabs::empty_stacks() {
    for (unsigned c = 0; c < class_count; ++c) empty_stack(c);
}

void Slabs::empty_word(unsigned size_class) {
    Front& front = fronts_[size_class];
    if (front.word == 0) return;
    // Of the word's slots those at the top may never have been handed out.
    unsigned const slot_word = slot_at(size_class, front.word_base % page_size) / word_bits;
    Word handed = slots_in_word(size_class, slot_word);
    while (handed > front.word_handed && (front.word & bit_of(handed - 1)) != 0) --handed;
    region_of(front.word_base)->handed(front.word_base >> page_shift)[slot_word] =
        static_cast<uint8_t>(handed);
    add_to_pool(size_class, front.word_base, slot_word, front.word);
    front.word = 0;
}

void Slabs::collect() {
    empty_stacks();
    for (unsigned c = 0; c < class_count; ++c) empty_word(c);
    while (return_a_spare()) {
    }
}

bool Slabs::was_handed_out(Region const& region, Word page, unsigned size_class, unsigned slot) const {
    // A slot that the front's word still has was handed out if it had been before the word was taken.
    bool const in_front = front_has(page, size_class, slot);
    return digit(slot) < (in_front ? fronts_[size_class].word_handed : region.handed(page)[slot / word_bits]);
}

}  // namespace slabheap
