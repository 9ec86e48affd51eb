// SPDX-License-Identifier: MIT
//
// Sizes, counts and alignments that are not the block's, or nobody's.
#include "cases.hpp"

namespace slabheap::misuse {

namespace {

// Frees with a size and an alignment that are not what the block was asked for with.
template <size_t size, size_t told, size_t align = 16>
void free_with(Trial& trial) {
    void* const block = allocate(size);
    trial.expect(SLAB_FAULT_WRONG_SIZE, block);
    trial.misuse([=] { slab_free_sized(block, told, align); });
    trial.harm(trial.reports() != 0 && !slab_owns(block));
    free_if_live(block);
    trial.harm(hands_out_twice(size));
}

void free_pages_with(Trial& trial, void* block, size_t count) {
    trial.expect(SLAB_FAULT_WRONG_SIZE, block);
    trial.misuse([=] { slab_free_pages(block, count); });
    trial.harm(!slab_owns(block));
    free_if_live(block);
}

void too_few_pages(Trial& trial) { free_pages_with(trial, slab_alloc_pages(5, 1), 2); }
void too_many_pages(Trial& trial) { free_pages_with(trial, slab_alloc_pages(5, 1), 500); }
void pages_of_a_slot(Trial& trial) { free_pages_with(trial, allocate(small), 1); }

// What cannot be had has to be refused, because its size would wrap to one that can.
void refuse(Trial& trial, void* block) {
    trial.harm(block != nullptr);
    free_if_live(block);
}

template <size_t size, size_t align = 16>
void allocate_size(Trial& trial) {
    trial.misuse([&] { refuse(trial, slab_alloc(size, align)); });
}

constexpr size_t half = SIZE_MAX / 2 + 1;

void calloc_wraps(Trial& trial) {
    trial.misuse([&] { refuse(trial, slab_calloc(half, 2)); });
    trial.misuse([&] { refuse(trial, slab_calloc(half + 32, 2)); });
}

void pages_wrap(Trial& trial) {
    trial.misuse([&] { refuse(trial, slab_alloc_pages(SIZE_MAX / SLAB_PAGE_SIZE + 2, 1)); });
}

template <size_t size>
void realloc_to(Trial& trial) {
    unsigned char* const block = allocate(small);
    fill(block, small, victims);
    trial.misuse([&] { refuse(trial, slab_realloc(block, size, 16)); });
    trial.harm(!slab_owns(block) || !holds(block, small, victims));
    free_if_live(block);
}

void realloc_to_bad_alignment(Trial& trial) {
    void* const block = allocate(small);
    trial.misuse([&] { refuse(trial, slab_realloc(block, small, 24)); });
    free_if_live(block);
}

// Each is a block of its own, of one byte.
void zero_size(Trial& trial) {
    unsigned char* const one = allocate(0);
    unsigned char* const other = allocate(0);
    trial.misuse([=] { *one = culprits; });
    trial.harm(one == other || one == nullptr);
    slab_free(one);
    slab_free(other);
}

}  // namespace

const Case wrong_sizes[] = {
    {"free-with-larger-size", free_with<small, 5000>},
    {"free-with-size-of-next-class", free_with<small, 129>},
    {"free-with-smaller-size", free_with<1000, small>},
    {"free-with-size-large", free_with<large, 9000>},
    {"free-large-with-small-size", free_with<large, small>},
    {"free-with-alignment", free_with<small, small, 4096>},
    {"free-with-no-alignment", free_with<small, small, 24>},
    {"free-with-alignment-large", free_with<large, large, size_t{1} << 30>},
    {"free-pages-too-few", too_few_pages},
    {"free-pages-too-many", too_many_pages},
    {"free-pages-of-small", pages_of_a_slot},
    {"alloc-impossible", allocate_size<SIZE_MAX>},
    {"alloc-wraps-to-page", allocate_size<SIZE_MAX - SLAB_PAGE_SIZE + 2>},
    {"alloc-negative", allocate_size<half>},
    {"alloc-alignment-zero", allocate_size<small, 0>},
    {"alloc-alignment-odd", allocate_size<small, 24>},
    {"alloc-alignment-impossible", allocate_size<small, half>},
    {"alloc-pages-wraps", pages_wrap},
    {"calloc-wraps", calloc_wraps},
    {"realloc-impossible", realloc_to<SIZE_MAX>},
    {"realloc-negative", realloc_to<half>},
    {"realloc-alignment", realloc_to_bad_alignment},
    {"zero-size", zero_size},
    {nullptr, nullptr},
};

}  // namespace slabheap::misuse
