// SPDX-License-Identifier: MIT
//
// Sizes are drawn with integers alone, so that every compiler draws the same ones.
#include "bench_rows.hpp"

#include <stdint.h>

#include "slabheap/slabheap.h"

namespace demo {

namespace {

constexpr size_t kib = 1024;

// low * 2^x, where any x below `doublings` is as likely as any other. x has 16 bits behind the point; if f
// is what they stand for, 2^f is 1 + f * (0.66 + 0.34 * f), within 0.3 percent.
size_t log_uniform(Random& random, size_t low, unsigned doublings) {
    size_t x = random.below(doublings << 16);
    size_t f = x & 0xffff;
    uint64_t power = 0x10000 + (f * (43254 + (22282 * f >> 16)) >> 16);
    return static_cast<size_t>((power * (low << (x >> 16)) + 0x8000) >> 16);
}

size_t always_64(Random&) {
    return 64;
}

size_t small(Random& random) {
    return log_uniform(random, 8, 9);
}

size_t mostly_small(Random& random) {
    return random.below(100) < 5 ? log_uniform(random, 4 * kib, 6) : small(random);
}

size_t whole_pages(Random& random) {
    return log_uniform(random, 2, 6) * SLAB_PAGE_SIZE;
}

size_t kernel_like(Random& random) {
    struct Share {
        size_t size;
        size_t percent;
    };
    static constexpr Share shares[] = {{8, 5},    {16, 10}, {32, 20}, {64, 20},  {96, 10},  {128, 10},
                                       {192, 10}, {256, 5}, {512, 4}, {1024, 3}, {2048, 2}, {4096, 1}};
    size_t percent = random.below(100);
    const Share* share = shares;
    for (; percent >= share->percent; share++) percent -= share->percent;
    return share->size;
}

}  // namespace

const Row bench_rows[bench_row_count] = {
    {"W1", "64 bytes, one at a time", Shape::replace, 1, always_64},
    {"W2", "10000 of 64 bytes, in order", Shape::batch, 10000, always_64},
    {"W2r", "10000 of 64 bytes, shuffled", Shape::shuffle, 10000, always_64},
    {"W3", "8192 of 8 ... 4096 bytes", Shape::replace, 8192, small},
    {"W4", "1024, 5% of 4 ... 256 KiB", Shape::replace, 1024, mostly_small},
    {"W5", "64 of 8 ... 512 KiB, in pages", Shape::replace, 64, whole_pages},
    {"W6", "20000 of kernel-like sizes", Shape::replace, most_live, kernel_like},
};

}  // namespace demo
