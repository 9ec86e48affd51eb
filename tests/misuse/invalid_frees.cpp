// SPDX-License-Identifier: MIT
//
// What is no block is freed, resized, or asked for its size.
#include <slabheap/heap.hpp>

#include "cases.hpp"

namespace slabheap::misuse {

namespace {

unsigned char not_the_heaps[256] __attribute__((aligned(64)));

// Frees an address; the block that it is near to is there afterwards.
void free_near(Trial& trial, slab_fault_kind kind, void* address, void* block) {
    trial.expect(kind, address);
    trial.misuse([=] { slab_free(address); });
    trial.harm(block != nullptr && !slab_owns(block));
    free_if_live(block);
}

template <size_t size, size_t offset>
void interior(Trial& trial) {
    unsigned char* const block = allocate(size);
    free_near(trial, SLAB_FAULT_INTERIOR, block + offset, block);
    trial.harm(hands_out_twice(size));
}

template <size_t size, size_t offset>
void misaligned(Trial& trial) {
    unsigned char* const block = allocate(size);
    free_near(trial, SLAB_FAULT_MISALIGNED, block + offset, block);
}

// Nothing of it is the heap's.
void free_foreign(Trial& trial, void* address) { free_near(trial, SLAB_FAULT_FOREIGN, address, nullptr); }

// The stack itself may be a block of the heap.
void on_the_stack(Trial& trial) {
    alignas(64) unsigned char local[64];
    fill(local, sizeof local, culprits);
    trial.expect(SLAB_FAULT_INTERIOR, local);
    free_foreign(trial, local);
    trial.harm(!holds(local, sizeof local, culprits));
}

void in_static_memory(Trial& trial) { free_foreign(trial, not_the_heaps + 64); }

void in_code(Trial& trial) {
    const uintptr_t code = reinterpret_cast<uintptr_t>(in_static_memory) & ~uintptr_t{15};
    free_foreign(trial, reinterpret_cast<void*>(code));
}

void in_the_page_map(Trial& trial) { free_foreign(trial, trial.place.page_map + 64); }

// A member of an object that is not there.
void behind_null(Trial& trial) { free_foreign(trial, reinterpret_cast<void*>(uintptr_t{64})); }

void at_the_top(Trial& trial) { free_foreign(trial, reinterpret_cast<void*>(~uintptr_t{15})); }

void in_a_reserved_range(Trial& trial) {
    void* const range = slab_alloc_pages(8, 8 * SLAB_PAGE_SIZE);
    slab_free(range);
    trial.harm(slab_heap_reserve(range, 8 * SLAB_PAGE_SIZE) != SLAB_OK);
    free_foreign(trial, range);
    slab_heap_release(range, 8 * SLAB_PAGE_SIZE);
}

// Two heaps, each in memory of its own; a block of the one goes back to the other.
void of_another_heap(Trial& trial) {
    void* const object = slab_calloc(1, sizeof(Heap));  // a Heap is usable when it is all zero
    Heap& other = *static_cast<Heap*>(object);
    void* const range = slab_alloc_pages(8, SLAB_MIN_HEAP_SIZE);
    slab_free(range);
    trial.harm(slab_heap_reserve(range, SLAB_MIN_HEAP_SIZE) != SLAB_OK);
    trial.harm(other.init(range, SLAB_MIN_HEAP_SIZE) != SLAB_OK);
    void* const block = other.allocate({small});
    free_foreign(trial, block);
    trial.harm(!other.owns(block) || other.check() != SLAB_OK);
    slab_heap_release(range, SLAB_MIN_HEAP_SIZE);
    slab_free(object);
}

// In pages that are free, where no block ever began.
void never_allocated(Trial& trial) {
    unsigned char* const run = allocate(large);
    slab_free(run);
    free_near(trial, SLAB_FAULT_NEVER_ALLOCATED, run + SLAB_PAGE_SIZE, nullptr);
    trial.harm(hands_out_twice(large));
}

// What is in memory that nobody has written yet is taken for a pointer. The block's last user has chosen it:
// it is that of a block of somebody else.
template <class Call>
void with_stale_pointer(Trial& trial, Call call) {
    void* const others = allocate(small);
    unsigned char* const planted = allocate(small);
    for (size_t i = 0; i < 96; i += sizeof others) write_pointer(planted + i, others);
    slab_free(planted);
    if (!take_again(planted, small)) return trial.harm(true);
    void* const stale = read_pointer(planted);
    trial.expect(SLAB_FAULT_FOREIGN, stale);
    trial.expect(SLAB_FAULT_MISALIGNED, stale);
    trial.misuse([=] { call(stale); });
    trial.harm(!slab_owns(others));
    free_if_live(others);
    slab_free(planted);
}

void free_of_uninitialised(Trial& trial) {
    with_stale_pointer(trial, [](void* stale) { slab_free(stale); });
}

void realloc_of_uninitialised(Trial& trial) {
    with_stale_pointer(trial, [](void* stale) { free_if_live(slab_realloc(stale, 4 * small, 16)); });
}

// Resizes what is no block: null comes back, and the block that it is near to is there.
void realloc_near(Trial& trial, slab_fault_kind kind, void* address, void* block) {
    void* moved = nullptr;
    trial.expect(kind, address);
    trial.misuse([&] { moved = slab_realloc(address, 2 * large, 16); });
    trial.harm(moved != nullptr || (block != nullptr && !slab_owns(block)));
    free_if_live(moved);
    free_if_live(block);
}

template <size_t size>
void realloc_interior(Trial& trial) {
    unsigned char* const block = allocate(size);
    realloc_near(trial, SLAB_FAULT_INTERIOR, block + 32, block);
}

void realloc_misaligned(Trial& trial) {
    unsigned char* const block = allocate(small);
    realloc_near(trial, SLAB_FAULT_MISALIGNED, block + 3, block);
}

void realloc_foreign(Trial& trial) { realloc_near(trial, SLAB_FAULT_FOREIGN, not_the_heaps, nullptr); }

template <size_t size>
void realloc_freed(Trial& trial) {
    void* const block = allocate(size);
    slab_free(block);
    realloc_near(trial, SLAB_FAULT_DOUBLE_FREE, block, nullptr);
    trial.harm(hands_out_twice(size));
}

// Who is told a size writes so much.
void size_of(Trial& trial, slab_fault_kind kind, const void* address) {
    size_t told = 0;
    trial.expect(kind, address);
    trial.misuse([&] { told = slab_usable_size(address); });
    trial.harm(told != 0);
}

template <size_t size>
void size_of_freed(Trial& trial) {
    void* const block = allocate(size);
    slab_free(block);
    size_of(trial, SLAB_FAULT_DOUBLE_FREE, block);
}

void size_of_interior(Trial& trial) {
    unsigned char* const block = allocate(small);
    size_of(trial, SLAB_FAULT_INTERIOR, block + 16);
    slab_free(block);
}

void size_of_misaligned(Trial& trial) {
    unsigned char* const block = allocate(small);
    size_of(trial, SLAB_FAULT_MISALIGNED, block + 1);
    slab_free(block);
}

void size_of_foreign(Trial& trial) { size_of(trial, SLAB_FAULT_FOREIGN, not_the_heaps); }

}  // namespace

const Case invalid_frees[] = {
    {"free-interior", interior<small, 32>},
    {"free-interior-large", interior<large, 16>},
    {"free-interior-page", interior<large, 2 * SLAB_PAGE_SIZE>},
    {"free-misaligned", misaligned<small, 1>},
    {"free-misaligned-large", misaligned<large, 8>},
    {"free-stack", on_the_stack},
    {"free-static", in_static_memory},
    {"free-code", in_code},
    {"free-page-map", in_the_page_map},
    {"free-null-with-offset", behind_null},
    {"free-far", at_the_top},
    {"free-reserved", in_a_reserved_range},
    {"free-of-another-heap", of_another_heap},
    {"free-never-allocated", never_allocated},
    {"free-uninitialised", free_of_uninitialised},
    {"realloc-uninitialised", realloc_of_uninitialised},
    {"realloc-interior", realloc_interior<small>},
    {"realloc-interior-large", realloc_interior<large>},
    {"realloc-misaligned", realloc_misaligned},
    {"realloc-foreign", realloc_foreign},
    {"realloc-freed", realloc_freed<small>},
    {"realloc-freed-large", realloc_freed<large>},
    {"usable-size-of-freed", size_of_freed<small>},
    {"usable-size-of-freed-large", size_of_freed<large>},
    {"usable-size-of-interior", size_of_interior},
    {"usable-size-of-misaligned", size_of_misaligned},
    {"usable-size-of-foreign", size_of_foreign},
    {nullptr, nullptr},
};

}  // namespace slabheap::misuse
