// SPDX-License-Identifier: MIT
#include "trial.hpp"

namespace slabheap::misuse {

namespace {

// One at a time: a fault handler is told nothing but the fault.
Trial* current;

size_t used_bytes() {
    slab_stats stats;
    slab_heap_stats(&stats);
    return stats.used_bytes;
}

}  // namespace

Trial::Trial(const Place& its_place)
    : place(its_place), previous_(slab_heap_set_fault_handler(hear)), used_before_(used_bytes()) {
    current = this;
}

Trial::~Trial() { slab_heap_set_fault_handler(previous_); }

void Trial::expect(slab_fault_kind kind, const void* address) {
    expected_[expectations_++ % 4] = {kind, address};
}

bool Trial::is_expected(const slab_fault& fault) const {
    for (const Report& it : expected_) {
        if (it.kind == fault.kind && it.address == fault.address) return true;
    }
    return false;
}

void Trial::hear(const slab_fault* fault) { current->hear(*fault); }

// Two CPUs may report at once, and then they say the same.
void Trial::hear(const slab_fault& fault) {
    __atomic_fetch_add(&reports_, 1, __ATOMIC_RELAXED);
    const bool is_right = now_ != Outcome::wrong_report && is_expected(fault);
    if (!is_right) __atomic_store_n(&is_wrong_, true, __ATOMIC_RELAXED);
    Outcome uncaught = Outcome::prevented;
    __atomic_compare_exchange(&caught_, &uncaught, &now_, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void Trial::audit() {
    if (caught_ == Outcome::prevented && slab_heap_check() == SLAB_ERR_CORRUPT)
        caught_ = Outcome::caught_by_the_audit;
}

Outcome Trial::outcome_of_access() { return current->harm_ ? Outcome::not_caught : current->now_; }

unsigned Trial::reports() const { return __atomic_load_n(&reports_, __ATOMIC_RELAXED); }

Outcome Trial::outcome() const {
    const bool is_harmed = harm_ || slab_heap_check() != SLAB_OK || used_bytes() != used_before_;
    const bool has_to_be_harmless = caught_ == Outcome::caught_at_once || caught_ == Outcome::prevented;
    if (is_wrong_) return Outcome::wrong_report;
    return is_harmed && has_to_be_harmless ? Outcome::not_caught : caught_;
}

Outcome attempt(const Case& it, const Place& place) {
    Trial trial(place);
    it.attempt(trial);
    return trial.outcome();
}

const char* name_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::caught_at_once: return "caught at once";
        case Outcome::caught_at_the_free: return "caught at the free";
        case Outcome::caught_at_the_reuse: return "caught at the reuse";
        case Outcome::caught_at_the_owners_free: return "caught at the new owner's free";
        case Outcome::caught_by_the_audit: return "caught by the audit";
        case Outcome::prevented: return "prevented";
        case Outcome::not_caught: return "not caught";
        case Outcome::wrong_report: return "wrong report";
    }
    return "";
}

}  // namespace slabheap::misuse
