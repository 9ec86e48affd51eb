/* SPDX-License-Identifier: MIT */
/*
 * Stopping all CPUs but one, by NMI, as nothing else reaches a CPU that waits with interrupts off. Each keeps
 * where it was; so whoever has stopped them can tell. The first that wants to stop the others wins, and has
 * the log for itself.
 */
#include "apic.h"
#include "cpu_local.h"
#include "machine_cpus.h"

enum { DELAY_PORT = 0x80, LONGEST_WAIT = 2000000 }; /* a read of that port takes a microsecond, roughly */

static struct cpu *stopper; /* who has stopped the others; atomic */

static void stop(struct cpu *cpu) {
    __atomic_store_n(&cpu->is_stopped, 1, __ATOMIC_RELEASE);
    for (;;) __asm__ volatile("cli; hlt");
}

void stop_if_told(struct cpu *cpu, const struct exception_frame *frame) {
    struct cpu *by = __atomic_load_n(&stopper, __ATOMIC_RELAXED);
    if (by == NULL || by == cpu) return;
    if (!cpu->is_stopped) cpu->place_count = backtrace_of(frame, cpu->places, MOST_CALLERS);
    stop(cpu);
}

static int all_others_stopped(const struct cpu *but) {
    for (size_t i = 0; i < running_cpu_count; i++) {
        const struct cpu *cpu = running_cpus[i];
        if (cpu != but && !__atomic_load_n(&cpu->is_stopped, __ATOMIC_ACQUIRE)) return 0;
    }
    return 1;
}

void machine_stop_others(void) {
    struct cpu *cpu = this_cpu();
    struct cpu *nobody = NULL;
    __asm__ volatile("cli" : : : "memory");
    if (!__atomic_compare_exchange_n(&stopper, &nobody, cpu, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        if (nobody == cpu) return;
        cpu->place_count = machine_backtrace(cpu->places, MOST_CALLERS);
        stop(cpu);
    }
    for (size_t i = 0; i < running_cpu_count; i++) {
        if (running_cpus[i] != cpu) apic_send_nmi(running_cpus[i]->apic_number);
    }
    for (unsigned i = 0; i < LONGEST_WAIT && !all_others_stopped(cpu); i++) port_read(DELAY_PORT);
}

size_t machine_where(size_t index, struct caller *callers, size_t room) {
    const struct cpu *cpu = running_cpus[index];
    if (!__atomic_load_n(&cpu->is_stopped, __ATOMIC_ACQUIRE)) return 0;
    size_t count = cpu->place_count < room ? cpu->place_count : room;
    for (size_t i = 0; i < count; i++) callers[i] = cpu->places[i];
    return count;
}
