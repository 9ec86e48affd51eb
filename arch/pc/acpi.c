/* SPDX-License-Identifier: MIT */
/*
 * ACPI (Advanced Configuration and Power Interface Specification 6.4), as far as it lists the CPUs: a pointer
 * somewhere in the firmware's memory (5.2.5) leads to the root table, that one to all others (5.2.7, 5.2.8),
 * among them the one of the interrupt controllers (5.2.12). Each is believed if its bytes add up to 0. Tables
 * above 4 GiB are left alone, as nothing is mapped there yet.
 */
#include "acpi.h"

/* The firmware's data area, whose address page 0 tells, and its read-only memory. */
enum { EBDA_SEGMENT = 0x40e, EBDA_BYTES = 1024, ROM_START = 0xe0000, ROM_END = 0x100000, STEP = 16 };
enum { POINTER_BYTES = 20, LONG_POINTER_BYTES = 36 };
enum { LOCAL_APIC = 0, LOCAL_APIC_ADDRESS = 5, ENABLED = 1, BROADCAST = 0xff };

/* Fields of 64 bits are in words of 32: not all of them are aligned. */
struct pointer {
    char signature[8];
    uint8_t sum;
    char maker[6];
    uint8_t revision;
    uint32_t root; /* whose entries have 32 bits */
    uint32_t bytes;
    uint32_t long_root[2]; /* whose entries have 64; from revision 2 on */
};

struct table {
    char signature[4];
    uint32_t bytes; /* this header's included */
    uint8_t revision;
    uint8_t sum;
    char maker[26];
};

struct interrupt_controllers {
    struct table header;
    uint32_t address;
    uint32_t flags; /* then come records */
};

struct record {
    uint8_t type;
    uint8_t bytes;
    uint8_t content[10];
};

static const struct pointer *found;

static int starts_with(const char *text, const char *expected) {
    while (*expected != '\0' && *text == *expected) text++, expected++;
    return *expected == '\0';
}

static int adds_up(const void *start, size_t bytes) {
    uint8_t sum = 0;
    for (size_t i = 0; i < bytes; i++) sum = (uint8_t)(sum + ((const uint8_t *)start)[i]);
    return sum == 0;
}

static const struct pointer *search(uintptr_t start, uintptr_t end) {
    for (uintptr_t at = start; at + LONG_POINTER_BYTES <= end; at += STEP) {
        const struct pointer *pointer = (const struct pointer *)at;
        if (starts_with(pointer->signature, "RSD PTR ") && adds_up(pointer, POINTER_BYTES)) return pointer;
    }
    return NULL;
}

void acpi_find(void) {
    uint32_t segment; /* page 0 is no place for C */
    __asm__ volatile("movzwl (%1), %0" : "=r"(segment) : "r"((uintptr_t)EBDA_SEGMENT));
    uintptr_t ebda = (uintptr_t)segment << 4;
    found = ebda == 0 ? NULL : search(ebda, ebda + EBDA_BYTES);
    if (found == NULL) found = search(ROM_START, ROM_END);
}

/* A table that is whole, and of that kind; else null. */
static const void *table_at(uint64_t address, const char *signature) {
    const struct table *table = (const struct table *)(uintptr_t)address;
    if (address == 0 || address >> 32 != 0 || !starts_with(table->signature, signature)) return NULL;
    return table->bytes >= sizeof *table && adds_up(table, table->bytes) ? table : NULL;
}

static uint64_t joined(const uint32_t *halves) {
    return halves[0] | (uint64_t)halves[1] << 32;
}

static const void *find_table(const char *signature) {
    const struct table *root = NULL;
    size_t words = 2; /* of an entry */
    if (found == NULL) return NULL;
    if (found->revision >= 2 && adds_up(found, LONG_POINTER_BYTES)) {
        root = table_at(joined(found->long_root), "XSDT");
    }
    if (root == NULL) {
        root = table_at(found->root, "RSDT");
        words = 1;
    }
    if (root == NULL) return NULL;
    const uint32_t *entry = (const uint32_t *)(root + 1);
    size_t count = (root->bytes - sizeof *root) / (words * sizeof *entry);
    for (; count != 0; count--, entry += words) {
        const void *table = table_at(words == 2 ? joined(entry) : entry[0], signature);
        if (table != NULL) return table;
    }
    return NULL;
}

static uint32_t word_at(const uint8_t *content) {
    return content[0] | (uint32_t)content[1] << 8 | (uint32_t)content[2] << 16 | (uint32_t)content[3] << 24;
}

size_t acpi_local_apics(uint64_t *address, uint8_t numbers[], size_t room) {
    const struct interrupt_controllers *table = find_table("APIC");
    size_t count = 0;
    if (table == NULL) return 0;
    *address = table->address;
    const uint8_t *at = (const uint8_t *)(table + 1);
    const uint8_t *end = (const uint8_t *)table + table->header.bytes;
    for (const struct record *record; at + 2 <= end; at += record->bytes) {
        record = (const struct record *)at;
        if (record->bytes < 2 || at + record->bytes > end) break;
        if (record->type == LOCAL_APIC && record->bytes >= 8) {
            uint8_t number = record->content[1];
            int is_enabled = (record->content[2] & ENABLED) != 0;
            if (is_enabled && number != BROADCAST && count < room) numbers[count++] = number;
        }
        if (record->type == LOCAL_APIC_ADDRESS && record->bytes >= 12) {
            *address = word_at(record->content + 2) | (uint64_t)word_at(record->content + 6) << 32;
        }
    }
    return count;
}
