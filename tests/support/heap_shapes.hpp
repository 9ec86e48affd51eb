// SPDX-License-Identifier: MIT
//
// Heaps of different shapes for tests that run the same on each: the smallest, odd sizes, regions that touch,
// that lie below the first, that leave gaps.
#ifndef SLABHEAP_TESTS_HEAP_SHAPES_HPP
#define SLABHEAP_TESTS_HEAP_SHAPES_HPP

#include <cstddef>
#include <ostream>
#include <vector>

namespace slabheap::test {

// A region, in pages from the start of the test's memory.
struct Span {
    size_t first;
    size_t count;
};

struct Shape {
    const char* name;
    std::vector<Span> spans;  // the first is init's, the others are added in this order

    // Pages from the start of the memory to the end of the last region.
    size_t page_count() const {
        size_t count = 0;
        for (const Span span : spans) {
            count = span.first + span.count > count ? span.first + span.count : count;
        }
        return count;
    }
};

inline void PrintTo(const Shape& shape, std::ostream* out) {
    *out << shape.name;
}

inline const Shape heap_shapes[] = {
    {"Smallest", {{0, 8}}},
    {"Smallest33PagesAdded", {{0, 8}, {10, 33}}},
    {"OddSizesWithGaps", {{3, 16}, {20, 2}, {23, 5}, {29, 7}, {37, 13}, {51, 67}}},
    {"TouchingAndBelow", {{16, 8}, {8, 8}, {24, 11}, {35, 3}, {0, 8}}},
    {"ManySmallRegions",
     {{60, 8}, {0, 2}, {2, 3}, {7, 4}, {11, 5}, {17, 6}, {23, 2}, {26, 9}, {35, 2}, {40, 17}}},
    {"HalfAMegabyteUnaligned", {{5, 128}}},
    {"SixteenMegabytes", {{1, 4096}}},
};

}  // namespace slabheap::test

#endif
