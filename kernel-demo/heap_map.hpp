// SPDX-License-Identifier: MIT
//
// The heap as a row of cells, each a stretch of memory: how much of it is in use, and by what. A walk
// over all live blocks adds every block's bytes to the cells that it lies in. Regions begin in cells of
// their own.
#ifndef KERNEL_DEMO_HEAP_MAP_HPP
#define KERNEL_DEMO_HEAP_MAP_HPP

#include <stddef.h>
#include <stdint.h>

#include "boot_info.h"
#include "slabheap/slabheap.h"

namespace demo {

class HeapMap {
public:
    static constexpr size_t most_cells = 704;

    // What uses memory: a size class, by its number, or one of these.
    static constexpr size_t large = SLAB_MAX_CLASSES;
    static constexpr size_t page_map = SLAB_MAX_CLASSES + 1;
    static constexpr size_t nothing = SLAB_MAX_CLASSES + 2;

    // The cells that a region takes.
    static size_t cells_of(const boot_range& range, size_t cell_bytes);

    // Starts anew, without regions.
    void start(size_t cell_bytes);
    // Adds a region, in ascending order of address. There must be cells for it.
    void add(const boot_range& range);
    // Takes the heap's state.
    void look();

    size_t cell_count() const { return cell_count_; }
    size_t cell_bytes() const { return cell_bytes_; }
    // The bytes of a cell that are in use, and what uses most of them.
    size_t used(size_t cell) const { return cells_[cell].used; }
    size_t user(size_t cell) const;

    // Blocks of more than the largest size class.
    size_t large_blocks() const { return large_blocks_; }
    size_t large_bytes() const { return large_bytes_; }

private:
    struct Cell {
        size_t used;
        size_t used_by[nothing];
    };
    struct Region {
        uintptr_t start;
        uintptr_t last;
        size_t first_cell;
        size_t map_bytes;
    };

    static void visit(void* block, size_t size, void* map);
    void add_block(uintptr_t block, size_t size);
    void add_bytes(const Region& region, size_t offset, size_t size, size_t user);
    size_t user_of(size_t size) const;

    size_t cell_bytes_ = 0;
    size_t cell_count_ = 0;
    size_t region_count_ = 0;
    size_t region_ = 0;  // where the walk is
    size_t large_blocks_ = 0;
    size_t large_bytes_ = 0;
    slab_stats stats_ = {};
    Region regions_[SLAB_MAX_REGIONS] = {};
    Cell cells_[most_cells] = {};
};

}  // namespace demo

#endif
