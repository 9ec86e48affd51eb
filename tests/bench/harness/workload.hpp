// SPDX-License-Identifier: MIT
//
// The workloads. Each is drawn into a trace before anything is measured, so that the driver of a round is a
// walk over an array, the same for every peer and every form of free; what it costs itself is known from
// the null peer.
#ifndef SLABHEAP_BENCH_WORKLOAD_HPP
#define SLABHEAP_BENCH_WORKLOAD_HPP

#include <string_view>

#include "memory.hpp"
#include "random.hpp"

namespace slabheap::bench {

// What kernels ask for: many small sizes, few large ones.
uint32_t kernel_like_size(Random& random);
// 8 ... 4096 bytes, each doubling as likely as any other.
uint32_t small_size(Random& random);

enum class Shape {
    pair,     // allocate a block and free it, again and again
    batch,    // allocate `live` blocks, then free them all
    replace,  // with `live` blocks at the start: free a random one, allocate another in its place
};

struct Workload {
    std::string_view name;
    Shape shape;
    uint32_t live;   // blocks at a time
    uint32_t pairs;  // allocations, each with its free, in a round
    bool shuffled;   // batch: freed in random order
    bool touched;    // the first bytes of every block are written
    uint32_t (*size)(Random&);
};

extern Workload const workloads[7];

// What two threads do.
enum class Pattern {
    apart,      // each the workload, with blocks of its own
    one_way,    // the first allocates the workload's sizes, the second frees the blocks
    both_ways,  // each allocates, and frees what the other has allocated
};

struct ThreadWorkload {
    std::string_view name;
    Pattern pattern;
    Workload const& of;
};

extern ThreadWorkload const thread_workloads[4];

// nullptr: none has this name.
Workload const* find_workload(std::string_view name);
ThreadWorkload const* find_thread_workload(std::string_view name);

// `slot` is the place of a block among the live ones.
struct Step {
    uint32_t slot;
    uint32_t size;
};

struct Trace {
    Trace(Workload const& of, uint32_t live, uint32_t pairs, uint64_t seed = 0x51ab);
    explicit Trace(Workload const& of) : Trace(of, of.live, of.pairs) {}

    Workload const& workload;
    Array<uint32_t> first_sizes;  // replace: of the blocks at the start
    Array<Step> steps;            // pair, replace: one for each pair; batch: the allocations of one batch
    Array<uint32_t> order;        // batch: in which the slots are freed
    uint32_t batches;
};

}  // namespace slabheap::bench

#endif
