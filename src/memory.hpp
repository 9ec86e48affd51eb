// SPDX-License-Identifier: MIT
//
// Clearing and copying blocks. The library calls no memset and no memcpy, because a kernel may have neither;
// blocks are aligned and whole numbers of words, so both run by words, over the end of the last one if need
// be.
#ifndef SLABHEAP_MEMORY_HPP
#define SLABHEAP_MEMORY_HPP

#include "bits.hpp"

namespace slabheap {

using BlockWord [[gnu::may_alias]] = Word;  // a word of memory that has its user's types

inline void zero(uintptr_t address, size_t size) {
    BlockWord* const words = reinterpret_cast<BlockWord*>(address);
    for (size_t i = 0; i * sizeof(Word) < size; ++i) words[i] = 0;
}

inline void copy(uintptr_t to, uintptr_t from, size_t size) {
    BlockWord* const target = reinterpret_cast<BlockWord*>(to);
    BlockWord const* const source = reinterpret_cast<BlockWord const*>(from);
    for (size_t i = 0; i * sizeof(Word) < size; ++i) target[i] = source[i];
}

}  // namespace slabheap

#endif
