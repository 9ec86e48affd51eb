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

/* Bytes start ... end - 1. */
struct stack {
    uintptr_t start;
    uintptr_t end;
};

/* This CPU's stack that has the address; if none has, the ordinary one, which is above a guard page. */
struct stack stack_around(uintptr_t address);

/* The beats of the clock. */
enum { BEATS_PER_SECOND = 50 };

void exceptions_start(void);
void clock_start(void);
void screen_start(void);
void cpus_find(void); /* what tells of the machine's CPUs, as long as page 0 can be read */

/*
 * Maps the large page around a device's address so that no cache comes in between. Returns 1, or 0 when
 * ordinary memory is there, or no memory for tables.
 */
int map_uncached(uint64_t address);

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

static inline void write_msr(uint32_t number, uint64_t value) {
    __asm__ volatile("wrmsr" : : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static inline uint64_t read_msr(uint32_t number) {
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return low | (uint64_t)high << 32;
}

#endif
