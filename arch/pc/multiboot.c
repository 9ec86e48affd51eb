/* SPDX-License-Identifier: MIT */
/*
 * What a Multiboot loader leaves (Multiboot Specification 0.6.96, 3.3): a structure whose flags say which of
 * its fields count, and the records that it points to. Each is read at its physical address, and claimed.
 */
#include "machine.h"
#include "pc.h"

enum { MAGIC = 0x2badb002, SMALLEST_ENTRY = 20 };
enum {
    HAS_SIZES = 1 << 0,
    HAS_COMMAND_LINE = 1 << 2,
    HAS_MODULES = 1 << 3,
    HAS_MAP = 1 << 6,
    HAS_NAME = 1 << 9
};
enum { TYPE_USABLE = 1, TYPE_ACPI = 3, TYPE_DEFECTIVE = 5 };

struct information {
    uint32_t flags;
    uint32_t lower_kib; /* memory from 0 */
    uint32_t upper_kib; /* memory from 1 MiB */
    uint32_t boot_device;
    uint32_t command_line;
    uint32_t module_count;
    uint32_t modules;
    uint32_t symbols[4];
    uint32_t map_bytes;
    uint32_t map;
    uint32_t drives[2];
    uint32_t configuration;
    uint32_t name;
    uint32_t rest[13];
};

struct module {
    uint32_t start;
    uint32_t end;
    uint32_t text;
    uint32_t reserved;
};

/* In words of 32 bits: entries need not be aligned to more. */
struct entry {
    uint32_t size; /* of what follows */
    uint32_t start[2];
    uint32_t length[2];
    uint32_t type;
};

static const void *physical(uint32_t address) {
    return (const void *)(uintptr_t)address;
}

static uint64_t joined(const uint32_t halves[2]) {
    return halves[0] | (uint64_t)halves[1] << 32;
}

/* Each of these returns 0 when the map is full. */

static int claim_text(struct memory_map *map, uint32_t address) {
    const char *text = physical(address);
    uint64_t size = 1;
    while (*text++ != '\0') size++;
    return memory_map_claim(map, address, size, MEMORY_LOADER);
}

static int claim_modules(struct memory_map *map, const struct information *information) {
    const struct module *module = physical(information->modules);
    int fits = memory_map_claim(map, information->modules, information->module_count * sizeof *module,
                                MEMORY_LOADER);
    for (uint32_t i = 0; i < information->module_count && fits; i++, module++) {
        fits = memory_map_claim(map, module->start, module->end - module->start, MEMORY_LOADER);
        if (fits && module->text != 0) fits = claim_text(map, module->text);
    }
    return fits;
}

static enum memory_use use_of(uint32_t type) {
    switch (type) {
        case TYPE_USABLE:
            return MEMORY_USABLE;
        case TYPE_ACPI:
            return MEMORY_ACPI;
        case TYPE_DEFECTIVE:
            return MEMORY_DEFECTIVE;
        default:
            return MEMORY_RESERVED;
    }
}

static int claim_entries(struct memory_map *map, const struct information *information) {
    uint32_t at = 0;
    int fits = memory_map_claim(map, information->map, information->map_bytes, MEMORY_LOADER);
    while (fits && at + sizeof(struct entry) <= information->map_bytes) {
        const struct entry *entry = physical(information->map + at);
        if (entry->size < SMALLEST_ENTRY) break;
        fits = memory_map_claim(map, joined(entry->start), joined(entry->length), use_of(entry->type));
        at += entry->size + (uint32_t)sizeof entry->size;
    }
    return fits;
}

/* Without a map: two sizes, of the memory from 0 and of that from 1 MiB. */
static int claim_sizes(struct memory_map *map, const struct information *information) {
    return memory_map_claim(map, 0, (uint64_t)information->lower_kib << 10, MEMORY_USABLE) &&
           memory_map_claim(map, 1 << 20, (uint64_t)information->upper_kib << 10, MEMORY_USABLE);
}

const char *machine_read_loader(uintptr_t magic, uintptr_t address, struct memory_map *map,
                                struct loader_record *record) {
    const struct information *information = physical((uint32_t)address);
    record->name = "a Multiboot loader";
    record->command_line = "";
    memory_map_start(map, cpu_limit);
    if (magic != MAGIC) return "the loader is no Multiboot loader";
    if ((information->flags & (HAS_MAP | HAS_SIZES)) == 0) return "the loader says nothing about memory";

    int fits = memory_map_claim(map, address, sizeof *information, MEMORY_LOADER);
    if (fits && (information->flags & HAS_MODULES) != 0) fits = claim_modules(map, information);
    if (fits && (information->flags & HAS_COMMAND_LINE) != 0) {
        record->command_line = physical(information->command_line);
        fits = claim_text(map, information->command_line);
    }
    if (fits && (information->flags & HAS_NAME) != 0) {
        record->name = physical(information->name);
        fits = claim_text(map, information->name);
    }
    if (fits && (information->flags & HAS_MAP) != 0) {
        fits = claim_entries(map, information);
    } else if (fits) {
        fits = claim_sizes(map, information);
    }
    return fits ? NULL : "the loader's memory map has too many entries";
}
