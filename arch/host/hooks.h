/* SPDX-License-Identifier: MIT */
/*
 * The hooks for an ordinary process: threads are the CPUs. Each gets an index at its first slow call, and
 * gives it back when it ends (threads.cpp). A signal handler is not an interrupt: as with malloc, it must not
 * call the heap.
 */
#ifndef ARCH_HOST_HOOKS_H
#define ARCH_HOST_HOOKS_H

#include <stddef.h>
#include <stdint.h>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

/* This file says when a CPU is alone, and is told when there is a heap. */
#define CPU_HOOKS_OF_A_PROCESS

#ifdef __cplusplus
extern "C" {
#endif

enum cpu_context { CONTEXT_THREAD, CONTEXT_INTERRUPT, CONTEXT_NMI };

/* 1 + the calling thread's index; 0: it has none. */
extern __thread size_t slabheap_thread_number
    __attribute__((visibility("hidden"), tls_model("initial-exec")));

/* Gives the calling thread an index, if one is left. */
__attribute__((visibility("hidden"), cold)) size_t slabheap_enrol_thread(void);

/* Gives threads their fronts, and the heap its barrier. */
__attribute__((visibility("hidden"), cold)) void slabheap_heap_ready(void);

__attribute__((visibility("hidden"), cold)) void slabheap_yield(void);

/* Has AddressSanitizer's reports followed by what the heap knows (asan_report.cpp). */
__attribute__((visibility("hidden"), cold)) void slabheap_tell_of_blocks(void);

static inline void cpu_pause(void) { slabheap_yield(); }

static inline size_t cpu_index(void) { return slabheap_thread_number - 1; }

/* A process cannot become one of several threads in the midst of a call. */
static inline int cpu_is_alone(size_t cpus) {
    (void)cpus;
#if __has_include(<sys/single_threaded.h>)
    return __libc_single_threaded;
#else
    return 0;
#endif
}

static inline enum cpu_context cpu_current_context(void) { return CONTEXT_THREAD; }

static inline uintptr_t cpu_stop_interrupts(void) { return 0; }
static inline void cpu_restore_interrupts(uintptr_t flags) { (void)flags; }

static inline void cpu_stop_preemption(void) {}
static inline void cpu_resume_preemption(void) {}

#ifdef __cplusplus
}
#endif

#endif
