// SPDX-License-Identifier: MIT
//
// Where the audit says that something is broken: of pages and slots their addresses, of nodes that of their
// first page. In a region of three levels, little of which was ever used.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "heap_core.hpp"

#include "class_set.hpp"
#include "test_memory.hpp"

namespace slabheap {
namespace {

using test::address_of;
using test::TestMemory;

const char* const leads = "a tree leads only to nodes that are open";
const char* const in_region = "open nodes lie in the region";
const char* const parents_bit = "a parent's bit is set exactly when its child's word is not zero";
const char* const merged = "a full word of free units is merged";
const char* const one_bit = "a free page is told by one bit";
const char* const knows_order = "a node knows the order that it is entered under";
const char* const largest = "a word of free units is entered under its largest block's order";
const char* const mask = "the order mask tells which orders have blocks";
const char* const count = "a region's free pages are counted exactly";
const char* const usable = "only usable pages are free";
const char* const long_runs = "the tree of runs has the long runs";
const char* const only_head = "only a head is tagged as one";
const char* const live_in_slabs = "live marks are set in slabs only";
const char* const empty_spare = "a spare is an empty slab";
const char* const class_room = "only a class's slabs have its room";
const char* const has_head = "a page is free or belongs to a head";
const char* const not_free = "the pages of a run are not free";
const char* const most_handed = "no more slots were handed out than a slab has";
const char* const not_pooled = "a live block is not in a pool";
const char* const was_handed = "a live block was handed out";
const char* const never_handed = "a slot that never was handed out is free";

class AuditsPlaces : public ::testing::Test {
protected:
    static constexpr Word section = word_bits, node = word_bits * word_bits;
    static constexpr size_t region_size = 64 << 20, root_node = node * word_bits * page_size;

    // The region lies within a node of the root, away from its edges, wherever the memory is.
    AuditsPlaces() : memory_(root_node + 2 * region_size, 0, TestMemory::Content::untouched) {
        start_ = (address_of(memory_.start()) + root_node - 1) / root_node * root_node + node * page_size;
        EXPECT_EQ(SLAB_OK, heap_.init(start_, region_size));
        small_ = page_of(allocate(class_size(0))) << page_shift;
        EXPECT_EQ(page_of(small_), page_of(allocate(class_size(0))));
        long_ = allocate((Region::short_run + 1) * page_size);
        EXPECT_EQ("", audit());
    }

    uintptr_t allocate(size_t size, size_t align = 1) {
        return address_of(heap_.prepare(heap_.allocate(size, align), size));
    }
    void free(uintptr_t block) {
        heap_.deallocate_slow(reinterpret_cast<void*>(block), CallSite{"slab_free", nullptr});
    }
    std::string audit() {
        const int status = heap_.audit(&found_);
        EXPECT_EQ(found_.invariant == nullptr ? SLAB_OK : SLAB_ERR_CORRUPT, status);
        EXPECT_EQ(status, heap_.audit(nullptr));
        return found_.invariant == nullptr ? "" : found_.invariant;
    }
    // Breaks something, expects the sentence and the page where it is, and mends it.
    template <class T>
    void expect_when(T& place, std::type_identity_t<T> broken, const char* sentence, uintptr_t where) {
        T const sound = std::exchange(place, broken);
        ASSERT_NE(sound, broken);
        EXPECT_EQ(sentence, audit());
        EXPECT_EQ(where, address_of(found_.address)) << sentence;
        place = sound;
        EXPECT_EQ("", audit());
    }
    // The same of a member that a tree has too many.
    void expect_with(BitTree tree, Word page, const char* sentence) {
        ASSERT_FALSE(tree.test(page));
        tree.set(page);
        EXPECT_EQ(sentence, audit());
        EXPECT_EQ(page << page_shift, address_of(found_.address)) << sentence;
        tree.clear(page);
        EXPECT_EQ("", audit());
    }

    Region& region() { return heap_.region(0); }
    Word& word(unsigned level, Word number, unsigned column) { return region().word(level, number, column); }
    static Word page_of(uintptr_t address) { return address >> page_shift; }
    // The first page of a node of a level.
    static uintptr_t start_of(unsigned level, Word number) {
        Word page = number;
        for (unsigned i = 0; i <= level; ++i) page *= word_bits;
        return page * page_size;
    }
    // A section in the midst of what never was used, in which a block once was. Its number is even, or odd.
    Word used_section(bool odd) {
        uintptr_t const block = allocate(page_size, node * page_size);
        Word found = page_of(block) / section;
        free(block);
        if (odd) {
            EXPECT_EQ(SLAB_OK, heap_.reserve(start_of(0, found + 5), page_size));
            EXPECT_EQ(SLAB_OK, heap_.release(start_of(0, found + 5), page_size));
            found += 5;
        }
        EXPECT_FALSE(region().is_open(0, found - 1));
        EXPECT_TRUE(region().is_open(0, found));
        EXPECT_EQ("", audit());
        return found;
    }

    TestMemory memory_;
    uintptr_t start_;
    HeapCore heap_{};
    slab_audit found_{};
    uintptr_t small_ = 0;  // a slab of class 0, of which two slots are live
    uintptr_t long_ = 0;
};

TEST_F(AuditsPlaces, ANodesOfEachLevel) {
    ASSERT_EQ(2u, region().root);
    for (unsigned level = 1; level <= 2; ++level) {
        Word const number = page_of(small_) >> (word_shift * (level + 1)),
                   child = page_of(small_) >> (word_shift * level);
        Word closed = child;
        while (region().is_open(level - 1, closed)) ++closed;
        ASSERT_EQ(number, closed >> word_shift);
        for (unsigned column = column::runs; column < node_words(level); ++column) {
            if (column == column::known) continue;
            Word& children = word(level, number, column);
            Word const fewer = children ^ bit_of(child), order = column - column::orders;
            bool const is_its_own = column >= column::orders && order / word_shift == level - 1;
            // What a node above has to know changes, too, if the first comes or the last one goes.
            if (level == 1 && (children == 0 || fewer == 0)) continue;
            expect_when(children, children | bit_of(closed), leads, start_of(level, number));
            expect_when(children, fewer, is_its_own ? largest : parents_bit, start_of(level - 1, child));
        }
        Word& units = word(level - 1, child, column::free_units);
        expect_when(units, all_ones, merged, start_of(level - 1, child));
        Word& above = word(level, number, column::free_units);
        expect_when(above, above | bit_of(child), one_bit, start_of(level - 1, child));
        Word& entered = word(level - 1, child, column::entered);
        expect_when(entered, entered + 1, knows_order, start_of(level - 1, child));
    }
}

TEST_F(AuditsPlaces, TheRoots) {
    Word const root = region().first_node(2);
    expect_when(word(2, root, column::entered), word(2, root, column::entered) + 1, knows_order,
                start_of(2, root));
    Word& known = word(2, root, column::known);
    for (Word const child : {region().first_node(1) - 1, region().last_node(1) + 1}) {
        ASSERT_EQ(root, child >> word_shift);
        expect_when(known, known | bit_of(child), in_region, start_of(2, root));
    }
}

// A node may be open though none of its sections is: when a run ends in it, at the border of two.
TEST_F(AuditsPlaces, NothingIfANodeKnowsNoSection) {
    uintptr_t const run = allocate((node + node / 2) * page_size);
    ASSERT_NE(0u, run);
    Word const behind = page_of(run) / node + 1;
    ASSERT_TRUE(region().is_open(1, behind));
    ASSERT_EQ(0u, word(1, behind, column::known));
    EXPECT_EQ("", audit());
}

// The tree of runs has none of them.
TEST_F(AuditsPlaces, NothingOfARunOfExactlyASection) {
    uintptr_t const run = allocate(Region::short_run * page_size);
    ASSERT_NE(0u, run);
    EXPECT_EQ("", audit());
    expect_with(region().runs(), page_of(std::max(run, long_)) + 1, long_runs);
}

TEST_F(AuditsPlaces, APageThatIsLostWhereNothingWasEverUsed) {
    Word const number = page_of(small_) / node;
    Word& sections = word(1, number, column::free_units);
    Word lost = number * word_bits;  // such that the largest block is still there
    while ((sections & bit_of(lost)) == 0 || region().is_open(0, lost) ||
           largest_run_order(sections & ~bit_of(lost)) != largest_run_order(sections))
        ++lost;
    ASSERT_EQ(number, lost >> word_shift);
    expect_when(sections, sections & ~bit_of(lost), has_head, start_of(0, lost));
}

TEST_F(AuditsPlaces, TheRegionForItsFigures) {
    Word* const own = reinterpret_cast<Word*>(reinterpret_cast<uintptr_t>(&region()) + sizeof(PageMap));
    ASSERT_EQ(region().order_mask(), own[0]);
    ASSERT_EQ(region().free_pages(), own[1]);
    uintptr_t const start = start_;
    for (unsigned order = 0; order < 16; ++order) expect_when(own[0], own[0] ^ bit(order), mask, start);
    expect_when(own[1], own[1] + 1, count, start);
    region().give({region().first_page, region().first_page + 1});
    EXPECT_EQ(usable, audit());
    EXPECT_EQ(start, address_of(found_.address));
}

TEST_F(AuditsPlaces, ARunTheTreeHasTooMany) {
    Word const page = page_of(long_);
    for (Word const extra : {page + 1, page + 2, page + section}) {
        if (region().knows_page(extra)) expect_with(region().runs(), extra, long_runs);
    }
}

TEST_F(AuditsPlaces, APageThatIsNoHead) {
    for (bool const odd : {false, true}) {
        Word const first = used_section(odd) * section;
        for (Word const page : {first, first + 1, first + 2, first + section - 1}) {
            for (unsigned const what : {class_count, tag::freed_slab + class_count, unsigned{tag::large}})
                expect_when(region().tag(page), static_cast<uint8_t>(what), only_head, page << page_shift);
            expect_when(region().live(page)[3], uint8_t{1}, live_in_slabs, page << page_shift);
            expect_with(region().spares(), page, empty_spare);
            for (unsigned c = 0; c < class_count; ++c) expect_with(region().room(c), page, class_room);
        }
    }
}

// Two pages side by side: the second is found, too.
TEST_F(AuditsPlaces, ThePageBehindASlab) {
    uintptr_t const last = allocate(page_size);
    Word const page = page_of(last);
    region().spares().set(page);
    region().spares().clear(page);
    for (Word const next : {page_of(small_) + 1, page + 1}) {
        if (!region().extent(next).free) continue;
        expect_with(region().spares(), next, empty_spare);
        expect_with(region().room(0), next, class_room);
    }
}

TEST_F(AuditsPlaces, AHead) {
    Word const page = page_of(small_);
    for (unsigned const what : {class_count, tag::freed_slab + class_count, unsigned{tag::none}})
        expect_when(region().tag(page), static_cast<uint8_t>(what), has_head, small_);
    expect_when(region().tag(page_of(long_)), tag::freed_large, has_head, long_);
    Word const inner = page_of(long_) + 3;
    region().give({inner, inner + 1});
    EXPECT_EQ(not_free, audit());
    EXPECT_EQ(inner << page_shift, address_of(found_.address));
}

// Of each slab that has a word in the front, two of the word's slots were handed out, or three, if the one
// freed rests in a quarantine; the front has the others.
TEST_F(AuditsPlaces, ASlot) {
    Region& in = region();
    const auto expect_counted = [&](unsigned c, uintptr_t slab) {
        for (unsigned w = 0; w < slot_words; ++w) {
            Word const others = ~all_slots(c, w), most = slots_in_word(c, w);
            if (defences::random && others == 0) continue;
            expect_when(in.handed(page_of(slab))[w],
                        static_cast<Handed::Number>(defences::random ? others : most + 1), most_handed, slab);
        }
    };
    expect_counted(0, small_);
    uintptr_t const other = allocate(class_size(1));
    free(other);
    uintptr_t const live = allocate(class_size(1)), next = allocate(class_size(1));
    Word const slab = page_of(live);
    uintptr_t const start = slab << page_shift;
    heap_.collect();
    EXPECT_EQ("", audit());
    expect_counted(1, start);
    const auto slot = [start](uintptr_t address) { return bit_of(slot_at(1, address - start)); };
    Word& pool = in.slots(slab)[0];
    expect_when(pool, pool | slot(next), not_pooled, next);
    Handed::Number& handed = in.handed(slab)[0];
    Word const slots = Handed::slots(handed);
    ASSERT_EQ(slot(other) | slot(live) | slot(next), slots);
    expect_when(handed, Handed::number(slots & ~slot(next)), was_handed, next);
    unsigned const last = highest_bit(all_slots(1, 0) & ~slots);
    expect_when(pool, pool & ~bit(last), never_handed, start + slot_offset(1, last));
}

}  // namespace
}  // namespace slabheap
