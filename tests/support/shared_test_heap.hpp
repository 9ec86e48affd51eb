// SPDX-License-Identifier: MIT
//
// A heap for the CPUs that a test plays (test_cpu.hpp), with its memory and a recorder for its faults.
// Neither hook nor handler may find the lock held. When the heap goes out of scope the lock is free, every
// call has ended, and the heap passes its own audit.
#ifndef SLABHEAP_TESTS_SHARED_TEST_HEAP_HPP
#define SLABHEAP_TESTS_SHARED_TEST_HEAP_HPP

#include "class_set.hpp"
#include "fault_recorder.hpp"
#include "test_cpu.hpp"
#include "test_heap.hpp"

#include <algorithm>
#include <map>

namespace slabheap::test {

inline constexpr CallSite site{"test_call", nullptr};

template <class Core = CpuHeapState, class Cpu = TestCpu>
class SharedTestHeap {
public:
    explicit SharedTestHeap(size_t size, size_t cpus = 1)
        : memory(size), fronts(cpu_memory(cpus) + page_size, 0, TestMemory::Content::all_ones) {
        machine = {};
        heap.set_fault_handler(handler);
        EXPECT_EQ(SLAB_OK, heap.init(memory.start(), memory.size()));
        if (cpus > 1) {
            EXPECT_EQ(SLAB_OK, heap.set_cpus(cpus, fronts.start(), cpu_memory(cpus)));
        }
        machine.holds = machine.waits = machine.asked_context = machine.tries_among_cpus = 0;
    }
    ~SharedTestHeap() {
        EXPECT_EQ(0u, machine.begun) << "a call has not ended";
        EXPECT_FALSE(machine.is_held) << "a call has kept the lock";
        machine = {};
        EXPECT_TRUE(audits());
        const auto is_guard = [](std::byte byte) { return byte == std::byte{0xff}; };
        EXPECT_TRUE(std::all_of(fronts.end() - page_size, fronts.end(), is_guard))
            << "behind the CPUs' memory";
    }
    SharedTestHeap(const SharedTestHeap&) = delete;
    SharedTestHeap& operator=(const SharedTestHeap&) = delete;

    void* allocate(size_t size, size_t align = 8) { return heap.allocate({size, align}); }
    void* try_allocate(size_t size, size_t align = 8) { return heap.try_allocate({size, align}); }
    void free(void* block) { heap.deallocate(block, site); }

    // Blocks of one size until there are no more.
    std::vector<void*> exhaust(size_t size) {
        std::vector<void*> blocks;
        while (void* block = allocate(size)) blocks.push_back(block);
        return blocks;
    }
    void free_all(std::vector<void*>& blocks) {
        for (void* block : blocks) free(block);
        blocks.clear();
    }

    slab_stats stats() {
        slab_stats result;
        heap.stats(result);
        return result;
    }
    slab_class_stats class_stats(size_t size) {
        const slab_stats now = stats();
        for (const slab_class_stats& row : now.classes) {
            if (row.size == class_for(size)) return row;
        }
        return {};
    }
    size_t failures() { return stats().failures; }
    ::testing::AssertionResult audits() {
        slab_audit found{};
        if (heap.audit(&found) == SLAB_OK && found.invariant == nullptr) return ::testing::AssertionSuccess();
        return ::testing::AssertionFailure() << "not true at " << found.address << ": "
                                             << (found.invariant ? found.invariant : "(nothing named)");
    }
    void expect_fault(slab_fault_kind kind, const void* address) {
        const RecordedFault fault = faults.take();
        EXPECT_EQ(kind, fault.record.kind) << fault.sentence;
        EXPECT_EQ(address, fault.record.address);
        EXPECT_STREQ(site.call, fault.record.call);
        EXPECT_TRUE(tells_all(fault));
    }

    TestMemory memory;
    TestMemory fronts;
    FaultRecorder faults;
    SharedHeap<Cpu, TestLock, Core> heap;

private:
    static void handler(const slab_fault* fault) {
        EXPECT_FALSE(machine.is_held) << "the fault handler runs with the lock held";
        FaultRecorder::handler(fault);
    }
};

}  // namespace slabheap::test

#endif
