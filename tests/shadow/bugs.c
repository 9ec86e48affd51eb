/* SPDX-License-Identifier: MIT */
/*
 * bugs NAME SIZE: makes one mistake with a block of so many bytes, for a tool to tell of. What the heap's
 * fault handler hears is said, too, and at the end, if it comes to that, that nobody stopped it.
 */
#include <slabheap/slabheap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { REGION = 1 << 20 };

static char *region;
static size_t size;

static void tell(const struct slab_fault* fault) {
    char sentence[320];
    slab_fault_describe(fault, sentence, sizeof sentence);
    printf("fault: %s\n", sentence);
}

/* Who allocates and who frees: functions that a tool has to name. */
static __attribute__((noinline)) volatile char *make_object(void) {
    return last_object = slab_alloc(size, 16);
}

static __attribute__((noinline)) void drop_object(volatile char *object) {
    slab_free((void *)object);
    last_object = object;
}

static size_t end_of(size_t bytes) { return (bytes + GRANULE - 1) / GRANULE * GRANULE; }

static void write_behind(void) {
    volatile char *object = make_object();
    make_object(); /* which may well be the next in memory */
    last_object = object;
    object[end_of(size)] = 1;
}

static void read_before(void) {
    make_object(); /* whose end is in front of the next one */
    (void)make_object()[-1];
}

static void write_after_free(void) {
    volatile char *object = make_object();
    drop_object(object);
    object[size / 2] = 1;
}

static void read_after_move(void) {
    volatile char *object = make_object();
    if (slab_realloc((void *)object, 3 * size, 16) == object) return;
    (void)object[0];
}

static void write_behind_what_is_left(void) {
    volatile char *object = make_object();
    if (slab_realloc((void *)object, size / 2, 16) != object) return;
    object[end_of(size / 2)] = 1;
}

static void free_twice(void) {
    volatile char *object = make_object();
    drop_object(object);
    drop_object(object);
}

static void free_inside(void) { drop_object(make_object() + 16); }

static void use_uninitialised(void) {
    volatile char *object = make_object();
    memset((void *)object, 1, size - 1);
    if (object[size - 2] != 1) return;
    if (object[size - 1] == 1) puts("it is 1");
}

/* In the second block of a page: the heap itself knows the address of the first. */
static void lose_object(void) {
    make_object();
    make_object();
}

static void write_where_nothing_is(void) { *(volatile char *)(region + REGION - 1) = 1; }

static void write_what_was_released(void) {
    char *start = region + REGION - 2 * SLAB_PAGE_SIZE;
    if (slab_heap_reserve(start, SLAB_PAGE_SIZE) != SLAB_OK) return;
    memset(start, 1, SLAB_PAGE_SIZE);
    if (slab_heap_release(start, SLAB_PAGE_SIZE) != SLAB_OK) return;
    *(volatile char *)start = 1;
}

static const struct {
    const char *name;
    void (*make)(void);
} bugs[] = {
    {"write_behind", write_behind},
    {"read_before", read_before},
    {"write_after_free", write_after_free},
    {"read_after_move", read_after_move},
    {"write_behind_what_is_left", write_behind_what_is_left},
    {"free_twice", free_twice},
    {"free_inside", free_inside},
    {"use_uninitialised", use_uninitialised},
    {"lose_object", lose_object},
    {"write_where_nothing_is", write_where_nothing_is},
    {"write_what_was_released", write_what_was_released},
};

int main(int count, char **words) {
    region = heap_memory(REGION);
    if (count != 3 || slab_heap_init(region, REGION) != SLAB_OK) return 2;
    slab_heap_set_fault_handler(tell);
    size = strtoul(words[2], NULL, 10);
    for (size_t i = 0; i < sizeof bugs / sizeof bugs[0]; i++) {
        if (strcmp(bugs[i].name, words[1]) != 0) continue;
        bugs[i].make();
        puts("nobody stopped it");
        return 0;
    }
    return 2;
}
