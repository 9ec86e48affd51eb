// SPDX-License-Identifier: MIT
//
// The audit looks where nothing ever was, too: at bits that trees have for pages beyond a region's ends, at
// sections that nobody opened, at slots before their first use.
#include <gtest/gtest.h>

#include "heap_core.hpp"

#include "test_memory.hpp"

namespace slabheap {
namespace {

using test::address_of;
using test::TestMemory;

// A region that starts and ends in the midst of sections: there are bits for pages that it has not.
class AuditBeyondTheRegion : public ::testing::Test {
protected:
    AuditBeyondTheRegion() : memory_(test::pages(300), test::pages(1000)) {
        EXPECT_EQ(SLAB_OK, heap_.init(address_of(memory_.start()), test::pages(296)));
        EXPECT_NE(nullptr, heap_.allocate(class_size(0), 1));
    }
    void expect_broken(const char* sentence) {
        slab_audit result;
        EXPECT_EQ(SLAB_ERR_CORRUPT, heap_.audit(&result));
        EXPECT_STREQ(sentence, result.invariant);
    }
    void expect_sound() { EXPECT_EQ(SLAB_OK, heap_.audit(nullptr)); }

    Region& region() { return heap_.region(0); }

    TestMemory memory_;
    HeapCore heap_{};
};

TEST_F(AuditBeyondTheRegion, NoticesNodesThatAreOpen) {
    Word const first = region().first_node(0), last = region().last_node(0);
    for (Word child : {first - 1, last + 1}) {
        Word& known = region().word(1, child >> word_shift, column::known);
        known |= bit_of(child);
        expect_broken("open nodes lie in the region");
        known &= ~bit_of(child);
        expect_sound();
    }
}

TEST_F(AuditBeyondTheRegion, NoticesPagesThatHaveRoomOrAreSpares) {
    Word const page = region().first_page - 1;
    ASSERT_EQ(region().first_node(0), page >> word_shift);
    region().spares().set(page);
    expect_broken("a spare is an empty slab");
    region().spares().clear(page);
    region().room(0).set(page);
    expect_broken("only a class's slabs have its room");
    region().room(0).clear(page);
    expect_sound();
}

// A slot that never was handed out and is in no pool nor front: of a slab whose slots all are in its pool.
TEST(AuditOfWhatIsUnused, NoticesASlotThatIsLost) {
    TestMemory memory(test::pages(8));
    HeapCore heap{};
    ASSERT_EQ(SLAB_OK, heap.init(address_of(memory.start()), memory.size()));
    Word const page = address_of(heap.allocate(class_size(0), 1)) >> page_shift;
    heap.collect();
    Word& slots = heap.region(0).slots(page)[0];
    Word const last = bit(highest_bit(slots));
    slots &= ~last;
    slab_audit result;
    EXPECT_EQ(SLAB_ERR_CORRUPT, heap.audit(&result));
    EXPECT_STREQ("a slot that never was handed out is free", result.invariant);
    slots |= last;
    EXPECT_EQ(SLAB_OK, heap.audit(&result));
}

TEST(AuditOfWhatIsUnused, NoticesPagesThatAreLost) {
    TestMemory memory(test::pages(4096), 0, TestMemory::Content::untouched);
    HeapCore heap{};
    ASSERT_EQ(SLAB_OK, heap.init(address_of(memory.start()), memory.size()));
    Region& region = heap.region(0);
    Word const section = region.first_node(0) + word_bits / 4;  // where no larger block is cut
    ASSERT_FALSE(region.is_open(0, section));
    Word& units = region.word(1, section >> word_shift, column::free_units);
    ASSERT_NE(0u, units & bit_of(section));
    units &= ~bit_of(section);
    slab_audit result;
    EXPECT_EQ(SLAB_ERR_CORRUPT, heap.audit(&result));
    EXPECT_STREQ("a page is free or belongs to a head", result.invariant);
    EXPECT_EQ(section << word_shift << page_shift, address_of(result.address));
}

}  // namespace
}  // namespace slabheap
