// SPDX-License-Identifier: MIT
//
// Shortages. Now and then a few CPUs take all memory that is left, at once; when none of them finds any
// more, they give it all back. As many others go on as ever, and may be refused what they ask for: then,
// and at no other time. The rest, on a machine of many CPUs, sleeps meanwhile: it would only take the
// emulator's time.
#ifndef KERNEL_DEMO_SHORTAGE_HPP
#define KERNEL_DEMO_SHORTAGE_HPP

#include <stddef.h>

#include "counter.hpp"
#include "hoard.hpp"
#include "storm_tally.hpp"

namespace demo {

// All shortages of a storm, by number: 1, 2, ... What is counted here only goes up, so nobody who looks
// late is mistaken.
class Shortages {
public:
    // To be called first: how many CPUs take turns.
    void start(size_t cpus);

    // For one CPU, while none is on.
    void begin() { __atomic_store_n(&begun_, begun_ + 1, __ATOMIC_RELEASE); }

    size_t begun() const { return __atomic_load_n(&begun_, __ATOMIC_ACQUIRE); }
    bool is_on() const { return !all_have_left(begun()); }

    // Whether one was on at any time since a moment; to be asked after an allocation that was not granted.
    struct Moment {
        size_t number;  // of the last
        bool is_on;     // is that one on?
    };
    Moment now() const {
        size_t number = begun();
        return {number, !all_have_left(number)};
    }
    bool was_on_since(Moment moment) const { return moment.is_on || begun() != moment.number; }

    // Whether the CPU goes on, as a hoarder or one of the others.
    bool lets_work(size_t cpu) const;

private:
    friend class Hoarder;

    // How far behind the first hoarder of a shortage it is.
    size_t place_of(size_t cpu, size_t number) const {
        return (cpu + cpus_ - (number - 1) * hoarders_ % cpus_) % cpus_;
    }
    bool has_part(size_t cpu, size_t number) const { return place_of(cpu, number) < hoarders_; }
    bool all_are_full(size_t number) const { return counted(full_) == number * hoarders_; }
    bool all_have_left(size_t number) const { return counted(left_) == number * hoarders_; }

    static size_t counted(const size_t& count) { return __atomic_load_n(&count, __ATOMIC_ACQUIRE); }
    static void count(size_t& count) { __atomic_fetch_add(&count, 1, __ATOMIC_ACQ_REL); }

    size_t cpus_ = 0;
    size_t hoarders_ = 0;  // in each shortage
    size_t begun_ = 0;     // the number of the last
    size_t full_ = 0;      // hoarders that have found nothing any more, in all of them
    size_t left_ = 0;      // hoarders that have given everything back, in all of them
};

// A CPU's part in them.
class Hoarder {
public:
    // To be called first.
    void start(Shortages& shortages, size_t cpu);
    // Takes a block; or, when there is none, waits for the other hoarders, and gives all back. False: this
    // CPU has no part in a shortage now.
    bool step();
    // Any CPU may ask at any time.
    StormTally tally() const;

private:
    void take();
    void give_back();

    Shortages* shortages_ = nullptr;
    size_t cpu_ = 0;
    size_t number_ = 0;  // the last shortage that is over, as far as this CPU has a part in it
    size_t size_ = 0;    // the index of the size that it takes: larger blocks are not to be had
    bool is_full_ = false;
    Hoard hoard_;
    Counter allocations_;
    Counter frees_;
    Counter refusals_;
    const void* damaged_ = nullptr;
};

}  // namespace demo

#endif
