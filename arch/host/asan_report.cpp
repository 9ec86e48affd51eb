// SPDX-License-Identifier: MIT
//
// What AddressSanitizer's report of an address in the heap leaves open: which block it is in, or next to;
// with the defence tracking, who allocated or freed that. Said behind the report, of the C ABI's heap, by
// public calls alone: what an address is that cannot be freed, the heap's fault handler is told.
#include <slabheap/slabheap.h>
#include <stdio.h>

#include "hooks.h"

#define OF_THE_TOOL extern "C" [[gnu::weak, gnu::visibility("default")]]
OF_THE_TOOL void* __asan_get_report_address();
OF_THE_TOOL void __asan_set_error_report_callback(void (*callback)(const char*));
OF_THE_TOOL void __sanitizer_symbolize_pc(void* pc, const char* format, char* out, size_t size);

namespace {

// Every block starts at a multiple of this.
constexpr uintptr_t unit = 32;
constexpr size_t red_zone = 16;

struct Block {
    uintptr_t start;  // 0: none
    size_t size;      // that was asked for; of a freed one all of it
    bool is_live;
    const void* by;  // who allocated or freed it; null: not known
};

slab_fault found;

void keep(const slab_fault* fault) { found = *fault; }

// The block, live or freed, that the address is in.
Block block_at(uintptr_t address) {
    found = {};
    slab_fault_handler const before = slab_heap_set_fault_handler(keep);
    slab_usable_size(reinterpret_cast<void*>(address / unit * unit + unit / 2));
    slab_heap_set_fault_handler(before);
    Block block{reinterpret_cast<uintptr_t>(found.block), found.block_size, slab_owns(found.block) != 0,
                found.allocated_by != nullptr ? found.allocated_by : found.freed_by};
    if (block.is_live) block.size = slab_usable_size(found.block);
    return block;
}

void tell(uintptr_t address, size_t bytes, const char* where, Block const& block) {
    fprintf(stderr, "%#zx is %zu bytes %s %sblock of %zu bytes at %#zx in slabheap's heap\n", address, bytes,
            where, block.is_live ? "" : "freed ", block.size, block.start);
    if (block.by == nullptr) return;
    char frame[400];
    uintptr_t const call = reinterpret_cast<uintptr_t>(block.by) - 1;
    __sanitizer_symbolize_pc(reinterpret_cast<void*>(call), "%p %F %L", frame, sizeof frame);
    fprintf(stderr, "%s by %s\n", block.is_live ? "allocated" : "freed", frame);
}

void tell_of_block(const char*) {
    uintptr_t const address = reinterpret_cast<uintptr_t>(__asan_get_report_address());
    Block const block = block_at(address), next = block_at(address + unit);
    size_t const offset = address - block.start;
    if (block.start != 0 && offset < block.size) return tell(address, offset, "inside a", block);
    if (block.start != 0) tell(address, offset - block.size, "after a", block);
    if (next.is_live && next.start - address <= red_zone)
        tell(address, next.start - address, "before a", next);
}

}  // namespace

void slabheap_tell_of_blocks() {
    if (__asan_set_error_report_callback != nullptr) __asan_set_error_report_callback(tell_of_block);
}
