// SPDX-License-Identifier: MIT
//
// A hoarder takes blocks of a size until there is none, then of the next smaller one, down to the smallest.
// Before the heap refuses, it gives up what it has put aside, on all CPUs: so each hoarder makes it do that
// several times.
#include "shortage.hpp"

#include "machine_cpus.h"

namespace demo {

namespace {

constexpr size_t kib = 1024;
constexpr size_t sizes[] = {256 * kib, 16 * kib, 4 * kib};
constexpr size_t size_count = sizeof sizes / sizeof *sizes;
constexpr size_t most_hoarders = 4;

}  // namespace

void Shortages::start(size_t cpus) {
    cpus_ = cpus;
    hoarders_ = cpus < most_hoarders ? cpus : most_hoarders;
}

bool Shortages::lets_work(size_t cpu) const {
    Moment moment = now();
    return !moment.is_on || place_of(cpu, moment.number) < 2 * hoarders_;
}

void Hoarder::start(Shortages& shortages, size_t cpu) {
    shortages_ = &shortages;
    cpu_ = cpu;
}

bool Hoarder::step() {
    size_t number = shortages_->begun();
    if (number == number_) return false;
    if (!shortages_->has_part(cpu_, number)) {
        number_ = number;
        return false;
    }
    if (!is_full_) {
        take();
    } else if (!shortages_->all_are_full(number)) {
        machine_nap();
    } else {
        give_back();
        number_ = number;
    }
    return true;
}

void Hoarder::take() {
    if (hoard_.take(sizes[size_])) return allocations_.count();
    refusals_.count();
    if (++size_ != size_count) return;
    is_full_ = true;
    Shortages::count(shortages_->full_);
}

void Hoarder::give_back() {
    size_t count = hoard_.count();
    const void* broken = hoard_.give_back_all();
    if (broken != nullptr && damaged_ == nullptr) __atomic_store_n(&damaged_, broken, __ATOMIC_RELAXED);
    frees_.count(count);
    size_ = 0;
    is_full_ = false;
    Shortages::count(shortages_->left_);
}

StormTally Hoarder::tally() const {
    StormTally tally;
    tally.allocations = allocations_.read();
    tally.frees = frees_.read();
    tally.refusals = refusals_.read();
    tally.damaged = __atomic_load_n(&damaged_, __ATOMIC_RELAXED);
    return tally;
}

}  // namespace demo
