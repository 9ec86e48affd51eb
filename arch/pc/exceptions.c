/* SPDX-License-Identifier: MIT */
/*
 * CPU exceptions, reported in a line and ending the boot: without a table they would reset the machine
 * without a word.
 */
#include "machine.h"
#include "pc.h"
#include "print.h"

enum { CODE_SEGMENT = 0x08, PRESENT_INTERRUPT_GATE = 0x8e00 };

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

struct __attribute__((packed)) table_register {
    uint16_t last_byte;
    const void *table;
};

static struct gate gates[EXCEPTION_VECTORS];

/* clang-format off */
static const char *const names[EXCEPTION_VECTORS] = {
    "divide error", "debug", "non-maskable interrupt", "breakpoint", "overflow", "bound range exceeded",
    "invalid opcode", "device not available", "double fault", "coprocessor segment overrun", "invalid TSS",
    "segment not present", "stack fault", "general protection", "page fault", "reserved", "floating point",
    "alignment check", "machine check", "SIMD floating point"};
/* clang-format on */

static void load_table(const void *table, size_t bytes) {
    struct table_register value = {(uint16_t)(bytes - 1), table};
    __asm__ volatile("lidt %0" : : "m"(value));
}

void exceptions_start(void) {
    for (size_t i = 0; i < EXCEPTION_VECTORS; i++) {
        uintptr_t entry = (uintptr_t)exception_entries + i * EXCEPTION_ENTRY_BYTES;
        gates[i].address_low = (uint16_t)entry;
        gates[i].segment = CODE_SEGMENT;
        gates[i].type = PRESENT_INTERRUPT_GATE;
        gates[i].address_middle = (uint16_t)(entry >> 16);
#ifdef __x86_64__
        gates[i].address_high = (uint32_t)(entry >> 32);
#endif
    }
    load_table(gates, sizeof gates);
}

void exception(const struct exception_frame *frame) {
    uintptr_t cr2;
    const char *name = names[frame->vector % EXCEPTION_VECTORS];
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    print("\nexception %zu (%s) at %p, error code 0x%zx, cr2 %p\n", (size_t)frame->vector,
          name != NULL ? name : "reserved", (void *)frame->address, (size_t)frame->error_code, (void *)cr2);
    machine_exit(VERDICT_CRASH);
}

void machine_reset(void) {
    load_table(gates, 1); /* no gate fits: the exception is a triple fault */
    __builtin_trap();
}
