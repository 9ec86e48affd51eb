// SPDX-License-Identifier: MIT
//
// A block's seal is a number that no other block ever has, and 0 once the block has been freed: so if the
// heap hands a block out twice, the second to free it finds out, whatever the order.
#include "storm_worker.hpp"

#include "machine_cpus.h"
#include "pattern.hpp"
#include "slabheap/slabheap.h"

namespace demo {

struct StormBlock {
    uintptr_t seal;
    size_t size;
};

namespace {

constexpr size_t kib = 1024;
constexpr size_t most_bytes = 64 * kib;
constexpr size_t align = 16;
constexpr uintptr_t most_cpus = MACHINE_MOST_CPUS;
constexpr uintptr_t workers = most_cpus * CONTEXTS;

constexpr size_t most_mailboxes = 64;
StormBlock* mailboxes[most_mailboxes];

StormBlock* exchange(StormBlock*& mailbox, StormBlock* block) {
    return __atomic_exchange_n(&mailbox, block, __ATOMIC_ACQ_REL);
}

size_t cpu_of(const StormBlock* block) {
    return block->seal % workers % most_cpus;
}

void fill(StormBlock* block) {
    fill_ends(block + 1, block->size - sizeof *block, block->seal);
}

bool is_intact(const StormBlock* block) {
    return block->seal != 0 && block->size >= sizeof *block && block->size <= most_bytes &&
           ends_intact(block + 1, block->size - sizeof *block, block->seal);
}

// Mostly small: the larger, the fewer.
size_t draw_size(Random& random) {
    size_t most = random.below(32) == 0 ? most_bytes : size_t{64} << random.below(7);
    return sizeof(StormBlock) + random.below(most - sizeof(StormBlock));
}

}  // namespace

void StormWorker::start(const Shortages& shortages, size_t cpu, cpu_context context) {
    shortages_ = &shortages;
    context_ = context;
    mark_ = context * most_cpus + cpu;
    random_ = Random(static_cast<uint32_t>(mark_ + 1) * 0x9e3779b1u);
}

bool StormWorker::step() {
    StormBlock*& place = blocks_[random_.below(most_blocks)];
    StormBlock* block = place;
    if (block == nullptr) {
        Shortages::Moment before = shortages_->now();
        if (before.is_on && before.number == refused_in_) return false;
        place = allocate(before);
        return true;
    }
    place = nullptr;
    if (random_.below(2) == 0) block = exchange(mailboxes[random_.below(most_mailboxes)], block);
    if (block != nullptr) free(block);
    return true;
}

void StormWorker::finish() {
    for (StormBlock*& block : blocks_) {
        if (block != nullptr) free(block);
        block = nullptr;
    }
}

void StormWorker::empty_mailboxes() {
    for (StormBlock*& mailbox : mailboxes) {
        StormBlock* block = exchange(mailbox, nullptr);
        if (block != nullptr) free(block);
    }
}

StormTally StormWorker::tally() const {
    return {allocations_.read(),
            tries_.read(),
            frees_.read(),
            frees_for_others_.read(),
            refusals_.read(),
            failures_.read(),
            __atomic_load_n(&damaged_, __ATOMIC_RELAXED)};
}

StormBlock* StormWorker::allocate(Shortages::Moment before) {
    size_t size = draw_size(random_);
    bool tries = context_ != CONTEXT_THREAD && random_.below(2) == 0;
    auto* block = static_cast<StormBlock*>(tries ? slab_try_alloc(size, align) : slab_alloc(size, align));
    if (block == nullptr) {
        refuse(before, tries);
        return nullptr;
    }
    allocations_.count();
    if (tries) tries_.count();
    *block = {allocations_.read() * workers + mark_, size};
    fill(block);
    return block;
}

void StormWorker::refuse(Shortages::Moment before, bool tried) {
    refusals_.count();
    if (shortages_->was_on_since(before)) {
        refused_in_ = shortages_->begun();
    } else if (!tried && context_ != CONTEXT_NMI) {
        failures_.count();
    }
}

void StormWorker::free(StormBlock* block) {
    if (damaged_ == nullptr && !is_intact(block)) __atomic_store_n(&damaged_, block, __ATOMIC_RELAXED);
    if (cpu_of(block) != mark_ % most_cpus) frees_for_others_.count();
    block->seal = 0;
    slab_free(block);
    frees_.count();
}

}  // namespace demo
