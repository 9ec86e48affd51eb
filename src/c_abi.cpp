// SPDX-License-Identifier: MIT
//
// The C face: one heap, in .bss, and a line for each function.
#include "cpu_heap.hpp"
#include "hooked_cpu.hpp"

using slabheap::CpuHeap;
using slabheap::HookedCpu;
using slabheap::PageLock;

namespace {

constinit slabheap::SharedHeap<HookedCpu, PageLock, CpuHeap> heap;

}  // namespace

void slabheap::empty_fronts_of(size_t cpu) { heap.empty_fronts(cpu); }

#define SITE SLABHEAP_SITE(__func__)
#define OWNER SLABHEAP_OWNER(__func__)

extern "C" {

int slab_heap_init(void* start, size_t size) {
    int const status = heap.init(start, size);
    if (status == SLAB_OK) slabheap_heap_ready();
    return status;
}
int slab_heap_add_memory(void* start, size_t size) { return heap.add_memory(start, size); }

size_t slab_cpu_memory(size_t count) { return CpuHeap::cpu_memory(count); }
int slab_heap_set_cpus(size_t count, void* memory, size_t size) { return heap.set_cpus(count, memory, size); }
slab_barrier_hook slab_heap_set_barrier_hook(slab_barrier_hook hook) { return heap.set_barrier_hook(hook); }

void* slab_alloc(size_t size, size_t align) { return heap.noted(heap.allocate({size, align}), OWNER); }
void* slab_try_alloc(size_t size, size_t align) {
    return heap.noted(heap.try_allocate({size, align}), OWNER);
}
void slab_free(void* ptr) { heap.deallocate(ptr, SITE); }
void slab_free_sized(void* ptr, size_t size, size_t align) { heap.deallocate(ptr, {size, align}, SITE); }
void* slab_calloc(size_t count, size_t size) {
    return heap.noted(heap.allocate_zeroed(count, {size, slabheap::granule}), OWNER);
}
void* slab_realloc(void* ptr, size_t size, size_t align) {
    return heap.noted(heap.reallocate(ptr, {size, align}, SITE), OWNER);
}

void* slab_alloc_pages(size_t count, size_t align) {
    return heap.noted(heap.allocate_pages(count, align), OWNER);
}
void slab_free_pages(void* ptr, size_t count) { heap.deallocate_pages(ptr, count, SITE); }

size_t slab_usable_size(const void* ptr) { return heap.usable_size(ptr, SITE); }
int slab_owns(const void* ptr) { return heap.owns(ptr); }

int slab_heap_reserve(void* start, size_t size) { return heap.reserve(start, size); }
int slab_heap_release(void* start, size_t size) { return heap.release(start, size); }

void slab_heap_stats(struct slab_stats* out) { heap.stats(*out); }
void slab_heap_walk(slab_visitor visit, void* context) { heap.walk(visit, context); }
int slab_heap_check(void) { return heap.audit(nullptr); }
int slab_heap_audit(struct slab_audit* out) { return heap.audit(out); }

slab_fault_handler slab_heap_set_fault_handler(slab_fault_handler handler) {
    return heap.set_fault_handler(handler);
}
slab_oom_hook slab_heap_set_oom_hook(slab_oom_hook hook) { return heap.set_oom_hook(hook); }
void slab_heap_seed(uint64_t entropy) { heap.seed(entropy); }
int slab_heap_set_guard_hooks(slab_guard_hook protect, slab_guard_hook unprotect, size_t one_in) {
    return heap.set_guard_hooks(protect, unprotect, one_in);
}

#ifdef SLABHEAP_FAULT_INJECTION
size_t slab_heap_inject_failures(const struct slab_injection* plan) { return heap.inject_failures(plan); }
#endif

}  // extern "C"
