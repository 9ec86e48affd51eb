// SPDX-License-Identifier: MIT
//
// Blocks that say at their start what the rest is full of; and what soak.cpp says when something is not true.
#ifndef SLABHEAP_STRESS_STAMPED_BLOCK_HPP
#define SLABHEAP_STRESS_STAMPED_BLOCK_HPP

#include "content.hpp"

#include <slabheap/slabheap.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace slabheap::stress {

using test::content_at;

inline constexpr size_t page_size = SLAB_PAGE_SIZE;
constexpr size_t pages(size_t count) { return count * page_size; }

[[noreturn]] inline void fail(const char* sentence) {
    std::printf("not ok soak: %s\n", sentence);
    std::fflush(stdout);
    std::abort();
}
inline void expect(bool truth, const char* sentence) {
    if (!truth) fail(sentence);
}

// The start of each block; the rest is words that follow from it. Of a long block one word in each 64 bytes.
struct Stamp {
    size_t size;  // what was asked for, at least a stamp
    uint64_t pattern;
};

inline size_t stride(size_t size) { return size <= 512 ? sizeof(uint64_t) : 64; }

inline bool is_intact(const void* block, Stamp stamp, size_t size) {
    const auto* const bytes = static_cast<const char*>(block);
    for (size_t at = sizeof stamp; at + sizeof(uint64_t) <= size; at += stride(stamp.size)) {
        uint64_t word;
        std::memcpy(&word, bytes + at, sizeof word);
        if (word != content_at(stamp.pattern, at)) return false;
    }
    return true;
}

inline void write(void* block, Stamp stamp) {
    auto* const bytes = static_cast<char*>(block);
    std::memcpy(block, &stamp, sizeof stamp);
    for (size_t at = sizeof stamp; at + sizeof(uint64_t) <= stamp.size; at += stride(stamp.size)) {
        const uint64_t word = content_at(stamp.pattern, at);
        std::memcpy(bytes + at, &word, sizeof word);
    }
}

inline Stamp checked(const void* block) {
    Stamp stamp;
    std::memcpy(&stamp, block, sizeof stamp);
    expect(is_intact(block, stamp, stamp.size), "a block has what its owner wrote");
    return stamp;
}

inline bool is_zero(const void* block, size_t size) {
    const auto* const bytes = static_cast<const char*>(block);
    for (size_t at = 0; at < size; ++at) {
        if (bytes[at] != 0) return false;
    }
    return true;
}

}  // namespace slabheap::stress

#endif
