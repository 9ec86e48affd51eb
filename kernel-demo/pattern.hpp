// SPDX-License-Identifier: MIT
//
// What the self-test and the storm write into their blocks: words that depend on their address, so that a
// block which overlaps another, or was moved wrongly, gives itself away; and on a seal, which makes a block
// differ from what else is written there. Sizes are rounded down to words.
#ifndef KERNEL_DEMO_PATTERN_HPP
#define KERNEL_DEMO_PATTERN_HPP

#include <stddef.h>
#include <stdint.h>

namespace demo {

constexpr uintptr_t pattern(uintptr_t address) {
    return ~address * 0x9e3779b1u;
}

inline void fill(void* block, size_t size, uintptr_t seal = 0) {
    auto* words = static_cast<uintptr_t*>(block);
    for (size_t i = 0; i < size / sizeof *words; i++)
        words[i] = pattern(reinterpret_cast<uintptr_t>(words + i)) ^ seal;
}

// Whether a block still has what fill wrote when it was at `origin`.
inline bool intact(const void* block, size_t size, const void* origin, uintptr_t seal = 0) {
    const auto* words = static_cast<const uintptr_t*>(block);
    const auto* written_at = static_cast<const uintptr_t*>(origin);
    for (size_t i = 0; i < size / sizeof *words; i++) {
        if (words[i] != (pattern(reinterpret_cast<uintptr_t>(written_at + i)) ^ seal)) return false;
    }
    return true;
}

inline bool intact(const void* block, size_t size) {
    return intact(block, size, block);
}

// The same for no more than both ends of a block, which is enough to notice that it overlaps another.
constexpr size_t end_bytes = 256;

inline void fill_ends(void* block, size_t size, uintptr_t seal = 0) {
    if (size <= 2 * end_bytes) return fill(block, size, seal);
    fill(block, end_bytes, seal);
    fill(static_cast<char*>(block) + size - end_bytes, end_bytes, seal);
}

inline bool ends_intact(const void* block, size_t size, uintptr_t seal = 0) {
    if (size <= 2 * end_bytes) return intact(block, size, block, seal);
    const char* end = static_cast<const char*>(block) + size - end_bytes;
    return intact(block, end_bytes, block, seal) && intact(end, end_bytes, end, seal);
}

inline bool aligned(const void* block, size_t align) {
    return reinterpret_cast<uintptr_t>(block) % align == 0;
}

}  // namespace demo

#endif
