// SPDX-License-Identifier: MIT
//
// What the self-test writes into its blocks: words that depend on their address, so that a block which
// overlaps another, or was moved wrongly, gives itself away. Sizes are rounded down to words.
#ifndef KERNEL_DEMO_PATTERN_HPP
#define KERNEL_DEMO_PATTERN_HPP

#include <stddef.h>
#include <stdint.h>

namespace demo {

constexpr uintptr_t pattern(uintptr_t address) {
    return ~address * 0x9e3779b1u;
}

inline void fill(void* block, size_t size) {
    auto* words = static_cast<uintptr_t*>(block);
    for (size_t i = 0; i < size / sizeof *words; i++)
        words[i] = pattern(reinterpret_cast<uintptr_t>(words + i));
}

// Whether a block still has what fill wrote when it was at `origin`.
inline bool intact(const void* block, size_t size, const void* origin) {
    const auto* words = static_cast<const uintptr_t*>(block);
    const auto* written_at = static_cast<const uintptr_t*>(origin);
    for (size_t i = 0; i < size / sizeof *words; i++) {
        if (words[i] != pattern(reinterpret_cast<uintptr_t>(written_at + i))) return false;
    }
    return true;
}

inline bool intact(const void* block, size_t size) {
    return intact(block, size, block);
}

inline bool aligned(const void* block, size_t align) {
    return reinterpret_cast<uintptr_t>(block) % align == 0;
}

}  // namespace demo

#endif
