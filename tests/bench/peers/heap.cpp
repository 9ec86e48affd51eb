// SPDX-License-Identifier: MIT
#include <slabheap/heap.hpp>

#include "../harness/worker.hpp"

namespace {

struct CxxHeap {
    bool init(void* start, size_t size) {
        return heap.init(start, size) == SLAB_OK;
    }
    void* alloc(size_t size, size_t align = 16) { return heap.allocate({size, align}); }
    void* alloc_pages(size_t count) { return heap.allocate_pages(count); }
    void free(void* start) { heap.deallocate(start); }
    void free_sized(void* start, size_t size, size_t align = 16) { heap.deallocate(start, {size, align}); }

    slab_stats stats() const {
        slab_stats out;
        heap.stats(out);
        return out;
    }

    slabheap::Heap heap;
};

}  // namespace

int main(int argc, char** argv) { return slabheap::bench::worker<CxxHeap>(argc, argv); }
