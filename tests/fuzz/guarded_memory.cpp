// SPDX-License-Identifier: MIT
//
// See guarded_memory.hpp.
#include "guarded_memory.hpp"

#include <sanitizer/asan_interface.h>

#include <cstring>

namespace slabheap::fuzz {

bool GuardedMemory::contains(uintptr_t start, size_t size) const {
    const uintptr_t offset = start - test::address_of(page(0));
    return offset < this->size() && size <= this->size() - offset;
}

void GuardedMemory::renew(size_t page_count) {
    size_ = pages(page_count);
    maps_.clear();
    guard();
}

void GuardedMemory::add_map(std::byte* start, size_t size) {
    maps_.push_back({start, size});
    if (opened_ == 0) guard();
}

void GuardedMemory::fill_with_garbage(std::byte* start, size_t size, int garbage) {
    const Opened opened(*this);
    std::memset(start, garbage, size);
}

void GuardedMemory::open() { __asan_unpoison_memory_region(page(0), size()); }

void GuardedMemory::guard() {
    __asan_poison_memory_region(memory_.start(), size_ + pages(2));
    for (const Map map : maps_) __asan_unpoison_memory_region(map.start, map.size);
}

}  // namespace slabheap::fuzz
