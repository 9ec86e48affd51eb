/* SPDX-License-Identifier: MIT */
/*
 * What each CPU has of its own: the record that its GS base points to, with its descriptors, its stacks, and
 * what other CPUs need to know of it. The first CPU's is a variable, as there is no heap yet when it is
 * needed; the others' are heap blocks.
 */
#ifndef ARCH_X86_64_CPU_LOCAL_H
#define ARCH_X86_64_CPU_LOCAL_H

#include <stddef.h>
#include <stdint.h>

#include "exceptions.h"
#include "interrupts.h"
#include "machine_cpus.h"
#include "pc.h"

enum { SPECIAL_STACK_BYTES = 8192, DESCRIPTORS = 5 };

/* The state of a task, which in 64-bit mode is but a list of stacks. In halves, for alignment's sake. */
struct task_state {
    uint32_t reserved[9];
    uint32_t interrupt_stacks[7][2]; /* number 1 is the first */
    uint32_t reserved_too[2];
    uint16_t reserved_last;
    uint16_t io_map;
};

struct cpu {
    /* The offsets of these are known to hooks.h, boot.S and start_cpu.S. */
    uint32_t index;     /* 0 */
    uint32_t context;   /* 4: an enum cpu_context */
    struct cpu *self;   /* 8 */
    struct stack stack; /* 16: the threads', and its interrupts' */

    uint8_t apic_number;
    uint32_t start;   /* one of the three below; atomic */
    size_t work_done; /* the number of the last work that it has done; atomic */

    struct own_nmis nmis;
    size_t barriers;     /* that it has passed, for others to see; atomic */
    uint32_t is_stopped; /* for good, at the places that follow; atomic */
    size_t place_count;
    struct caller places[MOST_CALLERS];

    uint64_t descriptors[DESCRIPTORS];
    struct task_state task;
    char double_fault_stack[SPECIAL_STACK_BYTES] __attribute__((aligned(16)));
    char nmi_stack[SPECIAL_STACK_BYTES] __attribute__((aligned(16)));
};

/* Of a CPU that was told to start. It says so when it has, and whoever gives it up says that. */
enum { START_PENDING, START_DONE, START_GIVEN_UP };

extern struct cpu first_cpu;

/* Those that run, by index; the first of them from the beginning. */
extern struct cpu *running_cpus[MACHINE_MOST_CPUS];
extern size_t running_cpu_count;
extern int all_cpus_run; /* the machine has no others */

static inline struct cpu *this_cpu(void) {
    struct cpu *cpu;
    __asm__ volatile("mov %%gs:8, %0" : "=r"(cpu));
    return cpu;
}

/* Makes this CPU the one that the record is of. */
void cpu_local_start(struct cpu *cpu);

/* Where an NMI enters: passes a full memory barrier, and tells those that wait for that (barrier.c). */
void pass_barrier(struct cpu *cpu);

/* An NMI that was sent by machine_stop_others: keeps where the CPU is, and stops. Else returns. */
void stop_if_told(struct cpu *cpu, const struct exception_frame *frame);

#endif
