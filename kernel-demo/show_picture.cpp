// SPDX-License-Identifier: MIT
//
// The heap as a map of characters. A region becomes at most three rows of cells, each a power of two of
// pages. A walk over all live blocks adds every block's bytes to the cells that it lies in; the kind of block
// with the most bytes gives a cell its letter, and a capital says that at least half of the cell is in use.
#include "print.h"
#include "report.hpp"
#include "show.hpp"
#include "slabheap/slabheap.h"

namespace demo {

namespace {

constexpr size_t columns = 64;
constexpr size_t rows = 3;
constexpr size_t large_kind = SLAB_MAX_CLASSES;

struct Cell {
    size_t bytes;
    size_t bytes_of_kind[SLAB_MAX_CLASSES + 1];
};

// One region under the walk's eyes.
struct Picture {
    uintptr_t start;
    uintptr_t last;
    size_t cell_bytes;
    slab_stats stats;
    Cell cells[columns * rows];
};
Picture picture;

size_t kind_of(size_t size) {
    for (size_t kind = 0; kind < picture.stats.class_count; kind++) {
        if (picture.stats.classes[kind].size == size) return kind;
    }
    return large_kind;
}

void add_block(void* block, size_t size, void*) {
    auto first = reinterpret_cast<uintptr_t>(block);
    if (first < picture.start || first > picture.last) return;
    size_t kind = kind_of(size);
    for (size_t offset = first - picture.start; size != 0;) {
        Cell& cell = picture.cells[offset / picture.cell_bytes];
        size_t room = picture.cell_bytes - offset % picture.cell_bytes;
        size_t part = size < room ? size : room;
        cell.bytes += part;
        cell.bytes_of_kind[kind] += part;
        offset += part;
        size -= part;
    }
}

char character_of(const Cell& cell) {
    if (cell.bytes == 0) return '.';
    size_t kind = 0;
    for (size_t i = 1; i <= large_kind; i++) {
        if (cell.bytes_of_kind[i] > cell.bytes_of_kind[kind]) kind = i;
    }
    char letter = kind == large_kind ? 'l' : static_cast<char>('a' + kind);
    return cell.bytes >= picture.cell_bytes / 2 ? static_cast<char>(letter - 'a' + 'A') : letter;
}

void show_region(const boot_range& range) {
    auto size = static_cast<size_t>(range.memory.end - range.memory.start);
    picture.start = static_cast<uintptr_t>(range.memory.start);
    picture.last = picture.start + (size - 1);
    picture.cell_bytes = SLAB_PAGE_SIZE;
    while ((size - 1) / picture.cell_bytes >= columns * rows) picture.cell_bytes *= 2;
    for (Cell& cell : picture.cells) cell = {};
    slab_heap_walk(add_block, nullptr);

    size_t cells = (size - 1) / picture.cell_bytes + 1;
    size_t map_cells = range.map_bytes == 0 ? 0 : (range.map_bytes - 1) / picture.cell_bytes + 1;
    print("  region %d, %s at %p, %s a character\n", range.region, size_text(size).text,
          reinterpret_cast<void*>(picture.start), size_text(picture.cell_bytes).text);
    char row[columns + 1];
    for (size_t i = 0; i < cells; i++) {
        bool is_map = i < map_cells && picture.cells[i].bytes == 0;
        row[i % columns] = is_map ? '#' : character_of(picture.cells[i]);
        row[i % columns + 1] = '\0';
        if (i % columns == columns - 1 || i == cells - 1) print("    %s\n", row);
    }
}

void show_legend() {
    print("  . free   # page map");
    for (size_t i = 0; i < picture.stats.class_count; i++) {
        print("   %c %zu", static_cast<char>('a' + i), picture.stats.classes[i].size);
    }
    print("\n  l larger   a capital: at least half of it is in use\n");
}

}  // namespace

void show_picture(const boot_info& boot) {
    slab_heap_stats(&picture.stats);
    heading("the heap under a kernel's load");
    for (const boot_range* range = boot.ranges; range != nullptr; range = range->next) {
        if (range->memory.use == MEMORY_USABLE && range->region >= 0) show_region(*range);
    }
    show_legend();
}

}  // namespace demo
