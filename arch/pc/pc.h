/* SPDX-License-Identifier: MIT */
/*
 * What the PC's C files and the start-up code of its two CPUs know of each other: ports, the lowest memory,
 * the stack, and the parts that machine_start readies.
 */
#ifndef ARCH_PC_PC_H
#define ARCH_PC_PC_H

#include <stddef.h>
#include <stdint.h>

#include "machine.h"

/* The first address that this CPU cannot reach, a multiple of the page size. */
extern const uint64_t cpu_limit;

/* The page table of the lowest memory, where each page has its entry; start-up fills it in. */
enum { LOW_PAGES = 4096 / sizeof(uintptr_t) };
extern uintptr_t low_table[LOW_PAGES];

/* The stack in use, bytes start ... end - 1; below it is a guard page. Start-up keeps this. */
extern struct stack {
    uintptr_t start;
    uintptr_t end;
} kernel_stack;

void exceptions_start(void);
void clock_start(void);
void screen_start(void);

/* As machine_backtrace, from these registers on. */
size_t backtrace_from(uintptr_t stack_pointer, uintptr_t frame_pointer, struct caller *callers, size_t room);

/* Waits until the last character of log and record has left. */
void console_drain(void);

/* Writes a character of the log, unless the screen is drawn on. */
void screen_log(char character);

static inline void port_write(uint16_t port, uint8_t value) {
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t port_read(uint16_t port) {
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

#endif
