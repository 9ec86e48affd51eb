/* SPDX-License-Identifier: MIT */
/*
 * What becomes of an interrupt. Those of the local APIC, and NMIs, call the kernel's handlers, and the CPU
 * says meanwhile in what context it is; what comes from the PC's controller by mistake is left alone; any
 * other is an exception that nobody has provoked.
 *
 * An NMI cannot be kept out. Its handler runs on a stack of its own, in between any two instructions, and so
 * must take no lock and write nothing that the interrupted code may be at.
 */
#include "apic.h"
#include "cpu_local.h"
#include "exceptions.h"
#include "hooks.h"

enum { INTERRUPTS_ON = 1 << 9 }; /* of the flags */

static void ignore(void) {}

static void (*on_timer)(void) = ignore;
static void (*on_nmi)(void) = ignore;

void machine_set_handlers(void (*timer)(void), void (*nmi)(void)) {
    on_timer = timer;
    on_nmi = nmi;
}

static void handle_in(enum cpu_context context, void (*handler)(void)) {
    struct cpu *cpu = this_cpu();
    uint32_t interrupted = cpu->context;
    cpu->context = context;
    handler();
    cpu->context = interrupted;
}

/* Whether an NMI is one that a CPU has sent: not more are taken than sent. Several sent at once may be one.
 */
static int was_sent(struct cpu *cpu) {
    if (cpu->nmis_taken == __atomic_load_n(&cpu->nmis_sent, __ATOMIC_RELAXED)) return 0;
    cpu->nmis_taken++;
    return 1;
}

void machine_send_nmi(size_t index) {
    struct cpu *cpu = running_cpus[index];
    __atomic_fetch_add(&cpu->nmis_sent, 1, __ATOMIC_RELAXED);
    apic_send_nmi(cpu->apic_number);
}

/* An interrupt that comes between sti and hlt waits for hlt. */
void machine_nap(void) {
    uintptr_t flags = cpu_stop_interrupts();
    if ((flags & INTERRUPTS_ON) != 0) __asm__ volatile("sti; hlt" : : : "memory");
    cpu_restore_interrupts(flags);
}

/* Called by the entries. */
void interrupt(const struct exception_frame *frame) {
    struct cpu *cpu = this_cpu();
    switch (frame->vector) {
        case NMI:
            stop_if_told(cpu, frame);
            if (!was_sent(cpu)) exception(frame);
            handle_in(CONTEXT_NMI, on_nmi);
            break;
        case TIMER_VECTOR:
            handle_in(CONTEXT_INTERRUPT, on_timer);
            apic_end_interrupt();
            break;
        case WAKE_VECTOR:
            apic_end_interrupt();
            break;
        default:
            if (frame->vector < EXCEPTION_VECTORS) exception(frame);
    }
}
