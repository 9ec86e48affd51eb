/* SPDX-License-Identifier: MIT */
/*
 * A piece is found by looking at one address: its use is the strongest claim there, and nothing changes
 * before the nearest border of any claim. Pieces of the same use that touch are then put together. Each step
 * reads all claims, which for a few dozen of them is nothing.
 */
#include "memory_map.h"

#define PAGE ((uint64_t)4096)
/* The last page is left out, so that an end is always a number. */
#define LAST_END (~(uint64_t)0 - (PAGE - 1))

void memory_map_start(struct memory_map *map, uint64_t limit) {
    map->limit = limit;
    map->count = 0;
}

int memory_map_claim(struct memory_map *map, uint64_t start, uint64_t size, enum memory_use use) {
    uint64_t end = size < LAST_END && start < LAST_END - size ? start + size : LAST_END;
    if (use == MEMORY_USABLE) {
        start = start < LAST_END ? (start + PAGE - 1) & ~(PAGE - 1) : LAST_END;
        end &= ~(PAGE - 1);
    } else {
        start &= ~(PAGE - 1);
        end = (end + PAGE - 1) & ~(PAGE - 1);
    }
    if (size == 0 || start >= end) return 1;
    if (map->count == MEMORY_MAP_CLAIMS) return 0;
    struct memory_range claim = {start, end, use};
    map->claims[map->count++] = claim;
    return 1;
}

/* The longest range from `at` on in which no claim begins or ends, and its use; 0 when nobody claims `at`. */
static int elementary(const struct memory_map *map, uint64_t at, struct memory_range *range) {
    int claimed = 0;
    range->start = at;
    range->end = at < map->limit ? map->limit : LAST_END;
    range->use = MEMORY_USABLE;
    for (size_t i = 0; i < map->count; i++) {
        const struct memory_range *claim = &map->claims[i];
        uint64_t border = claim->start > at ? claim->start : claim->end;
        if (border > at && border < range->end) range->end = border;
        if (claim->start > at || claim->end <= at) continue;
        claimed = 1;
        if (claim->use > range->use) range->use = claim->use;
    }
    if (range->use == MEMORY_USABLE && at >= map->limit) range->use = MEMORY_OUT_OF_REACH;
    return claimed;
}

/* The lowest claimed address that is not below `from`; LAST_END when there is none. */
static uint64_t lowest_claimed(const struct memory_map *map, uint64_t from) {
    uint64_t lowest = LAST_END;
    for (size_t i = 0; i < map->count; i++) {
        const struct memory_range *claim = &map->claims[i];
        uint64_t start = claim->start > from ? claim->start : from;
        if (claim->end > from && start < lowest) lowest = start;
    }
    return lowest;
}

int memory_map_next(const struct memory_map *map, uint64_t from, struct memory_range *piece) {
    struct memory_range next;
    uint64_t start = lowest_claimed(map, from);
    if (start == LAST_END || !elementary(map, start, piece)) return 0;
    while (elementary(map, piece->end, &next) && next.use == piece->use) piece->end = next.end;
    return 1;
}

int memory_map_first_region(const struct memory_map *map, uint64_t unit, struct memory_range *region) {
    uint64_t from = 0;
    for (; memory_map_next(map, from, region); from = region->end) {
        uint64_t size = (region->end - region->start) & ~(unit - 1);
        if (region->use != MEMORY_USABLE || size == 0) continue;
        region->end = region->start + size;
        return 1;
    }
    return 0;
}
