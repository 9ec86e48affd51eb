// SPDX-License-Identifier: MIT
//
// jemalloc takes the place of malloc in the whole process.
#include <jemalloc/jemalloc.h>

#include <cstdlib>

#include "../harness/worker.hpp"

namespace {

struct Jemalloc {
    static constexpr bool shared = true;
    static std::string version() {
        std::string const whole = JEMALLOC_VERSION;  // 5.3.0-0-g54eaed1d
        return whole.substr(0, whole.find('-'));
    }
    void* alloc(size_t size) { return malloc(size); }
    void free(void* start) { ::free(start); }
    void free_sized(void* start, size_t size) { sdallocx(start, size, 0); }
};

}  // namespace

int main(int argc, char** argv) { return slabheap::bench::worker<Jemalloc>(argc, argv); }
