// SPDX-License-Identifier: MIT
//
// What a defence tells of damage: the bytes that it found, no more than the block has; and that it is counted
// as any fault is. Without canaries nothing is told.
#include "defences.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "shared_test_heap.hpp"

namespace slabheap::test {
namespace {

constexpr size_t told = defences::canary ? 1 : 0;

// Writes the last bytes of a block of 2048, of which the user asked for fewer.
slab_fault damage(TestHeap& test, size_t count) {
    auto* const block = static_cast<unsigned char*>(test.heap.allocate({1999, 8}));
    for (size_t i = 2048 - count; i < 2048; ++i) block[i] = 0x77;
    test.heap.deallocate(block);
    EXPECT_EQ(told, test.faults.count());
    return told != 0 ? test.faults.take().record : slab_fault{};
}

TEST(DefencesRecord, HasTheBytesUpToTheBlocksEnd) {
    for (size_t count = 1; count <= 12; ++count) {
        TestHeap test(64 * KiB);
        const slab_fault record = damage(test, count);
        for (size_t i = 0; i < sizeof record.found; ++i)
            EXPECT_EQ(told != 0 && i < count ? 0x77 : 0, record.found[i]) << count << ": " << i;
        EXPECT_EQ(0u, record.align) << "no call gave one";
        EXPECT_EQ(told, test.stats().faults);
    }
}

TEST(DefencesRecord, IsCountedWhereCpusShareTheHeap) {
    SharedTestHeap<> test(64 * KiB, 2);
    auto* const block = static_cast<unsigned char*>(test.allocate(1999));
    block[2047] = 0x77;
    test.free(block);
    EXPECT_EQ(told, test.stats().faults);
    EXPECT_EQ(told, test.faults.count());
    if (told != 0) {
        EXPECT_EQ(SLAB_FAULT_OVERFLOW, test.faults.take().record.kind);
    }
}

}  // namespace
}  // namespace slabheap::test
