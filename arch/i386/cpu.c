/* SPDX-License-Identifier: MIT */
/*
 * The i386 half of the machine's memory: start-up has mapped all of the 4 GiB that 32 bits reach, so nothing
 * is left to do for what lies in them. The lowest 4 MiB are in pages; the heap's first region lies there, and
 * with it the stack, whose guard is taken out.
 */
#include "exceptions.h"
#include "machine.h"
#include "pc.h"
#include "slabheap/slabheap.h"

const char machine_name[] = "i386";
const char register_names[REGISTERS][4] = {"eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp"};
const uint64_t cpu_limit = (uint64_t)1 << 32;

/* The page table of the lowest memory; start-up fills it in. */
enum { LOW_PAGES = 1024 };
extern uintptr_t low_table[LOW_PAGES];

/* Large pages of 4 MiB above it. */
enum { LARGE_SHIFT = 22, LARGE = 0x80, UNCACHED = 0x18 };
extern uintptr_t top_table[];

/* The stack in use. Start-up keeps this. */
extern struct stack kernel_stack;

int machine_make_addressable(uint64_t start, uint64_t end) {
    return start < end && end <= cpu_limit;
}

int machine_guard(const void *page) {
    uintptr_t index = (uintptr_t)page / SLAB_PAGE_SIZE;
    if (index >= LOW_PAGES) return 0;
    low_table[index] = 0;
    __asm__ volatile("invlpg (%0)" : : "r"(page) : "memory");
    return 1;
}

int map_uncached(uint64_t address) {
    uintptr_t *entry = &top_table[address >> LARGE_SHIFT];
    if (address >= cpu_limit || (*entry & LARGE) == 0) return 0;
    *entry |= UNCACHED;
    __asm__ volatile("invlpg (%0)" : : "r"((uintptr_t)address) : "memory");
    return 1;
}

struct stack stack_around(uintptr_t address) {
    (void)address;
    return kernel_stack;
}
