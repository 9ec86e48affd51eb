/* SPDX-License-Identifier: MIT */
/*
 * What becomes of an interrupt. Those of the local APIC, and NMIs, call the kernel's handlers, and the CPU
 * says meanwhile in what context it is; what comes from the PC's controller by mistake is left alone; any
 * other is an exception that nobody has provoked.
 *
 * An NMI cannot be kept out: its handler runs in between any two instructions, and so must wait for nobody,
 * and write nothing that the interrupted code may be at.
 */
#include "interrupts.h"

#include "apic.h"
#include "cpu_local.h"
#include "exceptions.h"
#include "hooks.h"
#include "machine_cpus.h"

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

void send_nmi(struct cpu *cpu) {
    count_sent(&cpu->nmis);
    apic_send_nmi(cpu->apic_number);
    count_arrived(&cpu->nmis);
}

void machine_send_nmi(size_t index) {
    struct cpu *cpu = running_cpus[index];
    __atomic_store_n(&cpu->nmis.for_handler, 1, __ATOMIC_RELAXED);
    send_nmi(cpu);
}

/*
 * Whether an NMI is one that a CPU has sent: not more are taken than sent. Several sent at once may come in
 * as one; of those that have arrived, all but one have come in by now.
 */
static int is_own(struct own_nmis *nmis) {
    size_t arrived = __atomic_load_n(&nmis->arrived, __ATOMIC_RELAXED);
    if (nmis->taken == __atomic_load_n(&nmis->sent, __ATOMIC_RELAXED)) return 0;
    nmis->taken++;
    if (nmis->taken + 1 < arrived) nmis->taken = arrived - 1;
    return 1;
}

static void take_nmi(struct cpu *cpu, const struct exception_frame *frame) {
    pass_barrier(cpu);
    stop_if_told(cpu, frame);
    if (!is_own(&cpu->nmis)) exception(frame);
    if (__atomic_exchange_n(&cpu->nmis.for_handler, 0, __ATOMIC_RELAXED)) handle_in(CONTEXT_NMI, on_nmi);
}

/* An interrupt that comes between sti and hlt waits for hlt. */
void machine_nap(void) {
    uintptr_t flags = cpu_stop_interrupts();
    if ((flags & INTERRUPTS_ON) != 0) __asm__ volatile("sti; hlt" : : : "memory");
    cpu_restore_interrupts(flags);
}

/* Called by the entries. */
void interrupt(const struct exception_frame *frame) {
    switch (frame->vector) {
        case NMI:
            take_nmi(this_cpu(), frame);
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
