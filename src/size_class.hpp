// SPDX-License-Identifier: MIT
//
// Size classes: which slots a request of up to one page takes. The seven classes of 64, 128, ... 4096 bytes
// are powers of two, so a slot is aligned to its size, and the class of a request is the logarithm of the
// larger of size and alignment. Everything here is arithmetic, proved for every size at compile time.
#ifndef SLABHEAP_SIZE_CLASS_HPP
#define SLABHEAP_SIZE_CLASS_HPP

#include <slabheap/slabheap.h>

#include "bits.hpp"

namespace slabheap {

constexpr unsigned page_shift = 12;
constexpr size_t page_size = size_t{1} << page_shift;
static_assert(page_size == SLAB_PAGE_SIZE);

// Every block starts at a multiple of this; the page map has one live bit for each.
constexpr unsigned granule_shift = 4;
constexpr size_t granule = size_t{1} << granule_shift;

constexpr unsigned smallest_class_shift = 6;
constexpr unsigned class_count = page_shift - smallest_class_shift + 1;
constexpr unsigned max_slots =
    1u << (page_shift - smallest_class_shift);  // slots of the smallest class in a page
static_assert(class_count <= SLAB_MAX_CLASSES);

constexpr unsigned class_shift(unsigned size_class) { return smallest_class_shift + size_class; }
constexpr size_t class_size(unsigned size_class) { return size_t{1} << class_shift(size_class); }
constexpr unsigned class_slots(unsigned size_class) { return 1u << (page_shift - class_shift(size_class)); }

// Does a slot serve this request, or does it take whole pages? align is a power of two.
constexpr bool fits_a_class(size_t size, size_t align) { return size <= page_size && align <= page_size; }

// The smallest class whose slots have size bytes and are aligned to align. The request fits a class; size is
// not 0.
constexpr unsigned class_of(size_t size, size_t align) {
    Word const needed = (size - 1) | (align - 1) | (class_size(0) - 1);
    return highest_bit(needed) - (smallest_class_shift - 1);
}

// The slot that the byte at this offset into a page belongs to, and the offset at which a slot starts.
constexpr unsigned slot_at(unsigned size_class, size_t offset) {
    return static_cast<unsigned>(offset >> class_shift(size_class));
}
constexpr size_t slot_offset(unsigned size_class, unsigned slot) {
    return size_t{slot} << class_shift(size_class);
}

namespace proof {
// For every size, and every alignment that matters: the class is large enough, aligned, and the smallest
// such.
constexpr bool class_is_right(size_t size, size_t align) {
    unsigned const c = class_of(size, align);
    if (c >= class_count || class_size(c) < size || class_size(c) % align != 0) return false;
    return c == 0 || class_size(c - 1) < size || class_size(c - 1) % align != 0;
}
constexpr bool sizes_are_right(size_t first, size_t last) {
    for (size_t size = first; size <= last; ++size) {
        for (size_t align = 1; align <= page_size; align *= 64) {
            if (!class_is_right(size, align)) return false;
        }
    }
    return true;
}
static_assert(sizes_are_right(1, 1024) && sizes_are_right(1025, 2048));
static_assert(sizes_are_right(2049, 3072) && sizes_are_right(3073, page_size));
}  // namespace proof

}  // namespace slabheap

#endif
