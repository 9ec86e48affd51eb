// SPDX-License-Identifier: MIT
//
// slabheap::Heap: the heap as a C++ object, for kernels that want several heaps or none of the globals of
// the C ABI. Each method does what the slab_* function of its name does; slabheap.h states sizes, errors,
// cost and contexts. Needs no C++ standard library and no static constructor: a global Heap lies zeroed in
// .bss.
#ifndef SLABHEAP_HEAP_HPP
#define SLABHEAP_HEAP_HPP

#include <slabheap/slabheap.h>

struct slab_injection;  // fault_injection.h

namespace slabheap {

// What a request asks for, as Rust's core::alloc::Layout. align is a power of two; both are in bytes.
struct Layout {
    size_t size;
    size_t align = alignof(max_align_t);

    template <class T>
    static constexpr Layout of(size_t count = 1) {
        return {sizeof(T) * count, alignof(T)};
    }
};

// The usable bytes of a block that a layout would get: at least min (what was asked for), at most max (what
// the block really has), unless memory is short and a larger class helps out. Both are 0 for a layout that
// cannot be allocated.
struct UsableSize {
    size_t min;
    size_t max;
};

class Heap {
public:
    constexpr Heap() = default;
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;

    int init(void* start, size_t size);
    int add_memory(void* start, size_t size);

    void* allocate(Layout layout);
    void* allocate_zeroed(Layout layout);
    void* reallocate(void* ptr, Layout layout);
    void deallocate(void* ptr);
    void deallocate(void* ptr, Layout layout);

    void* allocate_pages(size_t count, size_t align = SLAB_PAGE_SIZE);
    void deallocate_pages(void* ptr, size_t count);

    UsableSize usable_size(Layout layout) const;
    size_t usable_size(const void* ptr);
    bool owns(const void* ptr) const;

    size_t total_bytes() const;
    size_t used_bytes() const;
    size_t available_bytes() const;
    void stats(slab_stats& out) const;

    int reserve(void* start, size_t size);
    int release(void* start, size_t size);

    void walk(slab_visitor visit, void* context);
    int check() const;
    int audit(slab_audit* out) const;

    slab_fault_handler set_fault_handler(slab_fault_handler handler);
    slab_oom_hook set_oom_hook(slab_oom_hook hook);
    void seed(uint64_t entropy);
    size_t inject_failures(const slab_injection* plan);  // in archives with -Dfault_injection=true
    bool set_guard_hooks(slab_guard_hook protect, slab_guard_hook unprotect, size_t one_in);

private:
    // The heap's state, opaque so that this header depends on no build option. All zero: not initialised.
    static constexpr size_t state_words = 4 * SLAB_MAX_REGIONS + 48 * SLAB_MAX_CLASSES + 128;
    alignas(64) unsigned char state_[state_words * sizeof(uintptr_t)] = {};
};

}  // namespace slabheap

#endif
