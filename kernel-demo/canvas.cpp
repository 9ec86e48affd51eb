// SPDX-License-Identifier: MIT
//
// The hues are chosen for a dark screen: what matters is bright, the size classes go from cold to warm.
#include "canvas.hpp"

#include "machine.h"
#include "print.h"

namespace demo {

namespace {

constexpr uint32_t hues[16] = {
    0x10141c,                                                              // background
    0x24303c,                                                              // bar
    0x485868,                                                              // line
    0x607080,                                                              // faint
    0xff5050,                                                              // alert
    0x98a0ac,                                                              // page map
    0xa05cc8,                                                              // large
    0xc4ccd4,                                                              // text
    0xffffff,                                                              // bright
    0x3c68d8, 0x2c9cdc, 0x24bca8, 0x54c454, 0xb8cc34, 0xf0bc28, 0xf08030,  // classes
};

}  // namespace

Colour class_colour(size_t number, size_t class_count) {
    constexpr auto first = static_cast<size_t>(Colour::class_first);
    constexpr auto colours = static_cast<size_t>(Colour::class_last) - first + 1;
    return static_cast<Colour>(first + (class_count <= colours ? number : number * colours / class_count));
}

bool canvas::open(unsigned rows, unsigned columns) {
    screen_size size = machine_screen_open(hues);
    if (size.rows >= rows && size.columns >= columns) return true;
    machine_screen_close();
    return false;
}

void canvas::close() {
    machine_screen_close();
}

void canvas::put(unsigned row, unsigned column, char16_t character, Style style) {
    machine_draw(row, column, character, static_cast<unsigned>(style.ink),
                 static_cast<unsigned>(style.paper));
}

void canvas::fill(unsigned row, unsigned column, unsigned count, char16_t character, Style style) {
    for (; count != 0; count--) put(row, column++, character, style);
}

unsigned canvas::write(unsigned row, unsigned column, Style style, const char* format, ...) {
    char text[81];
    va_list arguments;
    va_start(arguments, format);
    print_to_v(text, sizeof text, format, arguments);
    va_end(arguments);
    for (const char* at = text; *at != '\0'; at++) put(row, column++, static_cast<unsigned char>(*at), style);
    return column;
}

void canvas::write_wrapped(unsigned row, unsigned column, unsigned rows, unsigned columns, Style style,
                           const char* text) {
    for (; rows != 0; rows--, row++) {
        size_t length = line_length(text, columns);
        unsigned end = write(row, column, style, "%.*s", static_cast<int>(length), text);
        fill(row, end, column + columns - end, u' ', style);
        text += length;
        while (*text == ' ') text++;
    }
}

}  // namespace demo
