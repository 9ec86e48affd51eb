// SPDX-License-Identifier: MIT
//
// All that is known of the heap comes from its public calls: the walk over live blocks, and the boot
// record's regions.
#include "heap_map.hpp"

namespace demo {

size_t HeapMap::cells_of(const boot_range& range, size_t cell_bytes) {
    auto size = static_cast<size_t>(range.memory.end - range.memory.start);
    return (size - 1) / cell_bytes + 1;
}

void HeapMap::start(size_t cell_bytes) {
    cell_bytes_ = cell_bytes;
    cell_count_ = 0;
    region_count_ = 0;
}

void HeapMap::add(const boot_range& range) {
    auto start = static_cast<uintptr_t>(range.memory.start);
    auto last = static_cast<uintptr_t>(range.memory.end - 1);
    regions_[region_count_++] = {start, last, cell_count_, range.map_bytes};
    cell_count_ += cells_of(range, cell_bytes_);
}

void HeapMap::look() {
    slab_heap_stats(&stats_);
    for (size_t i = 0; i < cell_count_; i++) cells_[i] = {};
    for (size_t i = 0; i < region_count_; i++) add_bytes(regions_[i], 0, regions_[i].map_bytes, page_map);
    region_ = 0;
    large_blocks_ = 0;
    large_bytes_ = 0;
    slab_heap_walk(visit, this);
}

size_t HeapMap::user(size_t cell) const {
    const Cell& shown = cells_[cell];
    if (shown.used == 0) return nothing;
    size_t most = 0;
    for (size_t i = 1; i < nothing; i++) {
        if (shown.used_by[i] > shown.used_by[most]) most = i;
    }
    return most;
}

void HeapMap::visit(void* block, size_t size, void* map) {
    static_cast<HeapMap*>(map)->add_block(reinterpret_cast<uintptr_t>(block), size);
}

// Blocks come in ascending order, so their regions do. Some regions may be left out.
void HeapMap::add_block(uintptr_t block, size_t size) {
    size_t user = user_of(size);
    if (user == large) {
        large_blocks_++;
        large_bytes_ += size;
    }
    while (region_ < region_count_ && block > regions_[region_].last) region_++;
    if (region_ == region_count_ || block < regions_[region_].start) return;
    add_bytes(regions_[region_], block - regions_[region_].start, size, user);
}

void HeapMap::add_bytes(const Region& region, size_t offset, size_t size, size_t user) {
    while (size != 0) {
        Cell& cell = cells_[region.first_cell + offset / cell_bytes_];
        size_t room = cell_bytes_ - offset % cell_bytes_;
        size_t part = size < room ? size : room;
        cell.used += part;
        cell.used_by[user] += part;
        offset += part;
        size -= part;
    }
}

size_t HeapMap::user_of(size_t size) const {
    for (size_t i = 0; i < stats_.class_count; i++) {
        if (stats_.classes[i].size == size) return i;
    }
    return large;
}

}  // namespace demo
