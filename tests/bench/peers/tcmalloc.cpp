// SPDX-License-Identifier: MIT
#include <gperftools/tcmalloc.h>

#include "../harness/worker.hpp"

namespace {

struct Tcmalloc {
    static constexpr bool shared = true;
    static std::string version() {
        int major, minor;
        tc_version(&major, &minor, nullptr);
        return std::to_string(major) + '.' + std::to_string(minor);
    }
    void* alloc(size_t size) { return tc_malloc(size); }
    void free(void* start) { tc_free(start); }
    void free_sized(void* start, size_t size) { tc_free_sized(start, size); }
};

}  // namespace

int main(int argc, char** argv) { return slabheap::bench::worker<Tcmalloc>(argc, argv); }
