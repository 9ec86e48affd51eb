// SPDX-License-Identifier: MIT
//
// A round: the walk over a trace that is timed, counted, and stepped through.
#ifndef SLABHEAP_BENCH_ROUND_HPP
#define SLABHEAP_BENCH_ROUND_HPP

#include <span>

#include "peer.hpp"
#include "workload.hpp"

namespace slabheap::bench {

template <Peer P, FreeForm form>
class Round {
public:
    Round(P& peer, Trace const& trace)
        : peer_(peer), trace_(trace), blocks_(trace.order.size() + trace.first_sizes.size() + 1) {
        for (size_t slot = 0; slot < trace.first_sizes.size(); ++slot) {
            uint32_t const size = trace.first_sizes[slot];
            blocks_[slot] = {peer.alloc(size), size};
        }
    }

    ~Round() {
        for (size_t slot = 0; slot < trace_.first_sizes.size(); ++slot) give_back(blocks_[slot]);
    }

    size_t pairs() const { return trace_.steps.size() * (trace_.batches != 0 ? trace_.batches : 1); }

    [[gnu::noinline]] void run() {
        switch (trace_.workload.shape) {
            case Shape::pair: return run_pairs();
            case Shape::batch: return run_batches(trace_.batches);
            case Shape::replace: return replace_all(trace_.steps);
        }
    }

    // An eighth of a round, so that what other processes left in the caches does not count.
    void warm_up() {
        switch (trace_.workload.shape) {
            case Shape::pair: return run_pairs();
            case Shape::batch: return run_batches(trace_.batches / 8);
            case Shape::replace: return replace_all(std::span(trace_.steps).first(trace_.steps.size() / 8));
        }
    }

private:
    struct Block {
        void* start;
        uint32_t size;
    };

    void give_back(Block const& block) { release<form>(peer_, block.start, block.size); }

    void run_pairs() {
        for (Step const& step : trace_.steps) give_back({peer_.alloc(step.size), step.size});
    }

    void run_batches(uint32_t batches) {
        for (uint32_t batch = 0; batch < batches; ++batch) {
            for (Step const& step : trace_.steps) blocks_[step.slot] = {peer_.alloc(step.size), step.size};
            for (uint32_t const slot : trace_.order) give_back(blocks_[slot]);
        }
    }

    void replace_all(std::span<Step const> steps) {
        trace_.workload.touched ? replace<true>(steps) : replace<false>(steps);
    }

    template <bool touched>
    void replace(std::span<Step const> steps) {
        for (Step const& step : steps) {
            Block& block = blocks_[step.slot];
            give_back(block);
            block = {peer_.alloc(step.size), step.size};
            if constexpr (touched) *static_cast<uint64_t*>(block.start) = step.size;
        }
    }

    P& peer_;
    Trace const& trace_;
    Array<Block> blocks_;
};

}  // namespace slabheap::bench

#endif
