// SPDX-License-Identifier: MIT
//
// Init costs the same for a region of any size, counted in instructions.
#include "instruction_count.hpp"
#include "test_heap.hpp"

namespace slabheap::test {
namespace {

TEST(InitCost, IsNoMoreForAHugeRegionThanForASmallOne) {
    TestMemory small(32 * KiB);
    TestMemory huge(huge_size, 0, TestMemory::Content::untouched);
    Heap heap;
    const size_t small_cost = count_instructions([&] { heap.init(small.start(), small.size()); });
    const size_t huge_cost = count_instructions([&] { heap.init(huge.start(), huge.size()); });
    RecordProperty("instructions_small", static_cast<int>(small_cost));
    RecordProperty("instructions_huge", static_cast<int>(huge_cost));
    EXPECT_GT(small_cost, 100u) << "nothing was counted";
    EXPECT_LE(huge_cost, 5 * small_cost)
        << "the size is two million times as large, and the trees four levels high";
}

}  // namespace
}  // namespace slabheap::test
