/* SPDX-License-Identifier: MIT */
/*
 * The VGA text screen: 80 x 25 cells, each a character of code page 437 and two of 16 colours. It starts
 * as the log's, which scrolls; whoever opens it draws on it, until it is closed or the log has to tell
 * of a crash.
 */
#include "machine.h"
#include "pc.h"

enum { COLUMNS = 80, ROWS = 25, COLOURS = 16 };
enum { CRT_INDEX = 0x3d4, CRT_DATA = 0x3d5, CURSOR_START = 0x0a, CURSOR_HIGH = 0x0e, CURSOR_LOW = 0x0f };
enum { CURSOR_OFF = 0x20, CURSOR_ON = 0x0d }; /* in CURSOR_START: hidden, or from that scan line on */
enum { INPUT_STATUS = 0x3da, ATTRIBUTE = 0x3c0, ATTRIBUTE_READ = 0x3c1, SCREEN_ON = 0x20 };
enum { MODE = 0x10, BLINKING = 0x08 }; /* an attribute, and one of its bits */
enum { PALETTE_INDEX = 0x3c8, PALETTE = 0x3c9 };
enum { LOG_COLOURS = 0x0700, BLANK = LOG_COLOURS | ' ' };

static volatile uint16_t (*const cells)[COLUMNS] = (volatile uint16_t(*)[COLUMNS])0xb8000;
static int is_drawn_on;
static unsigned row;
static unsigned column;

static void clear_row(unsigned cleared) {
    for (unsigned i = 0; i < COLUMNS; i++) cells[cleared][i] = BLANK;
}

static void set_crt(uint8_t index, unsigned value) {
    port_write(CRT_INDEX, index);
    port_write(CRT_DATA, (uint8_t)value);
}

static void show_cursor(void) {
    unsigned position = row * COLUMNS + column;
    set_crt(CURSOR_HIGH, position >> 8);
    set_crt(CURSOR_LOW, position);
}

/* The log's empty screen. */
void screen_start(void) {
    for (unsigned i = 0; i < ROWS; i++) clear_row(i);
    row = 0;
    column = 0;
    set_crt(CURSOR_START, CURSOR_ON);
    show_cursor();
}

static void next_row(void) {
    column = 0;
    if (++row < ROWS) return;
    row = ROWS - 1;
    for (unsigned y = 0; y + 1 < ROWS; y++) {
        for (unsigned x = 0; x < COLUMNS; x++) cells[y][x] = cells[y + 1][x];
    }
    clear_row(ROWS - 1);
}

void screen_log(char character) {
    if (is_drawn_on) return;
    if (character == '\n') {
        next_row();
    } else {
        if (column == COLUMNS) next_row();
        cells[row][column++] = (uint16_t)(LOG_COLOURS | (uint8_t)character);
    }
    show_cursor();
}

/*
 * The attribute controller's port takes an index and a value in turn; reading the status makes it an
 * index next.
 */
static void stop_blinking(void) {
    port_read(INPUT_STATUS);
    port_write(ATTRIBUTE, MODE | SCREEN_ON);
    uint8_t mode = port_read(ATTRIBUTE_READ);
    port_write(ATTRIBUTE, (uint8_t)(mode & ~BLINKING));
    port_read(INPUT_STATUS);
}

/*
 * Where a colour of the text screen is in the palette of 64: the BIOS leaves brown and the bright ones
 * elsewhere.
 */
static uint8_t palette_place(unsigned colour) {
    if (colour == 6) return 0x14;
    return (uint8_t)(colour < 8 ? colour : colour + 0x30);
}

static void set_palette(const uint32_t colours[COLOURS]) {
    for (unsigned i = 0; i < COLOURS; i++) {
        port_write(PALETTE_INDEX, palette_place(i));
        for (unsigned shift = 24; shift != 0; shift -= 8) {
            port_write(PALETTE, (uint8_t)(colours[i] >> (shift - 6) & 0x3f)); /* the upper 6 of 8 bits */
        }
    }
}

struct screen_size machine_screen_open(const uint32_t colours[COLOURS]) {
    const struct screen_size size = {ROWS, COLUMNS};
    is_drawn_on = 1;
    stop_blinking();
    set_palette(colours);
    for (unsigned i = 0; i < ROWS; i++) clear_row(i);
    set_crt(CURSOR_START, CURSOR_OFF);
    return size;
}

void machine_screen_close(void) {
    if (!is_drawn_on) return;
    is_drawn_on = 0;
    screen_start();
}

/* Code page 437's place for a character, '?' where it has none that this kernel needs. */
static uint8_t place_of(uint16_t character) {
    static const struct {
        uint16_t character;
        uint8_t place;
    } places[] = {
        {0x2500, 0xc4}, {0x2502, 0xb3}, {0x250c, 0xda}, {0x2510, 0xbf}, /* ─│┌┐ */
        {0x251c, 0xc3}, {0x2524, 0xb4}, {0x252c, 0xc2}, {0x2534, 0xc1}, /* ├┤┬┴ */
        {0x2591, 0xb0}, {0x2592, 0xb1}, {0x2593, 0xb2}, {0x2588, 0xdb}, /* ░▒▓█ */
        {0x00b7, 0xfa},                                                 /* · */
    };
    if (character < 0x7f) return (uint8_t)character;
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (places[i].character == character) return places[i].place;
    }
    return '?';
}

void machine_draw(unsigned at_row, unsigned at_column, uint16_t character, unsigned ink, unsigned paper) {
    if (!is_drawn_on || at_row >= ROWS || at_column >= COLUMNS) return;
    cells[at_row][at_column] = (uint16_t)(paper << 12 | ink << 8 | place_of(character));
}
