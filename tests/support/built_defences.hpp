// SPDX-License-Identifier: MIT
//
// What the defences that the archive was built with change for a block's user, so that a test says once what
// it expects, and holds in every build.
#ifndef SLABHEAP_TESTS_BUILT_DEFENCES_HPP
#define SLABHEAP_TESTS_BUILT_DEFENCES_HPP

#include <stddef.h>

namespace slabheap::test {

#ifdef SLABHEAP_CANARY
inline constexpr bool has_canary = true;
#else
inline constexpr bool has_canary = false;
#endif
#ifdef SLABHEAP_POISON
inline constexpr bool has_poison = true;
#else
inline constexpr bool has_poison = false;
#endif
#ifdef SLABHEAP_TRACKING
inline constexpr bool has_tracking = true;
#else
inline constexpr bool has_tracking = false;
#endif
#ifdef SLABHEAP_RANDOM
inline constexpr bool has_random = true;
#else
inline constexpr bool has_random = false;
#endif
#ifdef SLABHEAP_QUARANTINE
inline constexpr size_t quarantine = SLABHEAP_QUARANTINE;
#else
inline constexpr size_t quarantine = 0;
#endif
inline constexpr bool has_quarantine = quarantine != 0;
// Is a block written, all of it, when it is allocated or freed?
#if defined SLABHEAP_POISON || defined SLABHEAP_ZERO_ALLOC || defined SLABHEAP_ZERO_FREE
inline constexpr bool fills_blocks = true;
#else
inline constexpr bool fills_blocks = false;
#endif

// Is the block freed last handed out first? Not where blocks rest in a quarantine, or are drawn by lot.
inline constexpr bool is_lifo = !has_quarantine && !has_random;

// Is this what a request has to get after the block was freed: that block, or, where slots are not reused at
// once, any?
constexpr bool is_next(const void* freed_last, const void* got) {
    return is_lifo ? got == freed_last : got != nullptr;
}

// The bytes that may be used of a block of `real` bytes, when `asked` were asked for: behind them is the
// canary, if there is one.
constexpr size_t usable(size_t asked, size_t real) {
    return has_canary ? asked + (asked == 0) : real;
}

// How much of a region a test hands out: where defences fill it, the machine must have it.
constexpr size_t handed_out(size_t most) {
    constexpr size_t filled = size_t{64} << 20;
    return fills_blocks && most > filled ? filled : most;
}

}  // namespace slabheap::test

#endif
