/* SPDX-License-Identifier: MIT */
/*
 * How the boot is handed on: assembly start-up (arch/<cpu>/boot.S) -> C (early.c) -> C++ (main.cpp).
 *
 *     early_start     C       console, banner, memory map; finds the heap's first region
 *     start-up code   asm     slab_heap_init, slab_alloc, slab_free: stack and record come from the heap
 *     early_main      C       fills in the record, adds the other regions
 *     kernel_main     C++     everything that is to be seen
 */
#ifndef KERNEL_DEMO_BOOT_INFO_H
#define KERNEL_DEMO_BOOT_INFO_H

#include <stddef.h>
#include <stdint.h>

#include "memory_map.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A piece of memory and what became of it; a heap block. */
struct boot_range {
    struct boot_range *next; /* ascending; null at the end */
    struct memory_range memory;
    int region;       /* the heap's region that it is, or a negative slab_status: why it is none */
    size_t map_bytes; /* what that region's page map takes of it */
};

static inline int is_region(const struct boot_range *range) {
    return range->memory.use == MEMORY_USABLE && range->region >= 0;
}

/* All that the kernel keeps of its boot; a heap block that the start-up code allocates. */
struct boot_info {
    const char *loader;
    const char *command_line;
    struct boot_range *ranges;
    int regions;
};

/* For start-up code, which cannot read the declarations above. */
extern const size_t boot_info_bytes;
extern struct first_region {
    void *start;
    size_t size;
} first_region;

/* The library's version, as text. */
extern const char heap_version[];

/* The two words are what the loader passed; machine_read_loader knows what they mean. */
void early_start(uintptr_t first, uintptr_t second);
void early_main(struct boot_info *info) __attribute__((noreturn));
void kernel_main(const struct boot_info *info) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif
