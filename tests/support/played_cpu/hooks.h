/* SPDX-License-Identifier: MIT */
/*
 * The hooks of a CPU that a test program plays, and defines them for: what the C ABI is built with for
 * tests/interleave and tests/fuzz.
 */
#ifndef PLAYED_CPU_HOOKS_H
#define PLAYED_CPU_HOOKS_H

#include <stddef.h>
#include <stdint.h>

enum cpu_context { CONTEXT_THREAD, CONTEXT_INTERRUPT, CONTEXT_NMI };
enum { CONTEXTS = CONTEXT_NMI + 1 };

#ifdef __cplusplus
extern "C" {
#endif

size_t cpu_index(void);
enum cpu_context cpu_current_context(void);
uintptr_t cpu_stop_interrupts(void);
void cpu_restore_interrupts(uintptr_t flags);
void cpu_stop_preemption(void);
void cpu_resume_preemption(void);
void cpu_pause(void);

#ifdef __cplusplus
}
#endif

#endif
