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
enum verdict { VERDICT_PASS = 0x10, VERDICT_FAIL = 0x11, VERDICT_CRASH = 0x12, VERDICT_HANG = 0x13 };

/*
 * What the loader left, in its own memory: it lasts until the heap's user writes there, so copy it.
 * Never null.
 */
struct loader_record {
    const char *name;
    const char *command_line;
};

/* The CPU, by the name of its directory in arch/. */
extern const char machine_name[];

/* Readies all that follows. To be called first. */
void machine_start(void);

/* Writes to the log: the serial line, and the screen where there is one that nobody draws on. */
void machine_write(const char *text, size_t length);

/* Writes to the record for programs: a second serial line, where there is one. */
void machine_record(const char *text, size_t length);

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

/*
 * Makes a page inaccessible, so that whoever touches it is noticed. Returns 1, or 0 when it cannot be
 * done.
 */
int machine_guard(const void *page);

/*
 * The screen, for a picture: rows of cells, each a Unicode character in one of 16 colours (0xrrggbb) on
 * another. From open to close it is not the log's. Its size is 0 where there is none.
 */
struct screen_size {
    unsigned rows;
    unsigned columns;
};
struct screen_size machine_screen_open(const uint32_t colours[16]);
void machine_draw(unsigned row, unsigned column, uint16_t character, unsigned ink, unsigned paper);
void machine_screen_close(void);

/*
 * The next key that was pressed, a letter or digit as it is written on it, in lower case; '\0' when
 * there is none.
 */
char machine_key(void);

/* Sleeps until the next beat of the machine's clock, a 50th of a second after the last. */
void machine_rest(void);

/* Who called its caller, who called that one, and so on; at most `room` of them. Returns their number. */
struct caller {
    uintptr_t address; /* where it goes on: behind its call */
    int is_guess;      /* it may be something else, or not be the next */
};
size_t machine_backtrace(struct caller *callers, size_t room);
enum { MOST_CALLERS = 30 }; /* the room that reports have */

/*
 * Calls a function whose arguments and result are words, and counts its instructions, from the first to the
 * return. Where the machine does not count instructions, the number is some other.
 */
struct counted_call {
    uintptr_t function;
    uintptr_t arguments[4]; /* those that the function does not have do not matter */
    uintptr_t result;
    uintptr_t instructions;
};
void machine_count(struct counted_call *call);

/* Takes 2 * loops + 2 instructions, to find out whether they are counted; loops > 0. */
void machine_spin(size_t loops);

/* Ends the boot: tells the emulator, if there is one, and halts. */
void machine_exit(enum verdict verdict) __attribute__((noreturn));

/* Resets the machine, as a fault in the fault handler's fault handler would. */
void machine_reset(void) __attribute__((noreturn));

/*
 * Provokes a CPU exception: "gp" one about a segment, "frame" one that leaves no backtrace. Returns for
 * other kinds.
 */
void machine_crash(const char *kind);

#ifdef __cplusplus
}
#endif

#endif
