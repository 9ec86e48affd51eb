// SPDX-License-Identifier: MIT
//
// Size classes: which slots a request of up to one page takes. Two sets, one of which is built:
//
//   seed   64, 128, ... 4096: powers of two, so the class of a request is the logarithm of the larger of size
//          and alignment
//   fine   32, 64, 96, 128, ... 4096: also below 64 and between the powers of two, so the class is looked up.
//          Chosen by measurement: with more classes a heap of objects of all sizes is fuller, but one whose
//          objects were freed at random takes fewer new ones, because each class has half-empty pages
//
// A slot is aligned to the largest power of two that divides its size. An offset into a page is divided by a
// size by a multiplication. Everything here is arithmetic, proved for every size at compile time.
#ifndef SLABHEAP_SIZE_CLASS_HPP
#define SLABHEAP_SIZE_CLASS_HPP

#include <slabheap/slabheap.h>

#include "shadow.hpp"

namespace slabheap {

constexpr unsigned page_shift = 12;
constexpr size_t page_size = size_t{1} << page_shift;
static_assert(page_size == SLAB_PAGE_SIZE);

// Every block starts at a multiple of this.
constexpr size_t granule = 16;

#ifdef SLABHEAP_FINE_SIZE_CLASSES
inline constexpr uint16_t class_sizes[] = {32, 64, 96, 128, 192, 256, 384, 512, 1024, 1344, 2048, 4096};
#else
inline constexpr uint16_t class_sizes[] = {64, 128, 256, 512, 1024, 2048, 4096};
#endif
constexpr unsigned class_count = sizeof class_sizes / sizeof class_sizes[0];
static_assert(class_count <= SLAB_MAX_CLASSES && class_sizes[class_count - 1] == page_size);

constexpr size_t class_size(unsigned size_class) { return class_sizes[size_class]; }

// Every slot starts at a multiple of the smallest one's size, the unit for which the page map has a mark.
constexpr unsigned mark_shift = highest_bit(class_sizes[0]);
constexpr size_t mark_unit = size_t{1} << mark_shift;
consteval bool slots_start_at_marks() {
    for (size_t size : class_sizes) {
        if (size % mark_unit != 0) return false;
    }
    return mark_unit % granule == 0;
}
static_assert(slots_start_at_marks());

// Slots of a page: a table, because a division would be needed.
struct SlotCounts {
    uint16_t of_class[class_count];
    consteval SlotCounts() : of_class{} {
        for (unsigned c = 0; c < class_count; ++c)
            of_class[c] = static_cast<uint16_t>(page_size / class_sizes[c]);
    }
};
inline constexpr SlotCounts slot_counts;
constexpr unsigned class_slots(unsigned size_class) { return slot_counts.of_class[size_class]; }
constexpr unsigned max_slots = class_slots(0);

// The largest request that a slot serves: with its red zone (shadow.hpp) it fills a page.
constexpr size_t largest_small = page_size - shadow::red_zone;

// Does a slot serve this request, or does it take whole pages? align is a power of two.
constexpr bool fits_a_class(size_t size, size_t align) { return size <= largest_small && align <= page_size; }

// Offset / class size = offset * reciprocal / 2^reciprocal_shift, for every offset into a page.
constexpr unsigned reciprocal_shift = 24;
constexpr uint32_t class_reciprocal(unsigned size_class) {
    return static_cast<uint32_t>(((1u << reciprocal_shift) + class_size(size_class) - 1) /
                                 class_size(size_class));
}

// The slot that the byte at this offset into a page belongs to, and the offset at which a slot starts. Bytes
// behind the last slot count as one slot more.
constexpr unsigned slot_at(unsigned size_class, size_t offset) {
    return static_cast<unsigned>(offset) * class_reciprocal(size_class) >> reciprocal_shift;
}
constexpr size_t slot_offset(unsigned size_class, unsigned slot) { return slot * class_size(size_class); }

namespace fine {
// For each multiple of the granule, the smallest class of at least that size.
struct ClassTable {
    uint8_t at[page_size / granule];
    consteval ClassTable() : at{} {
        unsigned size_class = 0;
        for (size_t i = 0; i < page_size / granule; ++i) {
            while (class_size(size_class) < (i + 1) * granule) ++size_class;
            at[i] = static_cast<uint8_t>(size_class);
        }
    }
};
inline constexpr ClassTable class_table;
}  // namespace fine

// The smallest class whose slots have size bytes and a red zone, and are aligned to align, a power of two.
// The request fits a class; size is not 0.
constexpr Word class_of(size_t size, size_t align) {
    // One less than the size rounded up to a multiple of the alignment.
    Word const needed = (size + shadow::red_zone - 1) | (align - 1);
#ifdef SLABHEAP_FINE_SIZE_CLASSES
    Word size_class = fine::class_table.at[needed / granule];
    if (align > granule) [[unlikely]] {
        while ((class_sizes[size_class] & (align - 1)) != 0) ++size_class;
    }
    return size_class;
#else
    constexpr unsigned smallest_shift = highest_bit(class_sizes[0]);
    return highest_bit(needed | (class_sizes[0] - 1)) - Word{smallest_shift - 1};
#endif
}

// Is every class that is larger than one with slots aligned to align aligned so, too?
constexpr bool larger_classes_align([[maybe_unused]] size_t align) {
#ifdef SLABHEAP_FINE_SIZE_CLASSES
    return align <= granule;
#else
    return true;
#endif
}

namespace proof {
// For every size, and every alignment that matters: the class is large enough, aligned, and the smallest
// such.
consteval bool is_right(unsigned size_class, size_t size, size_t align) {
    return class_size(size_class) >= size + shadow::red_zone && class_size(size_class) % align == 0;
}
consteval bool sizes_are_right(size_t first, size_t last) {
    for (size_t size = first; size <= last; ++size) {
        for (size_t align = 1; align <= page_size; align *= 64) {
            unsigned smallest = 0;
            while (!is_right(smallest, size, align)) ++smallest;
            if (class_of(size, align) != smallest) return false;
        }
    }
    return true;
}
static_assert(sizes_are_right(1, 1024) && sizes_are_right(1025, 2048));
static_assert(sizes_are_right(2049, 3072) && sizes_are_right(3073, largest_small));

consteval bool slots_are_right(unsigned first, unsigned last) {
    for (unsigned c = first; c <= last; ++c) {
        for (size_t offset = 0; offset < page_size; ++offset) {
            if (slot_at(c, offset) != offset / class_size(c)) return false;
        }
    }
    return true;
}
static_assert(slots_are_right(0, class_count / 2 - 1) && slots_are_right(class_count / 2, class_count - 1));
}  // namespace proof

}  // namespace slabheap

#endif
