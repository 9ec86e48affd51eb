// SPDX-License-Identifier: MIT
//
// The two faces of the library, class Heap and the C ABI, as one, each with a heap as it is before init.
#ifndef SLABHEAP_FUZZ_FACE_HPP
#define SLABHEAP_FUZZ_FACE_HPP

#include <slabheap/heap.hpp>

namespace slabheap::fuzz {

class Face {
public:
    virtual ~Face() = default;

    // The C ABI can count elements, try, and have several CPUs. Heap can align what it clears, and says
    // what a layout would get.
    virtual bool is_c() const = 0;

    virtual int init(void* start, size_t size) = 0;
    virtual int add_memory(void* start, size_t size) = 0;
    virtual void* allocate(Layout layout) = 0;
    virtual void* try_allocate(Layout layout) = 0;
    virtual void* allocate_zeroed(size_t count, Layout layout) = 0;
    virtual void* reallocate(void* ptr, Layout layout) = 0;
    virtual void deallocate(void* ptr) = 0;
    virtual void deallocate(void* ptr, Layout layout) = 0;
    virtual void* allocate_pages(size_t count, size_t align) = 0;
    virtual void deallocate_pages(void* ptr, size_t count) = 0;
    virtual size_t usable_size(const void* ptr) = 0;
    virtual UsableSize usable_size(Layout layout) = 0;
    virtual bool owns(const void* ptr) = 0;
    virtual int reserve(void* start, size_t size) = 0;
    virtual int release(void* start, size_t size) = 0;
    virtual int set_cpus(size_t count, void* memory, size_t size) = 0;
    virtual void stats(slab_stats& out) = 0;
    virtual void seed(uint64_t entropy) = 0;
    virtual void walk(slab_visitor visit, void* context) = 0;
    virtual int check() = 0;
    virtual int audit(slab_audit* out) = 0;
    virtual slab_fault_handler set_fault_handler(slab_fault_handler handler) = 0;
    virtual slab_oom_hook set_oom_hook(slab_oom_hook hook) = 0;
    virtual slab_barrier_hook set_barrier_hook(slab_barrier_hook hook) = 0;
};

Face& new_heap();
Face& new_c_heap();

}  // namespace slabheap::fuzz

#endif
