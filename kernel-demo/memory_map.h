/* SPDX-License-Identifier: MIT */
/*
 * Which memory the heap may have, out of what loaders say: lists that may be unsorted, overlap or wrap.
 *
 * Everybody who knows something about memory makes a claim: the loader's map claims ranges as usable or
 * reserved, the kernel claims its image, the loader's records and page 0. Where claims overlap the strongest
 * holds, and what nobody claims does not exist. The result is read off as pieces: ascending, disjoint,
 * page-aligned, as long as they can be.
 *
 *     claims    uuuuuuuuuuuuuuuuu    rrrrr      u usable   r reserved
 *                    iiii                       i image
 *                             uuuuuuuuu
 *     pieces    uuuuuiiiiuuuuuuuuuuuurrrrr      four of them
 *
 * Pure arithmetic: nothing here touches the memory that it speaks of.
 */
#ifndef KERNEL_DEMO_MEMORY_MAP_H
#define KERNEL_DEMO_MEMORY_MAP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a range is for, in ascending strength. */
enum memory_use {
    MEMORY_USABLE,
    MEMORY_OUT_OF_REACH, /* usable, but beyond what the CPU can address */
    MEMORY_ACPI,         /* firmware's tables; usable once they have been read, which this kernel does not */
    MEMORY_RESERVED,
    MEMORY_DEFECTIVE,
    MEMORY_LOADER, /* what the loader left for the kernel to read */
    MEMORY_IMAGE,  /* the kernel: code, data, .bss with the first stack */
    MEMORY_PAGE_0  /* never handed out: a null pointer must stay invalid */
};

/* Bytes start ... end - 1, both multiples of the page size. */
struct memory_range {
    uint64_t start;
    uint64_t end;
    enum memory_use use;
};

/* Claims that a map can hold; BIOS maps have a dozen entries, and 128 is where firmware stops. */
#define MEMORY_MAP_CLAIMS 160

struct memory_map {
    uint64_t limit; /* what is usable from here on is out of reach; a multiple of the page size */
    size_t count;
    struct memory_range claims[MEMORY_MAP_CLAIMS];
};

/* Empties the map. */
void memory_map_start(struct memory_map *map, uint64_t limit);

/*
 * Claims size bytes from start. A usable range shrinks to whole pages, any other grows to them; what would
 * reach the last 64-bit page ends before it. Returns 1, or 0 when the map is full and must not be used.
 */
int memory_map_claim(struct memory_map *map, uint64_t start, uint64_t size, enum memory_use use);

/* Finds the first piece that ends above `from`, cut off below `from`. Returns 1, or 0 when there is none. */
int memory_map_next(const struct memory_map *map, uint64_t from, struct memory_range *piece);

/*
 * Finds a heap's first region: the lowest usable piece with at least `unit` bytes, cut to a multiple of unit
 * (a power of two, at least a page). Returns 1, or 0 when there is none.
 */
int memory_map_first_region(const struct memory_map *map, uint64_t unit, struct memory_range *region);

#ifdef __cplusplus
}
#endif

#endif
