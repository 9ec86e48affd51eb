// SPDX-License-Identifier: MIT
//
// See face.hpp.
#include "face.hpp"

#include "trace.hpp"

#include <memory>

namespace slabheap::fuzz {

void forget_c_heap();  // renewal.cpp

namespace {

class HeapFace : public Face {
public:
    bool is_c() const override { return false; }

    int init(void* start, size_t size) override { return heap_.init(start, size); }
    int add_memory(void* start, size_t size) override { return heap_.add_memory(start, size); }
    void* allocate(Layout layout) override { return heap_.allocate(layout); }
    void* try_allocate(Layout) override { return nullptr; }
    void* allocate_zeroed(size_t, Layout layout) override { return heap_.allocate_zeroed(layout); }
    void* reallocate(void* ptr, Layout layout) override { return heap_.reallocate(ptr, layout); }
    void deallocate(void* ptr) override { heap_.deallocate(ptr); }
    void deallocate(void* ptr, Layout layout) override { heap_.deallocate(ptr, layout); }
    void* allocate_pages(size_t count, size_t align) override { return heap_.allocate_pages(count, align); }
    void deallocate_pages(void* ptr, size_t count) override { heap_.deallocate_pages(ptr, count); }
    size_t usable_size(const void* ptr) override { return heap_.usable_size(ptr); }
    UsableSize usable_size(Layout layout) override { return heap_.usable_size(layout); }
    bool owns(const void* ptr) override { return heap_.owns(ptr); }
    int reserve(void* start, size_t size) override { return heap_.reserve(start, size); }
    int release(void* start, size_t size) override { return heap_.release(start, size); }
    int set_cpus(size_t, void*, size_t) override { return SLAB_OK; }
    void stats(slab_stats& out) override {
        heap_.stats(out);
        expect(heap_.total_bytes() == out.total_bytes && heap_.used_bytes() == out.used_bytes &&
                   heap_.available_bytes() == out.available_bytes,
               "a figure is the same by itself");
    }
    void seed(uint64_t entropy) override { heap_.seed(entropy); }
    void walk(slab_visitor visit, void* context) override { heap_.walk(visit, context); }
    int check() override { return heap_.check(); }
    int audit(slab_audit* out) override { return heap_.audit(out); }
    slab_fault_handler set_fault_handler(slab_fault_handler handler) override {
        return heap_.set_fault_handler(handler);
    }
    slab_oom_hook set_oom_hook(slab_oom_hook hook) override { return heap_.set_oom_hook(hook); }
    slab_barrier_hook set_barrier_hook(slab_barrier_hook) override { return nullptr; }

private:
    Heap heap_;
};

class CFace : public Face {
public:
    bool is_c() const override { return true; }

    int init(void* start, size_t size) override { return slab_heap_init(start, size); }
    int add_memory(void* start, size_t size) override { return slab_heap_add_memory(start, size); }
    void* allocate(Layout layout) override { return slab_alloc(layout.size, layout.align); }
    void* try_allocate(Layout layout) override { return slab_try_alloc(layout.size, layout.align); }
    void* allocate_zeroed(size_t count, Layout layout) override { return slab_calloc(count, layout.size); }
    void* reallocate(void* ptr, Layout layout) override {
        return slab_realloc(ptr, layout.size, layout.align);
    }
    void deallocate(void* ptr) override { slab_free(ptr); }
    void deallocate(void* ptr, Layout layout) override { slab_free_sized(ptr, layout.size, layout.align); }
    void* allocate_pages(size_t count, size_t align) override { return slab_alloc_pages(count, align); }
    void deallocate_pages(void* ptr, size_t count) override { slab_free_pages(ptr, count); }
    size_t usable_size(const void* ptr) override { return slab_usable_size(ptr); }
    UsableSize usable_size(Layout) override { return {0, 0}; }
    bool owns(const void* ptr) override { return slab_owns(ptr) != 0; }
    int reserve(void* start, size_t size) override { return slab_heap_reserve(start, size); }
    int release(void* start, size_t size) override { return slab_heap_release(start, size); }
    int set_cpus(size_t count, void* memory, size_t size) override {
        return slab_heap_set_cpus(count, memory, size);
    }
    void stats(slab_stats& out) override { slab_heap_stats(&out); }
    void seed(uint64_t entropy) override { slab_heap_seed(entropy); }
    void walk(slab_visitor visit, void* context) override { slab_heap_walk(visit, context); }
    int check() override { return slab_heap_check(); }
    int audit(slab_audit* out) override { return slab_heap_audit(out); }
    slab_fault_handler set_fault_handler(slab_fault_handler handler) override {
        return slab_heap_set_fault_handler(handler);
    }
    slab_oom_hook set_oom_hook(slab_oom_hook hook) override { return slab_heap_set_oom_hook(hook); }
    slab_barrier_hook set_barrier_hook(slab_barrier_hook hook) override {
        return slab_heap_set_barrier_hook(hook);
    }
};

}  // namespace

Face& new_heap() {
    static std::unique_ptr<Face> face;
    face = std::make_unique<HeapFace>();
    return *face;
}

Face& new_c_heap() {
    static CFace face;
    forget_c_heap();
    return face;
}

}  // namespace slabheap::fuzz
