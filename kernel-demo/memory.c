/* SPDX-License-Identifier: MIT */
/*
 * The functions that a compiler may call for a copy or a fill even where there is no libc. Compiled so that
 * the loops are not taken for calls of themselves (meson.build).
 */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *block, int value, size_t size);

void *memcpy(void *to, const void *from, size_t size) {
    char *target = to;
    const char *source = from;
    while (size-- != 0) *target++ = *source++;
    return to;
}

void *memset(void *block, int value, size_t size) {
    char *target = block;
    while (size-- != 0) *target++ = (char)value;
    return block;
}
