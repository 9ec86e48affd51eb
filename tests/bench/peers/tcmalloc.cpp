// SPDX-License-Identifier: MIT
#include <gperftools/tcmalloc.h>

#include "../harness/worker.hpp"

namespace {

struct Tcmalloc {
    void* alloc(size_t size) { return tc_malloc(size); }
    void free(void* start) { tc_free(start); }
    void free_sized(void* start, size_t size) { tc_free_sized(start, size); }
};

}  // namespace

int main(int argc, char** argv) { return slabheap::bench::worker<Tcmalloc>(argc, argv); }
