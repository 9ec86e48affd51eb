// SPDX-License-Identifier: MIT
//
// What tests write into blocks, to see that it is still there later: words that differ from block to block,
// by a pattern's number, and from place to place.
#ifndef SLABHEAP_TESTS_CONTENT_HPP
#define SLABHEAP_TESTS_CONTENT_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace slabheap::test {

inline uint64_t content_at(uint64_t pattern, size_t offset) {
    return pattern ^ ((offset + 1) * 0x9e3779b97f4a7c15);
}

inline void fill(void* block, size_t size, uint64_t pattern = 0) {
    auto* bytes = static_cast<unsigned char*>(block);
    for (size_t offset = 0; offset < size; offset += sizeof pattern) {
        const uint64_t word = content_at(pattern, offset);
        const size_t left = size - offset;
        std::memcpy(bytes + offset, &word, left < sizeof word ? left : sizeof word);
    }
}

// True when the first `size` bytes are as fill left them.
inline bool is_filled(const void* block, size_t size, uint64_t pattern = 0) {
    const auto* bytes = static_cast<const unsigned char*>(block);
    for (size_t offset = 0; offset < size; offset += sizeof pattern) {
        const uint64_t word = content_at(pattern, offset);
        const size_t left = size - offset;
        if (std::memcmp(bytes + offset, &word, left < sizeof word ? left : sizeof word) != 0) {
            return false;
        }
    }
    return true;
}

inline bool is_zero(const void* block, size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(block);
    for (size_t i = 0; i < size; ++i) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

}  // namespace slabheap::test

#endif
