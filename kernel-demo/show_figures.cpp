// SPDX-License-Identifier: MIT
//
// The tables of the log: memory map, figures, size classes.
#include "print.h"
#include "record.h"
#include "report.hpp"
#include "show.hpp"
#include "slabheap/slabheap.h"

// The figures that were shown last; by this name for debuggers.
slab_stats heap_figures;

namespace demo {

namespace {

constexpr size_t range_columns = 41;  // what stands before a range's use

const char* name_of(memory_use use) {
    switch (use) {
        case MEMORY_USABLE:
            return "usable";
        case MEMORY_OUT_OF_REACH:
            return "usable, but out of this CPU's reach";
        case MEMORY_ACPI:
            return "ACPI tables";
        case MEMORY_RESERVED:
            return "reserved";
        case MEMORY_DEFECTIVE:
            return "defective";
        case MEMORY_LOADER:
            return "the loader's records";
        case MEMORY_IMAGE:
            return "the kernel's image";
        case MEMORY_PAGE_0:
            return "page 0, never handed out";
    }
    return "";
}

void record_range(const boot_range& range) {
    record_start("range");
    record_address("start", range.memory.start);
    record_address("last", range.memory.end - 1);
    record_text("use", name_of(range.memory.use));
    if (is_region(&range)) {
        record_number("region", static_cast<size_t>(range.region));
    } else if (range.memory.use == MEMORY_USABLE) {
        record_text("left_out", slab_status_string(range.region));
    }
    record_end();
}

void show_range(const boot_range& range) {
    uint64_t size = range.memory.end - range.memory.start;
    print("  %10.8llx - %10.8llx  %10s  ", static_cast<unsigned long long>(range.memory.start),
          static_cast<unsigned long long>(range.memory.end - 1), size_text(size).text);
    if (range.memory.use != MEMORY_USABLE) {
        print("%s\n", name_of(range.memory.use));
    } else if (range.region < 0) {
        print("usable, left out:\n");
        print_wrapped(slab_status_string(range.region), range_columns);
    } else {
        print("usable: heap region %d\n", range.region);
    }
}

void show_figure(const char* name, size_t bytes) {
    print("  %-20s %10s %12zu bytes\n", name, size_text(bytes).text, bytes);
}

}  // namespace

void show_memory_map(const boot_info& boot) {
    heading("memory map, and what became of it");
    for (const boot_range* range = boot.ranges; range != nullptr; range = range->next) {
        show_range(*range);
        record_range(*range);
    }
}

void record_figures(const char* name, const slab_stats& stats) {
    record_object(name);
    record_number("total_bytes", stats.total_bytes);
    record_number("used_bytes", stats.used_bytes);
    record_number("available_bytes", stats.available_bytes);
    record_number("metadata_bytes", stats.metadata_bytes);
    record_number("largest_free_bytes", stats.largest_free_bytes);
    record_number("allocations", stats.allocations);
    record_number("frees", stats.frees);
    record_number("failures", stats.failures);
    record_number("faults", stats.faults);
    record_number("requested_bytes_total", stats.requested_bytes_total);
    record_number("taken_bytes_total", stats.taken_bytes_total);
    record_list("classes");
    for (size_t i = 0; i < stats.class_count; i++) {
        const slab_class_stats& row = stats.classes[i];
        record_object(nullptr);
        record_number("size", row.size);
        record_number("live", row.live);
        record_number("capacity", row.capacity);
        record_number("pages", row.pages);
        record_object_end();
    }
    record_list_end();
    record_object_end();
}

void show_figures(const boot_info& boot) {
    slab_heap_stats(&heap_figures);
    const slab_stats& stats = heap_figures;
    print("\nheap, %d regions\n", boot.regions);
    show_figure("total", stats.total_bytes);
    show_figure("used", stats.used_bytes);
    show_figure("available", stats.available_bytes);
    show_figure("largest free block", stats.largest_free_bytes);
    show_figure("page maps, not in it", stats.metadata_bytes);
    record_start("figures");
    record_number("regions", static_cast<size_t>(boot.regions));
    record_figures("heap", stats);
    record_end();
}

void show_classes() {
    slab_heap_stats(&heap_figures);
    const slab_stats& stats = heap_figures;
    print("\nsize classes     live  capacity     pages      used\n");
    for (size_t i = 0; i < stats.class_count; i++) {
        const slab_class_stats& row = stats.classes[i];
        size_t percent = row.capacity == 0 ? 0 : row.live * 100 / row.capacity;
        print("  %5zu bytes  %9zu %9zu %9zu %8zu%%\n", row.size, row.live, row.capacity, row.pages, percent);
    }
    record_start("classes");
    record_figures("heap", stats);
    record_end();
}

}  // namespace demo
