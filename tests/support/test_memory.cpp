// SPDX-License-Identifier: MIT
//
// See test_memory.hpp. The mapping is a little larger than asked for, so that its start can be placed.
#include "test_memory.hpp"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace slabheap::test {
namespace {

// Every heap of a test lies within one such unit, so that where blocks are aligned is the same in every run.
constexpr size_t placement = size_t{32} << 20;

// xorshift64: noise that is the same in every run.
void fill_with_noise(std::byte* start, size_t size) {
    uint64_t state = 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < size; i += sizeof state) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        std::memcpy(start + i, &state, sizeof state);
    }
}

}  // namespace

TestMemory::TestMemory(size_t size, size_t offset, Content content)
    : mapping_size_(size + offset + placement), size_(size) {
    void* mapping = mmap(nullptr, mapping_size_, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
        std::perror("TestMemory: mmap");
        std::abort();
    }
    madvise(mapping, mapping_size_, MADV_NOHUGEPAGE);  // one touched page is one page
    mapping_ = static_cast<std::byte*>(mapping);
    const size_t gap = (placement - address_of(mapping) % placement) % placement;
    start_ = mapping_ + gap + offset;
    switch (content) {
        case Content::noise:
            fill_with_noise(start_, size_);
            break;
        case Content::all_ones:
            std::memset(start_, 0xff, size_);
            break;
        case Content::zero:
            std::memset(start_, 0, size_);
            break;
        case Content::untouched:
            break;
    }
}

TestMemory::~TestMemory() {
    munmap(mapping_, mapping_size_);
}

bool TestMemory::contains(const void* ptr, size_t size) const {
    const uintptr_t offset = address_of(ptr) - address_of(start_);
    return offset < size_ && size <= size_ - offset;
}

size_t TestMemory::touched_pages() const {
    std::vector<unsigned char> resident(size_ / page_size);
    if (mincore(start_, size_, resident.data()) != 0) {
        std::perror("TestMemory: mincore");
        std::abort();
    }
    size_t count = 0;
    for (const unsigned char page : resident) {
        count += page & 1u;
    }
    return count;
}

}  // namespace slabheap::test
