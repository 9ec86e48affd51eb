// SPDX-License-Identifier: MIT
//
// Reads: does memory show what somebody else has left in it?
#include "cases.hpp"

namespace slabheap::misuse {

namespace {

// Through a pointer that was kept.
template <size_t size>
void after_free(Trial& trial) {
    unsigned char* const block = allocate(size);
    fill(block, size, victims);
    slab_free(block);
    trial.misuse([=, &trial] { trial.harm(shows(block, size, victims)); });
}

void of_pages_after_free(Trial& trial) {
    auto* const run = static_cast<unsigned char*>(slab_alloc_pages(4, 1));
    fill(run, full_large, victims);
    slab_free_pages(run, 4);
    trial.misuse([=, &trial] { trial.harm(shows(run, full_large, victims)); });
}

// When it is another's.
template <size_t size>
void after_reuse(Trial& trial) {
    unsigned char* const block = allocate(size);
    slab_free(block);
    unsigned char* const others = allocate(size);
    fill(others, size, victims);
    trial.misuse([=, &trial] { trial.harm(shows(block, size, victims)); });
    slab_free(others);
}

void after_realloc(Trial& trial) {
    unsigned char* const block = allocate(small);
    fill(block, small, victims);
    void* const moved = slab_realloc(block, large, 16);
    trial.misuse([=, &trial] { trial.harm(shows(block, small, victims)); });
    slab_free(moved);
}

// What a shrunk block has given back.
void of_returned_pages(Trial& trial) {
    unsigned char* const block = allocate(full_large);
    fill(block, full_large, victims);
    slab_realloc(block, SLAB_PAGE_SIZE, 16);
    trial.misuse(
        [=, &trial] { trial.harm(shows(block + SLAB_PAGE_SIZE, full_large - SLAB_PAGE_SIZE, victims)); });
    slab_free(block);
}

// A block is freed that is full of its owner's content to the last byte. Does who gets it next, by a call
// that may ask for less, see that, from an offset on?
template <class Allocate>
void see(Trial& trial, size_t whole, size_t from, size_t length, Allocate allocate_one) {
    unsigned char* const left = allocate(whole);
    fill(left, whole, victims);
    slab_free(left);
    trial.misuse([=, &trial] {
        unsigned char* const next = take_until(
            [=](unsigned char* it) { return it == left || shows(it + from, length, victims); }, allocate_one);
        trial.harm(next != nullptr && shows(next + from, length, victims));
        slab_free(next);
    });
}

// He reads before he writes.
template <size_t size>
void uninitialised(Trial& trial) {
    see(trial, real_size(size), 0, size, [] { return allocate(size); });
}

// He passes all of his object on, and what lies between its end and the end of the block.
template <size_t size>
void slack(Trial& trial) {
    see(trial, real_size(size), size, real_size(size) - size, [] { return allocate(size); });
}

void of_zero_size(Trial& trial) {
    see(trial, 64, 0, 1, [] { return allocate(0); });
}

void zeroed(Trial& trial) {
    see(trial, full_small, 0, small, [] { return slab_calloc(10, small / 10); });
}

// His block grows, where it is or to a new place: what is new in it was somebody's.
template <size_t first, size_t then, size_t whole>
void growth(Trial& trial) {
    see(trial, whole, first, then - first, [] { return slab_realloc(allocate(first), then, 16); });
}

// It shrinks, and grows again: is its tail as it was?
void stale_tail(Trial& trial) {
    unsigned char* const block = allocate(small);
    fill(block, small, victims);
    slab_realloc(block, small / 2, 16);
    slab_realloc(block, small, 16);
    trial.misuse([=, &trial] { trial.harm(shows(block + small / 2, small / 2, victims)); });
    slab_free(block);
}

// Beyond the end.
template <size_t size>
void beyond(Trial& trial) {
    const Neighbours pair = neighbours(size);
    if (pair.high != nullptr) fill(pair.high, size, victims);
    trial.misuse([&] {
        const bool sees = shows(pair.low, real_size(size) + 8, victims);
        trial.harm(sees && pair.high != nullptr);
    });
    free_if_live(pair.high);
    slab_free(pair.low);
}

}  // namespace

const Case disclosures[] = {
    {"read-after-free", after_free<small>},
    {"read-after-free-large", after_free<large>},
    {"read-after-free-of-pages", of_pages_after_free},
    {"read-after-free-and-reuse", after_reuse<small>},
    {"read-after-free-and-reuse-large", after_reuse<large>},
    {"read-after-realloc", after_realloc},
    {"read-of-returned-pages", of_returned_pages},
    {"read-uninitialised", uninitialised<small>},
    {"read-uninitialised-large", uninitialised<large>},
    {"read-uninitialised-slack", slack<small>},
    {"read-uninitialised-slack-large", slack<large>},
    {"read-uninitialised-of-calloc", zeroed},
    {"read-uninitialised-growth", growth<small, full_small, full_small>},
    {"read-uninitialised-growth-moved", growth<small, 500, 512>},
    {"read-uninitialised-growth-large", growth<15000, full_large, full_large>},
    {"read-after-shrink-and-growth", stale_tail},
    {"read-of-zero-size", of_zero_size},
    {"read-beyond", beyond<full_small>},
    {"read-beyond-large", beyond<full_large>},
    {nullptr, nullptr},
};

}  // namespace slabheap::misuse
