// SPDX-License-Identifier: MIT
//
// The C ABI. Its one heap lives as long as the process.
#include <slabheap/slabheap.h>

#include "../harness/worker.hpp"

namespace {

struct CAbi {
    static constexpr bool shared = true;
    bool init(void* start, size_t size) { return slab_heap_init(start, size) == SLAB_OK; }
    void* alloc(size_t size, size_t align = 16) { return slab_alloc(size, align); }
    void free(void* start) { slab_free(start); }
    void free_sized(void* start, size_t size, size_t align = 16) { slab_free_sized(start, size, align); }
};

}  // namespace

int main(int argc, char** argv) { return slabheap::bench::worker<CAbi>(argc, argv); }
