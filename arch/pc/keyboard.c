/* SPDX-License-Identifier: MIT */
/*
 * The keyboard, asked rather than listened to: the controller keeps a few codes, which is enough for
 * somebody who asks 50 times a second. The firmware has left it on, giving codes of set 1: a key pressed
 * is below 0x80.
 */
#include "machine.h"
#include "pc.h"

enum { DATA = 0x60, STATUS = 0x64, FULL = 0x01, FROM_MOUSE = 0x20, NO_CONTROLLER = 0xff };

/*
 * What a key stands for on a keyboard of the American layout, by its code; ' ' for those that stand for
 * nothing.
 */
static const char letters[] =
    "  1234567890-=  "
    "qwertyuiop[]  as"
    "dfghjkl;'` \\zxcv"
    "bnm,./";

char machine_key(void) {
    for (;;) {
        uint8_t status = port_read(STATUS);
        if (status == NO_CONTROLLER || (status & FULL) == 0) return '\0';
        uint8_t code = port_read(DATA);
        if ((status & FROM_MOUSE) != 0 || code >= sizeof letters - 1 || letters[code] == ' ') continue;
        return letters[code];
    }
}
