// SPDX-License-Identifier: MIT
//
// What is done to whole fronts, and what all of them together say. The usual paths, which take one slot of
// one front, are in slab.hpp and slab.cpp.
#include "slab.hpp"

namespace slabheap {

void CpuFronts::set_up() {
    for (unsigned c = 0; c < class_count; ++c) {
        Front& front = of_class[c];
        front.limit = stack_limit(c);
        front.slot_bytes = class_size(c);
        front.reciprocal = class_reciprocal(c);
        for (unsigned w = 0; w < slot_words; ++w) front.full[w] = all_slots(c, w);
    }
    if (defences::draws) random = 1;
}

void Slabs::seed(uint64_t entropy) {
    if (!defences::draws) return;
    for (Word i = 0; i < front_count_; ++i) {
        Word& last = fronts_of(i).random;
        atomic::store<atomic::relaxed>(last, stir(atomic::load<atomic::relaxed>(last), entropy, i));
    }
}

void Slabs::set_up() {
    own_.set_up();
    fronts_ = reinterpret_cast<uintptr_t>(&own_);
    front_count_ = 1;
}

void Slabs::empty_stack(CpuFronts& fronts, unsigned size_class) {
    Front& front = fronts.of_class[size_class];
    uintptr_t address = front.other != 0 ? show(front) : front.stack[front.depth--];
    for (; address != 0; address = front.stack[front.depth--]) {
        unsigned const slot = slot_at(size_class, address % page_size);
        add_to_pool(size_class, address, slot / word_bits, bit_of(slot));
    }
    front.depth = 0;
    if (defences::quarantine != 0) front.oldest = 0;
}

void Slabs::empty_stacks() {
    if (defences::quarantine != 0) return;  // which holds any region's blocks
    for (unsigned c = 0; c < class_count; ++c) empty_stack(own_, c);
}

void Slabs::empty_front(CpuFronts& fronts, unsigned size_class) {
    empty_stack(fronts, size_class);
    empty_word(fronts, size_class);
}

void Slabs::empty_word(CpuFronts& fronts, unsigned size_class) {
    Front& front = fronts.of_class[size_class];
    if (front.word == 0) return;
    unsigned const slot_word = slot_at(size_class, front.word_base % page_size) / word_bits;
    Word const never_handed = front.word & ~Handed::slots(front.word_handed);
    region_of(front.word_base)->handed(front.word_base >> page_shift)[slot_word] =
        Handed::number(all_slots(size_class, slot_word) & ~never_handed);
    add_to_pool(size_class, front.word_base, slot_word, front.word);
    atomic::store<atomic::relaxed>(front.word, Word{0});
}

void Slabs::collect() {
    for (unsigned c = 0; c < class_count; ++c) empty_front(own_, c);
    while (return_a_spare()) {
    }
}

Slabs::Traffic Slabs::traffic(unsigned size_class) const {
    Traffic const& without = without_front_[size_class];
    Traffic sum = {without.allocations, atomic::load<atomic::relaxed>(without.frees), without.requested};
    for (Word i = 0; i < front_count_; ++i) {
        Front const& front = fronts_of(i).of_class[size_class];
        sum.allocations += atomic::load<atomic::relaxed>(front.allocations);
        sum.frees += atomic::load<atomic::relaxed>(front.frees);
        sum.requested += atomic::load<atomic::relaxed>(front.requested);
    }
    return sum;
}

Front const* Slabs::front_with(Word page, unsigned size_class, unsigned slot) const {
    uintptr_t const word_base = (page << page_shift) + slot_offset(size_class, first_slot(slot / word_bits));
    for (Word i = 0; i < front_count_; ++i) {
        Front const& front = fronts_of(i).of_class[size_class];
        // Another CPU may be taking slots from it meanwhile; the rest changes under the lock only.
        Word const slots =
            atomic::load<atomic::relaxed>(front.word) | atomic::load<atomic::relaxed>(front.hidden_word);
        if (atomic::load<atomic::relaxed>(front.word_base) == word_base && (slots & bit_of(slot)) != 0)
            return &front;
    }
    return nullptr;
}

bool Slabs::was_handed_out(Region const& region, Word page, unsigned size_class, unsigned slot) const {
    // A slot that the front's word still has was handed out if it had been before the word was taken.
    Front const* const front = front_with(page, size_class, slot);
    Word const handed = front != nullptr ? atomic::load<atomic::relaxed>(front->word_handed)
                                         : region.handed(page)[slot / word_bits];
    return (Handed::slots(handed) & bit_of(slot)) != 0;
}

}  // namespace slabheap
