/* SPDX-License-Identifier: MIT */
/*
 * What the PC's C files and the start-up code of its two CPUs know of each other: port access, and the
 * entries that exceptions come in through.
 */
#ifndef ARCH_PC_PC_H
#define ARCH_PC_PC_H

#include <stdint.h>

/* The first address that this CPU cannot reach, a multiple of the page size. */
extern const uint64_t cpu_limit;

/* Where exception `vector` enters: exception_entries + vector * EXCEPTION_ENTRY_BYTES (exceptions.S). */
enum { EXCEPTION_VECTORS = 32, EXCEPTION_ENTRY_BYTES = 16 };
extern const char exception_entries[];

/* What the entry pushed, and above it the part of the CPU's own frame that is on the stack in every case. */
struct exception_frame {
    uintptr_t vector;
    uintptr_t error_code; /* 0 for exceptions that have none */
    uintptr_t address;
    uintptr_t code_segment;
    uintptr_t flags;
};

/* Reports an exception and ends the boot. Called by the entries. */
void exception(const struct exception_frame *frame) __attribute__((noreturn));

/* Loads the table through which exceptions find their entries. */
void exceptions_start(void);

static inline void port_write(uint16_t port, uint8_t value) {
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t port_read(uint16_t port) {
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

#endif
