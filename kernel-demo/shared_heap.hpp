// SPDX-License-Identifier: MIT
//
// The heap that all CPUs share, in threads and interrupt handlers: what the storm uses, and all that it knows
// of how the heap is shared. It is a slabheap::LockedHeap; its lock keeps interrupts out while it is held, so
// that no handler ever waits for the thread that it has interrupted. An NMI comes in all the same, and must
// not call a heap that may be locked by what it has interrupted.
#ifndef KERNEL_DEMO_SHARED_HEAP_HPP
#define KERNEL_DEMO_SHARED_HEAP_HPP

#include "hooks.h"
#include "slabheap/locked_heap.hpp"
#include "watchdog.hpp"

namespace demo {

class InterruptLock {
public:
    // Interrupts come in while it waits.
    void lock() {
        uintptr_t flags = cpu_stop_interrupts();
        while (__atomic_exchange_n(&is_held_, true, __ATOMIC_ACQUIRE)) {
            cpu_restore_interrupts(flags);
            while (__atomic_load_n(&is_held_, __ATOMIC_RELAXED)) wait_for_others();
            flags = cpu_stop_interrupts();
        }
        flags_ = flags;
    }

    void unlock() {
        uintptr_t flags = flags_;
        __atomic_store_n(&is_held_, false, __ATOMIC_RELEASE);
        cpu_restore_interrupts(flags);
    }

private:
    bool is_held_ = false;
    uintptr_t flags_ = 0;  // what the holder's interrupts were
};

class SharedHeap {
public:
    // Whether code that a CPU runs in that context may call allocate and free.
    static constexpr bool serves(cpu_context context) { return context != CONTEXT_NMI; }

    bool open(void* start, size_t size) { return heap_.init(start, size) == SLAB_OK; }
    void set_fault_handler(slab_fault_handler handler) { heap_.unlocked().set_fault_handler(handler); }

    void* allocate(size_t size) { return heap_.allocate({size, 16}); }
    void free(void* block) { heap_.deallocate(block); }

    void stats(slab_stats& out) { heap_.stats(out); }
    bool is_sound() { return heap_.check() == SLAB_OK; }

private:
    slabheap::LockedHeap<InterruptLock> heap_;
};

}  // namespace demo

#endif
