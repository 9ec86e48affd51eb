// SPDX-License-Identifier: MIT
#include <mimalloc.h>

#include "../harness/worker.hpp"

namespace {

struct Mimalloc {
    void* alloc(size_t size) { return mi_malloc(size); }
    void free(void* start) { mi_free(start); }
    void free_sized(void* start, size_t size) { mi_free_size(start, size); }
};

}  // namespace

int main(int argc, char** argv) { return slabheap::bench::worker<Mimalloc>(argc, argv); }
