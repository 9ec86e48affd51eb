// SPDX-License-Identifier: MIT
#include "slab.hpp"

namespace slabheap {

namespace {

// Acquire: pairs with put_in_pool, so that who takes a slot finds all that was done with it done.
Word pool(Word const& slots) { return atomic::load<atomic::acquire>(slots); }

bool has_room(Word const* slots) {
    Word any = 0;
    for (unsigned w = 0; w < slot_words; ++w) any |= pool(slots[w]);
    return any != 0;
}

bool is_empty(Word const* slots, Word const* full) {
    Word missing = 0;
    for (unsigned w = 0; w < slot_words; ++w) missing |= pool(slots[w]) ^ full[w];
    return missing == 0;
}

}  // namespace

// Moves a word of the slab's pool into the front, whose own word is used up.
inline void Slabs::fetch_word(unsigned size_class, Front& front, Region& region, Word page, unsigned w) {
    Handed::Number& handed = region.handed(page)[w];
    atomic::store<atomic::relaxed>(front.word,
                                   atomic::exchange<atomic::acquire>(region.slots(page)[w], Word{0}, among_));
    atomic::store<atomic::relaxed>(front.word_base, (page << page_shift) + w * word_bits * front.slot_bytes);
    front.word_live_bias = region.view().live_bias;
    atomic::store<atomic::relaxed>(front.word_handed, Word{handed});
    handed = Handed::all(size_class, w);
}

inline Region* Slabs::start_slab(unsigned size_class, Word& page) {
    if (injector_.refuses()) return nullptr;
    unsigned i = 0;
    while ((page = preferred(i).allocate_page()) == Region::none) {
        if (++i == region_count_) return nullptr;
    }
    Region& region = preferred(i);
    taken(region, page);
    for (unsigned w = 0; w < slot_words; ++w) {
        atomic::store<atomic::relaxed>(region.slots(page)[w], own_.of_class[size_class].full[w]);
        region.handed(page)[w] = 0;
    }
    atomic::store<atomic::relaxed>(region.tag(page), static_cast<uint8_t>(size_class));
    ++counts_[size_class].slabs;
    if constexpr (defences::tracking) {
        for (uintptr_t at = 0; at < page_size; at += mark_unit) region.site((page << page_shift) + at) = 0;
    }
    if constexpr (defences::poison) {
        defences::fill(page << page_shift, (page + 1) << page_shift, defences::poison_byte);
    }
    return &region;
}

inline bool Slabs::refill_from_page(unsigned size_class, Front& front) {
    Word page;
    Region* const region = start_slab(size_class, page);
    if (region == nullptr) return false;
    fetch_word(size_class, front, *region, page, 0);
    if (class_slots(size_class) > word_bits) gain_room(size_class, *region, page);
    return true;
}

uintptr_t Slabs::take_slot(CpuFronts& fronts, unsigned size_class, size_t size) {
    Front& front = fronts.of_class[size_class];
    if (!has_slot(front)) {
        bool const refilled = counts_[size_class].with_room != 0 ? refill_from_room(size_class, front)
                                                                 : refill_from_page(size_class, front);
        if (!refilled) return 0;
        return hand_out(front, front.word_live_bias, take_from_word(fronts, front), size);
    }
    uintptr_t address;
    if (front.other == 0) {
        take_front_slot(fronts, size_class, size, address);
    } else {
        address = show(front);
        hand_out(front, view_to_use(address)->live_bias, address, size);
    }
    return address;
}

// Slots that never were handed out stay, because that is told by their place; so do empty slabs, which others
// may want as pages. Half a stack, because what is freed next wants a place, too.
void Slabs::stock(CpuFronts& fronts, unsigned size_class, unsigned most_slabs) {
    if (defences::quarantine != 0) return;
    Front& front = fronts.of_class[size_class];
    for (; front.depth < front.limit / 2 && with_room(size_class) != 0 && most_slabs != 0; --most_slabs) {
        Word page;
        Region& region = slab_with_room(size_class, page);
        if (!primary_.knows(page << page_shift) || region.spares().test(page)) return;
        for (unsigned w = 0; w < slot_words; ++w) {
            Word& slots = region.slots(page)[w];
            Word const at_hand = pool(slots) & Handed::slots(region.handed(page)[w]);
            Word left = at_hand;
            for (; left != 0 && front.depth < front.limit / 2; left &= left - 1) {
                unsigned const slot = first_slot(w) + lowest_bit(left);
                front.stack[++front.depth] = (page << page_shift) + slot_offset(size_class, slot);
            }
            // Acquire: pairs with pool_slot.
            atomic::fetch_and<atomic::acquire>(slots, ~(at_hand ^ left), among_);
        }
        if (has_room(region.slots(page))) return;
        lose_room(size_class, region, page);
    }
}

uintptr_t Slabs::take_pooled_slot(unsigned size_class, size_t size) {
    if (with_room(size_class) == 0) {
        Word page;
        Region* const region = start_slab(size_class, page);
        if (region == nullptr) return 0;
        gain_room(size_class, *region, page);
    }
    return take_slot_with_room(size_class, size);
}

uintptr_t Slabs::take_slot_with_room(unsigned size_class, size_t size) {
    Word page;
    Region* const region = &slab_with_room(size_class, page);
    stop_being_spare(*region, page);
    Word* const slots = region->slots(page);
    unsigned w = 0;
    while (pool(slots[w]) == 0) ++w;
    unsigned const in_word = chosen_slot(own_, pool(slots[w]));
    atomic::fetch_and<atomic::acquire>(slots[w], ~bit(in_word), among_);
    if (!has_room(slots)) lose_room(size_class, *region, page);
    Handed::Number& handed = region->handed(page)[w];
    handed = Handed::number(Handed::slots(handed) | bit(in_word));
    uintptr_t const address = (page << page_shift) + slot_offset(size_class, first_slot(w) + in_word);
    atomic::store<atomic::relaxed>(region->view().live(address), uint8_t{1});
    ++without_front_[size_class].allocations;
    without_front_[size_class].requested += size;
    return address;
}

template <Slabs::Pools pools>
inline void Slabs::pool_any_slot(Word size_class, uintptr_t address) {
    pool_slot<pools>(*view_of(address), own_.of_class[size_class], address);
}

// Places a block of the primary region on a front that may be hidden, or full; or any block in a quarantine.
template <Slabs::Pools pools>
inline void Slabs::place(CpuFronts& fronts, Word size_class, uintptr_t address) {
    Front& front = front_at(fronts, size_class);
    if constexpr (defences::quarantine == 0) {
        if (front.other != 0) pool_any_slot<pools>(size_class, show(front));
        if (front.depth == front.limit) pool_any_slot<pools>(size_class, front.stack[front.depth--]);
    } else if (front.depth == front.limit) {
        uintptr_t& oldest = front.stack[1 + front.oldest];
        uintptr_t const leaving = oldest;
        oldest = address;
        if (++front.oldest == front.limit) front.oldest = 0;
        return pool_any_slot<pools>(size_class, leaving);
    }
    front.stack[++front.depth] = address;
}

void Slabs::place_slowly(Word size_class, uintptr_t address) { place<Pools::own>(own_, size_class, address); }
void Slabs::place_slowly_shared(CpuFronts& fronts, Word size_class, uintptr_t address) {
    place<Pools::shared>(fronts, size_class, address);
}

template <Slabs::Pools pools>
inline void Slabs::keep_slot(CpuFronts& fronts, Word size_class, uintptr_t address) {
    Front& front = front_at(fronts, size_class);
    atomic::count(front.frees, 1);
    if (defences::quarantine != 0 || primary_.knows(address))
        return place<pools>(fronts, size_class, address);
    uintptr_t const before = front.other;
    if (before != 0) pool_any_slot<pools>(size_class, before);
    hide(front, address);
}

void Slabs::put_slot(unsigned size_class, uintptr_t address) {
    view_to_use(address)->live(address) = 0;
    keep_slot<Pools::own>(own_, size_class, address);
}
void Slabs::keep_slot_shared(CpuFronts& fronts, unsigned size_class, uintptr_t address) {
    keep_slot<Pools::shared>(fronts, size_class, address);
}

void Slabs::put_pooled_slot(Word size_class, uintptr_t address) {
    atomic::add(without_front_[size_class].frees, 1, among_);
    pool_any_slot<Pools::shared>(size_class, address);
}

void Slabs::make_pending(uintptr_t address) {
    Pending(*region_of(address), among_).add(address >> page_shift);
    // Release: pairs with the exchange in settle_pending.
    atomic::store<atomic::release>(has_pending_, Word{1});
}

bool Slabs::settle_pending(unsigned most) {
    if (atomic::load<atomic::relaxed>(has_pending_) == 0) return false;
    // Acquire: what was added before the flag was set is found below; what is added later sets it again.
    atomic::exchange<atomic::acq_rel>(has_pending_, Word{0}, among_);
    for (unsigned i = 0; i < region_count_; ++i) {
        Region& region = preferred(i);
        Word page;
        while ((page = Pending(region, among_).take()) != Region::none) {
            // To give a large block's pages back takes as long as to look at several slabs.
            unsigned const work = tag::state(region.what(page)) == tag::leaving ? 3 : 1;
            most = most > work ? most - work : 0;
            settle(region, page);
            if (most != 0) continue;
            atomic::store<atomic::relaxed>(has_pending_, Word{1});
            return true;
        }
    }
    return false;
}

void Slabs::hide(Front& front, uintptr_t other) {
    if (front.other == 0) {
        front.hidden_depth = front.depth;
        front.hidden_limit = front.limit;
        atomic::store<atomic::relaxed>(front.hidden_word, front.word);
        atomic::store<atomic::relaxed>(front.word, Word{0});
        front.depth = front.limit = 0;
    }
    front.other = other;
}

// Returns what was on top.
uintptr_t Slabs::show(Front& front) {
    uintptr_t const other = front.other;
    front.depth = front.hidden_depth;
    front.limit = front.hidden_limit;
    atomic::store<atomic::relaxed>(front.word, front.hidden_word);
    atomic::store<atomic::relaxed>(front.hidden_word, Word{0});
    front.other = front.hidden_depth = front.hidden_limit = 0;
    return other;
}

[[gnu::always_inline]] inline void Slabs::return_slab(unsigned size_class, Region& region, Word page) {
    lose_room(size_class, region, page);
    atomic::store<atomic::relaxed>(region.tag(page), static_cast<uint8_t>(tag::freed_slab + size_class));
    region.give_page(page);
    --counts_[size_class].slabs;
}

void Slabs::slab_changed(uintptr_t address) { settle(*region_of(address), address >> page_shift); }

inline void Slabs::settle(Region& region, Word page) {
    // Acquire: pairs with the claim of a large block.
    unsigned const c = atomic::load<atomic::acquire>(region.tag(page));
    if (!tag::is_slab(static_cast<uint8_t>(c))) {
        if (tag::state(c) == tag::leaving) free_run(region, page);
        return;
    }
    if (!has_room(region.slots(page))) return;
    if (is_empty(region.slots(page), own_.of_class[c].full) && !region.spares().test(page)) {
        if (counts_[c].spares >= spare_limit()) return return_slab(c, region, page);
        ++counts_[c].spares;
        region.spares().set(page);
    }
    gain_room(c, region, page);
}

void Slabs::stop_being_spare(Region& region, Word page) {
    if (!region.spares().test(page)) return;
    --counts_[region.tag(page)].spares;
    region.spares().clear(page);
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

inline Region& Slabs::slab_with_room(unsigned size_class, Word& page) {
    Region& region = region_count_ == 1 ? *primary_region_ : *region_with(column::room + size_class);
    page = region.room(size_class).first();
    return region;
}

bool Slabs::refill_from_room(unsigned size_class, Front& front) {
    Word page;
    Region& region = slab_with_room(size_class, page);
    Word* const slots = region.slots(page);
    stop_being_spare(region, page);
    unsigned w = 0;
    while (slot_words > 1 && pool(slots[w]) == 0) ++w;
    fetch_word(size_class, front, region, page, w);
    if (slot_words > 1 && has_room(slots)) return true;
    --counts_[size_class].with_room;
    region.room(size_class).clear(page);
    return true;
}

void Slabs::add_to_pool(unsigned size_class, uintptr_t address, unsigned slot_word, Word slots) {
    Region& region = *region_of(address);
    Word const page = address >> page_shift;
    atomic::fetch_or<atomic::release>(region.slots(page)[slot_word], slots, among_);
    gain_room(size_class, region, page);
    if (!is_empty(region.slots(page), own_.of_class[size_class].full)) return;
    ++counts_[size_class].spares;
    region.spares().set(page);
}

}  // namespace slabheap
