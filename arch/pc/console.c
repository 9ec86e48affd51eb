/* SPDX-License-Identifier: MIT */
/*
 * The console: the first serial port (a 16550, 115200 baud, 8N1) and the VGA text screen, which scrolls. Both
 * get the same text.
 */
#include "machine.h"
#include "pc.h"

enum { COM1 = 0x3f8, LINE_STATUS = COM1 + 5, TRANSMITTER_EMPTY = 0x20, NO_PORT = 0xff };
enum { COLUMNS = 80, ROWS = 25, CRT_INDEX = 0x3d4, CRT_DATA = 0x3d5, CURSOR_HIGH = 0x0e, CURSOR_LOW = 0x0f };
enum { BLANK = 0x0700 | ' ', COLOUR = 0x0700 }; /* light grey on black */

static volatile uint16_t (*const screen)[COLUMNS] = (volatile uint16_t(*)[COLUMNS])0xb8000;
static unsigned row;
static unsigned column;

static void serial_start(void) {
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
        port_write((uint16_t)(COM1 + settings[i][0]), settings[i][1]);
    }
}

static void serial_put(char character) {
    uint8_t status = port_read(LINE_STATUS);
    if (status == NO_PORT) return;
    while ((status & TRANSMITTER_EMPTY) == 0) status = port_read(LINE_STATUS);
    port_write(COM1, (uint8_t)character);
}

static void screen_clear_row(unsigned cleared) {
    for (unsigned i = 0; i < COLUMNS; i++) screen[cleared][i] = BLANK;
}

static void screen_next_row(void) {
    column = 0;
    if (++row < ROWS) return;
    row = ROWS - 1;
    for (unsigned y = 0; y + 1 < ROWS; y++) {
        for (unsigned x = 0; x < COLUMNS; x++) screen[y][x] = screen[y + 1][x];
    }
    screen_clear_row(ROWS - 1);
}

static void screen_put(char character) {
    if (character == '\n') {
        screen_next_row();
        return;
    }
    if (column == COLUMNS) screen_next_row();
    screen[row][column++] = (uint16_t)(COLOUR | (uint8_t)character);
}

static void screen_show_cursor(void) {
    unsigned position = row * COLUMNS + column;
    port_write(CRT_INDEX, CURSOR_HIGH);
    port_write(CRT_DATA, (uint8_t)(position >> 8));
    port_write(CRT_INDEX, CURSOR_LOW);
    port_write(CRT_DATA, (uint8_t)position);
}

void machine_start(void) {
    serial_start();
    for (unsigned y = 0; y < ROWS; y++) screen_clear_row(y);
    exceptions_start();
}

void machine_write(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') serial_put('\r');
        serial_put(text[i]);
        screen_put(text[i]);
    }
    screen_show_cursor();
}
