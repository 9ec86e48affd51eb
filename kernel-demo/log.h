/* SPDX-License-Identifier: MIT */
/*
 * What C code says to people (print.h) and to programs (record.h) at once: headings, the heap's first
 * calls, and how the kernel gives up.
 */
#ifndef KERNEL_DEMO_LOG_H
#define KERNEL_DEMO_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "machine.h"
#include "print.h"

#ifdef __cplusplus
extern "C" {
#endif

void heading(const char *text);

/* A call of the heap, and what its words are: 'p' an address, 'z' a size, 'd' a status, 0 nothing. */
struct heap_call {
    const char *function;
    const char *arguments; /* one or two */
    char result;
    const char *note;
};

/*
 * Arguments and result are words, whatever they stand for; those that the call does not have do not
 * matter.
 */
void report_call(const struct heap_call *call, uintptr_t first, uintptr_t second, uintptr_t result);

/* The innermost first, guesses with a question mark. They join the record that is open. */
void report_backtrace(const struct caller *callers, size_t count);

/* Where the other CPUs are, after machine_stop_others. They join the record that is open. */
void report_others(void);

/* " on CPU 2", where there is more than one; else nothing. */
struct short_text on_cpu(void);

/* Says why, and the way that led there; then ends the boot. */
void panic(const char *sentence) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif
