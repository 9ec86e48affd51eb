// SPDX-License-Identifier: MIT
//
// Which blocks a step uses follows from its number, so CPUs that keep step never meet in one slot.
#include "bench_walk.hpp"

namespace demo {

Walk::Walk(const Row& row, size_t pairs, FreeForm form, CountedCalls& calls, Slot* slots, Company company,
           size_t cpu)
    : row_(row),
      pairs_(row.shape == Shape::replace ? pairs : (pairs + row.live - 1) / row.live * row.live),
      form_(form),
      calls_(calls),
      slots_(slots),
      company_(company),
      cpu_(cpu),
      random_(cpu == 0 ? Random() : Random(static_cast<uint32_t>(cpu) * 0x9e3779b1u)) {}

bool Walk::step() {
    return row_.shape == Shape::replace ? step_replacing() : step_in_batches();
}

// First all blocks are allocated, at last all are freed.
bool Walk::step_replacing() {
    size_t at = steps_++;
    if (at < row_.live) return allocate(slots_of(0)[at]), true;
    at -= row_.live;
    if (at == pairs_) calls_.start_count();
    if (at == 2 * pairs_) counts_ = calls_.counts();
    if (at < 2 * pairs_) {
        Slot& slot = slots_of(at)[random_.below(row_.live)];
        free(slot);
        allocate(slot);
        return true;
    }
    at -= 2 * pairs_;
    if (at == row_.live) return false;
    free(slots_of(0)[at]);
    return true;
}

bool Walk::step_in_batches() {
    size_t at = steps_++;
    if (at == 2 * pairs_) calls_.start_count();
    if (at == 4 * pairs_) {
        counts_ = calls_.counts();
        return false;
    }
    at %= 2 * row_.live;
    if (at < row_.live) return allocate(slots_of(0)[at]), true;
    at -= row_.live;
    if (at == 0 && row_.shape == Shape::shuffle) shuffle(slots_of(1));
    free(slots_of(1)[at]);
    return true;
}

Slot* Walk::slots_of(size_t distance) const {
    size_t cpu = company_.passes_blocks ? (cpu_ + distance) % company_.cpus : cpu_;
    return slots_ + cpu * most_live;
}

void Walk::allocate(Slot& slot) {
    slot.size = row_.size(random_);
    slot.block = calls_.allocate(slot.size);
}

void Walk::free(const Slot& slot) {
    form_ == FreeForm::sized ? calls_.free_sized(slot.block, slot.size) : calls_.free(slot.block);
}

void Walk::shuffle(Slot* slots) {
    for (size_t left = row_.live; left > 1; left--) {
        Slot& drawn = slots[random_.below(left)];
        Slot last = slots[left - 1];
        slots[left - 1] = drawn;
        drawn = last;
    }
}

}  // namespace demo
