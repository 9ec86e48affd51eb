/* SPDX-License-Identifier: MIT */
/*
 * One CPU: of a machine that has more, this kernel uses only the first on i386, and without its timer.
 */
#include "machine_cpus.h"
#include "pc.h"

void cpus_find(void) {}

const struct machine_cpus *machine_start_cpus(int with_absent) {
    static const struct machine_cpus one = {
        .listed = 1, .running = 1, .note = "this kernel uses one on i386"};
    (void)with_absent;
    return &one;
}

size_t machine_cpu_count(void) {
    return 1;
}

void machine_run_on_all(void (*work)(void), void (*wait)(void)) {
    (void)wait;
    work();
}

void machine_nap(void) {}

int machine_measure_clocks(void) {
    return 0;
}

uintptr_t machine_milliseconds(void) {
    return 0;
}

void machine_set_handlers(void (*timer)(void), void (*nmi)(void)) {
    (void)timer;
    (void)nmi;
}

void machine_start_timer(unsigned microseconds) {
    (void)microseconds;
}

void machine_stop_timer(void) {}

void machine_send_nmi(size_t cpu) {
    (void)cpu;
}

void machine_stop_others(void) {}

size_t machine_where(size_t cpu, struct caller *callers, size_t room) {
    (void)cpu;
    (void)callers;
    (void)room;
    return 0;
}
