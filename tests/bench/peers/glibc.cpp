// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "../harness/worker.hpp"

namespace {

struct Glibc {
    void* alloc(size_t size) { return std::malloc(size); }
    void free(void* start) { std::free(start); }
};

}  // namespace

int main(int argc, char** argv) { return slabheap::bench::worker<Glibc>(argc, argv); }
