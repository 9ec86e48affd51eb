// SPDX-License-Identifier: MIT
#include "workload.hpp"

#include "slabheap/slabheap.h"

namespace demo {

void Workload::start() {
    slab_stats stats;
    slab_heap_stats(&stats);
    take(stats.total_bytes / 2, stats.total_bytes / 100);
    free_every_third();
}

void Workload::stop() {
    while (first_ != nullptr) {
        Block* freed = first_;
        first_ = freed->next;
        slab_free(freed);
    }
}

void Workload::take(size_t bytes, size_t largest) {
    constexpr size_t least = 16;
    size_t taken = 0;
    for (size_t number = 0; taken < bytes; number++) {
        size_t size = number % 100 == 0 ? least + random(largest) : least << random(9);
        auto* block = static_cast<Block*>(slab_alloc(size, 16));
        if (block == nullptr) return;
        *block = {first_};
        first_ = block;
        taken += size;
    }
}

void Workload::free_every_third() {
    size_t position = 0;
    for (Block** link = &first_; *link != nullptr; position++) {
        Block* block = *link;
        if (position % 3 != 2) {
            link = &block->next;
        } else {
            *link = block->next;
            slab_free(block);
        }
    }
}

// Marsaglia's xorshift: a number below limit.
size_t Workload::random(size_t limit) {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 17;
    random_ ^= random_ << 5;
    return random_ % limit;
}

}  // namespace demo
