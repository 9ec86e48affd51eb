/* SPDX-License-Identifier: MIT */
/*
 * One CPU: of a machine that has more, this kernel uses only the first on i386. It has the timer and the
 * NMIs of its local APIC.
 */
#include "apic.h"
#include "cpu_local.h"
#include "machine_cpus.h"
#include "pc.h"

static struct cpu only_cpu;
struct cpu *const running_cpus[1] = {&only_cpu};

void cpu_local_start(void) {
    own_descriptors[2] = descriptor_of(&only_cpu, sizeof only_cpu, DATA_TYPE);
    __asm__ volatile("mov %0, %%gs" : : "r"(CPU_SELECTOR));
}

void cpus_find(void) {}

const struct machine_cpus *machine_start_cpus(int with_absent) {
    static const struct machine_cpus one = {
        .listed = 1, .running = 1, .note = "this kernel uses one on i386"};
    uint64_t address = apic_address();
    (void)with_absent;
    if (address == 0 || !map_uncached(address)) return &one;
    apic_set_address(address);
    apic_start(1);
    only_cpu.apic_number = apic_number();
    return &one;
}

size_t machine_cpu_count(void) {
    return 1;
}

void machine_run_on_all(void (*work)(void), void (*wait)(void)) {
    (void)wait;
    __asm__ volatile("sti" : : : "memory");
    work();
    __asm__ volatile("cli" : : : "memory");
}

int machine_barrier_all(void) {
    return 1;
}

void machine_stop_others(void) {}

size_t machine_where(size_t cpu, struct caller *callers, size_t room) {
    (void)cpu;
    (void)callers;
    (void)room;
    return 0;
}
