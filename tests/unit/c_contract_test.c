/* SPDX-License-Identifier: MIT */
/*
 * The public contract, sentence by sentence, as a C99 program sees it: the C ABI, the archive and the C
 * library, nothing else. A sentence that does not hold is printed with the line of the check that says so.
 */
#include <slabheap/slabheap.h>

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* 0 for archives with a quarantine, or whose slots are drawn by lot. */
#ifndef IS_LIFO
#define IS_LIFO 1
#endif

enum { page = SLAB_PAGE_SIZE, unit = SLAB_MIN_HEAP_SIZE };

static const char* sentence = "";
static int broken;

#define HOLDS(condition) \
    ((condition)         \
         ? (void)0       \
         : (void)(broken++, printf("line %d: not true: %s\n    %s\n", __LINE__, sentence, #condition)))

/* Memory, full of garbage, with a page boundary at its start. */
static unsigned char space[4 * unit + 3 * SLAB_MAX_REGIONS * page + page];
static unsigned char* memory;

static struct slab_fault last;
static int fault_calls;

static void record_fault(const struct slab_fault* fault) {
    last = *fault;
    ++fault_calls;
}

static size_t oom_size, oom_align;
static int oom_calls;
static void* oom_gives_back;

static int oom(size_t size, size_t align) {
    ++oom_calls;
    oom_size = size;
    oom_align = align;
    if (oom_gives_back == NULL) return 0;
    slab_free(oom_gives_back);
    oom_gives_back = NULL;
    return 1;
}

static struct slab_stats stats(void) {
    struct slab_stats result;
    slab_heap_stats(&result);
    return result;
}

static int aligned(const void* ptr, size_t align) {
    return (uintptr_t)ptr % align == 0;
}

/* 1 when the fault was reported, once and of this kind, and nothing but the fault counter has changed. */
static int only_faulted(const struct slab_stats* before, enum slab_fault_kind kind) {
    struct slab_stats now = stats();
    const int once = fault_calls == 1 && last.kind == kind && now.faults == before->faults + 1;
    fault_calls = 0;
    now.faults = before->faults;
    return once && memcmp(&now, before, sizeof now) == 0 && slab_heap_check() == 0;
}

/* The two sets of size classes: the heap has the one that the library was built with. */
static const size_t seed_set[] = {64, 128, 256, 512, 1024, 2048, 4096};
static const size_t fine_set[] = {32, 64, 96, 128, 192, 256, 384, 512, 1024, 1344, 2048, 4096};

static int has_classes(const size_t* sizes, size_t count) {
    const struct slab_stats now = stats();
    size_t i = 0;
    while (i < count && now.classes[i].size == sizes[i]) ++i;
    return i == count && now.class_count == count;
}

/* What may be used of a block: in an archive with the defence canary no more than was asked for. */
static size_t usable(size_t asked, size_t real) {
    unsigned char* const byte = slab_alloc(1, 1);
    const int has_canary = slab_usable_size(byte) == 1;
    slab_free(byte);
    return has_canary ? asked + (asked == 0) : real;
}

#define IS_WORD(index, field) (offsetof(struct slab_stats, field) == (index) * sizeof(size_t))

/* The names, values and order that are settled; most of this is checked by compiling. */
static void the_names_are_as_settled(void) {
    int (*const init)(void*, size_t) = slab_heap_init;
    int (*const add_memory)(void*, size_t) = slab_heap_add_memory;
    void* (*const alloc)(size_t, size_t) = slab_alloc;
    void (*const free_)(void*) = slab_free;
    void (*const free_sized)(void*, size_t, size_t) = slab_free_sized;
    void* (*const calloc_)(size_t, size_t) = slab_calloc;
    void* (*const realloc_)(void*, size_t, size_t) = slab_realloc;
    size_t (*const usable_size)(const void*) = slab_usable_size;
    void (*const heap_stats)(struct slab_stats*) = slab_heap_stats;
    int (*const reserve)(void*, size_t) = slab_heap_reserve;
    int (*const release)(void*, size_t) = slab_heap_release;
    int (*const check)(void) = slab_heap_check;
    const char* (*const status_string)(int) = slab_status_string;
    slab_fault_handler (*const set_handler)(slab_fault_handler) = slab_heap_set_fault_handler;
    size_t (*const describe)(const struct slab_fault*, char*, size_t) = slab_fault_describe;
    slab_oom_hook (*const set_hook)(slab_oom_hook) = slab_heap_set_oom_hook;
    void (*const walk)(slab_visitor, void*) = slab_heap_walk;
    void* (*const alloc_pages)(size_t, size_t) = slab_alloc_pages;
    void (*const free_pages)(void*, size_t) = slab_free_pages;
    int (*const owns)(const void*) = slab_owns;

    sentence = "every function of the C ABI is in the archive";
    HOLDS(init && add_memory && alloc && free_ && free_sized && calloc_ && realloc_ && usable_size &&
          heap_stats);
    HOLDS(reserve && release && check && status_string && set_handler && describe && set_hook && walk);
    HOLDS(alloc_pages && free_pages && owns &&
          SLABHEAP_VERSION_MAJOR + SLABHEAP_VERSION_MINOR + SLABHEAP_VERSION_PATCH);

    sentence =
        "slab_stats begins with total, used, available, metadata, largest_free, allocations, frees, "
        "failures, faults";
    HOLDS(IS_WORD(0, total_bytes) && IS_WORD(1, used_bytes) && IS_WORD(2, available_bytes));
    HOLDS(IS_WORD(3, metadata_bytes) && IS_WORD(4, largest_free_bytes) && IS_WORD(5, allocations));
    HOLDS(IS_WORD(6, frees) && IS_WORD(7, failures) && IS_WORD(8, faults));

    sentence = "the statuses and the kinds of fault have their settled values";
    HOLDS(SLAB_OK == 0 && SLAB_ERR_ALIGN == -1 && SLAB_ERR_TOO_SMALL == -2 && SLAB_ERR_NOT_MULTIPLE == -3);
    HOLDS(SLAB_ERR_RANGE == -4 && SLAB_ERR_OVERLAP == -5 && SLAB_ERR_ALREADY_INITIALISED == -6);
    HOLDS(SLAB_ERR_NOT_INITIALISED == -7 && SLAB_ERR_TOO_MANY_REGIONS == -8 && SLAB_ERR_IN_USE == -9);
    HOLDS(SLAB_ERR_CORRUPT == -10);
    HOLDS(SLAB_FAULT_DOUBLE_FREE == 1 && SLAB_FAULT_INTERIOR == 2 && SLAB_FAULT_MISALIGNED == 3);
    HOLDS(SLAB_FAULT_FOREIGN == 4 && SLAB_FAULT_WRONG_SIZE == 5 && SLAB_FAULT_NEVER_ALLOCATED == 6);
    HOLDS(SLAB_FAULT_CORRUPT == 7);
    HOLDS(SLAB_FAULT_OVERFLOW == 8);
    HOLDS(SLAB_FAULT_WRITE_AFTER_FREE == 9);
    HOLDS(strcmp(slab_status_string(SLAB_OK), slab_status_string(SLAB_ERR_ALIGN)) != 0);
    HOLDS(strcmp(slab_status_string(1), "unknown status") == 0);
}

static void before_init(void) {
    sentence = "before init alloc gives NULL and free faults";
    HOLDS(slab_alloc(8, 8) == NULL && slab_calloc(1, 8) == NULL && slab_alloc_pages(1, page) == NULL);
    HOLDS(slab_heap_set_fault_handler(record_fault) == NULL);
    slab_free(memory);
    HOLDS(fault_calls == 1 && last.kind == SLAB_FAULT_FOREIGN && last.address == memory);
    fault_calls = 0;
    HOLDS(slab_heap_check() == SLAB_ERR_NOT_INITIALISED);
    HOLDS(slab_heap_add_memory(memory, unit) == SLAB_ERR_NOT_INITIALISED);
    HOLDS(slab_heap_reserve(memory, page) == SLAB_ERR_NOT_INITIALISED);
    HOLDS(slab_heap_release(memory, page) == SLAB_ERR_NOT_INITIALISED);
}

static void regions(void) {
    size_t i;

    sentence =
        "start page-aligned, size at least 32 KiB and a multiple of it; anything else is refused with its "
        "own status";
    HOLDS(slab_heap_init(NULL, unit) == SLAB_ERR_RANGE);
    HOLDS(slab_heap_init(memory + 16, unit) == SLAB_ERR_ALIGN);
    HOLDS(slab_heap_init(memory, unit - page) == SLAB_ERR_TOO_SMALL);
    HOLDS(slab_heap_init(memory, unit + page) == SLAB_ERR_NOT_MULTIPLE);
    HOLDS(slab_heap_init(memory, SIZE_MAX - unit + 1) == SLAB_ERR_RANGE);
    HOLDS(slab_heap_check() == SLAB_ERR_NOT_INITIALISED);
    HOLDS(slab_heap_init(memory, unit) == SLAB_OK);
    HOLDS(slab_heap_init(memory, unit) == SLAB_ERR_ALREADY_INITIALISED);

    sentence = "the size classes are those of the seed set or those of the fine set";
    HOLDS(has_classes(seed_set, 7) || has_classes(fine_set, 12));

    sentence = "a 32 KiB heap serves 64 ... 4096 bytes at once: seven pages, and the map takes the eighth";
    HOLDS(stats().total_bytes == 7 * page && stats().metadata_bytes == page);
    for (i = 64; i <= 4096; i *= 2) HOLDS(slab_alloc(i, 1) != NULL);
    HOLDS(stats().used_bytes == 64 + 128 + 256 + 512 + 1024 + 2048 + 4096);

    sentence =
        "add_memory: page-aligned, a multiple of 4096, more than its own map needs; the heap untouched "
        "otherwise";
    HOLDS(slab_heap_add_memory(NULL, unit) == SLAB_ERR_RANGE);
    HOLDS(slab_heap_add_memory(memory + unit + 8, unit) == SLAB_ERR_ALIGN);
    HOLDS(slab_heap_add_memory(memory + unit, unit + 8) == SLAB_ERR_ALIGN);
    HOLDS(slab_heap_add_memory(memory + unit, page) == SLAB_ERR_TOO_SMALL);
    HOLDS(slab_heap_add_memory(memory + page, unit) == SLAB_ERR_OVERLAP);
    HOLDS(stats().total_bytes == 7 * page);
    HOLDS(slab_heap_add_memory(memory + unit, 3 * unit) == SLAB_OK);
    HOLDS(stats().total_bytes + stats().metadata_bytes == 4 * unit);

    sentence = "at least 64 regions";
    for (i = 0; i < 62; ++i)
        HOLDS(slab_heap_add_memory(memory + 4 * unit + 3 * i * page, 2 * page) == SLAB_OK);
    HOLDS(SLAB_MAX_REGIONS > 64 ||
          slab_heap_add_memory(memory + 4 * unit + 3 * i * page, 2 * page) == SLAB_ERR_TOO_MANY_REGIONS);
}

static void requests(void) {
    struct slab_stats before;
    unsigned char *block, *other;
    size_t align, i;

    sentence = "size 0 counts as 1";
    block = slab_alloc(0, 1);
    HOLDS(block != NULL && slab_usable_size(block) == usable(0, stats().classes[0].size));
    slab_free_sized(block, 0, 1);

    sentence = "align 0 or not a power of two: NULL, counted in the statistics; overflow: NULL";
    before = stats();
    HOLDS(slab_alloc(8, 0) == NULL && slab_alloc(8, 24) == NULL && slab_alloc(SIZE_MAX, 8) == NULL);
    HOLDS(slab_alloc(SIZE_MAX - 4095, 4096) == NULL && slab_calloc(SIZE_MAX / 2, 3) == NULL);
    HOLDS(slab_alloc_pages(SIZE_MAX, page) == NULL);
    HOLDS(stats().failures == before.failures + 6 && stats().used_bytes == before.used_bytes);

    sentence = "a request takes the smallest class that has its size and its alignment; else a page";
    for (align = 1; align <= 32768; align *= 2) {
        for (i = 0; before.classes[i].size < 80 || before.classes[i].size % align != 0; ++i)
            if (before.classes[i].size == page) break;
        block = slab_alloc(80, align);
        HOLDS(block != NULL && aligned(block, align) && aligned(block, 16));
        HOLDS(slab_usable_size(block) == usable(80, before.classes[i].size));
        slab_free_sized(block, 80, align);
    }

    sentence = "calloc aligns to 16, and all of it is zero";
    block = slab_calloc(37, 27);
    HOLDS(block != NULL && aligned(block, 16));
    for (i = 0; i < 37 * 27; ++i) HOLDS(block[i] == 0);
    slab_free(block);

    sentence = "a 20 KiB request takes 20 KiB";
    before = stats();
    block = slab_alloc(20480, 8);
    HOLDS(block != NULL && stats().used_bytes == before.used_bytes + 20480 &&
          slab_usable_size(block) == 20480);
    slab_free_sized(block, 20480, 8);

    sentence = "an immediate alloc after a free of the same class gives that block again";
    block = slab_alloc(200, 8);
    slab_free(block);
    other = slab_alloc(256, 8);
    HOLDS(IS_LIFO ? other == block : other != NULL);
    slab_free(other);

    sentence =
        "realloc(NULL) allocates, size 0 counts as 1, the alignment is kept, a failed one leaves the block "
        "as it was";
    block = slab_realloc(NULL, 100, 64);
    HOLDS(block != NULL && aligned(block, 64));
    memset(block, 7, 100);
    HOLDS(slab_realloc(block, 0, 64) == block && slab_usable_size(block) == usable(0, 128) && block[0] == 7);
    HOLDS(slab_realloc(block, 100, 64) == block);
    memset(block, 7, 100);
    HOLDS(slab_realloc(block, SIZE_MAX, 64) == NULL && slab_realloc(block, 8, 3) == NULL);
    HOLDS(slab_owns(block) == 1 && block[99] == 7);
    other = slab_realloc(block, 3000, 1024);
    HOLDS(other != NULL && aligned(other, 1024) && other[0] == 7 && other[99] == 7 && slab_owns(block) == 0);
    slab_free(other);

    sentence = "large blocks shrink and grow in place";
    block = slab_alloc(8 * page, 8);
    HOLDS(slab_realloc(block, 2 * page, 8) == block && slab_usable_size(block) == 2 * page);
    HOLDS(slab_realloc(block, 6 * page, 8) == block && slab_usable_size(block) == 6 * page);

    sentence = "page runs have their count and alignment and are given back with their count";
    other = slab_alloc_pages(3, 4 * page);
    HOLDS(other != NULL && aligned(other, 4 * page) && slab_usable_size(other) == 3 * page);
    slab_free_pages(other, 3);
    slab_free(block);

    sentence = "NULL may be freed";
    before = stats();
    slab_free(NULL);
    slab_free_sized(NULL, 1, 1);
    slab_free_pages(NULL, 1);
    HOLDS(stats().frees == before.frees && fault_calls == 0);
}

static void misuse(void) {
    char text[384];
    size_t length;
    struct slab_stats before;
    unsigned char* block = slab_alloc(100, 8);
    unsigned char* large = slab_alloc(3 * page, 8);

    sentence = "a broken contract calls the fault handler; when it returns, the call has changed nothing";
    before = stats();
    slab_free(block + 16);
    HOLDS(only_faulted(&before, SLAB_FAULT_INTERIOR) && last.block == block && last.block_size == 128);
    HOLDS(last.address == block + 16 && last.caller != NULL);
    before = stats();
    slab_free(large + 2 * page);
    HOLDS(only_faulted(&before, SLAB_FAULT_INTERIOR) && last.block == large);
    before = stats();
    slab_free(block + 1);
    HOLDS(only_faulted(&before, SLAB_FAULT_MISALIGNED));
    before = stats();
    slab_free(&before);
    HOLDS(only_faulted(&before, SLAB_FAULT_FOREIGN));
    before = stats();
    slab_free(memory);
    HOLDS(only_faulted(&before, SLAB_FAULT_FOREIGN));
    before = stats();
    slab_free_sized(block, 129, 8);
    HOLDS(only_faulted(&before, SLAB_FAULT_WRONG_SIZE) && last.size == 129 && last.align == 8);
    before = stats();
    slab_free_pages(large, 2);
    HOLDS(only_faulted(&before, SLAB_FAULT_WRONG_SIZE));
    slab_free(block);
    slab_free(large);
    before = stats();
    slab_free(block);
    HOLDS(only_faulted(&before, SLAB_FAULT_DOUBLE_FREE));
    before = stats();
    slab_free(large);
    HOLDS(only_faulted(&before, SLAB_FAULT_DOUBLE_FREE));
    before = stats();
    HOLDS(slab_realloc(block, 8, 8) == NULL && only_faulted(&before, SLAB_FAULT_DOUBLE_FREE));

    sentence = "slab_usable_size of what is no live block faults and returns 0; slab_owns never faults";
    before = stats();
    HOLDS(slab_usable_size(block) == 0 && only_faulted(&before, SLAB_FAULT_DOUBLE_FREE));
    HOLDS(slab_owns(block) == 0 && slab_owns(NULL) == 0 && slab_owns(&before) == 0 && fault_calls == 0);

    sentence = "slab_fault_describe writes one sentence and counts as snprintf does";
    length = slab_fault_describe(&last, text, sizeof text);
    HOLDS(length > 20 && length < sizeof text && strlen(text) == length);
    HOLDS(slab_fault_describe(&last, text, 10) == length && strlen(text) == 9);
    HOLDS(slab_fault_describe(&last, NULL, 0) == length);
}

static void sum_and_free(void* block, size_t size, void* context) {
    *(size_t*)context += size;
    slab_free(block);
}

static void whole_heap(void) {
    struct slab_stats now;
    size_t bytes = 0;
    void* block;

    sentence = "the walk visits every live block; the visitor may free it";
    now = stats();
    slab_heap_walk(sum_and_free, &bytes);
    HOLDS(bytes == now.used_bytes && stats().used_bytes == 0 && stats().allocations == stats().frees);

    sentence = "nothing of the allocator lives inside the objects, and empty slabs go back to the pages";
    memset(memory + page, 0xff, 7 * page);
    HOLDS(slab_heap_check() == 0);
    block = slab_alloc_pages(7, page);
    HOLDS(block != NULL);
    slab_free(block);

    sentence = "reserve needs every page free, total shrinks by it; release gives it back";
    now = stats();
    HOLDS(slab_heap_reserve(memory + 3 * page, 2 * page) == SLAB_OK);
    HOLDS(stats().total_bytes == now.total_bytes - 2 * page);
    HOLDS(slab_heap_reserve(memory + 2 * page, 2 * page) == SLAB_ERR_IN_USE);
    HOLDS(slab_heap_reserve(memory + 100, page) == SLAB_ERR_ALIGN);
    HOLDS(slab_heap_reserve(memory + page, 0) == SLAB_ERR_TOO_SMALL);
    HOLDS(slab_heap_reserve(space + sizeof space, page) != SLAB_OK);
    HOLDS(slab_heap_release(memory + 3 * page, 3 * page) == SLAB_ERR_RANGE);
    HOLDS(slab_heap_release(memory + 3 * page, 2 * page) == SLAB_OK);
    HOLDS(stats().total_bytes == now.total_bytes);

    sentence = "after the out-of-memory hook the request is tried once more";
    HOLDS(slab_heap_set_oom_hook(oom) == NULL);
    HOLDS(slab_alloc(100 * unit, 64) == NULL && oom_calls == 1 && oom_size == 100 * unit && oom_align == 64);
    oom_gives_back = slab_alloc_pages(23, page);
    block = slab_alloc(22 * page, 8);
    HOLDS(oom_gives_back == NULL && block != NULL && oom_calls == 2);
    slab_free(block);
    HOLDS(slab_heap_set_oom_hook(NULL) == oom);

    sentence = "total is available plus used, at every moment";
    now = stats();
    HOLDS(now.total_bytes == now.available_bytes + now.used_bytes && now.used_bytes == 0 &&
          slab_heap_check() == 0);
}

static jmp_buf after_trap;

static void trapped(int signal_number) {
    (void)signal_number;
    longjmp(after_trap, 1);
}

static void default_handler(void) {
    volatile int returned = 0;

    sentence = "by default a broken contract traps";
    HOLDS(slab_heap_set_fault_handler(NULL) == record_fault);
    signal(SIGILL, trapped);
    signal(SIGTRAP, trapped);
    signal(SIGABRT, trapped);
    signal(SIGSEGV, trapped);
    if (setjmp(after_trap) == 0) {
        slab_free(memory);
        returned = 1;
    }
    HOLDS(!returned);
}

int main(void) {
    memset(space, 0xa5, sizeof space);
    memory = space + (page - (uintptr_t)space % page) % page;
    the_names_are_as_settled();
    before_init();
    regions();
    requests();
    misuse();
    whole_heap();
    default_handler();
    printf(broken == 0 ? "every sentence holds\n" : "%d checks failed\n", broken);
    return broken != 0;
}
