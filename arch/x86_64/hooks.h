/* SPDX-License-Identifier: MIT */
/*
 * What code that CPUs and interrupt handlers share has to ask of its CPU, in an instruction or a few. The
 * kernel points each CPU's GS base at a record of that CPU's own, which begins with the two words read here;
 * there is no user mode that wants GS for itself, so the base never changes. Code that can be moved from one
 * CPU to another must not be between asking for the index and using it; this kernel moves none.
 */
#ifndef ARCH_X86_64_HOOKS_H
#define ARCH_X86_64_HOOKS_H

#include <stddef.h>
#include <stdint.h>

/* What a CPU is at. Each can interrupt those before it, and only those. */
enum cpu_context { CONTEXT_THREAD, CONTEXT_INTERRUPT, CONTEXT_NMI };
enum { CONTEXTS = CONTEXT_NMI + 1 };

/* 0 ... CPUs - 1: the first word of the CPU's record. */
static inline size_t cpu_index(void) {
    uint32_t index;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(index));
    return index;
}

/* The second word, kept by the entries of interrupts. */
static inline enum cpu_context cpu_current_context(void) {
    uint32_t context;
    __asm__ volatile("mov %%gs:4, %0" : "=r"(context));
    return (enum cpu_context)context;
}

/*
 * From one to the other, a thread stays on its CPU, and no other runs there. This kernel never takes a CPU
 * away from a thread.
 */
static inline void cpu_stop_preemption(void) {}
static inline void cpu_resume_preemption(void) {}

/* Keeps interrupts out, but not NMIs. Returns what cpu_restore_interrupts needs to put things back. */
static inline uintptr_t cpu_stop_interrupts(void) {
    uintptr_t flags;
    __asm__ volatile("pushf; pop %0; cli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void cpu_restore_interrupts(uintptr_t flags) {
    __asm__ volatile("push %0; popf" : : "r"(flags) : "memory", "cc");
}

/* For each turn of a loop that waits for another CPU. */
static inline void cpu_pause(void) {
    __asm__ volatile("pause" : : : "memory");
}

#endif
