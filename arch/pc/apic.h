/* SPDX-License-Identifier: MIT */
/*
 * The local APIC, the interrupt controller that each CPU has of its own: its timer, and the interrupts that
 * CPUs send each other. All CPUs see their own at the same address.
 */
#ifndef ARCH_PC_APIC_H
#define ARCH_PC_APIC_H

#include <stddef.h>
#include <stdint.h>

/* Its interrupts' vectors. The last 4 bits of the spurious one's are set, as the oldest APICs have them. */
enum { TIMER_VECTOR = 48, WAKE_VECTOR = 49, SPURIOUS_VECTOR = 63 };

/* Where the CPU says that its registers are; 0 when it has none, or not in memory. */
uint64_t apic_address(void);

/* Sets where the registers are, which must be mapped; tells whether that was done. */
void apic_set_address(uint64_t address);
int apic_is_known(void);

/* Readies this CPU's, for its own interrupts, NMIs, and on the first CPU what the PC's controller sends. */
void apic_start(int is_first_cpu);
uint8_t apic_number(void);

/* Interrupts to the CPU whose APIC has the number. */
void apic_send_init(uint8_t number);
void apic_send_startup(uint8_t number, uint32_t page);
void apic_send_nmi(uint8_t number);
void apic_send_nmi_to_others(void); /* all that the machine has, whether they run or not */
void apic_send(uint8_t number, uint8_t vector);

/* Tells it that the interrupt has been handled. */
void apic_end_interrupt(void);

/* The timer: counts down to 0, again and again, and interrupts there; or is silent. */
void apic_start_timer(uint32_t count);
void apic_start_silent_timer(uint32_t count);
uint32_t apic_timer(void);

#endif
