// SPDX-License-Identifier: MIT
//
// Memory for a heap under test, as a bare machine gives it: page-aligned, at an address the test chooses,
// full of garbage. Nothing that the heap does may depend on what it finds there, so the garbage differs from
// page to page.
#ifndef SLABHEAP_TESTS_TEST_MEMORY_HPP
#define SLABHEAP_TESTS_TEST_MEMORY_HPP

#include <cstddef>
#include <cstdint>

namespace slabheap::test {

inline constexpr size_t page_size = 4096;

constexpr size_t pages(size_t count) {
    return count * page_size;
}

// What a process has addresses for, though the machine has less memory.
inline constexpr size_t huge_size = size_t{1} << (sizeof(size_t) == 8 ? 36 : 30);

inline uintptr_t address_of(const void* ptr) {
    return reinterpret_cast<uintptr_t>(ptr);
}

class TestMemory {
public:
    // What the memory holds at first. `untouched` leaves it to be mapped at its first use, for regions larger
    // than the machine's memory.
    enum class Content { noise, all_ones, zero, untouched };

    // The memory starts `offset` bytes behind a multiple of 32 MiB.
    explicit TestMemory(size_t size, size_t offset = 0, Content content = Content::noise);
    ~TestMemory();
    TestMemory(const TestMemory&) = delete;
    TestMemory& operator=(const TestMemory&) = delete;

    std::byte* start() const { return start_; }
    std::byte* end() const { return start_ + size_; }
    std::byte* page(size_t index) const { return start_ + pages(index); }
    size_t size() const { return size_; }
    bool contains(const void* ptr, size_t size = 1) const;

    // The pages that the operating system had to provide so far.
    size_t touched_pages() const;

private:
    std::byte* mapping_;
    size_t mapping_size_;
    std::byte* start_;
    size_t size_;
};

}  // namespace slabheap::test

#endif
