// SPDX-License-Identifier: MIT
//
// What the audit says of slabs, and of the fronts that have taken slots of them.
#include "audit.hpp"

namespace slabheap {

bool Auditor::slab_is_sound(Region& region, Word page, unsigned size_class) {
    uintptr_t const start = page << page_shift;
    Word pooled = 0, pooled_count = 0;
    for (unsigned w = 0; w < slot_words; ++w) {
        Word const slots = region.slots(page)[w];
        Word const all = all_slots(size_class, w);
        if ((slots & ~all) != 0) return broken("a slab's pool has only the slab's slots", start);
        if (!Handed::is_sound(region.handed(page)[w], size_class, w)) {
            return broken("no more slots were handed out than a slab has", start);
        }
        pooled |= slots;
        pooled_count += popcount(slots);
    }
    if (region.room(size_class).test(page) != (pooled != 0)) {
        return broken("a slab has room exactly when its pool is not empty", start);
    }
    if (region.spares().test(page) != (pooled_count == class_slots(size_class))) {
        return broken("a spare is an empty slab", start);
    }
    return slots_are_sound(region, page, size_class);
}

bool Auditor::slots_are_sound(Region& region, Word page, unsigned size_class) {
    uintptr_t const start = page << page_shift;
    Word marked = live_blocks(region, page);
    for (unsigned slot = 0; slot < class_slots(size_class); ++slot) {
        uintptr_t const block = start + slot_offset(size_class, slot);
        uint8_t const mark = region.view().live(block);
        if (mark == 0) continue;
        --marked;
        if (mark != 1) return broken("a live mark is 0 or 1", block);
        if ((region.slots(page)[slot / word_bits] & bit_of(slot)) != 0) {
            return broken("a live block is not in a pool", block);
        }
        if (!heap_.was_handed_out(region, page, size_class, slot)) {
            return broken("a live block was handed out", block);
        }
    }
    for (unsigned slot = 0; slot < class_slots(size_class); ++slot) {
        bool const pooled = (region.slots(page)[slot / word_bits] & bit_of(slot)) != 0;
        bool const in_front = heap_.front_with(page, size_class, slot) != nullptr;
        if (!pooled && !in_front && !heap_.was_handed_out(region, page, size_class, slot)) {
            return broken("a slot that never was handed out is free", start + slot_offset(size_class, slot));
        }
    }
    if (marked != 0) return broken("a slab's blocks start at its slots", start);
    return true;
}

// A slot that is neither live nor in its pool, in a slab of the class.
bool Auditor::is_free_slot(uintptr_t address, unsigned size_class) const {
    PageView const* const view = heap_.view_of(address);
    if (view == nullptr || view->what(address) != size_class ||
        address % page_size % class_size(size_class) != 0)
        return false;
    unsigned const slot = slot_at(size_class, address % page_size);
    return slot < class_slots(size_class) && view->live(address) == 0 &&
           (view->slots(address)[slot / word_bits] & bit_of(slot)) == 0;
}

bool Auditor::stack_is_sound(Front const& front, unsigned size_class) {
    bool const hidden = front.other != 0;
    Word const limit = hidden ? front.hidden_limit : front.limit;
    Word const depth = hidden ? front.hidden_depth : front.depth;
    if (limit != stack_limit(size_class) || depth > limit || front.stack[0] != 0) {
        return broken("a stack has its class's capacity");
    }
    if (defences::quarantine != 0) {
        if (front.oldest >= (depth == limit ? limit : 1)) return broken("a quarantine knows what is oldest");
    } else if (hidden ? (front.depth | front.limit | front.word) != 0
                      : (front.hidden_depth | front.hidden_limit | front.hidden_word) != 0) {
        return broken("a front is hidden while a block of another region is on top");
    }
    if (hidden && !is_free_slot(front.other, size_class)) {
        return broken("a stack holds free slots of its class", front.other);
    }
    for (Word i = 1; i <= depth; ++i) {
        uintptr_t const address = front.stack[i];
        if (!is_free_slot(address, size_class) ||
            (defences::quarantine == 0 && !heap_.primary_.knows(address))) {
            return broken("a stack holds free slots of its class", address);
        }
        for (Word older = 1; older < i; ++older) {
            if (front.stack[older] == address) return broken("a stack holds a slot once", address);
        }
        if (address == front.other || heap_.front_with(address >> page_shift, size_class,
                                                       slot_at(size_class, address % page_size)) != nullptr) {
            return broken("a free slot is in one place", address);
        }
    }
    in_fronts_ += depth + hidden;
    return true;
}

bool Auditor::word_is_sound(Front const& front, unsigned size_class) {
    bool sound =
        front.slot_bytes == class_size(size_class) && front.reciprocal == class_reciprocal(size_class);
    for (unsigned w = 0; w < slot_words; ++w) sound = sound && front.full[w] == all_slots(size_class, w);
    if (!sound) return broken("a front knows its class");
    for (Word rest = front.word | front.hidden_word; rest != 0; rest &= rest - 1) {
        uintptr_t const address = front.word_base + slot_offset(size_class, lowest_bit(rest));
        if (!is_free_slot(address, size_class) || front.word_live_bias != heap_.view_of(address)->live_bias) {
            return broken("a front's word holds free slots", address);
        }
    }
    in_fronts_ += popcount(front.word | front.hidden_word);
    return true;
}

// The fronts, and the books of the class.
bool Auditor::class_is_sound(unsigned size_class) {
    in_fronts_ = 0;
    for (Word i = 0; i < heap_.front_count_; ++i) {
        Front const& front = heap_.fronts_of(i).of_class[size_class];
        if (!stack_is_sound(front, size_class) || !word_is_sound(front, size_class)) return false;
    }
    Word slabs = 0, roomy = 0, empty = 0, live = 0, pooled = 0;
    for (unsigned i = 0; i < heap_.region_count_; ++i) {
        Region& region = heap_.region(i);
        Word next;
        for (Word page = region.next_head(region.first_usable()); page != Region::none;
             page = region.next_head(next)) {
            next = page + region.run_pages(page);
            if (region.what(page) != size_class) continue;
            Word here = 0;
            for (unsigned w = 0; w < slot_words; ++w) here += popcount(region.slots(page)[w]);
            live += live_blocks(region, page);
            pooled += here;
            roomy += here != 0;
            empty += here == class_slots(size_class);
            ++slabs;
        }
    }
    if (heap_.slabs(size_class) != slabs) return broken("a class's slabs are counted exactly");
    if (heap_.with_room(size_class) != roomy) return broken("a class's slabs with room are counted exactly");
    if (heap_.spares(size_class) != empty) return broken("a class's spares are counted exactly");
    if (heap_.live(size_class) != live) return broken("a class's live blocks are counted exactly");
    if (live + pooled + in_fronts_ == slabs * class_slots(size_class)) return true;
    return broken("each slot is live, in its pool, in a stack or in a front's word");
}

}  // namespace slabheap
