// SPDX-License-Identifier: MIT
//
// The faces of the library as one, so that a test plays the same on each: class Heap, SharedHeap on several
// CPUs, of which another one makes each call, and the C ABI, whose heap is the process's.
#ifndef SLABHEAP_TESTS_PLAYED_HEAP_HPP
#define SLABHEAP_TESTS_PLAYED_HEAP_HPP

#include "shared_test_heap.hpp"

#include <slabheap/fault_injection.h>

namespace slabheap::test {

class PlayedHeap {
public:
    virtual ~PlayedHeap() = default;

    virtual void* allocate(Layout layout) = 0;
    virtual void* try_allocate(Layout layout) = 0;
    virtual void* allocate_zeroed(Layout layout) = 0;
    virtual void* reallocate(void* block, Layout layout) = 0;
    virtual void* allocate_pages(size_t count, size_t align) = 0;
    virtual void free(void* block) = 0;
    virtual void free_sized(void* block, Layout layout) = 0;
    virtual void free_pages(void* block, size_t count) = 0;
    virtual size_t usable_size(void* block) = 0;
    virtual bool owns(void* block) = 0;
    virtual int reserve(void* start, size_t size) = 0;
    virtual int release(void* start, size_t size) = 0;
    virtual int add_memory(void* start, size_t size) = 0;
    virtual slab_stats stats() = 0;
    virtual ::testing::AssertionResult audit() = 0;
    virtual void set_oom_hook(slab_oom_hook hook) = 0;
    virtual size_t inject_failures(const slab_injection* plan) = 0;
};

class PlayedPlainHeap : public PlayedHeap {
public:
    explicit PlayedPlainHeap(size_t size) : test_(size) {}

    void* allocate(Layout layout) override { return heap_.allocate(layout); }
    void* try_allocate(Layout layout) override { return heap_.allocate(layout); }
    void* allocate_zeroed(Layout layout) override { return heap_.allocate_zeroed(layout); }
    void* reallocate(void* block, Layout layout) override { return heap_.reallocate(block, layout); }
    void* allocate_pages(size_t count, size_t align) override { return heap_.allocate_pages(count, align); }
    void free(void* block) override { heap_.deallocate(block); }
    void free_sized(void* block, Layout layout) override { heap_.deallocate(block, layout); }
    void free_pages(void* block, size_t count) override { heap_.deallocate_pages(block, count); }
    size_t usable_size(void* block) override { return heap_.usable_size(block); }
    bool owns(void* block) override { return heap_.owns(block); }
    int reserve(void* start, size_t size) override { return heap_.reserve(start, size); }
    int release(void* start, size_t size) override { return heap_.release(start, size); }
    int add_memory(void* start, size_t size) override { return heap_.add_memory(start, size); }
    slab_stats stats() override { return test_.stats(); }
    ::testing::AssertionResult audit() override { return audits(heap_); }
    void set_oom_hook(slab_oom_hook hook) override { heap_.set_oom_hook(hook); }
    size_t inject_failures(const slab_injection* plan) override { return heap_.inject_failures(plan); }

private:
    TestHeap test_;
    Heap& heap_ = test_.heap;
};

class PlayedCpus : public PlayedHeap {
public:
    explicit PlayedCpus(size_t size) : test_(size, cpus) {
        heap_.set_barrier_hook([] { return 1; });
    }

    void* allocate(Layout layout) override { return next().allocate(layout); }
    void* try_allocate(Layout layout) override { return next().try_allocate(layout); }
    void* allocate_zeroed(Layout layout) override { return next().allocate_zeroed(1, layout); }
    void* reallocate(void* block, Layout layout) override { return next().reallocate(block, layout, site); }
    void* allocate_pages(size_t count, size_t align) override { return next().allocate_pages(count, align); }
    void free(void* block) override { next().deallocate(block, site); }
    void free_sized(void* block, Layout layout) override { next().deallocate(block, layout, site); }
    void free_pages(void* block, size_t count) override { next().deallocate_pages(block, count, site); }
    size_t usable_size(void* block) override { return next().usable_size(block, site); }
    bool owns(void* block) override { return next().owns(block); }
    int reserve(void* start, size_t size) override { return next().reserve(start, size); }
    int release(void* start, size_t size) override { return next().release(start, size); }
    int add_memory(void* start, size_t size) override { return next().add_memory(start, size); }
    slab_stats stats() override { return test_.stats(); }
    ::testing::AssertionResult audit() override { return test_.audits(); }
    void set_oom_hook(slab_oom_hook hook) override { heap_.set_oom_hook(hook); }
    size_t inject_failures(const slab_injection* plan) override { return heap_.inject_failures(plan); }

private:
    static constexpr size_t cpus = 3;
    using Shared = decltype(SharedTestHeap<>::heap);

    Shared& next() {
        machine.cpu = (machine.cpu + 1) % cpus;
        return heap_;
    }

    SharedTestHeap<> test_;
    Shared& heap_ = test_.heap;
};

// For a process of its own; whoever comes later has the heap as it was left.
class PlayedC : public PlayedHeap {
public:
    explicit PlayedC(size_t size) {
        static TestMemory memory(size);
        slab_heap_set_fault_handler(FaultRecorder::handler);
        static const int status = slab_heap_init(memory.start(), memory.size());
        EXPECT_EQ(SLAB_OK, status);
    }

    void* allocate(Layout layout) override { return slab_alloc(layout.size, layout.align); }
    void* try_allocate(Layout layout) override { return slab_try_alloc(layout.size, layout.align); }
    void* allocate_zeroed(Layout layout) override { return slab_calloc(1, layout.size); }
    void* reallocate(void* block, Layout layout) override {
        return slab_realloc(block, layout.size, layout.align);
    }
    void* allocate_pages(size_t count, size_t align) override { return slab_alloc_pages(count, align); }
    void free(void* block) override { slab_free(block); }
    void free_sized(void* block, Layout layout) override {
        slab_free_sized(block, layout.size, layout.align);
    }
    void free_pages(void* block, size_t count) override { slab_free_pages(block, count); }
    size_t usable_size(void* block) override { return slab_usable_size(block); }
    bool owns(void* block) override { return slab_owns(block) == 1; }
    int reserve(void* start, size_t size) override { return slab_heap_reserve(start, size); }
    int release(void* start, size_t size) override { return slab_heap_release(start, size); }
    int add_memory(void* start, size_t size) override { return slab_heap_add_memory(start, size); }
    slab_stats stats() override {
        slab_stats result;
        slab_heap_stats(&result);
        return result;
    }
    ::testing::AssertionResult audit() override {
        slab_audit found{};
        if (slab_heap_audit(&found) == SLAB_OK) return ::testing::AssertionSuccess();
        return ::testing::AssertionFailure() << "not true at " << found.address << ": " << found.invariant;
    }
    void set_oom_hook(slab_oom_hook hook) override { slab_heap_set_oom_hook(hook); }
    size_t inject_failures(const slab_injection* plan) override { return slab_heap_inject_failures(plan); }

private:
    FaultRecorder faults_;
};

}  // namespace slabheap::test

#endif
