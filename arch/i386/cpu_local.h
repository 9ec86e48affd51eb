/* SPDX-License-Identifier: MIT */
/*
 * What the one CPU has of its own, in the form that several would have it: the record that its GS segment
 * begins with.
 */
#ifndef ARCH_I386_CPU_LOCAL_H
#define ARCH_I386_CPU_LOCAL_H

#include <stddef.h>
#include <stdint.h>

#include "exceptions.h"
#include "interrupts.h"

struct cpu {
    /* The offsets of these are known to hooks.h. */
    uint32_t index;   /* 0 */
    uint32_t context; /* 4: an enum cpu_context */

    uint8_t apic_number;
    struct own_nmis nmis;
};

extern struct cpu *const running_cpus[1];

/* The places that start-up's table of segments has for two tasks and for the record. */
extern uint64_t own_descriptors[3];
enum { CPU_SELECTOR = TASK_SELECTOR + 2 * 8 };

/* Makes GS the record's segment. */
void cpu_local_start(void);

static inline struct cpu *this_cpu(void) {
    return running_cpus[0];
}

/* Nobody waits for it, and nobody stops it. */
static inline void pass_barrier(struct cpu *cpu) {
    (void)cpu;
}
static inline void stop_if_told(struct cpu *cpu, const struct exception_frame *frame) {
    (void)cpu;
    (void)frame;
}

#endif
