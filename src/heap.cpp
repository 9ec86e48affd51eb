// SPDX-License-Identifier: MIT
//
// The C++ face: Heap's methods forward to the core that lies in its state.
#include "heap_core.hpp"

namespace slabheap {

namespace {

HeapCore& core(void* state) { return *static_cast<HeapCore*>(state); }
HeapCore const& core(void const* state) { return *static_cast<HeapCore const*>(state); }
uintptr_t address(const void* ptr) { return reinterpret_cast<uintptr_t>(ptr); }

}  // namespace

static_assert(sizeof(HeapCore) <= sizeof(Heap));

int Heap::init(void* start, size_t size) { return core(state_).init(address(start), size); }
int Heap::add_memory(void* start, size_t size) { return core(state_).add_memory(address(start), size); }

void* Heap::allocate(Layout layout) {
    void* const block = core(state_).allocate(layout.size, layout.align);
    return core(state_).noted(core(state_).prepare(block, layout.size), SLABHEAP_OWNER("slab_alloc"));
}
void* Heap::allocate_zeroed(Layout layout) {
    void* const block = core(state_).allocate_zeroed(layout.size, layout.align);
    return core(state_).noted(block, SLABHEAP_OWNER("slab_calloc"));
}
void* Heap::reallocate(void* ptr, Layout layout) {
    CallSite const site = SLABHEAP_SITE("slab_realloc");
    return core(state_).noted(core(state_).reallocate(ptr, layout.size, layout.align, site), site);
}
void Heap::deallocate(void* ptr) {
    if (!core(state_).deallocate_fast(ptr)) core(state_).deallocate_slow(ptr, SLABHEAP_SITE("slab_free"));
}
void Heap::deallocate(void* ptr, Layout layout) {
    if (core(state_).deallocate_sized_fast(ptr, layout.size, layout.align)) return;
    core(state_).deallocate_sized_slow(ptr, layout.size, layout.align, SLABHEAP_SITE("slab_free_sized"));
}

void* Heap::allocate_pages(size_t count, size_t align) {
    size_t const pages = count + (count == 0);
    void* const block = core(state_).prepare(core(state_).allocate_pages(count, align), pages << page_shift);
    return core(state_).noted(block, SLABHEAP_OWNER("slab_alloc_pages"));
}
void Heap::deallocate_pages(void* ptr, size_t count) {
    core(state_).deallocate_pages(ptr, count, SLABHEAP_SITE("slab_free_pages"));
}

UsableSize Heap::usable_size(Layout layout) const { return HeapCore::usable_size(layout.size, layout.align); }
size_t Heap::usable_size(const void* ptr) {
    return core(state_).usable_size(ptr, SLABHEAP_SITE("slab_usable_size"));
}
bool Heap::owns(const void* ptr) const { return core(state_).owns(ptr); }

size_t Heap::total_bytes() const { return core(state_).total_bytes(); }
size_t Heap::used_bytes() const { return core(state_).used_bytes(); }
size_t Heap::available_bytes() const { return core(state_).total_bytes() - core(state_).used_bytes(); }
void Heap::stats(slab_stats& out) const { core(state_).stats(out); }

int Heap::reserve(void* start, size_t size) { return core(state_).reserve(address(start), size); }
int Heap::release(void* start, size_t size) { return core(state_).release(address(start), size); }

void Heap::walk(slab_visitor visit, void* context) { core(state_).walk(visit, context); }
int Heap::check() const { return core(state_).audit(nullptr); }
int Heap::audit(slab_audit* out) const { return core(state_).audit(out); }

slab_fault_handler Heap::set_fault_handler(slab_fault_handler handler) {
    return core(state_).set_fault_handler(handler);
}
slab_oom_hook Heap::set_oom_hook(slab_oom_hook hook) { return core(state_).set_oom_hook(hook); }
void Heap::seed(uint64_t entropy) { core(state_).seed(entropy); }
#ifdef SLABHEAP_FAULT_INJECTION
size_t Heap::inject_failures(slab_injection const* plan) { return core(state_).inject_failures(plan); }
#endif
bool Heap::set_guard_hooks(slab_guard_hook protect, slab_guard_hook unprotect, size_t one_in) {
    return core(state_).set_guard_hooks(protect, unprotect, one_in);
}

}  // namespace slabheap
