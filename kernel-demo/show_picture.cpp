// SPDX-License-Identifier: MIT
//
// The heap as a map of characters. A region becomes at most three rows of cells, each a power of two of
// pages. The kind of block with the most bytes gives a cell its letter, and a capital says that at least
// half of it is in use.
#include "print.h"
#include "record.h"
#include "report.hpp"
#include "show.hpp"
#include "slabheap/slabheap.h"

namespace demo {

namespace {

constexpr size_t columns = 64;
constexpr size_t rows = 3;

char character_of(const HeapMap& map, size_t cell) {
    size_t user = map.user(cell);
    if (user == HeapMap::nothing) return '.';
    if (user == HeapMap::page_map) return '#';
    char letter = user == HeapMap::large ? 'l' : static_cast<char>('a' + user);
    return map.used(cell) >= map.cell_bytes() / 2 ? static_cast<char>(letter - 'a' + 'A') : letter;
}

void show_region(const boot_range& range, HeapMap& map) {
    auto size = static_cast<size_t>(range.memory.end - range.memory.start);
    size_t cell_bytes = SLAB_PAGE_SIZE;
    while (HeapMap::cells_of(range, cell_bytes) > columns * rows) cell_bytes *= 2;
    map.start(cell_bytes);
    map.add(range);
    map.look();

    print("  region %d, %s at %p, %s a character\n", range.region, size_text(size).text,
          reinterpret_cast<void*>(static_cast<uintptr_t>(range.memory.start)), size_text(cell_bytes).text);
    record_start("picture");
    record_number("region", static_cast<size_t>(range.region));
    record_number("cell_bytes", cell_bytes);
    record_list("rows");
    char row[columns + 1];
    for (size_t i = 0; i < map.cell_count(); i++) {
        row[i % columns] = character_of(map, i);
        row[i % columns + 1] = '\0';
        if (i % columns != columns - 1 && i != map.cell_count() - 1) continue;
        print("    %s\n", row);
        record_text(nullptr, row);
    }
    record_list_end();
    record_end();
}

void show_legend() {
    slab_stats stats;
    slab_heap_stats(&stats);
    print("  . free   # page map");
    for (size_t i = 0; i < stats.class_count; i++) {
        print("   %c %zu", static_cast<char>('a' + i), stats.classes[i].size);
    }
    print("\n  l larger   a capital: at least half of it is in use\n");
}

}  // namespace

void show_picture(const boot_info& boot, HeapMap& map) {
    heading("the heap under a kernel's load");
    for (const boot_range* range = boot.ranges; range != nullptr; range = range->next) {
        if (is_region(range)) show_region(*range, map);
    }
    show_legend();
}

}  // namespace demo
