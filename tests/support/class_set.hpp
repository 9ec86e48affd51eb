// SPDX-License-Identifier: MIT
//
// The size classes of the set that is built, and which of them a request takes. Said here once more, so that
// a test holds the heap against the definition and not against itself.
#ifndef SLABHEAP_TESTS_CLASS_SET_HPP
#define SLABHEAP_TESTS_CLASS_SET_HPP

#include "built_defences.hpp"
#include "test_memory.hpp"

namespace slabheap::test {

#ifdef SLABHEAP_FINE_SIZE_CLASSES
inline constexpr bool fine_set = true;
inline constexpr size_t class_sizes[] = {32, 64, 96, 128, 192, 256, 384, 512, 1024, 1344, 2048, 4096};
#else
inline constexpr bool fine_set = false;
inline constexpr size_t class_sizes[] = {64, 128, 256, 512, 1024, 2048, 4096};
#endif

// A figure that differs between the sets.
constexpr size_t by_set(size_t seed, size_t fine) {
    return fine_set ? fine : seed;
}

// The bytes that the map of a region of 1 MiB or more takes at most: 2 %, with the fine classes 4 %, and what
// defences note in it of each page.
constexpr size_t most_map_bytes(size_t region) {
    constexpr size_t of_mark = (has_canary ? sizeof(uint16_t) : 0) + (has_tracking ? sizeof(size_t) : 0);
    constexpr size_t of_word = has_random ? sizeof(uint64_t) : 0;
    constexpr size_t noted = page_size / by_set(64, 32) * of_mark + by_set(1, 2) * of_word;
    return region / by_set(50, 25) + region / page_size * noted;
}

// The class that a request takes, by its size: the smallest that has the request's size and is a multiple of
// its alignment; 0 when the request takes pages.
constexpr size_t class_for(size_t size, size_t align = 1) {
    for (const size_t class_size : class_sizes) {
        if (class_size >= size && class_size % align == 0) {
            return class_size;
        }
    }
    return 0;
}

constexpr size_t slots_in_a_page(size_t class_size) {
    return page_size / class_size;
}

// What every block of a class is aligned to: the largest power of two that divides its size.
constexpr size_t alignment_of(size_t class_size) {
    return class_size & (~class_size + 1);
}

}  // namespace slabheap::test

#endif
