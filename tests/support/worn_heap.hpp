// SPDX-License-Identifier: MIT
//
// A heap in use, whose page maps are then damaged: random calls on regions of a shape, from a seed. Its
// blocks are out of bounds meanwhile, so that the address sanitizer tells of an audit that reads where it
// must not.
#ifndef SLABHEAP_TESTS_WORN_HEAP_HPP
#define SLABHEAP_TESTS_WORN_HEAP_HPP

#include <random>
#include <vector>

#include <slabheap/heap.hpp>

#include "heap_core.hpp"
#include "heap_shapes.hpp"
#include "sanitizers.hpp"
#include "test_memory.hpp"

#if defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, size) (static_cast<void>(start), static_cast<void>(size))
#define ASAN_UNPOISON_MEMORY_REGION(start, size) (static_cast<void>(start), static_cast<void>(size))
#endif

namespace slabheap::test {

// Shapes whose page maps have all there is: nodes not yet open, several levels, runs long and short.
inline const Shape worn_shapes[] = {
    {"Smallest", {{0, 8}}},
    {"TwoRegions", {{3, 16}, {20, 9}}},
    {"AcrossASection", {{word_bits - 10, 24}}},
    {"SeveralSections", {{5, 6 * word_bits}, {6 * word_bits + 40, 30}}},
    {"ThreeLevels", {{1, 3 * word_bits* word_bits}}},
};

class WornHeap {
public:
    WornHeap(Shape const& shape, unsigned seed)
        : memory_(pages(shape.page_count()), 0, TestMemory::Content::untouched), random_(seed) {
        for (Span const span : shape.spans) {
            uintptr_t const start = address_of(memory_.page(span.first));
            Word const map_pages =
                Region::map_pages_needed(start >> page_shift, (start >> page_shift) + span.count);
            fill_with_noise(start, map_pages << page_shift);
            if (!heap_.initialised()) {
                sound_ = heap_.init(start, pages(span.count)) == SLAB_OK;
            } else {
                sound_ = sound_ && heap_.add_memory(start, pages(span.count)) == SLAB_OK;
            }
        }
        wear(below(3) == 0 ? below(20) : below(3000));
        sound_ = sound_ && heap_.audit(nullptr) == SLAB_OK;
        for (unsigned i = 0; i < heap_.region_count(); ++i) {
            Region const& region = heap_.region(i);
            ASAN_POISON_MEMORY_REGION(usable(region), usable_bytes(region));
        }
    }
    ~WornHeap() { ASAN_UNPOISON_MEMORY_REGION(memory_.start(), memory_.size()); }
    WornHeap(WornHeap const&) = delete;
    WornHeap& operator=(WornHeap const&) = delete;

    HeapCore& heap() { return heap_; }
    Heap& face() { return face_; }
    bool is_sound() const { return sound_; }

private:
    static void* usable(Region const& region) {
        return reinterpret_cast<void*>(region.first_usable() << page_shift);
    }
    static size_t usable_bytes(Region const& region) {
        return (region.end_page - region.first_usable()) << page_shift;
    }

    size_t below(size_t bound) { return static_cast<size_t>(random_() % bound); }
    void fill_with_noise(uintptr_t start, size_t size) {
        for (size_t i = 0; i < size; i += sizeof(uint32_t))
            *reinterpret_cast<uint32_t*>(start + i) = static_cast<uint32_t>(random_());
    }

    // Fills up, empties, and so on.
    void wear(size_t steps) {
        std::vector<void*> blocks;
        size_t const most_pages = (heap_.region(0).end_page - heap_.region(0).first_page) / 3;
        for (size_t step = 0; step < steps; ++step) {
            bool const fill = below(8) < (step / 200 % 2 == 0 ? 6u : 2u);
            if (below(64) == 0) {
                Region& region = heap_.region(static_cast<unsigned>(below(heap_.region_count())));
                Word const page = region.first_page + below(region.end_page - region.first_page);
                uintptr_t const start = page << page_shift;
                below(2) == 0 ? heap_.reserve(start, pages(1 + below(4))) : heap_.release(start, pages(1));
            } else if (fill || blocks.empty()) {
                size_t const size = below(6) != 0 ? 1 + below(size_t{32} << below(8))
                                                  : pages(1 + below(below(4) == 0 ? most_pages : 3));
                if (void* const block = face_.allocate({size, 16})) blocks.push_back(block);
            } else {
                std::swap(blocks[below(blocks.size())], blocks.back());
                void* const block = blocks.back();
                blocks.pop_back();
                face_.deallocate(block);
            }
        }
    }

    TestMemory memory_;
    std::mt19937 random_;
    Heap face_;
    HeapCore& heap_ = reinterpret_cast<HeapCore&>(face_);  // what lies in its state
    bool sound_ = false;
};

}  // namespace slabheap::test

#endif
