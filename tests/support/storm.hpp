// SPDX-License-Identifier: MIT
//
// A storm of threads on the C ABI: in a process of its own, and afterwards nothing may be missing. The books
// balance with the test's own count, the audit passes, and all memory is one run of pages again.
#ifndef SLABHEAP_TESTS_STORM_HPP
#define SLABHEAP_TESTS_STORM_HPP

#include "fault_recorder.hpp"
#include "fresh_process.hpp"
#include "test_memory.hpp"
#include "threads.hpp"

namespace slabheap::test {

class Storm : public ::testing::Test {
protected:
    // Of each thread.
    static constexpr size_t steps = under_thread_sanitizer ? 5000 : 20000;

    // The storm runs in a process of its own, whose heap then must be as it was.
    template <class Storm>
    void weather(size_t size, Storm storm) {
        TestMemory memory(size);
        in_fresh_process([&] {
            slab_heap_set_fault_handler(
                [](const slab_fault* fault) { ADD_FAILURE() << "a fault: " << describe(*fault); });
            ASSERT_EQ(SLAB_OK, slab_heap_init(memory.start(), memory.size()));
            storm();
            expect_all_back();
        });
    }

    static slab_stats stats() {
        slab_stats result;
        slab_heap_stats(&result);
        return result;
    }

    static void expect_all_back() {
        slab_audit found{};
        EXPECT_EQ(SLAB_OK, slab_heap_audit(&found)) << found.invariant << " at " << found.address;
        const slab_stats now = stats();
        EXPECT_EQ(0u, now.used_bytes);
        EXPECT_EQ(now.allocations, now.frees);
        EXPECT_EQ(allocated, now.allocations);
        for (const slab_class_stats& row : now.classes) EXPECT_EQ(0u, row.live) << row.size;
        void* all = slab_alloc_pages(now.total_bytes / page_size, page_size);
        EXPECT_NE(nullptr, all) << "a page is stranded";
        slab_free(all);
        EXPECT_EQ(SLAB_OK, slab_heap_check());
    }

    // What the tests allocate, by their own count.
    static inline std::atomic<size_t> allocated = 0;

    static void* allocate(size_t size, uint64_t pattern) {
        void* const block = stamped_alloc(size, pattern);
        if (block != nullptr) ++allocated;
        return block;
    }

    // Mostly small, now and then some pages.
    static size_t random_size(Random& random) {
        const size_t kind = random.below(32);
        if (kind == 0) return page_size + random.below(3 * page_size);
        if (kind < 4) return sizeof(Stamp) + random.below(page_size - sizeof(Stamp));
        return sizeof(Stamp) + random.below(512);
    }
};

}  // namespace slabheap::test

#endif
