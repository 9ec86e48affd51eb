/* SPDX-License-Identifier: MIT */
/*
 * What code that CPUs and interrupt handlers share has to ask of its CPU. This kernel uses one CPU here, and
 * its only interrupt handler does nothing but to acknowledge.
 */
#ifndef ARCH_I386_HOOKS_H
#define ARCH_I386_HOOKS_H

#include <stddef.h>
#include <stdint.h>

/* What a CPU is at. Each can interrupt those before it, and only those. */
enum cpu_context { CONTEXT_THREAD, CONTEXT_INTERRUPT, CONTEXT_NMI };
enum { CONTEXTS = CONTEXT_NMI + 1 };

/* 0 ... CPUs - 1. */
static inline size_t cpu_index(void) {
    return 0;
}

static inline enum cpu_context cpu_current_context(void) {
    return CONTEXT_THREAD;
}

/* Keeps interrupts out, but not NMIs. Returns what cpu_restore_interrupts needs to put things back. */
static inline uintptr_t cpu_stop_interrupts(void) {
    uintptr_t flags;
    __asm__ volatile("pushf; pop %0; cli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void cpu_restore_interrupts(uintptr_t flags) {
    __asm__ volatile("push %0; popf" : : "r"(flags) : "memory", "cc");
}

/* This kernel moves no thread to another CPU, nor takes a CPU from one. */
static inline void cpu_stop_preemption(void) {}
static inline void cpu_resume_preemption(void) {}

/* For each turn of a loop that waits for another CPU. */
static inline void cpu_pause(void) {
    __asm__ volatile("pause" : : : "memory");
}

#endif
