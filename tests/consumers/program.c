/* SPDX-License-Identifier: MIT */
/*
 * A program in C, for the ways in that a build system offers.
 */
#include <slabheap/slabheap.h>
#include <stdio.h>

static unsigned char memory[64 * 1024] __attribute__((aligned(SLAB_PAGE_SIZE)));

int main(void) {
    int status = slab_heap_init(memory, sizeof memory);
    if (status != SLAB_OK) {
        puts(slab_status_string(status));
        return 1;
    }
    void *block = slab_alloc(100, 8);
    if (block == NULL) return 1;
    slab_free(block);
    puts("program: allocated and freed");
    return 0;
}
