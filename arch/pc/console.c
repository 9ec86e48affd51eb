/* SPDX-License-Identifier: MIT */
/*
 * The console: the log goes to the first serial line and to the screen, the record for programs to the second
 * serial line. Serial ports are 16550s, at 115200 baud, 8N1; one that is not there is left alone.
 */
#include "machine.h"
#include "pc.h"

enum { COM1 = 0x3f8, COM2 = 0x2f8, LINE_STATUS = 5, NO_PORT = 0xff };
enum { CAN_TAKE_MORE = 0x20, ALL_SENT = 0x40 }; /* in LINE_STATUS */

static void port_start(uint16_t port) {
    static const uint8_t settings[][2] = {
        {1, 0x00}, /* no interrupts */
        {3, 0x80}, /* what follows sets the divisor: */
        {0, 0x01}, /* 115200 baud by 1, */
        {1, 0x00}, /* and no more */
        {3, 0x03}, /* 8 bits, no parity, 1 stop bit */
        {2, 0xc7}, /* FIFOs on and empty */
        {4, 0x03}, /* data terminal ready, request to send */
    };
    for (unsigned i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        port_write((uint16_t)(port + settings[i][0]), settings[i][1]);
    }
}

/* Waits for a state of the line. Returns 0 when there is no port. */
static int port_wait(uint16_t port, uint8_t state) {
    for (;;) {
        uint8_t status = port_read((uint16_t)(port + LINE_STATUS));
        if (status == NO_PORT) return 0;
        if ((status & state) != 0) return 1;
    }
}

static void port_put(uint16_t port, char character) {
    if (port_wait(port, CAN_TAKE_MORE)) port_write(port, (uint8_t)character);
}

void machine_start(void) {
    port_start(COM1);
    port_start(COM2);
    screen_start();
    exceptions_start();
    clock_start();
    cpus_find();
}

void machine_write(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') port_put(COM1, '\r');
        port_put(COM1, text[i]);
        screen_log(text[i]);
    }
}

void machine_record(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) port_put(COM2, text[i]);
}

void console_drain(void) {
    port_wait(COM1, ALL_SENT);
    port_wait(COM2, ALL_SENT);
}
