// SPDX-License-Identifier: MIT
//
// The sentences of faults, to the letter: numbers in their base, parts in brackets only if there is a block.
#include "fault_recorder.hpp"

namespace slabheap::test {
namespace {

const void* at(uintptr_t address) {
    return reinterpret_cast<const void*>(address);
}

std::string sentence(slab_fault_kind kind, uintptr_t address, uintptr_t block, size_t block_size) {
    slab_fault fault{};
    fault.kind = kind;
    fault.address = at(address);
    fault.block = at(block);
    fault.block_size = block_size;
    fault.size = 1900;
    fault.align = 80;
    fault.caller = at(0x9abcdef0);
    fault.call = "slab_free";
    return describe(fault);
}

TEST(FaultSentences, DoubleFree) {
    EXPECT_EQ("slab_free: double free of 0x1234c0: the 64-byte block at 0x1234c0 in page 0x123000 is free "
              "already; expected a live one; likely two owners, or a pointer kept after its free (called "
              "from 0x9abcdef0)",
              sentence(SLAB_FAULT_DOUBLE_FREE, 0x1234c0, 0x1234c0, 64));
}

TEST(FaultSentences, DoubleFreeOfPages) {
    EXPECT_EQ("slab_free: double free of 0x123000: the large block of 20480 bytes at 0x123000 is free "
              "already; expected a live one; likely two owners, or a pointer kept after its free (called "
              "from 0x9abcdef0)",
              sentence(SLAB_FAULT_DOUBLE_FREE, 0x123000, 0x123000, 20480));
}

TEST(FaultSentences, ABlockOfAPageIsNotLarge) {
    EXPECT_EQ("slab_free: double free of 0x123000: the 4096-byte block at 0x123000 in page 0x123000 is free "
              "already; expected a live one; likely two owners, or a pointer kept after its free (called "
              "from 0x9abcdef0)",
              sentence(SLAB_FAULT_DOUBLE_FREE, 0x123000, 0x123000, 4096));
}

TEST(FaultSentences, Interior) {
    EXPECT_EQ("slab_free: interior pointer 0x123ff0: 2032 bytes into the 2048-byte block at 0x123800 in page "
              "0x123000; expected its start; likely a pointer moved since the allocation (called from "
              "0x9abcdef0)",
              sentence(SLAB_FAULT_INTERIOR, 0x123ff0, 0x123800, 2048));
}

TEST(FaultSentences, Misaligned) {
    EXPECT_EQ("slab_free: misaligned pointer 0x123809: not a multiple of 16, as every block is, but 9 bytes "
              "into the 2048-byte block at 0x123800 in page 0x123000; likely a pointer moved or overwritten "
              "since the allocation (called from 0x9abcdef0)",
              sentence(SLAB_FAULT_MISALIGNED, 0x123809, 0x123800, 2048));
}

TEST(FaultSentences, MisalignedInNoBlock) {
    EXPECT_EQ("slab_free: misaligned pointer 0x123809: not a multiple of 16, as every block is; likely a "
              "pointer moved or overwritten since the allocation (called from 0x9abcdef0)",
              sentence(SLAB_FAULT_MISALIGNED, 0x123809, 0, 0));
}

TEST(FaultSentences, WrongSize) {
    EXPECT_EQ("slab_free: wrong size for 0x123800: 1900 bytes aligned to 80 cannot have been given the "
              "64-byte block at 0x123800 in page 0x123000; expected what it was allocated with; likely "
              "another type or length (called from 0x9abcdef0)",
              sentence(SLAB_FAULT_WRONG_SIZE, 0x123800, 0x123800, 64));
}

TEST(FaultSentences, NeverAllocated) {
    EXPECT_EQ("slab_free: never allocated: 0x123810 is in the heap, but no block was handed out there; it is "
              "16 bytes into the 64-byte block at 0x123800 in page 0x123000, which is free; expected a live "
              "block's start; likely a computed or uninitialised pointer (called from 0x9abcdef0)",
              sentence(SLAB_FAULT_NEVER_ALLOCATED, 0x123810, 0x123800, 64));
    EXPECT_EQ("slab_free: never allocated: 0x123810 is in the heap, but no block was handed out there; "
              "expected a live block's start; likely a computed or uninitialised pointer (called from "
              "0x9abcdef0)",
              sentence(SLAB_FAULT_NEVER_ALLOCATED, 0x123810, 0, 0));
}

TEST(FaultSentences, WithoutACall) {
    slab_fault fault{};
    fault.kind = SLAB_FAULT_CORRUPT;
    fault.address = at(0x123000);
    EXPECT_EQ("slabheap: page map corrupt at 0x123000; likely a stray write below a region's first page "
              "(called from 0x0)",
              describe(fault));
}

}  // namespace
}  // namespace slabheap::test
