// SPDX-License-Identifier: MIT
//
// A page map for pages that need not exist: the map lies in memory of its own, filled with garbage as memory
// is when a machine starts, so tests can describe regions of any size anywhere in the address space.
#ifndef SLABHEAP_TESTS_MAP_MEMORY_HPP
#define SLABHEAP_TESTS_MAP_MEMORY_HPP

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "page_map.hpp"

namespace slabheap::test {

// The number of page numbers that there are: the end of the address space.
constexpr Word end_of_pages = bits_below(page_number_bits) + 1;

// A T (PageMap, or what is built on it) that describes the pages first ... end - 1.
template <class T>
class Mapped {
public:
    Mapped(Word first, Word end, int garbage = 0xa5)
        : size_(T::bytes_needed(first, end, sizeof(T))),
          memory_(std::aligned_alloc(64, (size_ + 64 + 63) / 64 * 64)) {
        std::memset(memory_, garbage, size_ + 64);
        get().set_up(first, end, sizeof(T));
    }
    ~Mapped() { std::free(memory_); }
    Mapped(const Mapped&) = delete;
    Mapped& operator=(const Mapped&) = delete;

    T& get() { return *static_cast<T*>(memory_); }
    T* operator->() { return &get(); }
    T& operator*() { return get(); }
    size_t size() const { return size_; }

    // True while nothing was written behind the bytes that the map said it needs.
    bool end_is_intact(int garbage = 0xa5) const {
        auto* const bytes = static_cast<const unsigned char*>(memory_);
        for (size_t i = size_; i < size_ + 64; ++i) {
            if (bytes[i] != static_cast<unsigned char>(garbage)) return false;
        }
        return true;
    }

private:
    size_t size_;
    void* memory_;
};

}  // namespace slabheap::test

#endif
