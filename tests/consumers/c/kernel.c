/* SPDX-License-Identifier: MIT */
/*
 * A kernel in C: it makes its heap, uses it, and is told of a mistake.
 */
#include <slabheap/slabheap.h>

#include "pc.h"

/* Your kernel takes its memory from the loader's map. */
static unsigned char memory[64 * 1024] __attribute__((aligned(SLAB_PAGE_SIZE)));

static void report(const struct slab_fault *fault) {
    char sentence[320];
    slab_fault_describe(fault, sentence, sizeof sentence);
    print(sentence);
}

void kernel_main(void) {
    int status = slab_heap_init(memory, sizeof memory);
    if (status != SLAB_OK) panic(slab_status_string(status));
    slab_heap_set_fault_handler(report);

    void *block = slab_alloc(100, 8);
    if (block == NULL) panic("no memory");
    slab_free(block);
    slab_free(block);

    print("c: allocated and freed");
    finish(PASSED);
}
