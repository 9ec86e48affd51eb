/* SPDX-License-Identifier: MIT */
/*
 * The machine's beat: the interval timer interrupts 50 times a second, and nothing else may. Interrupts
 * are let in only while the CPU is halted, so none ever comes between two instructions that do
 * something.
 */
#include "machine.h"
#include "pc.h"

enum { TIMER_MODE = 0x43, TIMER_COUNT = 0x40, PERIODIC = 0x34, DIVISOR = 1193182 / BEATS_PER_SECOND };
enum { MASTER = 0x20, SLAVE = 0xa0, INITIALISE = 0x11, PC_MODE = 0x01, CLOCK_LINE = 0, SLAVE_LINE = 2 };
enum { MASTER_VECTOR = 32, SLAVE_VECTOR = 40 };

static void controller_start(uint16_t port, uint8_t first_vector, uint8_t cascade, uint8_t masked) {
    port_write(port, INITIALISE);
    port_write((uint16_t)(port + 1), first_vector);
    port_write((uint16_t)(port + 1), cascade);
    port_write((uint16_t)(port + 1), PC_MODE);
    port_write((uint16_t)(port + 1), masked);
}

void clock_start(void) {
    controller_start(MASTER, MASTER_VECTOR, 1 << SLAVE_LINE, (uint8_t) ~(1 << CLOCK_LINE));
    controller_start(SLAVE, SLAVE_VECTOR, SLAVE_LINE, 0xff);
    port_write(TIMER_MODE, PERIODIC);
    port_write(TIMER_COUNT, (uint8_t)DIVISOR);
    port_write(TIMER_COUNT, DIVISOR >> 8);
}

void machine_rest(void) {
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}
