/* SPDX-License-Identifier: MIT */
/*
 * The CPUs' clocks: the time-stamp counter, which is the same on all of them, and the local APIC's timer.
 * How fast they are is measured against the machine's clock, once, on the first CPU.
 */
#include "apic.h"
#include "machine_cpus.h"
#include "pc.h"

enum { BEATS = 5, MILLISECONDS = BEATS * 1000 / BEATS_PER_SECOND };

static uint32_t ticks_per_millisecond;  /* of the time-stamp counter */
static uint32_t counts_per_millisecond; /* of the timer */

static uint64_t ticks(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return low | (uint64_t)high << 32;
}

/* A 32-bit CPU divides 64 bits in two steps, of which the first leaves what the second needs. */
static uint64_t divide(uint64_t value, uint32_t divisor) {
    uint32_t high = (uint32_t)(value >> 32), low = (uint32_t)value, remainder = high % divisor;
    __asm__("divl %2" : "+a"(low), "+d"(remainder) : "rm"(divisor) : "cc");
    return (uint64_t)(high / divisor) << 32 | low;
}

int machine_measure_clocks(void) {
    if (!apic_is_known()) return 0;
    machine_rest(); /* to the beginning of a beat */
    uint64_t start = ticks();
    apic_start_silent_timer(UINT32_MAX);
    for (int i = 0; i < BEATS; i++) machine_rest();
    ticks_per_millisecond = (uint32_t)divide(ticks() - start, MILLISECONDS);
    counts_per_millisecond = (UINT32_MAX - apic_timer()) / MILLISECONDS;
    machine_stop_timer();
    return ticks_per_millisecond != 0 && counts_per_millisecond != 0;
}

uintptr_t machine_milliseconds(void) {
    return (uintptr_t)divide(ticks(), ticks_per_millisecond);
}

void machine_start_timer(unsigned microseconds) {
    uint64_t counts = divide((uint64_t)microseconds * counts_per_millisecond, 1000);
    apic_start_timer(counts < UINT32_MAX ? (uint32_t)counts : UINT32_MAX);
}

void machine_stop_timer(void) {
    apic_start_silent_timer(0);
}
