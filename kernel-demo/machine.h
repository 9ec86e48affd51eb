/* SPDX-License-Identifier: MIT */
/*
 * The machine under this kernel: all that the portable code of kernel-demo/ knows of it. arch/ implements
 * these, and the start-up code that calls early_start and early_main (boot_info.h).
 */
#ifndef KERNEL_DEMO_MACHINE_H
#define KERNEL_DEMO_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include "memory_map.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a boot can end; the number is what the emulator is told. */
enum verdict { VERDICT_PASS = 0x10, VERDICT_FAIL = 0x11, VERDICT_CRASH = 0x12 };

/* What the loader left, in its own memory: valid until the heap's user overwrites it, so copy it. Never null.
 */
struct loader_record {
    const char *name;
    const char *command_line;
};

/* The CPU, by the name of its directory in arch/. */
extern const char machine_name[];

/* Readies the console and the reports of CPU exceptions. To be called first. */
void machine_start(void);

/* Writes to the console: the serial line, and the screen where there is one. */
void machine_write(const char *text, size_t length);

/*
 * Reads the loader's two words, as start-up got them, into the map and the record. The map's limit is set,
 * and the memory of the loader's records claimed. Returns null, or the sentence that says what is wrong.
 */
const char *machine_read_loader(uintptr_t first, uintptr_t second, struct memory_map *map,
                                struct loader_record *record);

/*
 * Makes memory below the map's limit addressable, at its physical address; may allocate for it. Returns 1, or
 * 0 when it cannot be done.
 */
int machine_make_addressable(uint64_t start, uint64_t end);

/* Ends the boot: tells the emulator, if there is one, and halts. */
void machine_exit(enum verdict verdict) __attribute__((noreturn));

/* Resets the machine, as a fault in the fault handler's fault handler would. */
void machine_reset(void) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif
