/* SPDX-License-Identifier: MIT */
/*
 * A memory barrier on all other CPUs, for one that needs it rarely, so that they need none (Dice, Huang and
 * Yang, Asymmetric Dekker Synchronization, 2001). Each CPU counts the barriers that it passes where NMIs
 * enter, by an atomic increment, which is one itself: so when the count is not what was read after the call
 * any more, it has passed one since, whoever has sent the NMI, and although several sent at once may come
 * in as one.
 *
 * An NMI reaches a CPU whatever it is at, but for another NMI. So who waits here passes barriers itself,
 * again and again: CPUs that wait for each other in NMIs do not wait forever.
 */
#include "apic.h"
#include "cpu_local.h"
#include "hooks.h"
#include "machine_cpus.h"

void pass_barrier(struct cpu *cpu) {
    __atomic_fetch_add(&cpu->barriers, 1, __ATOMIC_SEQ_CST);
}

static size_t count_of(const struct cpu *cpu) {
    return __atomic_load_n(&cpu->barriers, __ATOMIC_ACQUIRE);
}

/* A CPU that is stopped for good will not pass another, nor look at anything that it would be for. */
static int has_passed(const struct cpu *cpu, size_t count) {
    return count_of(cpu) != count || __atomic_load_n(&cpu->is_stopped, __ATOMIC_ACQUIRE);
}

/* By one command, if that reaches none that is not to be reached. */
static void send_nmi_to_others(const struct cpu *own) {
    if (!all_cpus_run) {
        for (size_t i = 0; i < running_cpu_count; i++) {
            if (running_cpus[i] != own) send_nmi(running_cpus[i]);
        }
        return;
    }
    for (size_t i = 0; i < running_cpu_count; i++) {
        if (running_cpus[i] != own) count_sent(&running_cpus[i]->nmis);
    }
    apic_send_nmi_to_others();
    for (size_t i = 0; i < running_cpu_count; i++) {
        if (running_cpus[i] != own) count_arrived(&running_cpus[i]->nmis);
    }
}

int machine_barrier_all(void) {
    struct cpu *own = this_cpu();
    size_t counts[MACHINE_MOST_CPUS];
    pass_barrier(own);
    for (size_t i = 0; i < running_cpu_count; i++) counts[i] = count_of(running_cpus[i]);
    send_nmi_to_others(own);
    for (size_t i = 0; i < running_cpu_count; i++) {
        while (running_cpus[i] != own && !has_passed(running_cpus[i], counts[i])) {
            pass_barrier(own);
            cpu_pause();
        }
    }
    return 1;
}
