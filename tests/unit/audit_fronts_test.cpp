// SPDX-License-Identifier: MIT
//
// The audit looks at what the heap keeps outside of its page maps, too: the fronts of each class, counters,
// the table of regions. Each is broken in each way there is, and must be named, with its place.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "heap_core.hpp"

#include "test_memory.hpp"

namespace slabheap {
namespace {

using test::address_of;
using test::TestMemory;

struct OpenHeap : HeapCore {
    using HeapCore::counts_;
    using HeapCore::front_count_;
    using HeapCore::fronts_;
    using HeapCore::large_pages_;
    using HeapCore::map_pages_;
    using HeapCore::order_;
    using HeapCore::own_;
    using HeapCore::primary_;
    using HeapCore::primary_index_;
    using HeapCore::requested_;
    using HeapCore::total_pages_;
};

const char* const capacity = "a stack has its class's capacity";
[[maybe_unused]] const char* const hidden = "a front is hidden while a block of another region is on top";
const char* const stack_slots = "a stack holds free slots of its class";
const char* const word_slots = "a front's word holds free slots";
const char* const one_place = "a free slot is in one place";
const char* const knows_class = "a front knows its class";
const char* const each_slot = "each slot is live, in its pool, in a stack or in a front's word";

// Two regions. In the first, the fronts of all classes have blocks in their stacks and slots in their words.
class AuditOfTheHeap : public ::testing::Test {
protected:
    AuditOfTheHeap() : memory_(test::pages(128)), more_(test::pages(16)) {
        EXPECT_EQ(SLAB_OK, heap_.init(address_of(memory_.start()), memory_.size()));
        EXPECT_EQ(SLAB_OK, heap_.add_memory(address_of(more_.start()), more_.size()));
        for (unsigned c = 0; c < class_count; ++c) {
            for (unsigned i = 0; i < class_slots(c) + 3; ++i) blocks_[c].push_back(allocate(c));
            free(blocks_[c][0]);
            if (c < class_count - 1) free(blocks_[c][1]);
        }
        EXPECT_EQ("", audit());
    }

    uintptr_t allocate(unsigned c) {
        return address_of(heap_.prepare(heap_.allocate(class_size(c), 1), class_size(c)));
    }
    void free(uintptr_t block) {
        heap_.deallocate_slow(reinterpret_cast<void*>(block), CallSite{"slab_free", nullptr});
    }

    // The invariant that does not hold, or nothing.
    std::string audit() {
        const int status = heap_.audit(&found_);
        EXPECT_EQ(found_.invariant == nullptr ? SLAB_OK : SLAB_ERR_CORRUPT, status);
        return found_.invariant == nullptr ? "" : found_.invariant;
    }

    // Breaks something, expects the sentence and the address, and mends it.
    template <class T>
    void expect_when(T& place, std::type_identity_t<T> broken, const char* sentence, uintptr_t where = 0) {
        const T sound = std::exchange(place, broken);
        ASSERT_NE(sound, broken);
        EXPECT_EQ(sentence, audit());
        EXPECT_EQ(where, address_of(found_.address));
        place = sound;
        EXPECT_EQ("", audit());
    }
    // One more, and one less.
    void expect_counted(Word& count, const char* sentence) {
        expect_when(count, count + 1, sentence);
        expect_when(count, count - 1, sentence);
    }

    Front& front(unsigned c) { return heap_.own_.of_class[c]; }

    // Blocks are allocated in the second region until one of the class lies there, and that is freed last;
    // before it one of the first region, so that the stack has one.
    uintptr_t hide(unsigned c) {
        std::vector<uintptr_t> taken;
        while (uintptr_t block = allocate(c)) {
            taken.push_back(block);
            if (more_.contains(reinterpret_cast<void*>(block))) break;
        }
        free(blocks_[c].back());
        free(taken.back());
        EXPECT_EQ(taken.back(), front(c).other);
        EXPECT_NE(0u, front(c).hidden_depth);
        return taken.back();
    }

    TestMemory memory_, more_;
    OpenHeap heap_{};
    slab_audit found_{};
    std::vector<uintptr_t> blocks_[class_count];
};

class AuditOfFronts : public AuditOfTheHeap, public ::testing::WithParamInterface<unsigned> {
protected:
    Front& front() { return AuditOfTheHeap::front(GetParam()); }
};

TEST_P(AuditOfFronts, TheCapacityOfAStack) {
    expect_when(front().limit, front().limit + 1, capacity);
    expect_when(front().limit, front().limit - 1, capacity);
    expect_when(front().depth, front().limit + 1, capacity);
    expect_when(front().stack[0], front().stack[1], capacity);
}

TEST_P(AuditOfFronts, AStackMayBeFull) {
    std::vector<uintptr_t> blocks;
    for (Word i = 0; i < front().limit; ++i) blocks.push_back(allocate(GetParam()));
    for (uintptr_t block : blocks) free(block);
    ASSERT_EQ(front().limit, front().depth);
    EXPECT_EQ("", audit());
}

TEST_P(AuditOfFronts, WhatAFrontKnowsOfItsClass) {
    expect_when(front().slot_bytes, front().slot_bytes + 1, knows_class);
    expect_when(front().slot_bytes, front().slot_bytes - 1, knows_class);
    expect_when(front().reciprocal, front().reciprocal + 1, knows_class);
    expect_when(front().reciprocal, front().reciprocal - 1, knows_class);
    for (Word& full : front().full) {
        expect_when(full, full + 1, knows_class);
        expect_when(full, full - 1, knows_class);
    }
}

// A quarantine hides no front, and holds blocks of any region.
#ifndef SLABHEAP_QUARANTINE
TEST_P(AuditOfFronts, AFrontThatIsHalfHidden) {
    expect_when(front().hidden_depth, 1, hidden);
    expect_when(front().hidden_limit, 1, hidden);
    if (front().word != 0) expect_when(front().hidden_word, front().word, hidden);
    const uintptr_t other = hide(GetParam());
    ASSERT_EQ("", audit());
    expect_when(front().depth, 1, hidden);
    expect_when(front().limit, 1, hidden);
    if (front().hidden_word != 0) expect_when(front().word, front().hidden_word, hidden);
    expect_when(front().hidden_limit, front().hidden_limit + 1, capacity);
    expect_when(front().hidden_depth, front().hidden_limit + 1, capacity);
    expect_when(front().other, other + 1, stack_slots, other + 1);
}

TEST_P(AuditOfFronts, AStackWithABlockOfAnotherRegion) {
    const uintptr_t other = hide(GetParam());
    const uintptr_t sound = std::exchange(front().stack[1], other);
    EXPECT_EQ(stack_slots, audit());
    EXPECT_EQ(other, address_of(found_.address));
    front().stack[1] = sound;
    EXPECT_EQ("", audit());
}

TEST_P(AuditOfFronts, ASlotInTheStackThatIsOnTop) {
    hide(GetParam());
    expect_when(front().other, front().stack[1], one_place, front().stack[1]);
}
#else
TEST_P(AuditOfFronts, AQuarantineThatHasAnOldestBlockBeforeItIsFull) {
    ASSERT_LT(front().depth, front().limit);
    expect_when(front().oldest, 1, "a quarantine knows what is oldest");
}
#endif

TEST_P(AuditOfFronts, AStackWithWhatIsNoFreeSlot) {
    const unsigned c = GetParam();
    const uintptr_t live = blocks_[c].back(), elsewhere = blocks_[c == 0 ? 1 : 0][0];
    for (Word i = 1; i <= front().depth; ++i) {
        uintptr_t& place = front().stack[i];
        expect_when(place, live, stack_slots, live);
        expect_when(place, place + granule, stack_slots, place + granule);
        expect_when(place, elsewhere, stack_slots, elsewhere);
        expect_when(place, address_of(memory_.start()), stack_slots, address_of(memory_.start()));
        expect_when(place, address_of(&heap_), stack_slots, address_of(&heap_));
        // Behind the last slot.
        const uintptr_t page = place & ~(page_size - 1), behind = page + class_slots(c) * class_size(c);
        if (behind < page + page_size) expect_when(place, behind, stack_slots, behind);
    }
}

TEST_P(AuditOfFronts, AStackWithASlotThatIsInAPool) {
    const uintptr_t block = front().stack[1];
    const unsigned slot = slot_at(GetParam(), block % page_size);
    Word& pool = heap_.region(0).slots(block >> page_shift)[slot / word_bits];
    if (heap_.region(0).contains(block >> page_shift)) {
        pool |= bit_of(slot);
        heap_.region(0).room(GetParam()).set(block >> page_shift);
        EXPECT_NE("", audit());
    }
}

TEST_P(AuditOfFronts, AStackWithASlotTwice) {
    if (front().depth < 2) return;
    expect_when(front().stack[2], front().stack[1], "a stack holds a slot once", front().stack[1]);
    expect_when(front().stack[1], front().stack[2], "a stack holds a slot once", front().stack[2]);
}

TEST_P(AuditOfFronts, ASlotInTheStackThatIsInTheWord) {
    if (front().word == 0) return;
    const uintptr_t address = front().word_base + slot_offset(GetParam(), lowest_bit(front().word));
    for (Word i = 1; i <= front().depth; ++i) expect_when(front().stack[i], address, one_place, address);
}

TEST_P(AuditOfFronts, AWordWithWhatIsNoFreeSlot) {
    if (front().word == 0) return;
    const uintptr_t first = front().word_base + slot_offset(GetParam(), lowest_bit(front().word));
    expect_when(front().word_live_bias, front().word_live_bias + 1, word_slots, first);
    expect_when(front().word_live_bias, front().word_live_bias - 1, word_slots, first);
    const unsigned slots = slots_in_word(GetParam(), 0);
    if (slots == word_bits) return;
    const uintptr_t behind = front().word_base + slot_offset(GetParam(), slots);
    expect_when(front().word, front().word | bit(slots), word_slots, behind);
}

TEST_P(AuditOfFronts, ASlotThatIsLost) {
    if (front().depth != 0) expect_when(front().depth, front().depth - 1, each_slot);
    if (front().word != 0) {
        const Word all_but_the_first = front().word & (front().word - 1);
        if (all_but_the_first != 0) expect_when(front().word, all_but_the_first, each_slot);
    }
}

TEST_P(AuditOfFronts, ASlotInTheFrontsOfTwoCpus) {
    const auto fronts = static_cast<CpuFronts*>(std::aligned_alloc(64, 2u << cpu_fronts_shift));
    const std::unique_ptr<void, void (*)(void*)> owner(fronts, std::free);
    std::fill_n(reinterpret_cast<unsigned char*>(fronts), 2u << cpu_fronts_shift, 0);
    *fronts = heap_.own_;
    heap_.fronts_ = address_of(fronts);
    heap_.front_count_ = 2;
    CpuFronts& second = heap_.fronts_of(1);
    second.set_up();
    ASSERT_EQ("", audit());
    second.of_class[GetParam()].stack[1] = front().stack[1];
    expect_when(second.of_class[GetParam()].depth, 1, each_slot);
}

TEST_P(AuditOfFronts, TheBooksOfAClass) {
    const unsigned c = GetParam();
    expect_counted(heap_.counts_[c].slabs, "a class's slabs are counted exactly");
    expect_counted(heap_.counts_[c].with_room, "a class's slabs with room are counted exactly");
    expect_counted(heap_.counts_[c].spares, "a class's spares are counted exactly");
    expect_counted(front().allocations, "a class's live blocks are counted exactly");
    expect_counted(front().frees, "a class's live blocks are counted exactly");
}

INSTANTIATE_TEST_SUITE_P(EveryClass, AuditOfFronts, ::testing::Range(0u, class_count));

TEST_F(AuditOfTheHeap, TheBooksOfThePages) {
    expect_counted(heap_.large_pages_, "the pages in large blocks are counted exactly");
    expect_counted(heap_.total_pages_, "the pages under management are counted exactly");
    expect_counted(heap_.map_pages_, "the pages of the page maps are counted exactly");
}

TEST_F(AuditOfTheHeap, ThePrimaryView) {
    const char* const sentence = "the primary view is its region's";
    const uintptr_t start = address_of(memory_.start());
    expect_when(heap_.primary_.base, heap_.primary_.base + page_size, sentence, start);
    expect_when(heap_.primary_.known_marks, heap_.primary_.known_marks - 1, sentence, start);
    expect_when(heap_.primary_.tag_bias, heap_.primary_.tag_bias + 1, sentence, start);
    expect_when(heap_.primary_.live_start, heap_.primary_.live_start + 1, sentence, start);
    expect_when(heap_.primary_.live_bias, heap_.primary_.live_bias + 1, sentence, start);
    expect_when(heap_.primary_.slots_bias, heap_.primary_.slots_bias + 8, sentence, start);
    expect_when(heap_.primary_index_, 1 - heap_.primary_index_, sentence, start);
}

TEST_F(AuditOfTheHeap, TheOrderOfTheRegions) {
    std::swap(heap_.order_[0], heap_.order_[1]);
    heap_.primary_index_ = 1 - heap_.primary_index_;
    EXPECT_EQ("regions are sorted and disjoint", audit());
    EXPECT_EQ(std::min(address_of(memory_.start()), address_of(more_.start())), address_of(found_.address));
    std::swap(heap_.order_[0], heap_.order_[1]);
    heap_.primary_index_ = 1 - heap_.primary_index_;
    EXPECT_EQ("", audit());
}

}  // namespace
}  // namespace slabheap
