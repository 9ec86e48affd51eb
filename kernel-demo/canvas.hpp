// SPDX-License-Identifier: MIT
//
// Text and lines on the machine's screen, in this kernel's colours.
#ifndef KERNEL_DEMO_CANVAS_HPP
#define KERNEL_DEMO_CANVAS_HPP

#include <stddef.h>
#include <stdint.h>

namespace demo {

// By meaning; canvas.cpp has the hues. Number 7 is what the log is written in, on number 0.
enum class Colour : uint8_t {
    background,
    bar,   // behind the title and the keys
    line,  // borders
    faint,
    alert,
    page_map,
    large,
    text,
    bright,
    class_first,  // the size classes, from cold to warm
    class_last = 15,
};

struct Style {
    Colour ink;
    Colour paper = Colour::background;
};

// The colour of a size class: the classes share the range from first to last.
Colour class_colour(size_t number, size_t class_count);

namespace canvas {

// Takes the screen from the log. False when there is none, or it is smaller than this.
bool open(unsigned rows, unsigned columns);
void close();

void put(unsigned row, unsigned column, char16_t character, Style style);
void fill(unsigned row, unsigned column, unsigned count, char16_t character, Style style);

// Formatted text, at most 80 characters. Returns the column behind it.
unsigned write(unsigned row, unsigned column, Style style, const char* format, ...)
    __attribute__((format(printf, 4, 5)));

// A long text in a box of so many rows and columns, the rest of which becomes blank.
void write_wrapped(unsigned row, unsigned column, unsigned rows, unsigned columns, Style style,
                   const char* text);

}  // namespace canvas

}  // namespace demo

#endif
