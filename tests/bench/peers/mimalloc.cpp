// SPDX-License-Identifier: MIT
#include <mimalloc.h>

#include "../harness/worker.hpp"

namespace {

struct Mimalloc {
    static constexpr bool shared = true;
    static std::string version() {
        int const number = mi_version();  // 209: 2.0.9
        return std::to_string(number / 100) + '.' + std::to_string(number / 10 % 10) + '.' +
               std::to_string(number % 10);
    }
    void* alloc(size_t size) { return mi_malloc(size); }
    void free(void* start) { mi_free(start); }
    void free_sized(void* start, size_t size) { mi_free_size(start, size); }
};

}  // namespace

int main(int argc, char** argv) { return slabheap::bench::worker<Mimalloc>(argc, argv); }
