// SPDX-License-Identifier: MIT
//
// Slabs with a region of their own, of which a test takes and frees slots.
#ifndef SLABHEAP_TESTS_TEST_SLABS_HPP
#define SLABHEAP_TESTS_TEST_SLABS_HPP

#include "slab.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "test_memory.hpp"

namespace slabheap::test {

class SlabTest : public ::testing::Test {
protected:
    // The heap's pages, and more that it does not have yet.
    explicit SlabTest(size_t pages = 140, size_t more = 0)
        : pages_(pages), memory_(test::pages(pages + more)) {
        start();
    }
    // Empty, and the whole map known: until that is so, it grows with each call for pages.
    void start() {
        slabs_ = {};
        slabs_.set_up();
        EXPECT_EQ(SLAB_OK, slabs_.add_region(address_of(memory_.start()), test::pages(pages_)));
        Region& region = slabs_.region(0);
        while (!region.knows_all()) slabs_.free_run(region, slabs_.allocate_run(1, 1) >> page_shift);
    }
    // Frees a slot that must be live.
    void free(unsigned size_class, uintptr_t address) {
        PageView const* const view = slabs_.view_of(address);
        ASSERT_NE(nullptr, view);
        ASSERT_EQ(1, view->live(address));
        slabs_.put_slot(size_class, address);
    }
    std::vector<uintptr_t> take(unsigned size_class, size_t count) {
        std::vector<uintptr_t> slots;
        for (size_t i = 0; i < count; ++i) slots.push_back(slabs_.take_slot(size_class, 1));
        return slots;
    }

    // Slots as they were handed out, or, where they are drawn at random, in order.
    static std::vector<uintptr_t> in_order(std::vector<uintptr_t> slots) {
        if (defences::random) std::sort(slots.begin(), slots.end());
        return slots;
    }

    // Is the slot in the pool of its slab?
    bool is_pooled(unsigned size_class, uintptr_t address) const {
        unsigned const slot = slot_at(size_class, address % page_size);
        Word const pool = slabs_.region_of(address)->slots(address >> page_shift)[slot / word_bits];
        return (pool & bit_of(slot)) != 0;
    }

    size_t pages_;
    TestMemory memory_;
    Slabs slabs_{};
};

}  // namespace slabheap::test

#endif
