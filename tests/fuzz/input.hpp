// SPDX-License-Identifier: MIT
//
// The fuzzer's bytes as numbers. One byte decides where it can, so that a changed byte changes one thing.
// What is read behind the end is 0.
#ifndef SLABHEAP_FUZZ_INPUT_HPP
#define SLABHEAP_FUZZ_INPUT_HPP

#include "class_set.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>

namespace slabheap::fuzz {

using test::page_size;
using test::pages;

class Input {
public:
    Input(const uint8_t* bytes, size_t size) : next_(bytes), end_(bytes + size) {}

    bool ended() const { return next_ == end_; }
    size_t byte() { return ended() ? 0 : *next_++; }
    size_t below(size_t bound) { return byte() % bound; }

    // The first byte is the lowest.
    uintptr_t number(unsigned bytes) {
        uintptr_t value = 0;
        for (unsigned i = 0; i < bytes; ++i) value |= uintptr_t{byte()} << 8 * i;
        return value;
    }

    // At and beside the sizes of the classes; some pages, and a byte more or less; now and then what nothing
    // can hold.
    size_t size() {
        constexpr size_t classes = std::size(test::class_sizes);
        const size_t kind = byte();
        if (kind < 128) return test::class_sizes[kind % classes] - 1 + kind / classes % 3;
        if (kind < 192) return (kind - 128) * 1024 + 1;
        if (kind < 224) return kind - 192;
        if (kind < 250) return pages(byte()) + kind % 3 - 1;
        return (SIZE_MAX >> (kind % 2)) - byte();
    }
    size_t align() {
        const size_t kind = byte();
        if (kind < 232) return size_t{1} << kind % 18;
        return kind < 244 ? kind - 232 : size_t{1} << kind % (8 * sizeof(size_t));
    }

private:
    const uint8_t* next_;
    const uint8_t* end_;
};

}  // namespace slabheap::fuzz

#endif
