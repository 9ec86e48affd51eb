/* SPDX-License-Identifier: MIT */
/*
 * How CPU exceptions come in: the CPU's table of gates, the entries behind them (exceptions.S), and the frame
 * that an entry leaves on the stack. Both CPUs differ in the registers that they have, and in how the double
 * fault gets a stack of its own.
 */
#ifndef ARCH_PC_EXCEPTIONS_H
#define ARCH_PC_EXCEPTIONS_H

#include <stddef.h>
#include <stdint.h>

/* Where exception `vector` enters: exception_entries + vector * EXCEPTION_ENTRY_BYTES. */
enum { EXCEPTION_VECTORS = 32, EXCEPTION_ENTRY_BYTES = 16, DOUBLE_FAULT = 8 };
extern const char exception_entries[];

/* Where the clock's interrupt enters, and its vector. */
enum { CLOCK_VECTOR = 32 };
extern const char clock_entry[];

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

/* Reports an exception and ends the boot. Called by the entries. */
void exception(const struct exception_frame *frame) __attribute__((noreturn));

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

/*
 * Makes the double fault's gate one that changes to a stack of its own: the one in use may be what is
 * wrong.
 */
void double_fault_start(struct gate *gate);

/* The places that start-up's table of segments has for tasks; the first one's selector. */
extern uint64_t task_descriptors[2];
enum { TASK_SELECTOR = 0x18 };

/* A task's descriptor, without the upper half of a 64-bit address. */
static inline uint64_t task_descriptor(const void *task, size_t bytes) {
    uint64_t address = (uintptr_t)task;
    return (bytes - 1) | (address & 0xffffff) << 16 | (uint64_t)0x89 << 40 | (address >> 24 & 0xff) << 56;
}

/* Makes a task, by its selector, the one that is running. */
static inline void load_task(uint16_t selector) {
    __asm__ volatile("ltr %0" : : "r"(selector));
}

#endif
