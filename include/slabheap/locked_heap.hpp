// SPDX-License-Identifier: MIT
//
// slabheap::LockedHeap: a Heap behind a lock of the kernel's choice, so that threads, CPUs or (with a lock
// that turns interrupts off) interrupt handlers can share it. The lock is held for the length of one call;
// the bounds of slabheap.h are therefore bounds of the hold time. The fault handler and the out-of-memory
// hook run with the lock held: they must not call the same LockedHeap; the hook may call `unlocked()`.
#ifndef SLABHEAP_LOCKED_HEAP_HPP
#define SLABHEAP_LOCKED_HEAP_HPP

#include <slabheap/heap.hpp>

namespace slabheap {

// A lock: default-constructible without code at start-up (constexpr), lock() and unlock().
template <class T>
concept Lockable = requires(T lock) {
    lock.lock();
    lock.unlock();
};

template <Lockable Lock>
class LockedHeap {
public:
    constexpr LockedHeap() = default;

    int init(void* start, size_t size) { return Guard(lock_), heap_.init(start, size); }
    int add_memory(void* start, size_t size) { return Guard(lock_), heap_.add_memory(start, size); }

    void* allocate(Layout layout) { return Guard(lock_), heap_.allocate(layout); }
    void* allocate_zeroed(Layout layout) { return Guard(lock_), heap_.allocate_zeroed(layout); }
    void* reallocate(void* ptr, Layout layout) { return Guard(lock_), heap_.reallocate(ptr, layout); }
    void deallocate(void* ptr) { return Guard(lock_), heap_.deallocate(ptr); }
    void deallocate(void* ptr, Layout layout) { return Guard(lock_), heap_.deallocate(ptr, layout); }

    void* allocate_pages(size_t count, size_t align = SLAB_PAGE_SIZE) {
        return Guard(lock_), heap_.allocate_pages(count, align);
    }
    void deallocate_pages(void* ptr, size_t count) {
        return Guard(lock_), heap_.deallocate_pages(ptr, count);
    }

    UsableSize usable_size(Layout layout) { return heap_.usable_size(layout); }
    size_t usable_size(const void* ptr) { return Guard(lock_), heap_.usable_size(ptr); }
    bool owns(const void* ptr) { return Guard(lock_), heap_.owns(ptr); }

    size_t total_bytes() { return Guard(lock_), heap_.total_bytes(); }
    size_t used_bytes() { return Guard(lock_), heap_.used_bytes(); }
    size_t available_bytes() { return Guard(lock_), heap_.available_bytes(); }
    void stats(slab_stats& out) { return Guard(lock_), heap_.stats(out); }

    int reserve(void* start, size_t size) { return Guard(lock_), heap_.reserve(start, size); }
    int release(void* start, size_t size) { return Guard(lock_), heap_.release(start, size); }

    int check() { return Guard(lock_), heap_.check(); }

    // The heap itself, for code that holds the lock already or runs before there is anything to lock out.
    Heap& unlocked() { return heap_; }

private:
    // Held to the end of the full expression that it stands in.
    struct Guard {
        explicit Guard(Lock& lock) : lock_(lock) { lock_.lock(); }
        ~Guard() { lock_.unlock(); }
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;
        Lock& lock_;
    };

    Lock lock_{};
    Heap heap_{};
};

}  // namespace slabheap

#endif
