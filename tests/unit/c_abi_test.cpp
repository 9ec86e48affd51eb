// SPDX-License-Identifier: MIT
//
// The C ABI: every function does what the Heap's method of its name does, on the one heap of the process.
// Each test has a process of its own, in which that heap is as it was before init.
#include "built_defences.hpp"
#include "fault_recorder.hpp"
#include "fresh_process.hpp"
#include "test_memory.hpp"

#include <slabheap/slabheap.h>
#include <sys/mman.h>

#include <cstring>
#include <vector>

namespace slabheap::test {
namespace {

class CAbi : public ::testing::Test {
protected:
    TestMemory memory{2 * SLAB_MIN_HEAP_SIZE};
    FaultRecorder faults;

    void start() {
        slab_heap_set_fault_handler(FaultRecorder::handler);
        ASSERT_EQ(SLAB_OK, slab_heap_init(memory.start(), SLAB_MIN_HEAP_SIZE));
    }
    slab_stats stats() {
        slab_stats result;
        slab_heap_stats(&result);
        return result;
    }
    void expect_fault(const char* call, slab_fault_kind kind) {
        const RecordedFault fault = faults.take();
        EXPECT_STREQ(call, fault.record.call);
        EXPECT_EQ(kind, fault.record.kind) << fault.sentence;
        EXPECT_TRUE(tells_all(fault));
        EXPECT_NE(nullptr, fault.record.caller);
    }
};

TEST_F(CAbi, BeforeInitNothingIsThere) {
    in_fresh_process([&] {
        EXPECT_EQ(nullptr, slab_alloc(8, 8));
        EXPECT_EQ(nullptr, slab_calloc(8, 8));
        EXPECT_EQ(nullptr, slab_realloc(nullptr, 8, 8));
        EXPECT_EQ(nullptr, slab_alloc_pages(1, 4096));
        EXPECT_EQ(0, slab_owns(&memory));
        EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, slab_heap_add_memory(memory.start(), SLAB_MIN_HEAP_SIZE));
        EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, slab_heap_reserve(memory.start(), pages(1)));
        EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, slab_heap_release(memory.start(), pages(1)));
        EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, slab_heap_check());
        EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, slab_heap_audit(nullptr));
        EXPECT_EQ(0u, stats().total_bytes);
        slab_free(nullptr);
        slab_free_sized(nullptr, 8, 8);
        slab_free_pages(nullptr, 1);
    });
}

TEST_F(CAbi, BeforeInitEveryFreeIsForeign) {
    in_fresh_process([&] {
        slab_heap_set_fault_handler(FaultRecorder::handler);
        slab_free(&memory);
        expect_fault("slab_free", SLAB_FAULT_FOREIGN);
        slab_free_sized(&memory, 8, 8);
        expect_fault("slab_free_sized", SLAB_FAULT_FOREIGN);
        EXPECT_EQ(nullptr, slab_realloc(&memory, 8, 8));
        expect_fault("slab_realloc", SLAB_FAULT_FOREIGN);
        EXPECT_EQ(0u, slab_usable_size(&memory));
        expect_fault("slab_usable_size", SLAB_FAULT_FOREIGN);
        slab_free_pages(&memory, 1);
        expect_fault("slab_free_pages", SLAB_FAULT_FOREIGN);
    });
}

TEST_F(CAbi, EveryStatusOfInit) {
    in_fresh_process([&] {
        EXPECT_EQ(SLAB_ERR_RANGE, slab_heap_init(nullptr, SLAB_MIN_HEAP_SIZE));
        EXPECT_EQ(SLAB_ERR_ALIGN, slab_heap_init(memory.start() + 16, SLAB_MIN_HEAP_SIZE));
        EXPECT_EQ(SLAB_ERR_TOO_SMALL, slab_heap_init(memory.start(), pages(7)));
        EXPECT_EQ(SLAB_ERR_NOT_MULTIPLE, slab_heap_init(memory.start(), pages(9)));
        EXPECT_EQ(SLAB_ERR_RANGE, slab_heap_init(memory.start(), SIZE_MAX - SLAB_MIN_HEAP_SIZE + 1));
        EXPECT_EQ(SLAB_OK, slab_heap_init(memory.start(), SLAB_MIN_HEAP_SIZE));
        EXPECT_EQ(SLAB_ERR_ALREADY_INITIALISED, slab_heap_init(memory.start(), SLAB_MIN_HEAP_SIZE));
        EXPECT_EQ(SLAB_OK, slab_heap_check());
    });
}

TEST_F(CAbi, BlocksOfEveryKindComeAndGo) {
    in_fresh_process([&] {
        start();
        auto* block = static_cast<unsigned char*>(slab_alloc(100, 64));
        ASSERT_NE(nullptr, block);
        EXPECT_EQ(0u, address_of(block) % 64);
        EXPECT_EQ(usable(100, 128), slab_usable_size(block));
        EXPECT_EQ(1, slab_owns(block));
        EXPECT_EQ(0, slab_owns(block + 16));
        block[99] = 42;
        block = static_cast<unsigned char*>(slab_realloc(block, 5000, 64));
        ASSERT_NE(nullptr, block);
        EXPECT_EQ(42, block[99]);
        EXPECT_EQ(pages(2), stats().used_bytes);
        slab_free_sized(block, 5000, 64);
        auto* zeroed = static_cast<unsigned char*>(slab_calloc(5, 20));
        EXPECT_EQ(0, zeroed[99]);
        slab_free(zeroed);
        void* run = slab_alloc_pages(2, 8192);
        EXPECT_EQ(0u, address_of(run) % 8192);
        slab_free_pages(run, 2);
        EXPECT_EQ(0u, stats().used_bytes);
        EXPECT_EQ(SLAB_OK, slab_heap_check());
    });
}

TEST_F(CAbi, WhatIsAtHandIsHadWithoutWaiting) {
    in_fresh_process([&] {
        start();
        void* const block = slab_try_alloc(100, 64);
        ASSERT_NE(nullptr, block);
        EXPECT_EQ(0u, address_of(block) % 64);
        EXPECT_EQ(nullptr, slab_try_alloc(pages(100), 8));
        EXPECT_EQ(1u, stats().failures);
        slab_free(block);
        slab_heap_seed(12345);
        EXPECT_EQ(SLAB_OK, slab_heap_check());
    });
}

TEST_F(CAbi, SaysWhatMemoryCpusNeed) {
    EXPECT_EQ(0u, slab_cpu_memory(0));
    EXPECT_EQ(0u, slab_cpu_memory(1));
    EXPECT_NE(0u, slab_cpu_memory(2));
    EXPECT_EQ(2 * slab_cpu_memory(2), slab_cpu_memory(4));
}

TEST_F(CAbi, CallocRefusesAProductThatOverflows) {
    in_fresh_process([&] {
        start();
        size_t failures = 0;
        for (const size_t count : {SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 16 + 1}) {
            for (const size_t size : {size_t{16}, size_t{64}, SIZE_MAX / 2, SIZE_MAX}) {
                EXPECT_EQ(nullptr, slab_calloc(count, size)) << count << " * " << size;
                EXPECT_EQ(nullptr, slab_calloc(size, count));
                EXPECT_EQ(failures += 2, stats().failures);
            }
        }
        void* none = slab_calloc(0, 8);
        EXPECT_NE(nullptr, none) << "a size of 0 counts as 1";
        EXPECT_NE(nullptr, slab_calloc(8, 0));
        EXPECT_NE(nullptr, slab_calloc(0, SIZE_MAX));
        slab_free(none);
    });
}

TEST_F(CAbi, EachCallReportsItsMisuse) {
    in_fresh_process([&] {
        start();
        void* block = slab_alloc(100, 8);
        slab_free(block);
        slab_free(block);
        expect_fault("slab_free", SLAB_FAULT_DOUBLE_FREE);
        slab_free_sized(block, 100, 8);
        expect_fault("slab_free_sized", SLAB_FAULT_DOUBLE_FREE);
        EXPECT_EQ(nullptr, slab_realloc(block, 200, 8));
        expect_fault("slab_realloc", SLAB_FAULT_DOUBLE_FREE);
        EXPECT_EQ(0u, slab_usable_size(block));
        expect_fault("slab_usable_size", SLAB_FAULT_DOUBLE_FREE);
        EXPECT_EQ(0u, slab_usable_size(nullptr));
        expect_fault("slab_usable_size", SLAB_FAULT_FOREIGN);
        slab_free_pages(block, 1);
        expect_fault("slab_free_pages", SLAB_FAULT_DOUBLE_FREE);
        EXPECT_EQ(6u, stats().faults);
        EXPECT_EQ(1u, stats().frees);
        EXPECT_EQ(SLAB_OK, slab_heap_check());
    });
}

// The caller's address in the record is that of the code behind the call, for every call that can fault.
[[gnu::noinline]] int fault_from_here(int call, void* bad) {
    switch (call) {
        case 0: slab_free(bad); break;
        case 1: slab_free_sized(bad, 8, 8); break;
        case 2: return slab_realloc(bad, 8, 8) == nullptr;
        case 3: return slab_usable_size(bad) == 0;
        default: slab_free_pages(bad, 1); break;
    }
    asm volatile("");  // the call is not the function's last instruction
    return 1;
}

TEST_F(CAbi, TheCallerIsTheCodeThatMadeTheCall) {
    in_fresh_process([&] {
        start();
        for (int call = 0; call < 5; ++call) {
            EXPECT_EQ(1, fault_from_here(call, &memory));
            const uintptr_t caller = address_of(faults.take().record.caller);
            const uintptr_t function = reinterpret_cast<uintptr_t>(&fault_from_here);
            EXPECT_GT(caller, function) << call;
            EXPECT_LT(caller, function + 1024) << call;
        }
    });
}

TEST_F(CAbi, MemoryIsAddedReservedAndReleased) {
    in_fresh_process([&] {
        start();
        EXPECT_EQ(SLAB_ERR_OVERLAP, slab_heap_add_memory(memory.start(), SLAB_MIN_HEAP_SIZE));
        EXPECT_EQ(SLAB_OK, slab_heap_add_memory(memory.page(8), pages(5)));
        EXPECT_EQ(pages(11), stats().total_bytes);
        EXPECT_EQ(SLAB_OK, slab_heap_reserve(memory.page(10), pages(2)));
        EXPECT_EQ(SLAB_ERR_IN_USE, slab_heap_reserve(memory.page(10), pages(2)));
        EXPECT_EQ(pages(9), stats().total_bytes);
        EXPECT_EQ(SLAB_OK, slab_heap_release(memory.page(10), pages(2)));
        EXPECT_EQ(SLAB_ERR_RANGE, slab_heap_release(memory.page(10), pages(2)));
        slab_audit audit;
        EXPECT_EQ(SLAB_OK, slab_heap_audit(&audit));
        EXPECT_EQ(nullptr, audit.invariant);
    });
}

TEST_F(CAbi, WalkAndHooksWork) {
    in_fresh_process([&] {
        start();
        static size_t asked;
        asked = 0;
        EXPECT_EQ(nullptr, slab_heap_set_oom_hook([](size_t size, size_t) {
                      asked = size;
                      return 0;
                  }));
        EXPECT_EQ(nullptr, slab_alloc(pages(9), 8));
        EXPECT_EQ(pages(9), asked);
        EXPECT_NE(nullptr, slab_heap_set_oom_hook(nullptr));
        EXPECT_EQ(FaultRecorder::handler, slab_heap_set_fault_handler(nullptr));
        EXPECT_EQ(nullptr, slab_heap_set_fault_handler(FaultRecorder::handler));

        const std::vector<void*> blocks = {slab_alloc(64, 8), slab_alloc(1000, 8), slab_alloc(9000, 8)};
        size_t bytes = 0;
        const auto free_it = [](void* block, size_t size, void* context) {
            *static_cast<size_t*>(context) += size;
            slab_free(block);
        };
        slab_heap_walk(free_it, &bytes);
        EXPECT_EQ(64 + 1024 + pages(3), bytes);
        EXPECT_EQ(0u, stats().used_bytes);
    });
}

// Where 32 blocks lie, told by a process that has stirred a seed into its heap's numbers; 0: none.
std::vector<size_t> places_with_seed(uint64_t seed) {
    constexpr size_t count = 32;
    const size_t bytes = count * sizeof(size_t);
    void* const shared = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(MAP_FAILED, shared);
    size_t* const places = static_cast<size_t*>(shared);
    TestMemory memory{SLAB_MIN_HEAP_SIZE};
    in_fresh_process([&] {
        ASSERT_EQ(SLAB_OK, slab_heap_init(memory.start(), memory.size()));
        if (seed != 0) slab_heap_seed(seed);
        for (size_t i = 0; i < count; ++i) places[i] = address_of(slab_alloc(100, 8)) % page_size;
    });
    std::vector<size_t> result(places, places + count);
    munmap(shared, bytes);
    return result;
}

TEST(CAbiSeed, IsStirredIntoTheNumbersThatPlacementGoesBy) {
    EXPECT_EQ(!has_random, places_with_seed(0) == places_with_seed(7));
    EXPECT_EQ(!has_random, places_with_seed(7) == places_with_seed(8));
    EXPECT_EQ(places_with_seed(7), places_with_seed(7));
}

using CAbiDeathTest = CAbi;

TEST_F(CAbiDeathTest, TheDefaultHandlerTraps) {
    EXPECT_DEATH(slab_free(&memory), "");
    EXPECT_DEATH(slab_free_sized(&memory, 8, 8), "");
    EXPECT_DEATH(slab_realloc(&memory, 8, 8), "");
    EXPECT_DEATH(slab_usable_size(&memory), "");
    EXPECT_DEATH(slab_usable_size(nullptr), "");
    EXPECT_DEATH(slab_free_pages(&memory, 1), "");
}

}  // namespace
}  // namespace slabheap::test
