// SPDX-License-Identifier: MIT
//
// How much of a region holds what was asked for, when the first request fails: a new heap filled with
// kernel-like sizes; and the same heap, a random half of its blocks freed, filled again with other sizes.
// For each seed a line, tab-separated:
//     memory  region-bytes  requested  requested-when-refilled  largest-block-then  largest-when-all-is-freed
#ifndef SLABHEAP_BENCH_MEMORY_USE_HPP
#define SLABHEAP_BENCH_MEMORY_USE_HPP

#include <bit>
#include <cstdio>

#include "peer.hpp"
#include "process.hpp"
#include "workload.hpp"

namespace slabheap::bench {

template <RegionPeer P>
class Filling {
public:
    Filling(P& peer, uint64_t seed) : peer_(peer), random_(seed) {}

    size_t requested() const { return requested_; }

    void fill(uint32_t (*size)(Random&)) {
        for (;;) {
            uint32_t const asked = size(random_);
            void* const block = peer_.alloc(asked);
            if (block == nullptr) return;
            blocks_.push_back({block, asked});
            requested_ += asked;
        }
    }

    void free_all_but(size_t count) {
        shuffle(blocks_, random_);
        for (; blocks_.size() > count; blocks_.pop_back()) {
            release<FreeForm::by_size>(peer_, blocks_.back().start, blocks_.back().size);
            requested_ -= blocks_.back().size;
        }
    }
    void free_half() { free_all_but(blocks_.size() / 2); }

    // In bytes, to the page.
    size_t largest_block(size_t region) {
        size_t fits = 0;
        for (size_t step = std::bit_floor(region); step >= page_size; step /= 2) {
            void* const block = peer_.alloc(fits + step);
            if (block == nullptr) continue;
            release<FreeForm::by_size>(peer_, block, fits + step);
            fits += step;
        }
        return fits;
    }

private:
    struct Filled {
        void* start;
        uint32_t size;
    };

    P& peer_;
    Random random_;
    Array<Filled> blocks_;
    size_t requested_ = 0;
};

template <RegionPeer P>
void memory_use(P& peer, size_t region, uint64_t seeds) {
    Arena arena(region);
    arena.fill_with_noise(region);
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
        in_child([&] {
            if (!peer.init(arena.start(), region)) return;
            Filling<P> filling(peer, seed);
            filling.fill(kernel_like_size);
            size_t const filled = filling.requested();
            filling.free_half();
            filling.fill(small_size);
            size_t const refilled = filling.requested();
            size_t const largest = filling.largest_block(region);
            filling.free_all_but(0);
            dprintf(STDOUT_FILENO, "memory\t%zu\t%zu\t%zu\t%zu\t%zu\n", region, filled, refilled, largest,
                    filling.largest_block(region));
        });
    }
}

}  // namespace slabheap::bench

#endif
