// SPDX-License-Identifier: MIT
//
// What grows with the heap, in instructions. For each size of the heap a line, tab-separated:
//     scale  heap-bytes  init  pages-it-touches  first-alloc-64-B  alloc-64-B  free-64-B
//            alloc-8-KiB  free-8-KiB  metadata-bytes
// and for each number of free blocks:
//     crowd  free-blocks  free  nanoseconds
#ifndef SLABHEAP_BENCH_SCALE_HPP
#define SLABHEAP_BENCH_SCALE_HPP

#include <algorithm>
#include <chrono>

#include "timing.hpp"
#include "worst.hpp"

namespace slabheap::bench {

template <RegionPeer P>
uintptr_t enter_init(void* peer, uintptr_t start, uintptr_t size) {
    return static_cast<P*>(peer)->init(reinterpret_cast<void*>(start), size);
}
template <RegionPeer P>
uintptr_t enter_alloc(void* peer, uintptr_t size, uintptr_t) {
    return reinterpret_cast<uintptr_t>(static_cast<P*>(peer)->alloc(size));
}
template <RegionPeer P>
uintptr_t enter_free(void* peer, uintptr_t start, uintptr_t size) {
    release<FreeForm::by_address>(*static_cast<P*>(peer), reinterpret_cast<void*>(start), size);
    return 0;
}

// A block allocated and freed, in instructions.
struct PairCost {
    size_t alloc;
    size_t free;
};
template <RegionPeer P>
PairCost step_pair(P& peer, size_t size) {
    Stepped const alloc = step(enter_alloc<P>, &peer, size, 0);
    return {alloc.instructions, step(enter_free<P>, &peer, alloc.result, size).instructions};
}

template <RegionPeer P>
void scale(P& peer, size_t heap_bytes) {
    Arena arena(heap_bytes);
    uintptr_t const start = reinterpret_cast<uintptr_t>(arena.start());
    SharedArray<size_t> touched(1);
    in_child([&] {
        peer.init(arena.start(), heap_bytes);
        touched[0] = arena.touched_pages();
    });
    make_dirty(arena);
    in_child([&] {
        Stepped const init = step(enter_init<P>, &peer, start, heap_bytes);
        if (init.result == 0) return;
        if constexpr (HasPageMap<P>) open_map(peer);
        PairCost const first = step_pair(peer, 64);
        PairCost const small = step_pair(peer, 64);
        PairCost const pages = step_pair(peer, 2 * page_size);
        size_t metadata = 0;
        if constexpr (HasPageMap<P>) metadata = peer.stats().metadata_bytes;
        std::printf("scale");
        for (size_t const value : {heap_bytes, size_t{init.instructions}, touched[0], first.alloc,
                                   small.alloc, small.free, pages.alloc, pages.free, metadata}) {
            std::printf("\t%zu", value);
        }
        std::printf("\n");
        std::fflush(stdout);
    });
}

// `count` free blocks of 32 KiB, no two of which can merge; then one more is freed, whose buddy is not free
// either.
template <RegionPeer P>
void crowd(P& peer, size_t count) {
    constexpr size_t block_bytes = 8 * page_size;
    size_t const with_page_map = (2 * count + 64) * 65 / 64;
    Arena arena(with_page_map * block_bytes);
    uintptr_t freed = 0;
    if constexpr (requires { peer.scatter(arena.start(), count); }) {
        peer.scatter(arena.start(), count + 1);
        freed = enter_alloc<P>(&peer, block_bytes, 0);
    } else {
        peer.init(arena.start(), arena.size());
        Array<void*> blocks;
        for (size_t i = 0; i < 2 * count + 2; ++i) blocks.push_back(peer.alloc(block_bytes));
        std::sort(blocks.begin(), blocks.end());
        for (size_t i = 0; i < 2 * count; i += 2) release<FreeForm::by_size>(peer, blocks[i], block_bytes);
        freed = reinterpret_cast<uintptr_t>(blocks[2 * count]);
    }
    using Clock = std::chrono::steady_clock;  // cheaper to read than the thread's own; the best of 20 counts
    std::chrono::nanoseconds fastest = std::chrono::nanoseconds::max();
    for (int i = 0; i < 20; ++i) {
        Clock::time_point const start = Clock::now();
        enter_free<P>(&peer, freed, block_bytes);
        fastest = std::min(fastest, std::chrono::nanoseconds(Clock::now() - start));
        freed = enter_alloc<P>(&peer, block_bytes, 0);
    }
    Stepped const stepped = step(enter_free<P>, &peer, freed, block_bytes);
    std::printf("crowd\t%zu\t%zu\t%zu\n", count, size_t{stepped.instructions}, size_t(fastest.count()));
    std::fflush(stdout);
}

}  // namespace slabheap::bench

#endif
