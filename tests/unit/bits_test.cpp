// SPDX-License-Identifier: MIT
//
// Bits of a word, against definitions that try every bit.
#include "bits.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace slabheap {
namespace {

// Words at which mistakes show: few bits, many bits, borders, and random ones of every density.
std::vector<Word> sample_words() {
    std::vector<Word> words{1, 2, 3, all_ones, all_ones - 1, all_ones >> 1, bit(word_bits - 1)};
    std::mt19937_64 random(1);
    for (int i = 0; i < 3000; ++i) {
        Word word = static_cast<Word>(random());
        for (int j = 0; j < i % 4; ++j)
            word = i % 2 == 0 ? word & static_cast<Word>(random()) : word | static_cast<Word>(random());
        // Doubling bits makes aligned runs, which random words hardly have.
        for (unsigned k = 0; k < static_cast<unsigned>(i / 4) % word_shift; ++k) {
            Word doubled = 0;
            for (unsigned b = 0; b < word_bits / 2; ++b) {
                if ((word & bit(b)) != 0) doubled |= Word{3} << (2 * b);
            }
            word = doubled;
        }
        if (word != 0) words.push_back(word);
    }
    return words;
}

bool has_run(Word word, unsigned start, unsigned order) {
    if (start % (1u << order) != 0) return false;
    for (unsigned i = 0; i < 1u << order; ++i) {
        if ((word >> (start + i) & 1) == 0) return false;
    }
    return true;
}

TEST(Bits, LowestAndHighestBitAreTheFirstAndTheLastOne) {
    for (Word word : sample_words()) {
        unsigned low = 0, high = word_bits - 1;
        while ((word >> low & 1) == 0) ++low;
        while ((word >> high & 1) == 0) --high;
        EXPECT_EQ(low, lowest_bit(word));
        EXPECT_EQ(high, highest_bit(word));
    }
}

TEST(Bits, PopcountCountsOnes) {
    EXPECT_EQ(0u, popcount(0));
    for (Word word : sample_words()) {
        unsigned ones = 0;
        for (unsigned i = 0; i < word_bits; ++i) ones += (word & bit(i)) != 0;
        EXPECT_EQ(ones, popcount(word));
    }
}

TEST(Bits, OrderIsTheSmallestPowerOfTwoThatHoldsTheCount) {
    for (Word count = 1; count < 5000; ++count) {
        unsigned order = 0;
        while ((Word{1} << order) < count) ++order;
        EXPECT_EQ(order, order_of(count));
    }
    EXPECT_EQ(word_bits, order_of(all_ones));
}

TEST(Bits, MasksHaveTheirBitsAndNoOthers) {
    for (unsigned low = 0; low < word_bits; ++low) {
        for (unsigned high = low; high < word_bits; ++high) {
            Word const mask = bits_between(low, high);
            for (unsigned i = 0; i < word_bits; ++i) ASSERT_EQ(i >= low && i <= high, (mask >> i & 1) != 0);
        }
    }
    EXPECT_EQ(all_ones, bits_below(word_bits));
    EXPECT_EQ(0u, bits_below(0));
}

TEST(Bits, RotatingMovesEachBitDownAndRoundToTheTop) {
    for (Word word : sample_words()) {
        for (unsigned count = 1; count < word_bits; ++count) {
            Word const rotated = rotate_right(word, count);
            for (unsigned i = 0; i < word_bits; ++i) {
                ASSERT_EQ(word >> ((i + count) % word_bits) & 1, rotated >> i & 1)
                    << std::hex << word << " by " << std::dec << count << " at " << i;
            }
        }
    }
}

TEST(Bits, RunsOfAnOrderAreTheAlignedRunsOfOnes) {
    for (Word word : sample_words()) {
        for (unsigned order = 0; order <= word_shift; ++order) {
            Word const runs = runs_of_order(word, order);
            for (unsigned i = 0; i < word_bits; ++i) {
                bool const expected = i + (1u << order) <= word_bits && has_run(word, i, order);
                ASSERT_EQ(expected, (runs >> i & 1) != 0)
                    << std::hex << word << " order " << order << " at " << i;
            }
        }
    }
}

TEST(Bits, TheLargestRunIsTheHighestOrderThatHasRuns) {
    for (Word word : sample_words()) {
        unsigned order = word_shift;
        while (runs_of_order(word, order) == 0) --order;
        ASSERT_EQ(order, largest_run_order(word)) << std::hex << word;
    }
}

TEST(Bits, TheBestRunIsTheSmallestBlockThatHoldsTheOrder) {
    for (Word word : sample_words()) {
        for (unsigned order = 0; order <= largest_run_order(word); ++order) {
            unsigned const start = best_run(word, order);
            // A block: a run whose buddy is not free as a whole, so that it is not part of a larger run.
            unsigned smallest = order;
            for (;; ++smallest) {
                Word const blocks =
                    runs_of_order(word, smallest) &
                    ~(smallest < word_shift ? runs_of_order(word, smallest + 1) |
                                                  runs_of_order(word, smallest + 1) << (1u << smallest)
                                            : 0);
                if (blocks == 0) continue;
                ASSERT_NE(0u, blocks & bit(start)) << std::hex << word << " order " << order;
                ASSERT_EQ(lowest_bit(blocks), start);
                break;
            }
        }
    }
}

}  // namespace
}  // namespace slabheap
