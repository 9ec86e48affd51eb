// SPDX-License-Identifier: MIT
//
// Damaged page maps: the audit survives whatever they hold, and notices each bit that flips where calls go by
// it. Which bits those are is foretold from the sound heap; tests/exhaustion/README.md has the rates.
//
// SLABHEAP_HEAPS says how many heaps of each shape are damaged (default 4).
#include "corruption.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace slabheap {
namespace {

using test::Corruption;
using test::Shape;
using test::worn_shapes;
using test::WornHeap;

class DamagedMap : public ::testing::TestWithParam<Shape> {
protected:
    // Calls with the heaps, each in another state.
    template <class Do>
    void for_each_heap(Do const& act) {
        char const* const text = std::getenv("SLABHEAP_HEAPS");
        unsigned const heaps = text == nullptr ? 4 : static_cast<unsigned>(std::strtoul(text, nullptr, 0));
        for (unsigned seed = 1; seed <= heaps; ++seed) {
            WornHeap worn(GetParam(), seed);
            ASSERT_TRUE(worn.is_sound());
            act(worn);
            ASSERT_EQ(SLAB_OK, worn.heap().audit(nullptr))
                << "what was damaged was not mended, or an audit wrote";
        }
    }
    // As many flips as a test has time for.
    bool is_small() const { return GetParam().page_count() <= 20; }

    void expect_no_surprise() const {
        for (Corruption::Surprise const& it : damage_.surprises) {
            ADD_FAILURE() << test::map_byte_names[static_cast<size_t>(it.kind)] << ": byte " << it.byte
                          << " bit " << it.bit << (it.noticed ? " was noticed" : " was not noticed");
        }
    }

    Corruption damage_{7};
};

TEST_P(DamagedMap, EachBitThatCountsIsMissedWhenItFlips) {
    for_each_heap(
        [&](WornHeap& worn) { is_small() ? damage_.flip_every_bit(worn) : damage_.flip_bits(worn, 2000); });
    expect_no_surprise();
    size_t noticed = 0, had_to_be = 0;
    for (Corruption::Tally const& tally : damage_.bits) {
        noticed += tally.noticed;
        had_to_be += tally.expected;
    }
    EXPECT_EQ(had_to_be, noticed);
    EXPECT_NE(0u, noticed);
}

TEST_P(DamagedMap, TheAuditSurvivesTwoBitsAndWords) {
    for_each_heap([&](WornHeap& worn) {
        damage_.flip_pairs(worn, 2000);
        damage_.overwrite_words(worn, 2000);
    });
    EXPECT_GT(damage_.pairs.noticed, damage_.pairs.done / 8);
    EXPECT_GT(damage_.words.noticed, damage_.words.done / 8);
}

INSTANTIATE_TEST_SUITE_P(Shapes, DamagedMap, ::testing::ValuesIn(worn_shapes),
                         [](auto const& shape) { return std::string(shape.param.name); });

}  // namespace
}  // namespace slabheap
