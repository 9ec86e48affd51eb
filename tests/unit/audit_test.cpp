// SPDX-License-Identifier: MIT
//
// The audit notices: each invariant is broken by hand, in a heap in use, and must be named. Then bits flip at
// random anywhere in the page map: the audit may find nothing wrong in bits that do not count, but must not
// crash.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "heap_core.hpp"

#include "test_memory.hpp"

namespace slabheap {
namespace {

using test::address_of;
using test::TestMemory;

// A heap with slabs of every class, some of them full, a large block that is short and one that is long, a
// reserved range, freed blocks of each kind.
class AuditTest : public ::testing::Test {
protected:
    AuditTest() : memory_(test::pages(512)) {
        EXPECT_EQ(SLAB_OK, heap_.init(address_of(memory_.start()), memory_.size()));
        for (unsigned c = 0; c < class_count; ++c) {
            for (unsigned i = 0; i < 3 * class_slots(c); ++i)
                blocks_[c].push_back(allocate(class_size(c), 1));
            for (unsigned i = 0; i < class_slots(c) + 1; ++i) free(blocks_[c][2 * i]);
        }
        large_ = address_of(allocate(5 * page_size, page_size));
        long_ = address_of(allocate((Region::short_run + 1) * page_size, page_size));
        free(allocate(3 * page_size, page_size));
        reserved_ = address_of(memory_.page(400));
        EXPECT_EQ(SLAB_OK, heap_.reserve(reserved_, 10 * page_size));
        EXPECT_EQ("", audit());
    }

    void* allocate(size_t size, size_t align) { return heap_.prepare(heap_.allocate(size, align), size); }
    void free(void* block) { heap_.deallocate_slow(block, CallSite{"slab_free", nullptr}); }

    // The invariant that does not hold, or nothing.
    std::string audit() {
        slab_audit result;
        int const status = heap_.audit(&result);
        EXPECT_EQ(status, heap_.audit(nullptr));
        EXPECT_EQ(result.invariant == nullptr ? SLAB_OK : SLAB_ERR_CORRUPT, status);
        return result.invariant == nullptr ? "" : result.invariant;
    }

    // Breaks something, expects the sentence, and mends it.
    template <class T>
    void expect_when(T& place, T broken, const char* sentence) {
        T const sound = place;
        ASSERT_NE(sound, broken);
        place = broken;
        EXPECT_EQ(sentence, audit());
        place = sound;
        EXPECT_EQ("", audit());
    }

    Region& region() { return heap_.region(0); }
    static Word page_of(uintptr_t address) { return address >> page_shift; }
    uintptr_t live_block(unsigned c) { return address_of(blocks_[c][2 * class_slots(c) + 3]); }
    Word free_page() { return region().search(8, 8); }

    TestMemory memory_;
    HeapCore heap_{};
    std::vector<void*> blocks_[class_count];
    uintptr_t large_ = 0;
    uintptr_t long_ = 0;
    uintptr_t reserved_ = 0;
};

TEST_F(AuditTest, TheHeader) {
    const char* const sentence = "a region's header describes the region";
    expect_when(region().first_page, region().first_page + 1, sentence);
    expect_when(region().end_page, region().end_page - 1, sentence);
    expect_when(region().root, region().root + 1, sentence);
    expect_when(region().levels[0].bias, region().levels[0].bias + sizeof(Word), sentence);
    expect_when(region().map_pages, region().map_pages + 1, sentence);
}

TEST_F(AuditTest, ALiveMarkThatIsMissingTooManyOrUnheardOf) {
    uintptr_t const block = live_block(2);
    uint8_t* const live = &region().view().live(block);
    expect_when(live[0], uint8_t{0}, "a class's live blocks are counted exactly");
    expect_when(live[0], uint8_t{2}, "a live mark is 0 or 1");
    expect_when(live[1], uint8_t{1}, "a slab's blocks start at its slots");
}

TEST_F(AuditTest, APoolThatHasALiveBlock) {
    size_t tried = 0;
    for (size_t i = 1; i < blocks_[0].size(); i += 2) {  // the live ones
        uintptr_t const block = address_of(blocks_[0][i]);
        if (!region().room(0).test(page_of(block))) continue;
        unsigned const slot = slot_at(0, block % page_size);
        Word& slots = region().slots(page_of(block))[slot / word_bits];
        expect_when(slots, slots | bit_of(slot), "a live block is not in a pool");
        ++tried;
    }
    EXPECT_NE(0u, tried) << "no slab has room";
}

TEST_F(AuditTest, APoolThatHasSlotsWhichTheSlabHasNot) {
    for (unsigned w = 0; w < slot_words; ++w) {
        ASSERT_NE(all_ones, all_slots(4, w));
        Word& slots = region().slots(page_of(live_block(4)))[w];
        expect_when(slots, slots | bit(word_bits - 1), "a slab's pool has only the slab's slots");
    }
}

TEST_F(AuditTest, APoolThatLostASlot) {
    for (void* block : blocks_[0]) {
        unsigned const slot = slot_at(0, address_of(block) % page_size);
        Word& slots = region().slots(page_of(address_of(block)))[slot / word_bits];
        if (popcount(slots) < 2) continue;
        expect_when(slots, slots & (slots - 1),
                    "each slot is live, in its pool, in a stack or in a front's word");
        return;
    }
    FAIL() << "no pool has two slots";
}

TEST_F(AuditTest, RoomThatIsNotThere) {
    uintptr_t const block = live_block(3);
    Word const page = page_of(block);
    bool const has_room = region().room(3).test(page);
    if (has_room) region().room(3).clear(page);
    if (!has_room) region().room(3).set(page);
    EXPECT_EQ("a slab has room exactly when its pool is not empty", audit());
}

TEST_F(AuditTest, RoomInASlabOfAnotherClass) {
    region().room(5).set(page_of(live_block(3)));
    EXPECT_EQ("only a class's slabs have its room", audit());
}

TEST_F(AuditTest, RoomInAPageThatIsNoSlab) {
    region().room(0).set(free_page());
    EXPECT_EQ("only a class's slabs have its room", audit());
}

TEST_F(AuditTest, TheTagOfAPageThatIsNoHead) {
    const char* const sentence = "only a head is tagged as one";
    expect_when(region().tag(free_page()), uint8_t{3}, sentence);
    expect_when(region().tag(free_page()), tag::large, sentence);
    expect_when(region().tag(free_page()), uint8_t{120}, sentence);
    expect_when(region().tag(page_of(large_) + 1), tag::large, sentence);
}

TEST_F(AuditTest, TheTagOfAHead) {
    const char* const sentence = "a page is free or belongs to a head";
    expect_when(region().tag(page_of(large_)), tag::none, sentence);
    expect_when(region().tag(page_of(long_)), tag::freed_large, sentence);
    const char* const books = "the pages in large blocks are counted exactly";
    expect_when(region().tag(page_of(reserved_)), tag::large, books);
}

TEST_F(AuditTest, TheLengthOfARun) {
    const char* const ends = "a run has pages, and ends in its region";
    for (uintptr_t run : {large_, long_}) {
        Word& pages = region().slots(page_of(run))[0];
        expect_when(pages, Word{0}, ends);
        expect_when(pages, all_ones, ends);
        expect_when(pages, region().end_page - page_of(run) + 1, ends);
    }
    expect_when(region().slots(page_of(large_))[0], Word{4}, "a page is free or belongs to a head");
    Word& pages = region().slots(page_of(long_))[0];
    expect_when(pages, pages - 1, "the tree of runs has the long runs");
}

TEST_F(AuditTest, ALongRunThatIsNoneAndOneThatIsMissing) {
    const char* const sentence = "the tree of runs has the long runs";
    for (Word page : {free_page(), page_of(large_), page_of(reserved_), page_of(live_block(0))}) {
        region().open(0, page >> word_shift);
        region().runs().set(page);
        EXPECT_EQ(sentence, audit());
        region().runs().clear(page);
        EXPECT_EQ("", audit());
    }
    region().runs().clear(page_of(long_));
    EXPECT_EQ(sentence, audit());
}

TEST_F(AuditTest, ALiveMarkOutsideOfSlabs) {
    const char* const sentence = "live marks are set in slabs only";
    for (Word page : {free_page(), page_of(large_), page_of(large_) + 1, page_of(reserved_)}) {
        region().open(0, page >> word_shift);
        expect_when(region().live(page)[1], uint8_t{1}, sentence);
    }
}

TEST_F(AuditTest, ASpareThatIsNotEmptyAndOneThatIsNotThere) {
    Word const page = page_of(live_block(3));
    region().spares().set(page);
    EXPECT_EQ("a spare is an empty slab", audit());
    region().spares().clear(page);
    region().spares().set(free_page());
    EXPECT_EQ("a spare is an empty slab", audit());
}

TEST_F(AuditTest, APageThatIsFreeAndInUse) {
    region().give({page_of(large_) + 2, page_of(large_) + 3});
    EXPECT_EQ("the pages of a run are not free", audit());
}

TEST_F(AuditTest, AFreePageThatIsLost) {
    region().take({free_page(), free_page() + 1});
    EXPECT_EQ("a page is free or belongs to a head", audit());
}

TEST_F(AuditTest, APageOfTheMapThatIsFree) {
    region().give({region().first_page, region().first_page + 1});
    EXPECT_EQ("only usable pages are free", audit());
}

TEST_F(AuditTest, TheNodes) {
    Word const child = page_of(large_) >> word_shift, node = child >> word_shift;
    Word const child_bit = bit(static_cast<unsigned>(child % word_bits));
    Word const long_bit = bit_of(page_of(long_) >> word_shift);
    Word& runs = region().word(1, page_of(long_) >> word_shift >> word_shift, column::runs);
    expect_when(runs, runs & ~long_bit, "a parent's bit is set exactly when its child's word is not zero");
    Word& known = region().word(1, node, column::known);
    expect_when(known, known & ~child_bit, "a region's header describes the region");
    Word& units = region().word(1, node, column::free_units);
    expect_when(region().word(0, child, column::free_units), all_ones, "a full word of free units is merged");
    expect_when(units, units | child_bit, "a free page is told by one bit");
}

TEST_F(AuditTest, TheOrders) {
    for (unsigned order = 0; order < word_shift; ++order) {
        BitTree const tree = region().order_tree(order);
        if (tree.empty()) continue;
        Word const node = tree.first();
        region().order_tree(order).clear(node);
        EXPECT_EQ("a word of free units is entered under its largest block's order", audit());
        region().order_tree(order).set(node);
        EXPECT_EQ("", audit());
    }
}

TEST_F(AuditTest, TheRootAndTheMaskOfOrders) {
    Word& entered = region().word(region().root, region().first_node(region().root), column::entered);
    expect_when(entered, entered + 1, "a node knows the order that it is entered under");
    // The mask is the region's own: its bits are known by what it then says.
    Word const mask = region().order_mask();
    for (Word* word = &region().first_page; word < &region().map_pages; ++word) {
        Word const sound = *word;
        *word ^= 1;
        bool const is_mask = region().order_mask() != mask;
        if (is_mask) {
            EXPECT_EQ("the order mask tells which orders have blocks", audit());
        }
        *word = sound;
        if (is_mask) return;
    }
    FAIL() << "a region has a mask of orders";
}

TEST_F(AuditTest, SlotsThatWereHandedOut) {
    for (size_t i = 1; i < 2 * class_slots(0); i += 2) {  // live ones, in every word of their slabs
        uintptr_t const block = address_of(blocks_[0][i]);
        Handed::Number& handed = region().handed(page_of(block))[slot_at(0, block % page_size) / word_bits];
        expect_when(handed, Handed::Number{0}, "a live block was handed out");
        if (defences::random) continue;  // a bit for each of the slots that a word has
        expect_when(handed, Handed::Number{word_bits + 1}, "no more slots were handed out than a slab has");
    }
}

TEST_F(AuditTest, AFreeThatMeetsACorruptPageMapSaysSo) {
    slab_fault_kind static told;
    heap_.set_fault_handler([](const slab_fault* fault) { told = fault->kind; });
    uintptr_t const address = (free_page() << page_shift) + granule;
    for (uint8_t broken : {tag::large, tag::reserved, uint8_t{0}, uint8_t{57}, uint8_t{120}, uint8_t{254}}) {
        uint8_t& place = region().tag(free_page());
        uint8_t const sound = place;
        place = broken;
        told = slab_fault_kind{};
        free(reinterpret_cast<void*>(address));
        EXPECT_EQ(SLAB_FAULT_CORRUPT, told) << int{broken};
        place = sound;
    }
    region().tag(page_of(large_)) = tag::freed_large;
    free(reinterpret_cast<void*>(large_));
    EXPECT_EQ(SLAB_FAULT_CORRUPT, told);
}

TEST_F(AuditTest, RandomBitFlipsAreSurvivedAndMostlyNoticed) {
    std::mt19937_64 random(11);
    size_t const map_bytes = region().map_pages << page_shift;
    std::vector<unsigned char> sound(map_bytes);
    unsigned char* const map = reinterpret_cast<unsigned char*>(memory_.start());
    std::memcpy(sound.data(), map, map_bytes);
    // Bits that count: the header, and the bytes of pages in use. Garbage that was never opened says nothing.
    size_t noticed_in_header = 0, flips = 4000;
    size_t const header_bytes = offsetof(Nodes, levels) + (region().root + 1) * sizeof(Nodes::Level);
    for (size_t flip = 0; flip < flips; ++flip) {
        bool const in_header = flip % 2 == 0;
        size_t const byte = static_cast<size_t>(random()) % (in_header ? header_bytes : map_bytes);
        map[byte] = static_cast<unsigned char>(map[byte] ^ (1u << random() % 8));
        slab_audit result;
        bool const noticed = heap_.audit(&result) == SLAB_ERR_CORRUPT;
        if (in_header && noticed) ++noticed_in_header;
        std::memcpy(map, sound.data(), map_bytes);
    }
    EXPECT_GE(noticed_in_header * 10, flips / 2 * 9) << "all but the header's padding";
    EXPECT_EQ("", audit());
}

// A quarantine is not hidden; in other builds what it counts is a part of a hidden front.
TEST_F(AuditTest, WhatIsOldestInAQuarantine) {
    char const* const sentence = defences::quarantine != 0
                                     ? "a quarantine knows what is oldest"
                                     : "a front is hidden while a block of another region is on top";
    for (unsigned c : {0u, class_count - 1}) {  // a full one and one that is not
        Front& front = const_cast<Front&>(heap_.front(c));
        expect_when(front.oldest, front.limit, sentence);
        if (defences::quarantine == 0) continue;
        Word const oldest = std::exchange(front.oldest, front.limit);
        front.other = front.stack[1];
        EXPECT_EQ(sentence, audit()) << "it is never hidden";
        front.oldest = oldest;
        front.other = 0;
    }
}

TEST(Audit, SaysThatAHeapIsNotInitialised) {
    HeapCore heap{};
    slab_audit result{"not touched", nullptr};
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.audit(&result));
    EXPECT_EQ(nullptr, result.invariant);
}

}  // namespace
}  // namespace slabheap
