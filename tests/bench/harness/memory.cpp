// SPDX-License-Identifier: MIT
#include "memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "random.hpp"

namespace slabheap::bench {

void* map_memory(size_t size, Mapping mapping) {
    int const visible = mapping == Mapping::shared_pages ? MAP_SHARED : MAP_PRIVATE;
    int const flags = visible | MAP_ANONYMOUS | MAP_NORESERVE;
    void* const start = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (start == MAP_FAILED) {
        std::perror("bench: mmap");
        std::exit(1);
    }
    return start;
}

void unmap_memory(void* start, size_t size) { munmap(start, size); }

Arena::Arena(size_t size)
    : size_(size),
      mapping_size_(size + std::bit_ceil(size)),
      mapping_(static_cast<std::byte*>(map_memory(mapping_size_, Mapping::private_pages))) {
    size_t const alignment = std::bit_ceil(size);
    start_ = mapping_ + (alignment - reinterpret_cast<uintptr_t>(mapping_) % alignment) % alignment;
}

Arena::~Arena() { unmap_memory(mapping_, mapping_size_); }

void Arena::fill_with_noise(size_t bytes) {
    Random random(size_);
    for (size_t i = 0; i < std::min(bytes, size_); i += sizeof(uint64_t)) {
        uint64_t const noise = random.next();
        std::memcpy(start_ + i, &noise, sizeof noise);
    }
}

size_t Arena::touched_pages() const {
    Array<unsigned char> resident(size_ / page_size);
    if (mincore(start_, size_, resident.data()) != 0) {
        std::perror("bench: mincore");
        std::exit(1);
    }
    size_t count = 0;
    for (unsigned char const page : resident) count += page & 1;
    return count;
}

}  // namespace slabheap::bench
