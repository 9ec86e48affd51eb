// SPDX-License-Identifier: MIT
//
// A byte that is changed in its word, as on machines that have no instruction for a byte.
#include "atomic.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace slabheap {
namespace {

struct alignas(sizeof(Word)) Bytes {
    uint8_t of[3 * sizeof(Word)];
};

class ByteInAWord : public ::testing::Test {
protected:
    ByteInAWord() { std::memset(bytes_.of, 0x5a, sizeof bytes_.of); }

    // Is this byte the value, and any other as it was?
    bool is_only(size_t index, uint8_t value) const {
        for (size_t i = 0; i < sizeof bytes_.of; ++i) {
            if (bytes_.of[i] != (i == index ? value : 0x5a)) return false;
        }
        return true;
    }

    Bytes bytes_{};
};

TEST_F(ByteInAWord, ChangesAloneWhereverItLies) {
    for (size_t i = 0; i < sizeof bytes_.of; ++i) {
        uint8_t expected = 0x5a;
        EXPECT_TRUE(atomic::compare_exchange_in_word(bytes_.of[i], expected, 0xe7, atomic::relaxed));
        EXPECT_TRUE(is_only(i, 0xe7)) << i;
        EXPECT_EQ(0x5a, expected);
        bytes_.of[i] = 0x5a;
    }
}

TEST_F(ByteInAWord, StaysWhenItIsAnotherAndTellsWhich) {
    for (size_t i = 0; i < sizeof bytes_.of; ++i) {
        bytes_.of[i] = 0x11;
        uint8_t expected = 0x5a;
        EXPECT_FALSE(atomic::compare_exchange_in_word(bytes_.of[i], expected, 0xe7, atomic::relaxed));
        EXPECT_TRUE(is_only(i, 0x11)) << i;
        EXPECT_EQ(0x11, expected);
        bytes_.of[i] = 0x5a;
    }
}

}  // namespace
}  // namespace slabheap
