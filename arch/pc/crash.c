/* SPDX-License-Identifier: MIT */
/*
 * Exceptions on request, to see their reports: those that only this CPU's own instructions provoke.
 */
#include "machine.h"
#include "pc.h"

static int equal(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) a++, b++;
    return *a == *b;
}

/* A selector far beyond the end of the table. */
static void load_wrong_segment(void) {
    __asm__ volatile("mov %0, %%fs" : : "r"(0x7f8));
}

/* A frame pointer that leads nowhere, so that the report cannot follow it. */
static void lose_frame(void) {
#ifdef __x86_64__
    __asm__ volatile("mov $0x123456789abcdef0, %%rbp; ud2" : : : "memory");
#else
    __asm__ volatile("mov $0x12345670, %%ebp; ud2" : : : "memory");
#endif
}

void machine_crash(const char *kind) {
    if (equal(kind, "gp")) load_wrong_segment();
    if (equal(kind, "frame")) lose_frame();
}
