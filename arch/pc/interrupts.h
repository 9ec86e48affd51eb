/* SPDX-License-Identifier: MIT */
/*
 * NMIs that CPUs send each other, and how they are told from those that come from outside: by counting.
 */
#ifndef ARCH_PC_INTERRUPTS_H
#define ARCH_PC_INTERRUPTS_H

#include <stddef.h>
#include <stdint.h>

struct cpu;

/* Those sent to one CPU. */
struct own_nmis {
    size_t sent;          /* atomic */
    size_t arrived;       /* of those, at its local APIC; atomic */
    size_t taken;         /* of those: by an NMI each, or several by one */
    uint32_t for_handler; /* the next that comes in is for the kernel's handler; atomic */
};

/* Sends an NMI, for whatever reason. */
void send_nmi(struct cpu *cpu);

/* The same by other means: to be called before, and when it is on its way. */
static inline void count_sent(struct own_nmis *nmis) {
    __atomic_fetch_add(&nmis->sent, 1, __ATOMIC_RELAXED);
}
static inline void count_arrived(struct own_nmis *nmis) {
    __atomic_fetch_add(&nmis->arrived, 1, __ATOMIC_RELAXED);
}

#endif
