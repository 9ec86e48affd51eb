// SPDX-License-Identifier: MIT
//
// The tables of the log: memory map, figures, size classes.
#include "print.h"
#include "report.hpp"
#include "show.hpp"
#include "slabheap/slabheap.h"

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
    for (const boot_range* range = boot.ranges; range != nullptr; range = range->next) show_range(*range);
}

void show_figures(const boot_info& boot) {
    slab_stats stats;
    slab_heap_stats(&stats);
    print("\nheap, %d regions\n", boot.regions);
    show_figure("total", stats.total_bytes);
    show_figure("used", stats.used_bytes);
    show_figure("available", stats.available_bytes);
    show_figure("largest free block", stats.largest_free_bytes);
    show_figure("page maps, not in it", stats.metadata_bytes);
}

void show_classes() {
    slab_stats stats;
    slab_heap_stats(&stats);
    heading("size classes     live  capacity     pages      used");
    for (size_t i = 0; i < stats.class_count; i++) {
        const slab_class_stats& row = stats.classes[i];
        size_t percent = row.capacity == 0 ? 0 : row.live * 100 / row.capacity;
        print("  %5zu bytes  %9zu %9zu %9zu %8zu%%\n", row.size, row.live, row.capacity, row.pages, percent);
    }
}

}  // namespace demo
