// SPDX-License-Identifier: MIT
//
// See test_heap.hpp.
#include "test_heap.hpp"

namespace slabheap::test {

::testing::AssertionResult audits(const Heap& heap) {
    slab_audit found{};
    const int status = heap.audit(&found);
    if (status == SLAB_OK && found.invariant == nullptr && heap.check() == SLAB_OK) {
        return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure()
           << slab_status_string(status) << ": not true at " << found.address << ": "
           << (found.invariant == nullptr ? "(no invariant named)" : found.invariant);
}

::testing::AssertionResult same_books(const slab_stats& before, const slab_stats& after, size_t faults) {
    ::testing::AssertionResult differences = ::testing::AssertionFailure();
    bool same = true;
    const auto compare = [&](const char* field, size_t expected, size_t found) {
        if (expected != found) {
            differences << field << " is " << found << " instead of " << expected << "; ";
            same = false;
        }
    };
    compare("total_bytes", before.total_bytes, after.total_bytes);
    compare("used_bytes", before.used_bytes, after.used_bytes);
    compare("available_bytes", before.available_bytes, after.available_bytes);
    compare("metadata_bytes", before.metadata_bytes, after.metadata_bytes);
    compare("largest_free_bytes", before.largest_free_bytes, after.largest_free_bytes);
    compare("allocations", before.allocations, after.allocations);
    compare("frees", before.frees, after.frees);
    compare("failures", before.failures, after.failures);
    compare("faults", before.faults + faults, after.faults);
    compare("requested_bytes_total", before.requested_bytes_total, after.requested_bytes_total);
    compare("taken_bytes_total", before.taken_bytes_total, after.taken_bytes_total);
    compare("class_count", before.class_count, after.class_count);
    for (size_t i = 0; i < before.class_count && i < SLAB_MAX_CLASSES; ++i) {
        compare("a class's size", before.classes[i].size, after.classes[i].size);
        compare("a class's live", before.classes[i].live, after.classes[i].live);
        compare("a class's capacity", before.classes[i].capacity, after.classes[i].capacity);
        compare("a class's pages", before.classes[i].pages, after.classes[i].pages);
    }
    return same ? ::testing::AssertionSuccess() : differences;
}

const TestMemory& TestHeap::add_region(size_t size, size_t offset) {
    added_.push_back(std::make_unique<TestMemory>(size, offset));
    EXPECT_EQ(SLAB_OK, heap.add_memory(added_.back()->start(), size));
    return *added_.back();
}

std::vector<void*> TestHeap::exhaust(Layout layout) {
    std::vector<void*> blocks;
    while (void* block = heap.allocate(layout)) {
        blocks.push_back(block);
    }
    return blocks;
}

}  // namespace slabheap::test
