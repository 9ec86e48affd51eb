// SPDX-License-Identifier: MIT
//
// The C face: one heap, in .bss, and a line for each function.
#include "heap_core.hpp"

using slabheap::CallSite;
using slabheap::HeapCore;

namespace {

HeapCore heap;

uintptr_t address(const void* ptr) { return reinterpret_cast<uintptr_t>(ptr); }

}  // namespace

extern "C" {

int slab_heap_init(void* start, size_t size) { return heap.init(address(start), size); }
int slab_heap_add_memory(void* start, size_t size) { return heap.add_memory(address(start), size); }

void* slab_alloc(size_t size, size_t align) { return heap.allocate(size, align); }
void slab_free(void* ptr) {
    if (!heap.deallocate_fast(ptr)) heap.deallocate_slow(ptr, SLABHEAP_SITE("slab_free"));
}
void slab_free_sized(void* ptr, size_t size, size_t align) {
    if (heap.deallocate_sized_fast(ptr, size, align)) return;
    heap.deallocate_sized_slow(ptr, size, align, SLABHEAP_SITE("slab_free_sized"));
}
void* slab_calloc(size_t count, size_t size) { return heap.allocate_zeroed(count, size, slabheap::granule); }
void* slab_realloc(void* ptr, size_t size, size_t align) {
    return heap.reallocate(ptr, size, align, SLABHEAP_SITE("slab_realloc"));
}

void* slab_alloc_pages(size_t count, size_t align) { return heap.allocate_pages(count, align); }
void slab_free_pages(void* ptr, size_t count) {
    heap.deallocate_pages(ptr, count, SLABHEAP_SITE("slab_free_pages"));
}

size_t slab_usable_size(const void* ptr) { return heap.usable_size(ptr, SLABHEAP_SITE("slab_usable_size")); }
int slab_owns(const void* ptr) { return heap.owns(ptr); }

int slab_heap_reserve(void* start, size_t size) { return heap.reserve(address(start), size); }
int slab_heap_release(void* start, size_t size) { return heap.release(address(start), size); }

void slab_heap_stats(struct slab_stats* out) { heap.stats(*out); }
void slab_heap_walk(slab_visitor visit, void* context) { heap.walk(visit, context); }
int slab_heap_check(void) { return heap.audit(nullptr); }
int slab_heap_audit(struct slab_audit* out) { return heap.audit(out); }

slab_fault_handler slab_heap_set_fault_handler(slab_fault_handler handler) {
    return heap.set_fault_handler(handler);
}
slab_oom_hook slab_heap_set_oom_hook(slab_oom_hook hook) { return heap.set_oom_hook(hook); }

}  // extern "C"
