// SPDX-License-Identifier: MIT
//
// Placement: which slot a request gets. Usually the one freed last, else the lowest; with a quarantine none
// that was freed lately; at random one that is drawn. The same tests in every build; each knows from the
// build's options what has to be. On a Heap, and on heaps that CPUs share.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "page_map.hpp"
#include "random.hpp"
#include "shared_test_heap.hpp"
#include "slab.hpp"

namespace slabheap::test {
namespace {

class SingleHeap {
public:
    explicit SingleHeap(size_t size) : test_(size) {}

    void* allocate(size_t size) { return test_.heap.allocate({size, 8}); }
    void free(void* block) { test_.heap.deallocate(block); }
    void seed(uint64_t entropy) { test_.heap.seed(entropy); }
    void add_region(size_t size) { test_.add_region(size); }
    RecordedFault fault() { return test_.faults.take(); }
    bool audits() { return test_.heap.check() == SLAB_OK; }

private:
    TestHeap test_;
};

template <size_t cpus>
class CpusHeap {
public:
    explicit CpusHeap(size_t size) : test_(size, cpus) {}

    void* allocate(size_t size) { return test_.allocate(size); }
    void free(void* block) { test_.free(block); }
    void seed(uint64_t entropy) { test_.heap.seed(entropy); }
    void add_region(size_t size) {
        more_.push_back(std::make_unique<TestMemory>(size));
        ASSERT_EQ(SLAB_OK, test_.heap.add_memory(more_.back()->start(), size));
    }
    RecordedFault fault() { return test_.faults.take(); }
    ::testing::AssertionResult audits() { return test_.audits(); }

private:
    std::vector<std::unique_ptr<TestMemory>> more_;
    SharedTestHeap<> test_;
};

template <class H>
class Placement : public ::testing::Test {
protected:
    static constexpr size_t size = 100;

    std::vector<void*> allocate(H& heap, size_t count) {
        std::vector<void*> blocks(count);
        for (void*& block : blocks) block = heap.allocate(size);
        return blocks;
    }
    static void free_all(H& heap, const std::vector<void*>& blocks) {
        for (void* block : blocks) heap.free(block);
    }

    // Frees and allocates for a while: between two uses of a slot there are never fewer frees than there have
    // to be. Returns the least.
    size_t least_frees_between(H& heap, std::vector<void*>& blocks) {
        std::map<void*, size_t> freed_at;
        size_t frees = 0, least = SIZE_MAX;
        Random random(1);
        for (unsigned step = 0; step < 5000; ++step) {
            std::swap(blocks[random.below(blocks.size())], blocks.back());
            heap.free(blocks.back());
            freed_at[blocks.back()] = frees++;
            blocks.back() = heap.allocate(size);
            const auto before = freed_at.find(blocks.back());
            if (before != freed_at.end()) least = std::min(least, frees - 1 - before->second);
        }
        return least;
    }

    H heap_{2 * MiB};
};

using Heaps = ::testing::Types<SingleHeap, CpusHeap<1>, CpusHeap<3>>;
TYPED_TEST_SUITE(Placement, Heaps);

TYPED_TEST(Placement, AFreedSlotStaysAwayAsLongAsItsQuarantine) {
    auto blocks = this->allocate(this->heap_, 300);
    EXPECT_EQ(defences::quarantine, this->least_frees_between(this->heap_, blocks));
    this->free_all(this->heap_, blocks);
}

TYPED_TEST(Placement, SoDoesASlotOfARegionThatIsNotThePrimaryOne) {
    TypeParam heap(128 * KiB);
    heap.add_region(64 * KiB);
    std::vector<void*> blocks;
    while (void* const block = heap.allocate(this->size)) blocks.push_back(block);
    for (unsigned i = 0; i < 150; ++i) {  // less than the smaller region holds
        heap.free(blocks.back());
        blocks.pop_back();
    }
    EXPECT_EQ(defences::quarantine, this->least_frees_between(heap, blocks));
    this->free_all(heap, blocks);
}

TYPED_TEST(Placement, AQuarantineIsGivenUpBeforeARequestFails) {
    TypeParam heap(64 * KiB);
    std::vector<void*> blocks;
    while (void* const block = heap.allocate(this->size)) blocks.push_back(block);
    const std::set<void*> all(blocks.begin(), blocks.end());
    for (unsigned turn = 0; turn < 3; ++turn) {
        this->free_all(heap, blocks);
        blocks = this->allocate(heap, blocks.size());
        EXPECT_EQ(all, std::set<void*>(blocks.begin(), blocks.end()));
        EXPECT_TRUE(heap.audits());
    }
    this->free_all(heap, blocks);
}

TYPED_TEST(Placement, FreshSlotsAreHandedOutInTheirOrderOrAtRandom) {
    const auto blocks = this->allocate(this->heap_, 32);  // one slab
    EXPECT_EQ(!defences::random, std::is_sorted(blocks.begin(), blocks.end()));
    EXPECT_EQ(32u, std::set<void*>(blocks.begin(), blocks.end()).size());
    this->free_all(this->heap_, blocks);
}

TYPED_TEST(Placement, OfSlotsFreedLatelyTheLastIsHandedOutFirstOrOneAtRandom) {
    if (defences::quarantine != 0) return;  // the first test says what is then
    auto blocks = this->allocate(this->heap_, 40);
    this->free_all(this->heap_, blocks);
    std::reverse(blocks.begin(), blocks.end());
    blocks.resize(20);
    const auto again = this->allocate(this->heap_, 20);
    EXPECT_EQ(!defences::random, blocks == again);
    this->free_all(this->heap_, again);
}

// Where the n-th of so many blocks lies, from the lowest one on.
std::vector<size_t> places(const std::vector<void*>& blocks) {
    const uintptr_t lowest = address_of(*std::min_element(blocks.begin(), blocks.end()));
    std::vector<size_t> result;
    for (const void* block : blocks) result.push_back(address_of(block) - lowest);
    return result;
}

TYPED_TEST(Placement, IsAnotherWithAnotherSeedAndTheSameWithTheSame) {
    std::vector<std::vector<size_t>> of_seed;
    for (const uint64_t seed : {uint64_t{1}, uint64_t{2}, uint64_t{1}, uint64_t{1} << 40}) {
        TypeParam heap(128 * KiB);
        heap.seed(seed);
        const auto blocks = this->allocate(heap, 64);
        of_seed.push_back(places(blocks));
        this->free_all(heap, blocks);
    }
    EXPECT_EQ(of_seed[0], of_seed[2]);
    EXPECT_EQ(!defences::random, of_seed[0] == of_seed[1]);
    EXPECT_EQ(!defences::random, of_seed[0] == of_seed[3]);
}

// Where the blocks lie that a CPU gets, each from the start of its page.
std::vector<size_t> places_on_cpu(SharedTestHeap<>& test, unsigned cpu) {
    machine.cpu = cpu;
    std::vector<size_t> result;
    for (unsigned i = 0; i < 32; ++i) result.push_back(address_of(test.allocate(100)) % page_size);
    machine.cpu = 0;
    return result;
}

TEST(PlacementOnCpus, IsAnotherOnEachCpu) {
    SharedTestHeap<> test(256 * KiB, 3);
    test.heap.seed(7);
    const auto first = places_on_cpu(test, 0), second = places_on_cpu(test, 1),
               third = places_on_cpu(test, 2);
    EXPECT_EQ(!defences::random, first == second);
    EXPECT_EQ(!defences::random, first == third);
    EXPECT_EQ(!defences::random, second == third);
}

// What was stirred in before there were several CPUs is not lost.
TEST(PlacementOnCpus, GoesByASeedThatCameBeforeThem) {
    std::vector<std::vector<size_t>> of_seed;
    for (const uint64_t seed : {uint64_t{1}, uint64_t{2}}) {
        TestMemory fronts(cpu_memory(2));
        SharedTestHeap<> test(256 * KiB);
        test.heap.seed(seed);
        ASSERT_EQ(SLAB_OK, test.heap.set_cpus(2, fronts.start(), cpu_memory(2)));
        of_seed.push_back(places_on_cpu(test, 1));
    }
    EXPECT_EQ(!defences::random, of_seed[0] == of_seed[1]);
}

TEST(PlacementNumbers, AreMarsaglias) {
    const Word one = Random(1).below(1) + 1;  // computed when it runs
    EXPECT_EQ(word_bits == 64 ? Word{1082269761} : Word{270369}, next_random(one));
    EXPECT_EQ(static_cast<Word>(word_bits == 64 ? 1152992998833853505 : 67634689),
              next_random(next_random(one)));
}

// As computed by other means.
TEST(PlacementNumbers, AreStirredForEachCpuIntoWhatIsNotZero) {
    struct Row {
        Word number;
        uint64_t entropy;
        Word cpu;
        uint64_t of_64_bits;
        uint32_t of_32_bits;
    };
    for (const Row& row : {Row{1, 0x0123456789abcdef, 0, 0xc09c9296dd09f594, 0xf7b7744a},
                           Row{1, 0x0123456789abcdef, 3, 0x3d3ba8dcc13cbbdc, 0x5ee7005c},
                           Row{1, 1, 0, 0x2ef4f79f8978177e, 0xcb682814},
                           Row{0x55555555, 0xffffffff00000000, 1, 0x526e7f4a29b97143, 0x56d5ddf8}}) {
        EXPECT_EQ(static_cast<Word>(word_bits == 64 ? row.of_64_bits : row.of_32_bits),
                  stir(row.number, row.entropy, row.cpu))
            << row.entropy << " on " << row.cpu;
    }
}

TYPED_TEST(Placement, ASeedThatTurnsTheNumbersToZeroStillDraws) {
    TypeParam heap(128 * KiB);
    heap.seed(1);  // the number that each CPU's generator starts from
    const auto blocks = this->allocate(heap, 32);
    EXPECT_EQ(!defences::random, std::is_sorted(blocks.begin(), blocks.end()));
    this->free_all(heap, blocks);
}

// Seeds draw each slot of a fresh slab about as often: 50 times of 1,600, give or take 30.
TYPED_TEST(Placement, EachSlotIsDrawnAboutAsOften) {
    std::map<size_t, unsigned> first;
    for (unsigned seed = 0; seed < 1600; ++seed) {
        TypeParam heap(SLAB_MIN_HEAP_SIZE);
        heap.seed(seed);
        void* const block = heap.allocate(this->size);
        ++first[address_of(block) % page_size];
        heap.free(block);
    }
    if (!defences::random) {
        EXPECT_EQ(1u, first.size());
        return;
    }
    EXPECT_EQ(32u, first.size());
    for (const auto& [place, count] : first) EXPECT_NEAR(50, count, 30) << place;
}

TYPED_TEST(Placement, WhatNeverWasHandedOutIsToldFromWhatIsFree) {
    const auto blocks = this->allocate(this->heap_, 10);
    const uintptr_t slab = address_of(blocks[0]) & ~(page_size - 1);
    for (unsigned slot = 0; slot < 32; ++slot) {
        void* const address = reinterpret_cast<void*>(slab + slot * 128);
        if (std::find(blocks.begin(), blocks.end(), address) != blocks.end()) continue;
        this->heap_.free(address);
        EXPECT_EQ(SLAB_FAULT_NEVER_ALLOCATED, this->heap_.fault().record.kind) << slot;
    }
    this->free_all(this->heap_, blocks);
    for (void* block : blocks) {
        this->heap_.free(block);
        EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, this->heap_.fault().record.kind);
    }
}

}  // namespace
}  // namespace slabheap::test
