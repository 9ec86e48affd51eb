// SPDX-License-Identifier: MIT
//
// What AddressSanitizer's report of an address in the heap leaves open: which block it is in, or next to.
// Said behind the report, of the C ABI's heap, by its public calls: what an address is that cannot be freed,
// the heap's fault handler is told.
#include <slabheap/slabheap.h>
#include <stdio.h>

#include "hooks.h"

#define OF_THE_TOOL extern "C" [[gnu::weak, gnu::visibility("default")]]
OF_THE_TOOL void* __asan_get_report_address();
OF_THE_TOOL void __asan_set_error_report_callback(void (*callback)(const char*));

namespace {

constexpr uintptr_t granule = 16;  // blocks start at multiples of it

slab_fault found;

void keep(const slab_fault* fault) { found = *fault; }

// The size that was asked for, of a live block; else 0, and what the address is in `found`.
size_t size_at(uintptr_t address) {
    found = {};
    slab_fault_handler const before = slab_heap_set_fault_handler(keep);
    size_t const size = slab_usable_size(reinterpret_cast<void*>(address));
    slab_heap_set_fault_handler(before);
    return size;
}

void tell(uintptr_t address, size_t bytes, const char* where, size_t size, uintptr_t block) {
    fprintf(stderr, "%#zx is %zu bytes %s of %zu bytes at %#zx in slabheap's heap\n", address, bytes, where,
            size, block);
}

void tell_of_block(const char*) {
    uintptr_t const address = reinterpret_cast<uintptr_t>(__asan_get_report_address());
    uintptr_t const next = address / granule * granule + granule;
    uintptr_t block = address / granule * granule;
    size_t size = size_at(block);
    if (size == 0 && found.block != nullptr) {
        block = reinterpret_cast<uintptr_t>(found.block);
        size_t const real_size = found.block_size;
        size = size_at(block);
        if (size == 0) return tell(address, address - block, "inside a freed block", real_size, block);
    }
    if (size != 0 && address - block < size) tell(address, address - block, "inside a block", size, block);
    if (size != 0 && address - block >= size)
        tell(address, address - block - size, "after a block", size, block);
    if (size_t const next_size = size_at(next); next_size != 0)
        tell(address, next - address, "before a block", next_size, next);
}

}  // namespace

void slabheap_tell_of_blocks() {
    if (__asan_set_error_report_callback != nullptr) __asan_set_error_report_callback(tell_of_block);
}
