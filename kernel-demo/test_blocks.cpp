// SPDX-License-Identifier: MIT
//
// Self-test: blocks of the size classes, and what is asked for them with.
#include "../tests/support/built_defences.hpp"
#include "pattern.hpp"
#include "print.h"
#include "report.hpp"
#include "self_test.hpp"
#include "slabheap/slabheap.h"

namespace demo {

namespace {

namespace built = slabheap::test;

constexpr size_t blocks_per_class = 100;

void test_size_class(size_t size) {
    size_t align = size & -size;
    char name[24];
    print_to(name, sizeof name, "%zu-byte class", size);
    Check check(name);
    void* blocks[blocks_per_class];
    for (void*& block : blocks) {
        block = slab_alloc(size, align);
        if (!check.require(block != nullptr, "memory is left, so a block is given")) continue;
        check.require(aligned(block, align), "aligned as its size is", block);
        check.require(slab_usable_size(block) == size, "takes a block of its class", block);
        fill(block, size);
    }
    for (void* block : blocks)
        check.require(block != nullptr && intact(block, size), "keeps what was written", block);
    for (void* block : blocks) slab_free(block);
    void* again = slab_alloc(size, align);
    check.require(built::is_next(blocks[blocks_per_class - 1], again), "the block freed last is the next",
                  again);
    slab_free(again);
    check.require(!slab_owns(again), "free is free", again);
    check.done("%zu blocks, aligned to %zu, intact", blocks_per_class, align);
}

}  // namespace

void test_size_classes() {
    slab_stats stats;
    slab_heap_stats(&stats);
    for (size_t i = 0; i < stats.class_count; i++) test_size_class(stats.classes[i].size);
}

void test_calloc() {
    Check check("calloc");
    constexpr size_t count = 25;
    constexpr size_t size = 40;
    void* dirty = slab_alloc(count * size, 16);
    if (dirty != nullptr) fill(dirty, count * size);
    slab_free(dirty);
    auto* bytes = static_cast<unsigned char*>(slab_calloc(count, size));
    check.require(bytes != nullptr && built::is_next(dirty, bytes), "the block just freed", bytes);
    for (size_t i = 0; bytes != nullptr && i < count * size; i++)
        check.require(bytes[i] == 0, "zeroed", bytes + i);
    slab_free(bytes);
    check.require(slab_calloc(SIZE_MAX / 2, 3) == nullptr, "a product that overflows is refused");
    check.done("%zu x %zu bytes, zeroed", count, size);
}

void test_arguments() {
    Check check("impossible requests");
    slab_stats before;
    slab_stats after;
    slab_heap_stats(&before);
    check.require(slab_alloc(64, 0) == nullptr, "alignment 0 is refused");
    check.require(slab_alloc(64, 48) == nullptr, "an alignment that is no power of two is refused");
    check.require(slab_alloc(SIZE_MAX, 1) == nullptr, "a size beyond the address space is refused");
    slab_heap_stats(&after);
    check.require(after.failures == before.failures + 3, "each is counted");
    check.require(after.used_bytes == before.used_bytes, "nothing is taken");
    void* least = slab_alloc(0, 1);
    check.require(least != nullptr && slab_usable_size(least) >= 1, "size 0 counts as 1", least);
    slab_free(least);
    slab_free(nullptr);
    check.done("refused and counted; size 0 counts as 1");
}

void test_realloc() {
    Check check("realloc");
    void* start = slab_alloc(100, 8);
    if (!check.require(start != nullptr, "a block to begin with")) return check.done(" ");
    fill(start, 100);
    void* same = slab_realloc(start, 120, 8);
    check.require(same == start, "stays within its class", same);
    void* moved = slab_realloc(same, 5000, 64);
    check.require(moved != nullptr && intact(moved, 100, start), "content moves along", moved);
    check.require(aligned(moved, 64), "the alignment is kept", moved);
    void* grown = slab_realloc(moved, 20000, 64);
    check.require(grown != nullptr && intact(grown, 100, start), "content stays when a large block grows",
                  grown);
    void* shrunk = slab_realloc(grown, 5000, 64);
    check.require(shrunk == grown, "a large block gives its tail back in place", shrunk);
    check.require(slab_usable_size(shrunk) == built::usable(5000, 2 * SLAB_PAGE_SIZE),
                  "and has two pages left", shrunk);
    check.require(slab_realloc(shrunk, SIZE_MAX, 8) == nullptr, "what cannot be had is refused");
    check.require(intact(shrunk, 100, start), "and leaves the block as it was", shrunk);
    slab_free(shrunk);
    check.done("100, 120, 5000, 20000, 5000 bytes, intact");
}

}  // namespace demo
