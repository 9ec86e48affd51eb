// SPDX-License-Identifier: MIT
//
// A block is written after its free: while it is free, and when it is another's.
#include "cases.hpp"

namespace slabheap::misuse {

namespace {

// While the block is free. The next owner gets memory of undefined content, so what is in it harms nobody;
// if only the heap is as it was.
template <size_t size, size_t offset>
void while_free(Trial& trial) {
    unsigned char* const block = allocate(size);
    slab_free(block);
    trial.expect(SLAB_FAULT_WRITE_AFTER_FREE, block + offset);
    trial.misuse([=] { fill(block + offset, 8, culprits); });
    trial.harm(slab_heap_check() != SLAB_OK);
    trial.at_the_reuse([=, &trial] { trial.harm(!is_reused(block, size)); });
    trial.harm(hands_out_twice(size));
}

// The same, and the next owner takes what he finds in the block for his own.
template <size_t size>
void for_the_next_owner(Trial& trial) {
    unsigned char* const block = allocate(size);
    slab_free(block);
    trial.expect(SLAB_FAULT_WRITE_AFTER_FREE, block);
    trial.misuse([=] { fill(block, size, culprits); });
    trial.at_the_reuse([=, &trial] {
        trial.harm(!take_again(block, size) || shows(block, size, culprits));
        free_if_live(block);
    });
}

// As soon as it was freed it is allocated again, and then written by its old owner.
template <size_t size>
void when_reused(Trial& trial) {
    unsigned char* const block = allocate(size);
    slab_free(block);
    unsigned char* const others = allocate(size);
    fill(others, size, victims);
    trial.expect(SLAB_FAULT_WRITE_AFTER_FREE, block);
    trial.misuse([=] { fill(block, 8, culprits); });
    trial.harm(!holds(others, size, victims));
    slab_free(others);
    trial.at_the_reuse([=] { is_reused(block, size); });
}

// However long it takes until it is.
template <size_t size>
void when_reused_at_last(Trial& trial) {
    unsigned char* const block = allocate(size);
    slab_free(block);
    if (!take_again(block, size)) return trial.harm(true);
    fill(block, size, victims);
    trial.misuse([=] { fill(block, 8, culprits); });
    trial.harm(!holds(block, size, victims));
    slab_free(block);
}

// A resized block has moved, and is written where it was.
void where_it_was(Trial& trial) {
    unsigned char* const block = allocate(small);
    fill(block, small, victims);
    auto* const moved = static_cast<unsigned char*>(slab_realloc(block, large, 16));
    trial.expect(SLAB_FAULT_WRITE_AFTER_FREE, block);
    trial.misuse([=] { fill(block, small, culprits); });
    trial.harm(moved == block || !holds(moved, small, victims));
    trial.at_the_reuse([=, &trial] { trial.harm(!is_reused(block, small)); });
    slab_free(moved);
}

// Pages go back to where slabs are made.
void when_pages_are_a_slab(Trial& trial) {
    constexpr size_t most = 256;
    unsigned char* blocks[most];
    size_t count = 0;
    unsigned char* const run = allocate(2 * SLAB_PAGE_SIZE);
    slab_free(run);
    const auto is_there = [=](const unsigned char* block) {
        return block >= run && block < run + 2 * SLAB_PAGE_SIZE;
    };
    bool found = false;
    while (count < most && !found && (blocks[count] = allocate(4096)) != nullptr) {
        found = is_there(blocks[count++]);
    }
    if (found) {
        unsigned char* const others = blocks[count - 1];
        fill(others, 4096, victims);
        trial.misuse([=] { fill(others, 8, culprits); });
        trial.harm(!holds(others, 4096, victims));
    }
    while (count-- != 0) slab_free(blocks[count]);
}

// The heap hands out the block that was freed last: who has a pointer to it knows whose it will be.
template <size_t size, size_t next_size>
void next_is_known(Trial& trial) {
    void* const block = allocate(size);
    void* next = nullptr;
    trial.misuse([&] {
        slab_free(block);
        next = allocate(next_size);
    });
    trial.harm(next == block);
    slab_free(next);
}

// The same where others are free as well: is it always the one that was freed last?
void next_of_many_is_known(Trial& trial) {
    constexpr unsigned count = 16, rounds = 32;
    void* blocks[count];
    unsigned hits = 0;
    for (unsigned round = 0; round < rounds; ++round) {
        void* next = nullptr;
        for (void*& block : blocks) block = allocate(small);
        trial.misuse([&] {
            for (void* block : blocks) slab_free(block);
            next = allocate(small);
        });
        hits += next == blocks[count - 1];
        slab_free(next);
    }
    trial.harm(hits > rounds / 2);
}

// The same by realloc, which moves a block and frees it where it was.
void next_is_known_by_realloc(Trial& trial) {
    void* const block = allocate(small);
    void* next = nullptr;
    void* moved = nullptr;
    trial.misuse([&] {
        moved = slab_realloc(block, large, 16);
        next = allocate(small);
    });
    trial.harm(next == block);
    slab_free(next);
    slab_free(moved);
}

// Of blocks that are allocated one after the other, is the next one's place known? It takes more than fronts
// hold of earlier ones.
void neighbour_is_known(Trial& trial) {
    constexpr size_t earlier = 128, count = earlier + 16;
    unsigned char* blocks[count];
    trial.misuse([&] {
        for (unsigned char*& block : blocks) block = allocate(small);
    });
    size_t neighbours = 0;
    for (size_t i = earlier; i + 1 < count; ++i) neighbours += blocks[i] + full_small == blocks[i + 1];
    trial.harm(neighbours > (count - earlier) / 2);
    for (unsigned char* block : blocks) slab_free(block);
}

}  // namespace

const Case after_frees[] = {
    {"write-after-free", while_free<small, 0>},
    {"write-after-free-at-the-end", while_free<full_small, full_small - 8>},
    {"write-after-free-large", while_free<large, 0>},
    {"write-after-free-for-next-owner", for_the_next_owner<small>},
    {"write-after-free-for-next-owner-large", for_the_next_owner<large>},
    {"write-after-free-and-reuse", when_reused<small>},
    {"write-after-free-and-reuse-large", when_reused<large>},
    {"write-after-free-and-late-reuse", when_reused_at_last<small>},
    {"write-after-free-and-reuse-as-slab", when_pages_are_a_slab},
    {"write-after-realloc", where_it_was},
    {"reuse-at-once", next_is_known<small, small>},
    {"reuse-at-once-among-many", next_of_many_is_known},
    {"reuse-at-once-large", next_is_known<large, large>},
    {"reuse-by-smaller", next_is_known<1000, small>},
    {"reuse-after-realloc", next_is_known_by_realloc},
    {"neighbour-is-known", neighbour_is_known},
    {nullptr, nullptr},
};

}  // namespace slabheap::misuse
