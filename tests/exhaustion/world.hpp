// SPDX-License-Identifier: MIT
//
// A world: a small heap, the calls that are made on it again and again, in every order, and how many.
#ifndef EXHAUSTION_WORLD_HPP
#define EXHAUSTION_WORLD_HPP

#include <slabheap/heap.hpp>

#include <cstddef>
#include <span>
#include <vector>

#include "heap_shapes.hpp"

namespace exhaustion {

class Player;

struct Run {
    size_t pages;
    size_t align = 4096;
};

struct World {
    const char* name;
    const char* shows;
    std::vector<slabheap::test::Span> regions;  // in pages of the memory
    slabheap::test::Span added{0, 0};           // a region that a call adds; of no pages: none
    std::vector<slabheap::Layout> requests;
    std::vector<Run> runs;
    std::vector<size_t> sizes;           // that blocks are resized to
    size_t range = 0;                    // longest range that is reserved and released, in pages
    void (*prepare)(Player&) = nullptr;  // before the first of the calls
    size_t depth;                        // calls of the longest sequence
};

std::span<World const> worlds();

}  // namespace exhaustion

#endif
