/* SPDX-License-Identifier: MIT */
/*
 * The x86_64 half of the machine's memory: every physical address is mapped at itself, in large pages of 2
 * MiB. Start-up maps the first 4 GiB; what is above is mapped here, and a large page of which one page must
 * not be accessible is split, by tables that come from the heap. All CPUs share the tables; they change only
 * while the first is alone.
 */
#include "exceptions.h"
#include "machine.h"
#include "pc.h"
#include "slabheap/slabheap.h"

#define LARGE_PAGE ((uint64_t)1 << 21)
#define MAPPED_BY_START_UP ((uint64_t)1 << 32)

enum { ENTRIES_PER_TABLE = 512 };
enum { PRESENT_WRITABLE = 0x03, UNCACHED = 0x18, LARGE = 0x80, FLAGS = 0xfff };
enum { PAGE_SHIFT = 12, DIRECTORY_SHIFT = 21, POINTER_SHIFT = 30, TOP_SHIFT = 39 }; /* lowest address bits */

const char machine_name[] = "x86_64";
const char register_names[REGISTERS][4] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
                                           "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
const uint64_t cpu_limit = (uint64_t)1 << 47; /* the lower half of the canonical addresses */

static uint64_t *entry_of(uint64_t *table, uint64_t address, unsigned shift) {
    return &table[address >> shift & (ENTRIES_PER_TABLE - 1)];
}

/* A table of the heap, with entries from `first` on, each `step` more; null when the heap has no page. */
static uint64_t *make_table(uint64_t first, uint64_t step) {
    uint64_t *table = slab_alloc(ENTRIES_PER_TABLE * sizeof *table, SLAB_PAGE_SIZE);
    for (unsigned i = 0; table != NULL && i < ENTRIES_PER_TABLE; i++) table[i] = first + i * step;
    return table;
}

/* The table that an entry points to; it is made when there is none. Null when the heap has no page for it. */
static uint64_t *table_below(uint64_t *entry) {
    if (*entry == 0) {
        uint64_t *table = make_table(0, 0);
        if (table == NULL) return NULL;
        *entry = (uintptr_t)table | PRESENT_WRITABLE;
    }
    return (uint64_t *)(uintptr_t)(*entry & ~(uint64_t)FLAGS);
}

/* The entry of the large page that an address is in. */
static uint64_t *large_page_of(uint64_t address) {
    uintptr_t cr3;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    uint64_t *pointers = table_below(entry_of((uint64_t *)cr3, address, TOP_SHIFT));
    uint64_t *directory = pointers == NULL ? NULL : table_below(entry_of(pointers, address, POINTER_SHIFT));
    return directory == NULL ? NULL : entry_of(directory, address, DIRECTORY_SHIFT);
}

static void forget_translation(uintptr_t address) {
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

int machine_make_addressable(uint64_t start, uint64_t end) {
    if (start < MAPPED_BY_START_UP) start = MAPPED_BY_START_UP;
    for (uint64_t address = start & ~(LARGE_PAGE - 1); address < end; address += LARGE_PAGE) {
        uint64_t *entry = large_page_of(address);
        if (entry == NULL) return 0;
        *entry = address | PRESENT_WRITABLE | LARGE;
    }
    return 1;
}

int machine_guard(const void *page) {
    uintptr_t address = (uintptr_t)page;
    uint64_t *entry = large_page_of(address);
    if (entry == NULL) return 0;
    if ((*entry & LARGE) != 0) {
        uint64_t *table = make_table(*entry & ~(uint64_t)LARGE, SLAB_PAGE_SIZE);
        if (table == NULL) return 0;
        *entry = (uintptr_t)table | PRESENT_WRITABLE;
    }
    *entry_of(table_below(entry), address, PAGE_SHIFT) = 0;
    forget_translation(address);
    return 1;
}

int map_uncached(uint64_t address) {
    uint64_t *entry = large_page_of(address);
    if (entry == NULL || (*entry != 0 && (*entry & LARGE) == 0)) return 0;
    *entry = (address & ~(LARGE_PAGE - 1)) | PRESENT_WRITABLE | LARGE | UNCACHED;
    forget_translation(address);
    return 1;
}
