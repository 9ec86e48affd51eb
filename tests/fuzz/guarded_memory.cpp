// SPDX-License-Identifier: MIT
//
// See guarded_memory.hpp.
#include "guarded_memory.hpp"

#include <sanitizer/asan_interface.h>

#include <cstring>

namespace slabheap::fuzz {

namespace {

void allow(uintptr_t start, size_t size) {
    __asan_unpoison_memory_region(reinterpret_cast<void*>(start), size);
}
void forbid(uintptr_t start, size_t size) {
    __asan_poison_memory_region(reinterpret_cast<void*>(start), size);
}

}  // namespace

bool GuardedMemory::contains(uintptr_t start, size_t size) const {
    const uintptr_t offset = start - test::address_of(page(0));
    return offset < this->size() && size <= this->size() - offset;
}

void GuardedMemory::renew(size_t page_count) {
    size_ = pages(page_count);
    regions_.clear();
    taken_.clear();
    opened_ = are_filled ? 1 : 0;
    shut();
}

void GuardedMemory::prepare_region(uintptr_t start, size_t size, size_t map_size, int garbage) {
    allow(start, size);
    std::memset(reinterpret_cast<void*>(start), garbage, map_size);
}

void GuardedMemory::add_region(uintptr_t start, size_t size, size_t map_size) {
    regions_.push_back({start, size, map_size});
    if (opened_ == 0) forbid(start + map_size, size - map_size);
}

void GuardedMemory::take(uintptr_t start, size_t size) {
    const auto [taken, is_new] = taken_.insert({start, size});
    if (!is_new && opened_ != 0) allow(start, taken->second);
    taken->second = size;
    forbid(start, size);
}

void GuardedMemory::give(uintptr_t start) {
    const auto taken = taken_.find(start);
    if (opened_ != 0) allow(start, taken->second);
    taken_.erase(taken);
}

void GuardedMemory::open() {
    for (const Region& region : regions_) allow(region.start, region.size);
    for (const auto& [start, size] : taken_) forbid(start, size);
}

void GuardedMemory::shut() {
    forbid(test::address_of(memory_.start()), size_ + pages(2));
    for (const Region& region : regions_) allow(region.start, region.map_size);
}

GuardedMemory::Opened::Opened(GuardedMemory& memory, uintptr_t block) : memory_(memory), block_(block) {
    if (memory_.opened_++ == 0) memory_.open();
    const auto taken = memory_.taken_.find(block);
    if (taken != memory_.taken_.end()) allow(block, taken->second);
}

GuardedMemory::Opened::~Opened() {
    const auto taken = memory_.taken_.find(block_);
    if (--memory_.opened_ == 0) {
        memory_.shut();
    } else if (taken != memory_.taken_.end()) {
        forbid(block_, taken->second);
    }
}

}  // namespace slabheap::fuzz
