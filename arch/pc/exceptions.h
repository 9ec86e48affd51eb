/* SPDX-License-Identifier: MIT */
/*
 * How CPU exceptions and interrupts come in: the CPU's table of gates, the entries behind them
 * (exceptions.S), and the frame that an entry leaves on the stack. Both CPUs differ in the registers that
 * they have, and in how the double fault gets a stack of its own.
 */
#ifndef ARCH_PC_EXCEPTIONS_H
#define ARCH_PC_EXCEPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "machine.h"

/* Where `vector` enters, of the ENTRIES that there are: exception_entries + vector * ENTRY_BYTES. */
enum { ENTRIES = 64, ENTRY_BYTES = 16 };
extern const char exception_entries[];

/* Vectors: the CPU's own come first, then those of interrupts. */
enum { NMI = 2, DOUBLE_FAULT = 8, EXCEPTION_VECTORS = 32, CLOCK_VECTOR = 32 };

/* Where the clock's interrupt enters instead. */
extern const char clock_entry[];

/* Where entries go on when their handlers return. The handler's caller's frame pointer is then the frame. */
extern const char entry_returns[];

/* The registers in the order of the frame. Two of them have the same place on both CPUs. */
#ifdef __x86_64__
enum { REGISTERS = 16 };
#else
enum { REGISTERS = 8 };
#endif
enum { FRAME_POINTER = 6, STACK_POINTER = 7 };
extern const char register_names[REGISTERS][4];

/* What the entry pushed, and above it the part of the CPU's own frame that is on the stack in every case. */
struct exception_frame {
    uintptr_t registers[REGISTERS];
    uintptr_t vector;
    uintptr_t error_code; /* 0 for exceptions that have none */
    uintptr_t address;
    uintptr_t code_segment;
    uintptr_t flags;
};

/* Reports an exception and ends the boot. */
void exception(const struct exception_frame *frame) __attribute__((noreturn));

/* As machine_backtrace, from the place on that the frame tells of. */
size_t backtrace_of(const struct exception_frame *frame, struct caller *callers, size_t room);

/* An entry of the CPU's table. */
struct gate {
    uint16_t address_low;
    uint16_t segment;
    uint16_t type;
    uint16_t address_middle;
#ifdef __x86_64__
    uint32_t address_high;
    uint32_t unused;
#endif
};

/* What the CPU's registers for tables hold. */
struct __attribute__((packed)) table_register {
    uint16_t last_byte;
    const void *table;
};

/* Makes this CPU use the gates. */
void exceptions_load(void);

/*
 * Makes the double fault's gate, and others of that kind, change to a stack of its own: the one in use may be
 * what is wrong.
 */
void special_stacks_start(struct gate gates[]);

/* The first selector of a task in the table of segments. */
enum { TASK_SELECTOR = 0x18 };

/* The descriptor of a task or a segment of data, without the upper half of a 64-bit address. */
enum { TASK_TYPE = 0x89, DATA_TYPE = 0x92 };
static inline uint64_t descriptor_of(const void *start, size_t bytes, uint64_t type) {
    uint64_t address = (uintptr_t)start;
    return (bytes - 1) | (address & 0xffffff) << 16 | type << 40 | (address >> 24 & 0xff) << 56;
}

/* Makes a task, by its selector, the one that is running. */
static inline void load_task(uint16_t selector) {
    __asm__ volatile("ltr %0" : : "r"(selector));
}

#endif
