// SPDX-License-Identifier: MIT
//
// Bits of one machine word. Every set in the heap (free pages, live slots, free slots) is an array of such
// words, and every search ends in a count of trailing zeros. Pure functions, without state; all usable at
// compile time.
//
// popcount is spelled out because GCC calls libgcc for it where the CPU has no instruction, and kernels have
// no libgcc.
#ifndef SLABHEAP_BITS_HPP
#define SLABHEAP_BITS_HPP

#include <stddef.h>
#include <stdint.h>

namespace slabheap {

using Word = uintptr_t;

constexpr unsigned word_bits = sizeof(Word) * 8;
constexpr unsigned word_shift = word_bits == 64 ? 6 : 5;  // log2(word_bits)
constexpr Word all_ones = ~Word{0};

static_assert(Word{1} << word_shift == word_bits);
static_assert(sizeof(Word) == sizeof(unsigned long) || sizeof(Word) == sizeof(unsigned int));

// Index of the lowest set bit of a word that is not 0.
constexpr unsigned lowest_bit(Word word) {
    if constexpr (sizeof(Word) == sizeof(unsigned int)) {
        return static_cast<unsigned>(__builtin_ctz(static_cast<unsigned int>(word)));
    } else {
        return static_cast<unsigned>(__builtin_ctzl(word));
    }
}

// Index of the highest set bit of a word that is not 0: the floor of its logarithm.
constexpr unsigned highest_bit(Word word) {
    if constexpr (sizeof(Word) == sizeof(unsigned int)) {
        return static_cast<unsigned>(__builtin_clz(static_cast<unsigned int>(word))) ^ (word_bits - 1);
    } else {
        return static_cast<unsigned>(word_bits - 1) - static_cast<unsigned>(__builtin_clzl(word));
    }
}

// Smallest order with 2^order >= count, for a count that is not 0.
constexpr unsigned order_of(Word count) { return count == 1 ? 0 : highest_bit(count - 1) + 1; }

constexpr bool is_power_of_two(Word word) { return word != 0 && (word & (word - 1)) == 0; }

constexpr Word bit(unsigned index) { return Word{1} << index; }

// Where a number lies in its word of a set, and its bit there.
constexpr unsigned digit(Word number) { return static_cast<unsigned>(number % word_bits); }
constexpr Word bit_of(Word number) { return bit(digit(number)); }

// The bits below index, which may be word_bits.
constexpr Word bits_below(unsigned index) { return index == word_bits ? all_ones : bit(index) - 1; }

// The bits first ... last, both included.
constexpr Word bits_between(unsigned first, unsigned last) {
    return bits_below(last + 1) & ~bits_below(first);
}

constexpr unsigned popcount(Word word) {
    constexpr Word fives = all_ones / 3, threes = all_ones / 5, fs = all_ones / 17, ones = all_ones / 255;
    word -= (word >> 1) & fives;
    word = (word & threes) + ((word >> 2) & threes);
    word = (word + (word >> 4)) & fs;
    return static_cast<unsigned>((word * ones) >> (word_bits - 8));
}

constexpr Word rotate_right(Word word, unsigned count) {
    return (word >> count) | (word << (word_bits - count));
}

// For each order, the bits whose index is a multiple of 2^order: a table, because a division would be needed.
struct AlignedIndices {
    Word of_order[word_shift + 1];
    consteval AlignedIndices() : of_order{} {
        for (unsigned order = 0; order < word_shift; ++order)
            of_order[order] = all_ones / bits_below(1u << order);
        of_order[word_shift] = 1;
    }
};
inline constexpr AlignedIndices aligned_index_table;
constexpr Word aligned_indices(unsigned order) { return aligned_index_table.of_order[order]; }

// The starts of the aligned runs of 2^order ones: bit i is set when 2^order divides i and the 2^order bits
// from i on are all ones. These are the buddy blocks of that order, merged or not, that a word of free units
// holds.
constexpr Word runs_of_order(Word word, unsigned order) {
    for (unsigned k = 0; k < order; ++k) word &= word >> (1u << k);
    return word & aligned_indices(order);
}

// Order of the largest buddy block in a word that is not 0. Each step keeps the starts of runs of the next
// order; spelled out, its masks are constants.
constexpr unsigned largest_run_order(Word word) {
    if ((word &= (word >> 1) & (all_ones / 0x3)) == 0) return 0;
    if ((word &= (word >> 2) & (all_ones / 0xf)) == 0) return 1;
    if ((word &= (word >> 4) & (all_ones / 0xff)) == 0) return 2;
    if ((word &= (word >> 8) & (all_ones / 0xffff)) == 0) return 3;
    if ((word &= (word >> 16) & (all_ones / 0xffff'ffff)) == 0) return 4;
    return word_bits == 32 || (word & (word >> (word_bits / 2)) & 1) == 0 ? 5 : 6;
}

// Index at which the smallest buddy block of at least 2^order units starts; the word must have one.
constexpr unsigned best_run(Word word, unsigned order) {
    for (Word runs = runs_of_order(word, order);; ++order) {
        if (order == word_shift) return 0;
        Word const larger = runs & (runs >> (1u << order)) & aligned_indices(order + 1);
        // A run of the next order covers two of this one; what it does not cover is a block of exactly this
        // order.
        Word const exact = runs & ~(larger | larger << (1u << order));
        if (exact != 0) return lowest_bit(exact);
        runs = larger;
    }
}

}  // namespace slabheap

#endif
