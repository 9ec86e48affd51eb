// SPDX-License-Identifier: MIT
//
// Sequences of calls built to make single calls long: each drives the heap to where a slow path begins, and
// calls it. M is a Meter. A sequence starts in a heap without a block; it need not leave it so.
#ifndef SLABHEAP_BENCH_SEQUENCES_HPP
#define SLABHEAP_BENCH_SEQUENCES_HPP

#include "meter.hpp"
#include "workload.hpp"

namespace slabheap::bench {

constexpr size_t smallest_block = 64;

using Blocks = Array<Block>;

template <class Take>
void fill(Blocks& blocks, Take take) {
    for (Block block = take(); block.start != nullptr; block = take()) blocks.push_back(block);
}

template <class M>
void give_all(M& meter, Blocks& blocks) {
    for (Block const& block : blocks) meter.give(block);
    blocks.clear();
}

// In an empty heap the first block of a class splits the largest block there is, and sets a slab up.
// Freeing enough blocks empties slabs, which go back and merge: in the order of their allocation, and in
// reverse.
template <class M>
void set_up_and_release(M& meter) {
    for (size_t size = smallest_block; size <= page_size; size *= 2) {
        meter.give(meter.take(size));
        for (bool const reversed : {false, true}) {
            Blocks blocks;
            size_t const count = std::min(2 * page_size, meter.heap_bytes() / 4) / size + 33;
            for (size_t i = 0; i < count; ++i) blocks.push_back(meter.take(size));
            if (reversed) std::reverse(blocks.begin(), blocks.end());
            give_all(meter, blocks);
        }
    }
}

// Slabs far apart, each the only one in its section: every block that is freed belongs to another slab than
// the last, so that a full cache spills into as many slabs as blocks. In the end the pages around are free,
// and each slab that empties completes a section.
template <class M, size_t stride>
void lone_slabs(M& meter) {
    constexpr size_t most_slabs = 80;
    size_t const count = std::min(most_slabs, meter.heap_pages() / stride / 2);
    for (size_t size : {smallest_block, 16 * smallest_block, page_size}) {
        size_t const slots = page_size / size;
        Blocks spacers, blocks;
        for (size_t i = 0; i < count; ++i) {
            meter.quietly([&] { spacers.push_back(meter.take_pages(stride - 1)); });
            for (size_t slot = 0; slot < slots; ++slot) blocks.push_back(meter.take(size));
        }
        for (size_t round = 0; round < 2; ++round) {
            for (size_t i = 0; i < count; ++i) meter.give(blocks[i * slots]);
            for (size_t i = 0; i < count; ++i) blocks[i * slots] = meter.take(size);
        }
        meter.quietly([&] { give_all(meter, spacers); });
        for (size_t slot = 0; slot < slots; ++slot) {
            for (size_t i = 0; i < count; ++i) meter.give(blocks[i * slots + slot]);
        }
    }
}

// Runs whose ends lie in the middle of everything: around 64, 64², ... pages; alone in the heap, behind a
// page that is taken, and between two, freed in each order. The last free merges up to the whole heap.
template <class M>
void ragged_runs(M& meter) {
    size_t const pages = meter.heap_pages();
    Array<size_t> counts{1, 2, 3, 5, 21};
    for (size_t unit = 64; unit < pages / 2; unit *= 64) {
        counts.insert(counts.end(), {unit - 1, unit, unit + 1, 2 * unit - 1, unit / 3 * 2 + unit / 64 + 1});
    }
    counts.insert(counts.end(), {pages / 8 + 1, pages / 4 - 1, pages / 2 - 3});
    for (size_t count : counts) {
        if (count > pages * 3 / 4) continue;
        meter.give(meter.take_pages(count));
        for (unsigned order = 0; order < 3; ++order) {
            Block const blocks[] = {meter.take_pages(1), meter.take_pages(count), meter.take_pages(1)};
            for (unsigned i = 0; i < 3; ++i) meter.give(blocks[(order + i) % 3]);
        }
    }
    for (size_t align = 2 * page_size; align <= meter.heap_bytes() / 4; align *= 8) {
        Block const first = meter.take_pages(1);
        Block const aligned = meter.take(align + page_size, align);
        meter.give(first);
        meter.give(aligned);
    }
}

// Random requests; what is taken rises until `most_blocks` or most of the heap are in use, and falls to a
// few blocks, again and again. take_next(random) takes a block, or none when it is time to fall.
template <class M, class TakeNext>
void tides(M& meter, size_t most_blocks, TakeNext take_next) {
    constexpr size_t call_count = 24'000;
    Random random(5);
    Blocks blocks;
    size_t taken = 0;
    bool rising = true;
    for (size_t call = 0; call < call_count; ++call) {
        if (rising) {
            Block const block = taken < meter.heap_bytes() / 4 * 3 ? take_next(random) : Block{};
            rising = blocks.empty() || (block.start != nullptr && blocks.size() < most_blocks);
            if (block.start == nullptr) continue;
            blocks.push_back(block);
            taken += block.request.size;
        } else {
            size_t const chosen = random.below(blocks.size());
            meter.give(blocks[chosen]);
            taken -= blocks[chosen].request.size;
            blocks[chosen] = blocks.back();
            blocks.pop_back();
            rising = blocks.empty() || (blocks.size() < most_blocks / 8 && random.below(8) == 0);
        }
    }
}

// When no block is large enough, sometimes a search for a run is worth it: such a run starts and ends
// anywhere.
template <class M>
Block take_run(M& meter, Random& random) {
    size_t const count = log_uniform(random, 1, static_cast<double>(meter.heap_pages()) / 8);
    return meter.has_block(count) || random.below(4) == 0 ? meter.take_pages(count) : Block{};
}

template <class M>
void page_tides(M& meter) {
    tides(meter, 1'000, [&](Random& random) { return take_run(meter, random); });
}

// A few large runs: the trees are nearly empty, so that every change reaches up to their roots.
template <class M>
void few_runs(M& meter) {
    tides(meter, 12, [&](Random& random) { return take_run(meter, random); });
}

// Slabs between runs of all sizes.
template <class M>
void mixed_tides(M& meter) {
    tides(meter, 200, [&](Random& random) {
        if (random.below(4) != 0) return take_run(meter, random);
        return meter.has_block(1) ? meter.take(small_size(random)) : Block{};
    });
}

// A board of short runs, every other one freed, then the rest at random: each free of the second half joins
// two free blocks.
template <class M>
void board(M& meter) {
    constexpr size_t most_runs = 30'000;
    for (size_t length : {1u, 2u, 3u}) {
        Blocks white, black;
        size_t const count = std::min(most_runs, meter.heap_pages() * 7 / 8 / std::bit_ceil(length) / 2);
        meter.quietly([&] {
            for (size_t i = 0; i < count; ++i) {
                white.push_back(meter.take_pages(length));
                black.push_back(meter.take_pages(length));
            }
        });
        Random random(length);
        shuffle(black, random);
        give_all(meter, white);
        give_all(meter, black);
    }
}

// Small blocks of all sizes until the heap is full (or has very many), then all freed: in order, in
// reverse, at random.
template <class M>
void small_tides(M& meter) {
    constexpr size_t most_blocks = 80'000;
    Random random(7);
    for (unsigned order = 0; order < 3; ++order) {
        Blocks blocks;
        fill(blocks, [&] { return blocks.size() < most_blocks ? meter.take(small_size(random)) : Block{}; });
        if (order == 1) std::reverse(blocks.begin(), blocks.end());
        if (order == 2) shuffle(blocks, random);
        give_all(meter, blocks);
    }
}

// What a new heap sees first: blocks of each class, runs section by section, then far ones whose rest is
// left behind far away.
template <class M>
void first_steps(M& meter) {
    for (size_t size = smallest_block; size <= page_size; size *= 2) meter.give(meter.take(size));
    Blocks blocks;
    size_t const runs = std::min<size_t>(100, meter.heap_pages() / 4 / 65);
    for (size_t i = 0; i < runs; ++i) blocks.push_back(meter.take_pages(65));
    for (size_t part : {4u, 8u, 16u, 32u}) blocks.push_back(meter.take_pages(meter.heap_pages() / part - 1));
    for (size_t size = smallest_block; size <= page_size; size *= 2) blocks.push_back(meter.take(size));
    std::reverse(blocks.begin(), blocks.end());
    give_all(meter, blocks);
}

// A full heap: requests of each class and of pages that fail; then one block of each of its slabs freed,
// and the same again.
template <class M, size_t filled_with>
void full_heap(M& meter) {
    Blocks blocks;
    auto const fail_all = [&] {
        for (size_t size = smallest_block; size <= 2 * page_size; size *= 2) {
            meter.give(meter.take(size));
        }
    };
    meter.quietly([&] {
        fill(blocks, [&] { return meter.take(filled_with); });
    });
    fail_all();
    size_t const slots = std::max<size_t>(page_size / filled_with, 1);
    meter.quietly([&] {
        for (size_t i = 0; i < blocks.size(); i += 2 * slots) meter.give(blocks[i]);
    });
    fail_all();
}

// Four pages are wanted, and the only ones in a row lie across the border of two blocks, at the heap's end;
// below, every other pair of pages is free. (L: live. The wanted pages are 4n + 2 ... 4n + 5.)
//     4n-4 LL.. | 4n LL.. | 4n+4 ..LL
template <class M>
void run_across_blocks(M& meter) {
    meter.quietly([&] {
        Blocks pairs, upper;
        fill(pairs, [&] { return meter.take_pages(2); });
        auto const below = [](Block const& a, Block const& b) { return a.start < b.start; };
        std::sort(pairs.begin(), pairs.end(), below);
        size_t last = 0;
        for (size_t i = 0; i < pairs.size(); ++i) {
            if (reinterpret_cast<uintptr_t>(pairs[i].start) / page_size % 4 != 2) continue;
            upper.push_back(pairs[i]);
            last = i;
        }
        upper.pop_back();
        give_all(meter, upper);
        meter.give(pairs[last - 1]);
    });
    meter.take_pages(4);
}

}  // namespace slabheap::bench

#endif
