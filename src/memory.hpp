// SPDX-License-Identifier: MIT
//
// Clearing and copying blocks. The library calls no memset and no memcpy, because a kernel may have neither;
// blocks are aligned and whole numbers of words, so both run by words, over the end of the last one if need
// be; not where that is no longer the block's.
#ifndef SLABHEAP_MEMORY_HPP
#define SLABHEAP_MEMORY_HPP

#include "defences.hpp"

namespace slabheap {

using BlockWord [[gnu::may_alias]] = Word;  // a word of memory that has its user's types

// Where words end and bytes begin.
constexpr size_t whole_words(size_t size) {
    size_t const rounded_up = defences::keep_sizes ? size : size + sizeof(Word) - 1;
    return rounded_up / sizeof(Word) * sizeof(Word);
}

inline void zero(uintptr_t address, size_t size) {
    shadow::Unseen const unseen;
    size_t i = 0;
    for (; i < whole_words(size); i += sizeof(Word)) *reinterpret_cast<BlockWord*>(address + i) = 0;
    for (; i < size; ++i) *reinterpret_cast<unsigned char*>(address + i) = 0;
}

inline void copy(uintptr_t to, uintptr_t from, size_t size) {
    shadow::Unseen const unseen;
    size_t i = 0;
    for (; i < whole_words(size); i += sizeof(Word))
        *reinterpret_cast<BlockWord*>(to + i) = *reinterpret_cast<BlockWord const*>(from + i);
    for (; i < size; ++i)
        *reinterpret_cast<unsigned char*>(to + i) = *reinterpret_cast<unsigned char const*>(from + i);
}

}  // namespace slabheap

#endif
