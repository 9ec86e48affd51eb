// SPDX-License-Identifier: MIT
//
// The content of a heap, to be stored, brought back and compared: the Heap object and the page maps of its
// regions, word by word, as differences from a first state. Nothing else decides what the heap does.
//
// So that the states are finite in number, what does not decide anything is made the same in all of them:
// sums that only grow (a class's blocks handed out and taken back become the live ones and none), places of a
// stack above its depth, the base of a word that is used up, what the map has for a page beyond what its tag
// says.
#ifndef EXHAUSTION_HEAP_STATE_HPP
#define EXHAUSTION_HEAP_STATE_HPP

#include <slabheap/heap.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace exhaustion {

class HeapState {
public:
    // The first state is what the heap is now. A region that is added later has its map where `later` says.
    HeapState(slabheap::Heap& heap, std::span<uint64_t> later);

    // Makes the same what does not matter.
    void normalise();

    void pack(std::vector<uint64_t>& out) const;
    // Returns what is behind the packed state.
    uint64_t const* restore(uint64_t const* packed);

    // Pages of a page map for the region of so many bytes.
    static size_t map_pages(const void* start, size_t size);

private:
    slabheap::Heap& heap_;
    std::vector<std::span<uint64_t>> parts_;
    std::vector<std::vector<uint64_t>> first_;
};

}  // namespace exhaustion

#endif
