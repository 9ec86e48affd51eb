/* SPDX-License-Identifier: MIT */
/*
 * Pages that nobody may touch: their entries in the page table of the lowest memory are taken out. The heap's
 * first region lies there, and with it the kernel's stack.
 */
#include "machine.h"
#include "pc.h"
#include "slabheap/slabheap.h"

int machine_guard(const void *page) {
    uintptr_t index = (uintptr_t)page / SLAB_PAGE_SIZE;
    if (index >= LOW_PAGES) return 0;
    low_table[index] = 0;
    __asm__ volatile("invlpg (%0)" : : "r"(page) : "memory");
    return 1;
}
