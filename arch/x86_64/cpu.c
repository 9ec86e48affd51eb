/* SPDX-License-Identifier: MIT */
/*
 * The x86_64 half of the machine: every physical address is mapped at itself, in pages of 2 MiB. Start-up
 * maps the first 4 GiB; what is above is mapped here, in tables that come from the heap, which has memory
 * below by then.
 */
#include "exceptions.h"
#include "machine.h"
#include "pc.h"
#include "slabheap/slabheap.h"

#define LARGE_PAGE ((uint64_t)1 << 21)
#define MAPPED_BY_START_UP ((uint64_t)1 << 32)

enum { ENTRIES = 512, PRESENT_WRITABLE = 0x03, LARGE = 0x80 };
enum { DIRECTORY_SHIFT = 21, POINTER_SHIFT = 30, TOP_SHIFT = 39 }; /* each level's lowest address bit */

const char machine_name[] = "x86_64";
const char register_names[REGISTERS][4] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
                                           "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
const uint64_t cpu_limit = (uint64_t)1 << 47; /* the lower half of the canonical addresses */

static uint64_t *entry_of(uint64_t *table, uint64_t address, unsigned shift) {
    return &table[address >> shift & (ENTRIES - 1)];
}

/* The table that an entry points to; it is made when there is none. Null when the heap has no page for it. */
static uint64_t *table_below(uint64_t *entry) {
    if (*entry == 0) {
        uint64_t *table = slab_alloc(ENTRIES * sizeof *table, SLAB_PAGE_SIZE);
        if (table == NULL) return NULL;
        for (unsigned i = 0; i < ENTRIES; i++) table[i] = 0;
        *entry = (uintptr_t)table | PRESENT_WRITABLE;
    }
    return (uint64_t *)(uintptr_t)(*entry & ~(uint64_t)(SLAB_PAGE_SIZE - 1));
}

int machine_make_addressable(uint64_t start, uint64_t end) {
    uintptr_t cr3;
    if (start < MAPPED_BY_START_UP) start = MAPPED_BY_START_UP;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    for (uint64_t address = start & ~(LARGE_PAGE - 1); address < end; address += LARGE_PAGE) {
        uint64_t *pointers = table_below(entry_of((uint64_t *)cr3, address, TOP_SHIFT));
        uint64_t *directory =
            pointers == NULL ? NULL : table_below(entry_of(pointers, address, POINTER_SHIFT));
        if (directory == NULL) return 0;
        *entry_of(directory, address, DIRECTORY_SHIFT) = address | PRESENT_WRITABLE | LARGE;
    }
    return 1;
}
