// SPDX-License-Identifier: MIT
//
// The workloads of the bench: those of tests/bench, by their names there.
#ifndef KERNEL_DEMO_BENCH_ROWS_HPP
#define KERNEL_DEMO_BENCH_ROWS_HPP

#include <stddef.h>

#include "random.hpp"

namespace demo {

enum class Shape {
    replace,  // all blocks are live: frees a random one, allocates another in its place
    batch,    // allocates all blocks, then frees them in the same order
    shuffle,  // allocates all blocks, then frees them in random order
};

struct Row {
    const char* name;
    const char* blocks;
    Shape shape;
    size_t live;  // blocks at a time
    size_t (*size)(Random&);
};

constexpr size_t bench_row_count = 7;
extern const Row bench_rows[bench_row_count];

constexpr size_t most_live = 20000;

}  // namespace demo

#endif
