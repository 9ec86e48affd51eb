// SPDX-License-Identifier: MIT
//
// Writes beyond a block's end, or before its start, into what the heap has left over of it (its slack), into
// another's block, and into free memory.
#include "cases.hpp"

namespace slabheap::misuse {

namespace {

void free_both(const Neighbours& pair) {
    free_if_live(pair.high);
    free_if_live(pair.low);
}

// Two victims' blocks side by side, each full of its content.
struct Scene {
    Neighbours pair;
    size_t size;

    explicit Scene(size_t size_of_both) : pair(neighbours(size_of_both)), size(size_of_both) {
        if (pair.low != nullptr) fill(pair.low, size, victims);
        if (pair.high != nullptr) fill(pair.high, size, victims);
    }
    unsigned char* upper() const { return pair.high == nullptr ? pair.low : pair.high; }
    bool is_high_harmed() const { return pair.high != nullptr && !holds(pair.high, size, victims); }
    bool is_low_harmed() const { return !holds(pair.low, size, victims); }
};

// The lower one is written beyond its size, from an offset behind that on.
template <size_t size, size_t from, size_t length>
void beyond(Trial& trial) {
    const Scene scene(size);
    trial.expect(SLAB_FAULT_OVERFLOW, scene.pair.low + size + from);
    trial.misuse([&] { fill(scene.pair.low + size + from, length, culprits); });
    trial.harm(scene.is_high_harmed());
    trial.at_the_free([&] { free_both(scene.pair); });
}

// It is written across its end, by one store that is not aligned.
void across_the_end(Trial& trial) {
    struct [[gnu::packed]] Unaligned {
        uint64_t value;
    };
    const Scene scene(small);
    trial.expect(SLAB_FAULT_OVERFLOW, scene.pair.low + small);
    trial.misuse([&] { reinterpret_cast<volatile Unaligned*>(scene.pair.low + small - 3)->value = 0; });
    trial.harm(scene.is_high_harmed());
    trial.at_the_free([&] { free_both(scene.pair); });
}

// A string of as many characters as there are bytes: its final 0 is one too many.
template <size_t size>
void off_by_one_zero(Trial& trial) {
    const Scene scene(size);
    trial.expect(SLAB_FAULT_OVERFLOW, scene.pair.low + size);
    trial.misuse([&] { fill(scene.pair.low + size, 1, 0); });
    trial.harm(scene.is_high_harmed());
    trial.at_the_free([&] { free_both(scene.pair); });
}

// The culprit can read: he writes what he has found in the slack over itself, and goes on from there.
template <size_t size>
void with_what_was_there(Trial& trial) {
    const Scene scene(size);
    trial.misuse([&] {
        volatile unsigned char* const slack = scene.pair.low + size;
        for (size_t i = 0; i < real_size(size) - size; ++i) slack[i] = slack[i];
        fill(scene.pair.low + real_size(size), 8, culprits);
    });
    trial.harm(scene.is_high_harmed());
    trial.at_the_free([&] { free_both(scene.pair); });
}

// The upper one is written before its start.
template <size_t size, size_t length>
void before(Trial& trial) {
    const Scene scene(size);
    unsigned char* const start = scene.upper();
    const size_t slack = real_size(size) - size;
    trial.expect(SLAB_FAULT_OVERFLOW, start - (length < slack ? length : slack));
    trial.misuse([&] { fill(start - length, length, culprits); });
    trial.harm(scene.pair.high != nullptr && scene.is_low_harmed());
    trial.at_the_free([&] { free_both(scene.pair); });
}

// A block that was resized where it is, and is written beyond its new size.
template <size_t first, size_t then>
void after_realloc(Trial& trial) {
    const Scene scene(first);
    auto* const block = static_cast<unsigned char*>(slab_realloc(scene.pair.low, then, 16));
    trial.expect(SLAB_FAULT_OVERFLOW, block + then);
    trial.misuse([&] { fill(block + then, 8, culprits); });
    trial.harm(scene.is_high_harmed());
    trial.at_the_free([&] {
        slab_free(block);
        free_if_live(scene.pair.high);
    });
}

// Who shrank a block writes where it was; somebody else has the pages by now.
void beyond_what_is_left(Trial& trial) {
    constexpr size_t left = 2 * SLAB_PAGE_SIZE;
    unsigned char* const block = allocate(full_large);
    fill(block, full_large, culprits);
    slab_realloc(block, left, 16);
    unsigned char* const others = block + left;
    const bool is_taken = take_again(others, full_large - left);
    if (is_taken) fill(others, full_large - left, victims);
    trial.misuse([=] { fill(others, 8, culprits); });
    trial.harm(is_taken && !holds(others, full_large - left, victims));
    free_if_live(others);
    slab_free(block);
}

// All of the block's real size is written, of which the heap has told.
template <size_t size>
void all_that_is_usable(Trial& trial) {
    const Scene scene(size);
    trial.misuse([&] { fill(scene.pair.low, slab_usable_size(scene.pair.low), culprits); });
    trial.harm(scene.is_high_harmed());
    free_both(scene.pair);
}

// The neighbour is free: what is written there meets nobody but the next owner.
template <size_t size>
void into_a_free_block(Trial& trial) {
    const Scene scene(size);
    unsigned char* const high = scene.pair.high;
    slab_free(high);
    trial.expect(SLAB_FAULT_WRITE_AFTER_FREE, high);
    trial.misuse([&] { fill(scene.pair.low + size, 16, culprits); });
    trial.at_the_reuse([&] { trial.harm(high != nullptr && !is_reused(high, size)); });
    trial.harm(scene.is_low_harmed() || hands_out_twice(size));
    slab_free(scene.pair.low);
}

// Runs of pages.
constexpr size_t pages = 4;

template <bool is_before>
void of_pages(Trial& trial) {
    const Scene scene(pages * SLAB_PAGE_SIZE);
    unsigned char* const high = scene.pair.high;
    unsigned char* const there = is_before ? scene.upper() - 8 : scene.pair.low + scene.size;
    trial.misuse([=] { fill(there, 8, culprits); });
    trial.harm(high != nullptr && (is_before ? scene.is_low_harmed() : scene.is_high_harmed()));
    slab_free_pages(scene.pair.low, pages);
    slab_free_pages(high, pages);
}

constexpr size_t mib = size_t{1} << 20;

}  // namespace

const Case overflows[] = {
    {"overflow-by-1-into-slack", beyond<small, 0, 1>},
    {"overflow-by-8-into-slack", beyond<small, 0, 8>},
    {"overflow-of-all-slack", beyond<small, 0, full_small - small>},
    {"overflow-across-the-end", across_the_end},
    {"overflow-off-by-one-zero", off_by_one_zero<small>},
    {"overflow-off-by-one-zero-without-slack", off_by_one_zero<full_small>},
    {"overflow-by-1-without-slack", beyond<full_small, 0, 1>},
    {"overflow-by-8-without-slack", beyond<full_small, 0, 8>},
    {"overflow-through-slack", beyond<small, 0, full_small - small + 8>},
    {"overflow-leaping-over-slack", beyond<small, full_small - small, 8>},
    {"overflow-with-what-was-there", with_what_was_there<small>},
    {"overflow-by-1-into-slack-large", beyond<large, 0, 1>},
    {"overflow-by-8-into-slack-large", beyond<large, 0, 8>},
    {"overflow-through-slack-large", beyond<large, 0, full_large - large + 8>},
    {"overflow-with-what-was-there-large", with_what_was_there<large>},
    {"overflow-by-1-without-slack-large", beyond<full_large, 0, 1>},
    {"overflow-by-1-mib", beyond<mib, 0, mib>},
    {"overflow-of-pages", of_pages<false>},
    {"overflow-into-free-block", into_a_free_block<full_small>},
    {"overflow-into-free-block-large", into_a_free_block<full_large>},
    {"overflow-of-usable-size", all_that_is_usable<small>},
    {"overflow-of-usable-size-large", all_that_is_usable<large>},
    {"overflow-of-zero-size", beyond<0, 1, 8>},
    {"overflow-after-growth", after_realloc<201, 235>},
    {"overflow-after-shrink", after_realloc<235, 201>},
    {"overflow-after-growth-large", after_realloc<15000, large>},
    {"overflow-after-shrink-large", after_realloc<large, 15000>},
    {"overflow-into-returned-pages", beyond_what_is_left},
    {"underflow-by-1-into-slack", before<small, 1>},
    {"underflow-by-8-into-slack", before<small, 8>},
    {"underflow-through-slack", before<small, full_small - small + 4>},
    {"underflow-by-1-without-slack", before<full_small, 1>},
    {"underflow-by-32-without-slack", before<full_small, 32>},
    {"underflow-by-8-into-slack-large", before<large, 8>},
    {"underflow-by-8-without-slack-large", before<full_large, 8>},
    {"underflow-of-pages", of_pages<true>},
    {nullptr, nullptr},
};

}  // namespace slabheap::misuse
