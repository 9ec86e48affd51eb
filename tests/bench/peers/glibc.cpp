// SPDX-License-Identifier: MIT
#include <gnu/libc-version.h>

#include <cstdlib>

#include "../harness/worker.hpp"

namespace {

struct Glibc {
    static constexpr bool shared = true;
    static std::string version() { return gnu_get_libc_version(); }
    void* alloc(size_t size) { return std::malloc(size); }
    void free(void* start) { std::free(start); }
};

}  // namespace

int main(int argc, char** argv) { return slabheap::bench::worker<Glibc>(argc, argv); }
