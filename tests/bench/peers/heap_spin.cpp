// SPDX-License-Identifier: MIT
//
// What threads can do with the C++ class that knows nothing of them: take a spin lock around each call.
#include <slabheap/heap.hpp>

#include <atomic>
#include <mutex>

#include "../harness/worker.hpp"

namespace {

class SpinLock {
public:
    void lock() {
        while (held_.test_and_set(std::memory_order_acquire)) {
            while (held_.test(std::memory_order_relaxed)) __builtin_ia32_pause();
        }
    }
    void unlock() { held_.clear(std::memory_order_release); }

private:
    std::atomic_flag held_;
};

struct SpinLockedHeap {
    static constexpr bool shared = true;

    bool init(void* start, size_t size) { return heap.init(start, size) == SLAB_OK; }
    void* alloc(size_t size, size_t align = 16) {
        std::lock_guard const held(lock);
        return heap.allocate({size, align});
    }
    void free(void* start) {
        std::lock_guard const held(lock);
        heap.deallocate(start);
    }

    alignas(64) SpinLock lock;
    alignas(64) slabheap::Heap heap;
};

}  // namespace

int main(int argc, char** argv) { return slabheap::bench::worker<SpinLockedHeap>(argc, argv); }
