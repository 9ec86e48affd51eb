// SPDX-License-Identifier: MIT
//
// Tracking: a fault says who allocated the block that it is about, or who freed it. In an archive without
// that defence it says nothing. On heaps that CPUs share, where the test says who calls, and on a Heap.
#include <gtest/gtest.h>

#include "defences.hpp"
#include "shared_test_heap.hpp"

namespace slabheap::test {
namespace {

using defences::tracking;

const void* who(uintptr_t number) { return reinterpret_cast<const void*>(number); }
const void* const alice = who(0xa11ce);
const void* const bob = who(0xb0b);
const void* const carol = who(0xca401);

class Tracking : public ::testing::TestWithParam<std::tuple<size_t, size_t>> {
protected:
    static size_t size() { return std::get<1>(GetParam()); }
    static CallSite by(const void* caller) { return {"test_call", caller}; }

    void* allocate(const void* caller) { return test_.heap.noted(test_.allocate(size()), by(caller)); }
    void free(void* block, const void* caller) { test_.heap.deallocate(block, by(caller)); }
    void* resize(void* block, size_t size, const void* caller) {
        return test_.heap.noted(test_.heap.reallocate(block, {size, 8}, by(caller)), by(caller));
    }

    void expect_fault(slab_fault_kind kind, const void* allocated_by, const void* freed_by) {
        const RecordedFault fault = test_.faults.take();
        EXPECT_EQ(kind, fault.record.kind) << fault.sentence;
        EXPECT_EQ(tracking ? allocated_by : nullptr, fault.record.allocated_by) << fault.sentence;
        EXPECT_EQ(tracking ? freed_by : nullptr, fault.record.freed_by) << fault.sentence;
        EXPECT_EQ(tracking && allocated_by != nullptr,
                  fault.sentence.find(", allocated by 0xa11ce") != std::string::npos)
            << fault.sentence;
        EXPECT_EQ(tracking && freed_by != nullptr,
                  fault.sentence.find(", freed by 0xb0b") != std::string::npos)
            << fault.sentence;
    }

    SharedTestHeap<> test_{4 * MiB, std::get<0>(GetParam())};
};

TEST_P(Tracking, ADoubleFreeSaysWhoWasFirst) {
    void* const block = allocate(alice);
    free(block, bob);
    free(block, carol);
    expect_fault(SLAB_FAULT_DOUBLE_FREE, nullptr, bob);
}

TEST_P(Tracking, AnInteriorPointerAndAWrongSizeSayWhoAllocatedTheBlock) {
    void* const block = allocate(alice);
    free(static_cast<char*>(block) + 32, carol);
    expect_fault(SLAB_FAULT_INTERIOR, alice, nullptr);
    test_.heap.deallocate(block, {size() * 4, 8}, by(carol));
    expect_fault(SLAB_FAULT_WRONG_SIZE, alice, nullptr);
    free(block, bob);
}

TEST_P(Tracking, WhoResizesABlockIsItsOwnerInPlaceAndElsewhere) {
    void* const block = allocate(carol);
    ASSERT_EQ(block, resize(block, size() - 1, alice));
    free(static_cast<char*>(block) + 16, carol);
    expect_fault(SLAB_FAULT_INTERIOR, alice, nullptr);
    void* const barrier = test_.allocate(size());
    void* const moved = resize(block, 100 * size(), alice);
    ASSERT_NE(block, moved);
    free(static_cast<char*>(moved) + 16, carol);
    expect_fault(SLAB_FAULT_INTERIOR, alice, nullptr);
    free(barrier, bob);
    free(moved, bob);
}

TEST_P(Tracking, AResizeThatMovedSaysWhoFreedTheOldPlace) {
    void* const block = allocate(alice);
    void* const barrier = test_.allocate(size());
    void* const moved = resize(block, 100 * size(), bob);
    ASSERT_NE(block, moved);
    free(block, carol);
    expect_fault(SLAB_FAULT_DOUBLE_FREE, nullptr, bob);
    free(barrier, bob);
    free(moved, bob);
}

TEST_P(Tracking, WhatHasNoOwnerSaysNone) {
    void* const block = test_.allocate(size());  // nobody noted who
    free(static_cast<char*>(block) + 32, carol);
    expect_fault(SLAB_FAULT_INTERIOR, nullptr, nullptr);
    free(block, bob);
    int on_stack = 0;
    free(&on_stack, carol);
    expect_fault(SLAB_FAULT_FOREIGN, nullptr, nullptr);
    EXPECT_EQ(nullptr, test_.heap.noted(nullptr, by(alice)));
}

TEST_P(Tracking, AnOverflowSaysWhoAllocated) {
    if (!defences::canary || size() > 4096) return;  // nothing is told then
    auto* const block = static_cast<unsigned char*>(allocate(alice));
    block[size()] = 0;
    free(block, bob);
    expect_fault(SLAB_FAULT_OVERFLOW, alice, nullptr);
}

TEST_P(Tracking, AWriteAfterFreeSaysWhoFreed) {
    if (!defences::poison || size() > 4096) return;  // nothing is told then
    auto* const block = static_cast<unsigned char*>(allocate(alice));
    free(block, bob);
    block[0] = 0;
    std::vector<void*> others;
    while (others.empty() || others.back() != block) others.push_back(test_.allocate(size()));
    expect_fault(SLAB_FAULT_WRITE_AFTER_FREE, nullptr, bob);
    test_.free_all(others);
}

// A slot that nobody has freed yet was freed by nobody, whatever had the page before.
TEST_P(Tracking, AWriteToAFreshSlotSaysNobody) {
    if (!defences::poison || size() > 4096) return;  // nothing is told then
    const size_t all = test_.stats().total_bytes / page_size;
    void* run = nullptr;
    for (size_t count = all; run == nullptr; --count) run = test_.heap.allocate_pages(count);
    free(run, bob);
    auto* const block = static_cast<unsigned char*>(allocate(alice));
    const uintptr_t page = address_of(block) & ~(page_size - 1);
    for (uintptr_t at = page; at < page + page_size; at += 16) {
        if (at < address_of(block) || at >= address_of(block) + size() + 128)
            *reinterpret_cast<unsigned char*>(at) = 0;
    }
    void* const other = test_.allocate(size());
    ASSERT_EQ(page, address_of(other) & ~(page_size - 1));
    expect_fault(SLAB_FAULT_WRITE_AFTER_FREE, nullptr, nullptr);
    test_.free(block);
    test_.free(other);
}

INSTANTIATE_TEST_SUITE_P(Blocks, Tracking,
                         ::testing::Combine(::testing::Values(1, 3), ::testing::Values(100, 1000, 10000)));

[[gnu::noinline]] void* allocate_here(Heap& heap, volatile int& done) {
    void* const block = heap.allocate({100, 8});
    done = 1;
    return block;
}
[[gnu::noinline]] void free_here(Heap& heap, void* block, volatile int& done) {
    heap.deallocate(block);
    done = 2;
}

// Is the address that of code of this function?
bool is_in(const void* address, uintptr_t function) { return address_of(address) - function - 1 < 512; }

TEST(TrackingOnAHeap, TheAddressesAreThoseOfTheCodeBehindTheCalls) {
    TestHeap test(MiB);
    volatile int done = 0;
    void* const block = allocate_here(test.heap, done);
    test.heap.deallocate(static_cast<char*>(block) + 32);
    const RecordedFault interior = test.faults.take();
    EXPECT_EQ(tracking, is_in(interior.record.allocated_by, reinterpret_cast<uintptr_t>(&allocate_here)));
    free_here(test.heap, block, done);
    test.heap.deallocate(block);
    const RecordedFault twice = test.faults.take();
    EXPECT_EQ(tracking, is_in(twice.record.freed_by, reinterpret_cast<uintptr_t>(&free_here)));
    EXPECT_EQ(nullptr, twice.record.allocated_by);
}

}  // namespace
}  // namespace slabheap::test
