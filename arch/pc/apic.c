/* SPDX-License-Identifier: MIT */
/*
 * The local APIC's registers (Intel 64 and IA-32 Architectures Software Developer's Manual 3, chapter 11),
 * in memory, 16 bytes apart. The command register is two words, and sends when the lower is written. No
 * interrupt may come in between that writes it too; an NMI, which may, leaves the upper word as it was.
 */
#include "apic.h"

#include "hooks.h"
#include "pc.h"

enum { /* registers, by their offset */
       NUMBER = 0x20,
       PRIORITY = 0x80,
       END_OF_INTERRUPT = 0xb0,
       SPURIOUS = 0xf0,
       ERROR = 0x280,
       COMMAND = 0x300,
       COMMAND_TO = 0x310,
       TIMER = 0x320,
       LINE_0 = 0x350,
       LINE_1 = 0x360,
       TIMER_START = 0x380,
       TIMER_NOW = 0x390,
       TIMER_DIVIDER = 0x3e0
};
enum { FIXED = 0, TO_NMI = 4 << 8, TO_INIT = 5 << 8, TO_STARTUP = 6 << 8, TO_EXTERNAL = 7 << 8 };
enum { IS_PENDING = 1 << 12, ASSERT = 1 << 14, MASKED = 1 << 16, PERIODIC = 1 << 17, ON = 1 << 8 };
enum { TO_OTHERS = 3 << 18 }; /* whatever the upper word says */
enum { BY_16 = 3, LONGEST_WAIT = 100000 };
enum { BASE_MSR = 0x1b, BASE_ON = 1 << 11, BASE_X2APIC = 1 << 10, CPUID_APIC = 1 << 9 };

static volatile uint32_t *registers;

static void set(unsigned offset, uint32_t value) {
    registers[offset / sizeof *registers] = value;
}

static uint32_t get(unsigned offset) {
    return registers[offset / sizeof *registers];
}

uint64_t apic_address(void) {
    uint32_t eax = 1, ebx, ecx, edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
    if ((edx & CPUID_APIC) == 0) return 0;
    uint64_t base = read_msr(BASE_MSR);
    if ((base & BASE_ON) == 0 || (base & BASE_X2APIC) != 0) return 0;
    return base & ~(uint64_t)0xfff;
}

void apic_set_address(uint64_t address) {
    registers = (volatile uint32_t *)(uintptr_t)address;
}

int apic_is_known(void) {
    return registers != NULL;
}

void apic_start(int is_first_cpu) {
    set(SPURIOUS, ON | SPURIOUS_VECTOR);
    set(PRIORITY, 0);
    set(TIMER, MASKED | TIMER_VECTOR);
    set(TIMER_DIVIDER, BY_16);
    set(LINE_0, TO_EXTERNAL | (is_first_cpu ? 0 : MASKED));
    set(LINE_1, TO_NMI);
    set(ERROR, 0);
}

uint8_t apic_number(void) {
    return (uint8_t)(get(NUMBER) >> 24);
}

static void wait_until_sent(void) {
    for (unsigned i = 0; i < LONGEST_WAIT && (get(COMMAND) & IS_PENDING) != 0; i++) cpu_pause();
}

static void command(uint8_t number, uint32_t what) {
    uintptr_t flags = cpu_stop_interrupts();
    uint32_t interrupted = get(COMMAND_TO);
    wait_until_sent();
    set(COMMAND_TO, (uint32_t)number << 24);
    set(COMMAND, what | ASSERT);
    wait_until_sent();
    set(COMMAND_TO, interrupted);
    cpu_restore_interrupts(flags);
}

void apic_send_nmi_to_others(void) {
    wait_until_sent();
    set(COMMAND, TO_NMI | ASSERT | TO_OTHERS);
    wait_until_sent();
}

void apic_send_init(uint8_t number) {
    command(number, TO_INIT);
}

void apic_send_startup(uint8_t number, uint32_t page) {
    command(number, TO_STARTUP | page);
}

void apic_send_nmi(uint8_t number) {
    command(number, TO_NMI);
}

void apic_send(uint8_t number, uint8_t vector) {
    command(number, FIXED | vector);
}

void apic_end_interrupt(void) {
    set(END_OF_INTERRUPT, 0);
}

void apic_start_timer(uint32_t count) {
    set(TIMER, PERIODIC | TIMER_VECTOR);
    set(TIMER_START, count);
}

void apic_start_silent_timer(uint32_t count) {
    set(TIMER, MASKED | TIMER_VECTOR);
    set(TIMER_START, count);
}

uint32_t apic_timer(void) {
    return get(TIMER_NOW);
}
