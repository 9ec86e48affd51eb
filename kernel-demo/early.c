/* SPDX-License-Identifier: MIT */
/*
 * The C part of the start-up: what has to be known before there is a heap, and, once there is one, what is
 * worth keeping. The loader's records are read where they lie, then copied into heap blocks; every usable
 * range becomes a region of the heap.
 */
#include "boot_info.h"
#include "log.h"
#include "machine.h"
#include "print.h"
#include "record.h"
#include "slabheap/slabheap.h"

/* The linker script's names for the first byte of the image and the first behind it. */
extern const char image_start[];
extern const char image_end[];

#define TEXT_OF(number) #number
#define DOTTED(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char heap_version[] = DOTTED(SLABHEAP_VERSION_MAJOR, SLABHEAP_VERSION_MINOR, SLABHEAP_VERSION_PATCH);

const size_t boot_info_bytes = sizeof(struct boot_info);
struct first_region first_region;

/* What the start-up code logs and panics with. */
const struct heap_call heap_call = {"slab_heap_init", "pz", 'd', "the heap's first region"};
const struct heap_call stack_call = {"slab_alloc", "zz", 'p', "the kernel's stack, above a guard page"};
const struct heap_call block_call = {"slab_alloc", "zz", 'p', "a block of 128 bytes"};
const struct heap_call free_call = {"slab_free", "p", 0, "and back"};
#ifdef NEXT_BLOCK_VARIES
const struct heap_call again_call = {"slab_alloc", "zz", 'p', "another one"};
#else
const struct heap_call again_call = {"slab_alloc", "zz", 'p', "the block freed last comes first"};
#endif
const struct heap_call record_call = {"slab_alloc", "zz", 'p', "the boot record, handed on to C"};
const char no_heap[] = "slab_heap_init refused the first region";
const char no_stack[] = "slab_alloc gave no page-aligned block for the stack";
const char no_guard[] = "the page below the stack cannot be made inaccessible";
const char no_block[] = "slab_alloc gave no block";
const char not_again[] = "slab_alloc did not give the block again that was freed last";

static struct memory_map map;
static struct loader_record loader;
static size_t first_map_bytes; /* the page map of the first region */

void early_start(uintptr_t first, uintptr_t second) {
    struct memory_range region;
    machine_start();
    print("slabheap %s on %s: a kernel and its heap\n", heap_version, machine_name);
    record_start("boot");
    record_text("version", heap_version);
    record_text("machine", machine_name);
    record_end();

    const char *problem = machine_read_loader(first, second, &map, &loader);
    if (problem != NULL) panic(problem);
    if (!memory_map_claim(&map, 0, SLAB_PAGE_SIZE, MEMORY_PAGE_0) ||
        !memory_map_claim(&map, (uintptr_t)image_start, (uintptr_t)image_end - (uintptr_t)image_start,
                          MEMORY_IMAGE)) {
        panic("the loader's memory map leaves no room for the kernel's own entries");
    }
    if (!memory_map_first_region(&map, SLAB_MIN_HEAP_SIZE, &region)) panic("there is no memory for a heap");
    first_region.start = (void *)(uintptr_t)region.start;
    first_region.size = (size_t)(region.end - region.start);
    heading("start-up code, in assembly");
}

static void *allocate(size_t size) {
    void *block = slab_alloc(size, sizeof(void *));
    if (block == NULL) panic("the heap's first region is too small for the boot record");
    return block;
}

static const char *copy_text(const char *text, const char *note) {
    const struct heap_call call = {"slab_alloc", "zz", 'p', note};
    size_t size = 1;
    while (text[size - 1] != '\0') size++;
    char *copy = allocate(size);
    for (size_t i = 0; i < size; i++) copy[i] = text[i];
    report_call(&call, size, sizeof(void *), (uintptr_t)copy);
    return copy;
}

/* The heap's page maps so far. */
static size_t map_bytes(void) {
    struct slab_stats stats;
    slab_heap_stats(&stats);
    return stats.metadata_bytes;
}

static int add_memory(const struct memory_range *memory) {
    char note[sizeof(struct short_text) + 10];
    if (!machine_make_addressable(memory->start, memory->end)) return SLAB_ERR_RANGE;
    void *start = (void *)(uintptr_t)memory->start;
    size_t size = (size_t)(memory->end - memory->start);
    int status = slab_heap_add_memory(start, size);
    print_to(note, sizeof note, "%s %s", size_text(size).text, status == SLAB_OK ? "more" : "left out");
    const struct heap_call call = {"slab_heap_add_memory", "pz", 'd', note};
    report_call(&call, (uintptr_t)start, size, (uintptr_t)status);
    return status;
}

/* Records a piece of memory at the end of the list, and makes it a region of the heap if it is usable. */
static struct boot_range **keep(struct boot_info *info, struct boot_range **link,
                                const struct memory_range *memory) {
    int is_first = memory->start == (uintptr_t)first_region.start;
    struct boot_range *range = allocate(sizeof *range);
    range->next = NULL;
    range->memory = *memory;
    range->region = SLAB_ERR_RANGE;
    range->map_bytes = is_first ? first_map_bytes : 0;
    if (memory->use == MEMORY_USABLE) {
        size_t before = map_bytes();
        range->region = is_first ? SLAB_OK : add_memory(memory);
        range->map_bytes += map_bytes() - before;
        if (range->region == SLAB_OK) range->region = info->regions++;
    }
    *link = range;
    return &range->next;
}

void early_main(struct boot_info *info) {
    struct memory_range piece;
    heading("early start-up, in C");
    info->loader = copy_text(loader.name, "the loader's name");
    info->command_line = copy_text(loader.command_line, "the command line");
    if (!machine_guard(NULL)) panic("page 0 cannot be made inaccessible");
    info->ranges = NULL;
    info->regions = 0;

    first_map_bytes = map_bytes();
    struct boot_range **link = &info->ranges;
    for (uint64_t from = 0; memory_map_next(&map, from, &piece); from = piece.end) {
        if (piece.start == (uintptr_t)first_region.start) piece.end = piece.start + first_region.size;
        link = keep(info, link, &piece);
    }
    kernel_main(info);
}
