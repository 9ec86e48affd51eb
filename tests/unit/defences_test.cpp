// SPDX-License-Identifier: MIT
//
// Defences: what happens to the content of blocks. The same tests in every build; each knows from the
// build's options what has to be, with a defence and without it. On a Heap, and on a heap that CPUs share.
#include "defences.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "heap_core.hpp"
#include "shared_test_heap.hpp"

namespace slabheap::test {
namespace {

using namespace defences;

// A Heap with the calls of SharedTestHeap.
class SingleTestHeap {
public:
    void* allocate(size_t size, size_t align = 8) { return test_.heap.allocate({size, align}); }
    void* allocate_zeroed(size_t size) { return test_.heap.allocate_zeroed({size, 8}); }
    void* allocate_pages(size_t count) { return test_.heap.allocate_pages(count); }
    void* reallocate(void* block, size_t size) { return test_.heap.reallocate(block, {size, 8}); }
    void free(void* block) { test_.heap.deallocate(block); }
    void free(void* block, size_t size) { test_.heap.deallocate(block, {size, 8}); }
    size_t usable_size(void* block) { return test_.heap.usable_size(block); }
    size_t used_bytes() { return test_.heap.used_bytes(); }
    RecordedFault fault() { return test_.faults.take(); }
    bool audits() { return test_.heap.check() == SLAB_OK; }

private:
    TestHeap test_{2 * MiB};
};

template <size_t cpus>
class CpusTestHeap {
public:
    void* allocate(size_t size, size_t align = 8) { return test_.allocate(size, align); }
    void* allocate_zeroed(size_t size) { return test_.heap.allocate_zeroed(1, {size, 8}); }
    void* allocate_pages(size_t count) { return test_.heap.allocate_pages(count); }
    void* reallocate(void* block, size_t size) { return test_.heap.reallocate(block, {size, 8}, site); }
    void free(void* block) { test_.free(block); }
    void free(void* block, size_t size) { test_.heap.deallocate(block, {size, 8}, site); }
    size_t usable_size(void* block) { return test_.heap.usable_size(block, site); }
    size_t used_bytes() { return test_.stats().used_bytes; }
    RecordedFault fault() { return test_.faults.take(); }
    bool audits() { return test_.audits(); }

private:
    SharedTestHeap<> test_{2 * MiB, cpus};
};

unsigned char* bytes(void* block) { return static_cast<unsigned char*>(block); }

bool all(void* block, size_t from, size_t to, unsigned char expected) {
    return std::all_of(bytes(block) + from, bytes(block) + to,
                       [=](unsigned char byte) { return byte == expected; });
}

// What a request of this size really gets, a shadow's red zone included.
size_t real_size(size_t size) {
    const size_t needed = size + shadow::red_zone;
    for (const size_t of_class : class_sizes) {
        if (of_class >= needed) return of_class;
    }
    return pages((needed + page_size - 1) / page_size);
}

// What is asked for to fill a block of this size.
constexpr size_t filling(size_t block_size) { return block_size - shadow::red_zone; }

template <class H>
class Defences : public ::testing::Test {
protected:
    void expect_fault(slab_fault_kind kind, void* block, size_t offset, size_t size) {
        const RecordedFault fault = heap_.fault();
        EXPECT_EQ(kind, fault.record.kind) << fault.sentence;
        EXPECT_EQ(bytes(block) + offset, fault.record.address) << fault.sentence;
        EXPECT_EQ(block, fault.record.block);
        EXPECT_EQ(size, fault.record.size);
        EXPECT_TRUE(tells_all(fault));
        EXPECT_TRUE(tracking || (fault.record.allocated_by == nullptr && fault.record.freed_by == nullptr));
    }

    // As a user of the longest run of pages would, before its free.
    void write_all_that_is_free() {
        for (size_t count = 512; count != 0; --count) {
            void* const run = heap_.allocate_pages(count);
            if (run == nullptr) continue;
            std::memset(run, 0x77, pages(count));
            heap_.free(run);
            return;
        }
    }

    // Allocates until a block that was freed is there again, whatever its quarantine and the lots are.
    void* allocate_again(void* block, size_t size) {
        for (unsigned turn = 0; turn < 10000; ++turn) {
            void* const other = heap_.allocate(size);
            if (other == block) return block;
            heap_.free(other);
        }
        ADD_FAILURE() << "the block does not come back";
        return block;
    }

    H heap_;
};

using Heaps = ::testing::Types<SingleTestHeap, CpusTestHeap<1>, CpusTestHeap<3>>;
TYPED_TEST_SUITE(Defences, Heaps);

TYPED_TEST(Defences, ABlockIsZeroedBeforeItsUserGetsItOrLeftAsItWas) {
    for (const size_t size : std::initializer_list<size_t>{1, 64, 100, 4096, 4097, 20000}) {
        void* const first = this->heap_.allocate(size);
        std::memset(first, 0x77, size);
        this->heap_.free(first);
        void* const second = this->allocate_again(first, size);
        const unsigned char expected = zero_alloc ? 0 : fill_freed ? freed_byte : 0x77;
        EXPECT_TRUE(all(second, 0, size, expected)) << size;
        this->heap_.free(second);
    }
}

TYPED_TEST(Defences, AFreedBlockIsFilledToItsEndOrLeftAsItWas) {
    for (const size_t size : std::initializer_list<size_t>{1, 64, 100, 4096, 4097, 20000}) {
        void* const block = this->heap_.allocate(size);
        const size_t usable = this->heap_.usable_size(block);
        std::memset(block, 0x77, usable);
        this->heap_.free(block);
        EXPECT_TRUE(all(block, 0, usable, fill_freed ? freed_byte : 0x77)) << size;
        if (fill_freed) {
            EXPECT_TRUE(all(block, 0, real_size(size), freed_byte)) << size;
        }
    }
}

// What is behind the end of a block's content, to the end of the block.
unsigned char behind(unsigned char otherwise) {
    return canary ? canary_byte : !fill_freed ? otherwise : zero_alloc ? 0 : freed_byte;
}

// Sizes that a block has before and after: of one slot, or of more pages and of fewer.
struct Resize {
    size_t larger, smaller;
};
constexpr Resize resizes[] = {
    {filling(128), filling(128) - 8}, {filling(pages(5)), 5000}, {filling(pages(2)), 5000}};

TYPED_TEST(Defences, WhatABlockGivesBackWhereItIsIsFilled) {
    for (const auto& [before, after] : resizes) {
        void* const block = this->heap_.allocate(before);
        std::memset(block, 0x77, before);
        ASSERT_EQ(block, this->heap_.reallocate(block, after));
        const size_t end = std::min(before, real_size(after));
        EXPECT_TRUE(all(block, 0, after, 0x77)) << before;
        EXPECT_TRUE(all(block, after, end, behind(0x77))) << before;
        EXPECT_TRUE(all(block, end, before, fill_freed ? freed_byte : 0x77)) << before;
        this->heap_.free(block);
    }
}

TYPED_TEST(Defences, WhatABlockGrowsByWhereItIsIsZeroedOrLeftAsItWas) {
    for (const auto& [after, before] : resizes) {
        this->write_all_that_is_free();
        void* const block = this->heap_.allocate(before);
        std::memset(block, 0x66, before);
        ASSERT_EQ(block, this->heap_.reallocate(block, after));
        const size_t end = std::min(after, real_size(before));
        EXPECT_TRUE(all(block, 0, before, 0x66)) << before;
        EXPECT_TRUE(all(block, before, end, zero_alloc ? 0 : behind(0x77))) << before;
        EXPECT_TRUE(all(block, end, after, zero_alloc ? 0 : fill_freed ? freed_byte : 0x77)) << before;
        this->heap_.free(block);
    }
}

TYPED_TEST(Defences, ARequestTakesTheSlotOrThePagesThatItNeeds) {
    for (size_t size = 1; size < pages(3); size += size % page_size < 4000 ? 7 : 1) {
        void* const block = this->heap_.allocate(size);
        EXPECT_EQ(real_size(size), this->heap_.used_bytes()) << size;
        this->heap_.free(block, size);
    }
}

TYPED_TEST(Defences, ABlockThatCannotGrowWhereItIsMovesAndHarmsNobody) {
    std::vector<void*> blocks;
    for (unsigned i = 0; i < 3; ++i) {
        blocks.push_back(this->heap_.allocate_pages(2));
        std::memset(blocks.back(), 0x44, pages(2));
    }
    std::sort(blocks.begin(), blocks.end());
    void* const moved = this->heap_.reallocate(blocks[0], pages(5));
    EXPECT_NE(blocks[0], moved);
    EXPECT_TRUE(all(moved, 0, pages(2), 0x44));
    EXPECT_FALSE(zero_alloc && !all(moved, pages(2), pages(5), 0));
    for (void* const other : {blocks[1], blocks[2]}) EXPECT_TRUE(all(other, 0, pages(2), 0x44));
    for (void* const block : {moved, blocks[1], blocks[2]}) this->heap_.free(block);
}

TYPED_TEST(Defences, WhatABlockGrowsByAgainIsZeroedOrAsWhatIsBehindABlock) {
    for (const auto& [after, before] : resizes) {
        for (const size_t first : {after, before + 1}) {
            void* const block = this->heap_.allocate(first);
            std::memset(block, 0x77, first);
            for (const size_t size : {before, before + 3, before + 6}) {
                ASSERT_EQ(block, this->heap_.reallocate(block, size));
            }
            if (zero_alloc && (keep_sizes || fill_freed)) {
                EXPECT_TRUE(all(block, before, before + 6, 0)) << first;
            } else if (fill_freed || canary) {
                EXPECT_TRUE(all(block, before, before + 6, behind(0))) << first;
            }
            this->heap_.free(block);
        }
    }
}

TYPED_TEST(Defences, TheSlackOfANewBlockIsZeroedToo) {
    for (const size_t size : std::initializer_list<size_t>{1, 100, 5000}) {
        this->write_all_that_is_free();
        void* const block = this->heap_.allocate(size);
        const unsigned char slack = zero_alloc && !canary ? 0 : behind(0x77);
        EXPECT_TRUE(all(block, size, real_size(size), slack)) << size;
        this->heap_.free(block);
    }
}

TYPED_TEST(Defences, AWriteAfterAFreeIsToldWhenTheSlotIsHandedOutAgain) {
    for (const size_t size : std::initializer_list<size_t>{1, 64, 100, 500, filling(page_size)}) {
        for (const size_t offset : {size_t{0}, size - 1, real_size(size) - 1}) {
            void* const block = this->heap_.allocate(size);
            this->heap_.free(block);
            bytes(block)[offset] = 0x41;
            this->allocate_again(block, size);
            if (poison) {
                this->expect_fault(SLAB_FAULT_WRITE_AFTER_FREE, block, offset, 0);
            }
            this->heap_.free(block);
        }
    }
}

TYPED_TEST(Defences, ASlotThatNeverWasHandedOutIsNotTakenForWritten) {
    for (const size_t size : class_sizes) {
        for (int i = 0; i < 50; ++i) EXPECT_NE(nullptr, this->heap_.allocate(size));
    }
    EXPECT_TRUE(this->heap_.audits());
}

TYPED_TEST(Defences, AnOverflowIsToldAtTheFreeWithItsFirstByte) {
    for (const size_t size : std::initializer_list<size_t>{1, 24, 63, 65, 1000, 2047, 4095, 4097, 12289}) {
        for (const size_t offset : {size, size + 1, real_size(size) - 1}) {
            if (offset >= real_size(size)) continue;
            void* const block = this->heap_.allocate(size);
            std::memset(block, 0x77, size);
            EXPECT_EQ(keep_sizes ? size : real_size(size), this->heap_.usable_size(block));
            bytes(block)[offset] = 0;
            this->heap_.free(block);
            if (canary) {
                this->expect_fault(SLAB_FAULT_OVERFLOW, block, offset, size);
            }
        }
    }
}

TYPED_TEST(Defences, AnOverflowIsToldWithTheBytesThatAreThere) {
    void* const block = this->heap_.allocate(100);
    std::memcpy(bytes(block) + 102, "overflow!", 9);
    this->heap_.free(block, 100);
    if (!canary) return;
    const RecordedFault fault = this->heap_.fault();
    EXPECT_EQ(0, std::memcmp("overflow", fault.record.found, 8));
    EXPECT_NE(std::string::npos, fault.sentence.find("6f766572666c6f77")) << fault.sentence;
    EXPECT_NE(std::string::npos, fault.sentence.find("102 bytes into")) << fault.sentence;
}

TYPED_TEST(Defences, WhoWritesWhatWasAskedForIsNotTold) {
    for (size_t size = 1; size < 9000; size += size < 200 ? 1 : 97) {
        void* const block = this->heap_.allocate(size);
        std::memset(block, 0x33, size);
        EXPECT_EQ(block, this->heap_.reallocate(block, size));
        this->heap_.free(block, size);
    }
}

TYPED_TEST(Defences, ReallocKeepsTheContentAndGuardsTheNewEnd) {
    const size_t sizes[] = {10, 50, 60, 70, 300, 301, 515, 4000, 4096, 9000, 5000, 40000, 8192, 200, 64, 1};
    void* block = this->heap_.allocate(1);
    bytes(block)[0] = 1;
    size_t before = 1;
    for (const size_t size : sizes) {
        block = this->heap_.reallocate(block, size);
        ASSERT_NE(nullptr, block);
        for (size_t i = 0; i < std::min(before, size); ++i) {
            ASSERT_EQ(static_cast<unsigned char>(i + 1), bytes(block)[i]) << size << " at " << i;
        }
        for (size_t i = 0; i < size; ++i) bytes(block)[i] = static_cast<unsigned char>(i + 1);
        if (canary) {
            EXPECT_EQ(size, this->heap_.usable_size(block));
        }
        before = size;
    }
    bytes(block)[1] = 7;
    this->heap_.free(block);
    if (canary) {
        this->expect_fault(SLAB_FAULT_OVERFLOW, block, 1, 1);
    }
}

TYPED_TEST(Defences, AnOverflowIsToldByReallocThatStaysInPlace) {
    void* const block = this->heap_.allocate(40);
    bytes(block)[45] = 1;
    EXPECT_EQ(block, this->heap_.reallocate(block, 44));
    if (canary) {
        this->expect_fault(SLAB_FAULT_OVERFLOW, block, 45, 40);
    }
    this->heap_.free(block);
}

TYPED_TEST(Defences, CallocZeroesAndRunsOfPagesHaveNoTail) {
    void* const dirty = this->heap_.allocate(100);
    std::memset(dirty, 0x55, 100);
    this->heap_.free(dirty);
    void* const block = this->heap_.allocate_zeroed(100);
    EXPECT_TRUE(all(block, 0, 100, 0));
    this->heap_.free(block);
    void* const run = this->heap_.allocate_pages(3);
    std::memset(run, 0x55, pages(3));
    this->heap_.free(run);
}

TYPED_TEST(Defences, ADoubleFreeIsOneAndFillsNothing) {
    for (const size_t size : std::initializer_list<size_t>{100, 9000}) {
        void* const block = this->heap_.allocate(size);
        this->heap_.free(block);
        this->heap_.free(block);
        const RecordedFault fault = this->heap_.fault();
        EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, fault.record.kind) << fault.sentence;
    }
}

struct OpenHeap : HeapCore {
    using HeapCore::resized;
};

// By another CPU, between the resize and the filling of what is behind the new end.
TEST(DefencesOfARace, ABlockThatIsFreedWhileItIsResizedIsLeftAsItIs) {
    const TestMemory memory(64 * KiB);
    const auto heap = std::make_unique<OpenHeap>();
    ASSERT_EQ(SLAB_OK, heap->init(address_of(memory.start()), memory.size()));
    for (const size_t size : {size_t{100}, size_t{5000}}) {
        void* const block = heap->prepare(heap->allocate(size, 8), size);
        heap->deallocate_slow(block, site);
        const std::vector<unsigned char> before(bytes(block), bytes(block) + size);
        heap->resized(block, size - 8, site);
        EXPECT_TRUE(std::equal(before.begin(), before.end(), bytes(block))) << size;
    }
}

TEST(DefencesOfACorruptMap, ASizeThatWasAskedForIsNoMoreThanTheBlock) {
    const TestMemory memory(64 * KiB);
    const auto heap = std::make_unique<OpenHeap>();
    ASSERT_EQ(SLAB_OK, heap->init(address_of(memory.start()), memory.size()));
    for (const size_t size : {size_t{100}, size_t{5000}}) {
        void* const block = heap->prepare(heap->allocate(size, 8), size);
        const size_t real = size < page_size ? class_for(size + shadow::red_zone) : pages(2);
        Region& region = heap->region(0);
        if (keep_sizes && size < page_size) region.requested(address_of(block)) = 0xffff;
        if (keep_sizes && size > page_size) region.requested_of_run(address_of(block)) = all_ones;
        EXPECT_EQ(real, heap->usable_size(block, site));
        heap->deallocate_slow(block, site);
        EXPECT_FALSE(heap->owns(block));
    }
}

TEST(DefencesOfALayout, ItsUserMayUseWhatWasAskedForIfACanaryIsBehindIt) {
    for (const size_t size : {1u, 100u, 4000u, 10000u}) {
        const UsableSize usable = Heap{}.usable_size({size, 8});
        EXPECT_EQ(size, usable.min);
        EXPECT_EQ(keep_sizes ? size : real_size(size), usable.max);
    }
}

TEST(GuardHooks, AreKeptWhereThereAreGuards) {
    TestHeap test(64 * KiB);
    const slab_guard_hook hook = [](void*, size_t) { return 1; };
    EXPECT_EQ(guard, test.heap.set_guard_hooks(hook, hook, 0));
}

TEST(DefencesFill, FillsAndFindsEachByteOfEachRange) {
    for (size_t start = 0; start < 20; ++start) {
        for (size_t end = start; end < 40; ++end) {
            alignas(16) unsigned char memory[48] = {};
            const uintptr_t from = reinterpret_cast<uintptr_t>(memory) + start;
            const uintptr_t to = reinterpret_cast<uintptr_t>(memory) + end;
            fill(from, to, 0xc9);
            for (size_t i = 0; i < sizeof memory; ++i) {
                ASSERT_EQ(i >= start && i < end ? 0xc9 : 0, memory[i]) << start << " " << end << " " << i;
            }
            EXPECT_EQ(0u, first_other(from, to, 0xc9));
            for (size_t i = start; i < end; ++i) {
                memory[i] = 0xc8;
                EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) + i, first_other(from, to, 0xc9));
                memory[i] = 0xc9;
            }
        }
    }
}

}  // namespace
}  // namespace slabheap::test
