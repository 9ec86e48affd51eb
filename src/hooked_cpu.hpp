// SPDX-License-Identifier: MIT
//
// The CPUs and the lock of the C ABI: what the hooks say that the archive was built with (hooks.h of
// arch/<cpu>, or of the directory that the build option `hooks` names).
#ifndef SLABHEAP_HOOKED_CPU_HPP
#define SLABHEAP_HOOKED_CPU_HPP

#include "atomic.hpp"
#include "hooks.h"

#ifndef CPU_HOOKS_OF_A_PROCESS
inline bool cpu_is_alone(size_t cpus) { return cpus <= 1; }
inline void slabheap_heap_ready() {}
#endif

namespace slabheap {

// Puts back what the fronts of a CPU have that makes no more calls.
void empty_fronts_of(size_t cpu);

struct HookedCpu {
#ifdef CPU_HOOKS_OF_A_PROCESS
    static size_t index(size_t) { return cpu_index(); }
    static size_t enrol() { return slabheap_enrol_thread(); }
#else
    static size_t index(size_t cpus) { return cpus <= 1 ? 0 : cpu_index(); }
#endif
    static bool may_wait() { return cpu_current_context() != CONTEXT_NMI; }
    static bool is_alone(size_t cpus) { return cpu_is_alone(cpus) != 0; }
    static void stop_preemption() { cpu_stop_preemption(); }
    static void resume_preemption() { cpu_resume_preemption(); }
    static void pause() { cpu_pause(); }
};

// Interrupts are off while it is held, for as long as one step of a call, and come in while it waits. A test
// and set, not a queue: where CPUs are virtual, the next in a queue may not be running.
class PageLock {
public:
    void lock() {
        while (!try_lock(false)) {
            while (atomic::load<atomic::relaxed>(is_held_) != 0) cpu_pause();
        }
    }

    bool try_lock(bool is_alone) {
        uintptr_t const flags = cpu_stop_interrupts();
        // Acquire: pairs with unlock.
        Among const among = is_alone ? Among::contexts : Among::cpus;
        if (atomic::exchange<atomic::acquire>(is_held_, uint8_t{1}, among) == 0) {
            flags_ = flags;
            return true;
        }
        cpu_restore_interrupts(flags);
        return false;
    }

    void unlock() {
        uintptr_t const flags = flags_;
        atomic::store<atomic::release>(is_held_, uint8_t{0});
        cpu_restore_interrupts(flags);
    }

private:
    uint8_t is_held_ = 0;
    uintptr_t flags_ = 0;  // what the holder's interrupts were
};

}  // namespace slabheap

#endif
