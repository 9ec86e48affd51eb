// SPDX-License-Identifier: MIT
//
// No allocator at all: what it costs is what the driver costs. Every block is the same one.
#include "../harness/worker.hpp"

alignas(64) static unsigned char block[4096];

// Weak: they might be replaced by others, so the compiler may not look into them when it compiles a call.
[[gnu::weak]] void* null_alloc(size_t, size_t) { return block; }
[[gnu::weak]] void null_free(void*) {}
[[gnu::weak]] void null_free_sized(void*, size_t, size_t) {}

namespace {

struct Null {
    void* alloc(size_t size) { return null_alloc(size, 16); }
    void free(void* start) { null_free(start); }
    void free_sized(void* start, size_t size) { null_free_sized(start, size, 16); }
};

}  // namespace

int main(int argc, char** argv) { return slabheap::bench::worker<Null>(argc, argv); }
