// SPDX-License-Identifier: MIT
#include "workload.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace slabheap::bench {

uint32_t small_size(Random& random) { return log_uniform(random, 8, 4096); }

uint32_t kernel_like_size(Random& random) {
    struct Share {
        uint32_t size;
        uint32_t percent;
    };
    static constexpr Share shares[] = {{8, 5},   {16, 10}, {32, 20}, {64, 20},  {96, 10},  {128, 10},
                                       {192, 10}, {256, 5}, {512, 4}, {1024, 3}, {2048, 2}, {4096, 1}};
    static_assert(std::accumulate(std::begin(shares), std::end(shares), 0u,
                                  [](uint32_t sum, Share share) { return sum + share.percent; }) == 100);
    uint32_t percent = random.below(100);
    Share const* share = shares;
    while (percent >= share->percent) percent -= (share++)->percent;
    return share->size;
}

namespace {

uint32_t always_64(Random&) { return 64; }
uint32_t mostly_small_size(Random& random) {
    return random.below(100) < 5 ? log_uniform(random, 4 * KiB, 256 * KiB) : small_size(random);
}
uint32_t whole_pages(Random& random) { return log_uniform(random, 2, 128) * uint32_t{page_size}; }

}  // namespace

Workload const workloads[7] = {
    {"W1", Shape::pair, 1, 200'000, false, false, always_64},
    {"W2", Shape::batch, 10'000, 200'000, false, false, always_64},
    {"W2r", Shape::batch, 10'000, 200'000, true, false, always_64},
    {"W3", Shape::replace, 8'192, 200'000, false, true, small_size},
    {"W4", Shape::replace, 1'024, 200'000, false, true, mostly_small_size},
    {"W5", Shape::replace, 64, 50'000, false, false, whole_pages},
    {"W6", Shape::replace, 20'000, 200'000, false, true, kernel_like_size},
};

ThreadWorkload const thread_workloads[4] = {
    {"T1", Pattern::apart, workloads[0]},
    {"T1r", Pattern::apart, workloads[6]},
    {"T2", Pattern::one_way, workloads[6]},
    {"T3", Pattern::both_ways, workloads[6]},
};

namespace {

template <class Table>
auto find(Table const& table, std::string_view name) {
    auto const found = std::ranges::find(table, name, [](auto const& entry) { return entry.name; });
    return found != std::end(table) ? found : nullptr;
}

}  // namespace

Workload const* find_workload(std::string_view name) { return find(workloads, name); }
ThreadWorkload const* find_thread_workload(std::string_view name) { return find(thread_workloads, name); }

Trace::Trace(Workload const& of, uint32_t live, uint32_t pairs, uint64_t seed) : workload(of), batches(0) {
    Random random(seed);
    bool const replaces = of.shape == Shape::replace;
    first_sizes.resize(replaces ? live : 0);
    for (uint32_t& size : first_sizes) size = of.size(random);
    if (of.shape == Shape::batch) {
        batches = pairs / live;
        order.resize(live);
        std::iota(order.begin(), order.end(), 0u);
        if (of.shuffled) shuffle(order, random);
    }
    steps.resize(of.shape == Shape::batch ? live : pairs);
    for (uint32_t i = 0; i < steps.size(); ++i) {
        steps[i].slot = replaces ? random.below(live) : of.shape == Shape::batch ? i : 0;
        steps[i].size = of.size(random);
    }
}

}  // namespace slabheap::bench
