/* SPDX-License-Identifier: MIT */
/*
 * Text for the log: as much of printf as this kernel needs, and sizes for people.
 *
 * %d %u %x %c %s %p %%, with the flags - and 0, width and precision (* too), and the lengths z and ll; %llu
 * is missing, because a 32-bit CPU leaves the division that it needs to libgcc.
 */
#ifndef KERNEL_DEMO_PRINT_H
#define KERNEL_DEMO_PRINT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes to the machine's console. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes at most size bytes, size > 0, including the final 0. Returns the length of what it wrote. */
size_t print_to(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
size_t print_to_v(char *out, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* How much of a text goes into a line of so many columns: all of it, or up to a space where there is one. */
size_t line_length(const char *text, size_t columns);

/* A number of bytes in the largest unit that leaves at least 1 of it: "4096 bytes" is "4 KiB", then "126.9
 * MiB". */
struct short_text {
    char text[16];
};
struct short_text size_text(uint64_t bytes);

#ifdef __cplusplus
}
#endif

#endif
