/* SPDX-License-Identifier: MIT */
/*
 * The machine's CPUs, as far as this kernel uses them: they are started, do the same work at once, each under
 * a timer of its own and an NMI now and then, and can be stopped where they are. What has to be asked of the
 * CPU that one is on, and often, is in arch/<cpu>/hooks.h. On a machine that knows nothing of all this there
 * is one CPU, without a timer.
 */
#ifndef KERNEL_DEMO_MACHINE_CPUS_H
#define KERNEL_DEMO_MACHINE_CPUS_H

#include <stddef.h>
#include <stdint.h>

#include "machine.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MACHINE_MOST_CPUS = 64 };

struct machine_cpus {
    size_t listed;  /* the CPUs of the machine, as far as it tells, the first one included */
    size_t running; /* of those; their indices are 0 ... running - 1 */
    size_t silent;  /* that were told to start, and did not in time */
    uint32_t silent_ids[MACHINE_MOST_CPUS]; /* what the machine calls those */
    const char *note; /* if not all run, what should have been; else why no more are listed */
};

/*
 * Starts the machine's other CPUs; each then sleeps until there is work. To be called once, by the first CPU;
 * allocates their stacks. Takes a second at most, however many do not start; with_absent adds one that there
 * is not.
 */
const struct machine_cpus *machine_start_cpus(int with_absent);

/* How many run. */
size_t machine_cpu_count(void);

/*
 * Calls work on every CPU at once, this one too, with interrupts on. What has come back waits here: this CPU
 * by calling `wait` until all have, the others asleep.
 */
void machine_run_on_all(void (*work)(void), void (*wait)(void));

/* Where interrupts come in, sleeps until the next. Its CPU's timer must be running, or it may never wake. */
void machine_nap(void);

/* What each CPU's interrupts call on it, in context interrupt and NMI. Never null. */
void machine_set_handlers(void (*timer)(void), void (*nmi)(void));

/*
 * Measures the CPUs' clocks, which takes a tenth of a second. Returns 1, or 0 where the CPUs have no timers.
 */
int machine_measure_clocks(void);

/* Goes up by 1 each millisecond, the same on every CPU, and wraps around: only differences mean something. */
uintptr_t machine_milliseconds(void);

/* This CPU's timer, which interrupts it with that period until it is stopped. */
void machine_start_timer(unsigned microseconds);
void machine_stop_timer(void);

/* Interrupts a CPU, which may be this one, by an NMI. */
void machine_send_nmi(size_t cpu);

/*
 * Makes every other CPU pass a full memory barrier after the call and before its return, whatever it is at:
 * by an NMI. Any context. Returns 1; to be the heap's barrier hook.
 */
int machine_barrier_all(void);

/*
 * Stops all other CPUs where they are, for good, so that this one can tell what is wrong. If several CPUs
 * call it, it returns on the first of them. May be called from anywhere, and again.
 */
void machine_stop_others(void);

/*
 * Where a CPU was stopped, and who called whom to get there; at most `room` places. Returns their number: 0
 * for a CPU that did not let itself be stopped.
 */
size_t machine_where(size_t cpu, struct caller *callers, size_t room);

#ifdef __cplusplus
}
#endif

#endif
