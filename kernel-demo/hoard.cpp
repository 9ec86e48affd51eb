// SPDX-License-Identifier: MIT
//
// What a block should have can be told from its address alone, so nothing else has to be remembered.
#include "hoard.hpp"

#include "pattern.hpp"
#include "slabheap/slabheap.h"

namespace demo {

namespace {

constexpr size_t kib = 1024;
constexpr size_t sizes[Hoard::kinds] = {32,   4096,    1024, 20 * kib, 256,       4096 * kib, 128,
                                        2048, 8 * kib, 512,  64 * kib, 256 * kib, 1024 * kib};

}  // namespace

void Hoard::write(Block* block) {
    fill_ends(block + 1, block->size - sizeof *block);
}

bool Hoard::is_intact(const Block* block) {
    return ends_intact(block + 1, block->size - sizeof *block);
}

bool Hoard::take(size_t size) {
    auto* block = static_cast<Block*>(slab_alloc(size, 16));
    if (block == nullptr) return false;
    *block = {first_, size};
    write(block);
    first_ = block;
    count_++;
    bytes_ += slab_usable_size(block);  // the last slots of a larger class serve smaller requests
    return true;
}

void Hoard::take_everything() {
    bool can_be_had[kinds];
    for (bool& kind : can_be_had) kind = true;
    for (bool any = true; any;) {
        any = false;
        for (size_t i = 0; i < kinds; i++) {
            can_be_had[i] = can_be_had[i] && take(sizes[i]);
            any = any || can_be_had[i];
        }
    }
}

void Hoard::give_back(Block** link) {
    Block* freed = *link;
    *link = freed->next;
    if (broken_ == nullptr && !is_intact(freed)) broken_ = freed;
    slab_free(freed);
}

const void* Hoard::give_back_all() {
    // First every second one, so that neighbours are freed at different times.
    for (Block* kept = first_; kept != nullptr && kept->next != nullptr; kept = kept->next)
        give_back(&kept->next);
    while (first_ != nullptr) give_back(&first_);
    count_ = 0;
    bytes_ = 0;
    return broken_;
}

}  // namespace demo
