// SPDX-License-Identifier: MIT
//
// No allocator at all, for threads: what it costs is what the driver, and the passing of blocks, cost. Each
// thread has a block of its own, so that none waits for another's writes.
#include "../harness/worker.hpp"

alignas(64) static thread_local unsigned char block[4096];

// Weak: see null.cpp.
[[gnu::weak]] void* null_alloc(size_t, size_t) { return block; }
[[gnu::weak]] void null_free(void*) {}

namespace {

struct SharedNull {
    static constexpr bool shared = true;

    void* alloc(size_t size) { return null_alloc(size, 16); }
    void free(void* start) { null_free(start); }
};

}  // namespace

int main(int argc, char** argv) { return slabheap::bench::worker<SharedNull>(argc, argv); }
