// SPDX-License-Identifier: MIT
#include "../seed_scheme.hpp"

#include "../harness/worker.hpp"

namespace {

using slabheap::bench::page_size;
using slabheap::bench::seed::Heap;

struct Seed {
    bool init(void* start, size_t size) {
        heap.add_memory(start, size);
        return true;
    }
    void* alloc(size_t size, size_t align = 16) { return heap.allocate(size, align); }
    void free_sized(void* start, size_t size, size_t align = 16) { heap.deallocate(start, size, align); }

    // `count` free blocks of 32 KiB that no merge joins. (Freeing them one by one would take the square of
    // their number.)
    void scatter(std::byte* start, size_t count) {
        for (size_t i = 0; i < count; ++i) heap.add_memory(start + 2 * i * 8 * page_size, 8 * page_size);
    }

    Heap heap;
};

}  // namespace

int main(int argc, char** argv) { return slabheap::bench::worker<Seed>(argc, argv); }
