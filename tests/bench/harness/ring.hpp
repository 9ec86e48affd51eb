// SPDX-License-Identifier: MIT
//
// A bounded ring through which one thread passes blocks to another, in batches and without a lock. Batches
// are filled and emptied where they are. Each side counts what it is done with and looks at the other's
// count only when it believes that the ring is full, or empty; so a count's cache line seldom changes hands.
#ifndef SLABHEAP_BENCH_RING_HPP
#define SLABHEAP_BENCH_RING_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace slabheap::bench {

constexpr size_t cache_line = 64;
constexpr uint32_t batch_blocks = 64;

using Batch = void* [batch_blocks];

class Ring {
public:
    // The sender's: the batch to fill, or nullptr while the ring is full; filled() hands it over.
    Batch* to_fill() {
        if (sender_.done - sender_.other == batches) {
            sender_.other = emptied_.load(std::memory_order_acquire);  // emptied()
            if (sender_.done - sender_.other == batches) return nullptr;
        }
        return &ring_[sender_.done % batches];
    }
    void filled() { filled_.store(++sender_.done, std::memory_order_release); }

    // The receiver's: the batch to empty, or nullptr while there is none; emptied() gives its place back.
    Batch const* to_empty() {
        if (receiver_.other == receiver_.done) {
            receiver_.other = filled_.load(std::memory_order_acquire);  // filled()
            if (receiver_.other == receiver_.done) return nullptr;
        }
        return &ring_[receiver_.done % batches];
    }
    void emptied() { emptied_.store(++receiver_.done, std::memory_order_release); }

private:
    static constexpr uint32_t batches = 64;

    struct alignas(cache_line) Side {
        uint32_t done = 0;   // batches filled, or emptied
        uint32_t other = 0;  // what the other side had done when it was last looked at
    };

    Side sender_;
    alignas(cache_line) std::atomic<uint32_t> filled_ = 0;
    Side receiver_;
    alignas(cache_line) std::atomic<uint32_t> emptied_ = 0;
    alignas(cache_line) Batch ring_[batches];
};

}  // namespace slabheap::bench

#endif
