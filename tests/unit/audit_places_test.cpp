// SPDX-License-Identifier: MIT
//
// The audit says where an invariant does not hold, and looks at every level of the trees, at both ends of the
// region, and at parts of the map that no call has come to. The region starts and ends within sections.
#include <gtest/gtest.h>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "heap_core.hpp"

#include "test_memory.hpp"

namespace slabheap {
namespace {

using test::address_of;
using test::TestMemory;

constexpr Word sections_of_a_node = word_bits;  // of level 1

// The root's level is 2, or 1 if the region is short.
class AuditOfPlaces : public ::testing::Test {
protected:
    explicit AuditOfPlaces(Word sections = 3 * sections_of_a_node)
        : memory_(test::pages(word_bits * sections), test::pages(3 * word_bits + 24),
                  TestMemory::Content::untouched) {
        EXPECT_EQ(SLAB_OK, heap_.init(address_of(memory_.start()), memory_.size()));
        large_ = allocate_pages(5);
        short_ = allocate_pages(Region::short_run);
        long_ = allocate_pages(Region::short_run + 1);
        for (unsigned i = 0; i < 2 * class_slots(0); ++i) blocks_.push_back(allocate(class_size(0)));
        expect("");
    }

    uintptr_t allocate(size_t size) { return address_of(heap_.prepare(heap_.allocate(size, 1), size)); }
    uintptr_t allocate_pages(size_t count) { return address_of(heap_.allocate_pages(count, page_size)); }

    void expect(const std::string& sentence, uintptr_t where = 0) {
        slab_audit found;
        const int status = heap_.audit(&found);
        EXPECT_EQ(found.invariant == nullptr ? SLAB_OK : SLAB_ERR_CORRUPT, status);
        EXPECT_EQ(sentence, found.invariant == nullptr ? "" : found.invariant);
        EXPECT_EQ(where, address_of(found.address));
    }

    // Breaks something, expects the sentence and the address, and mends it.
    template <class T>
    void expect_when(T& place, std::type_identity_t<T> broken, const char* sentence, uintptr_t where) {
        const T sound = std::exchange(place, broken);
        ASSERT_NE(sound, broken);
        expect(sentence, where);
        place = sound;
        expect("");
    }

    // The number among the region's own that this asks for.
    template <class Ask>
    Word& number_that(Ask ask) {
        Word* const words = reinterpret_cast<Word*>(&region());
        for (size_t i = 0; i < sizeof(Region) / sizeof(Word); ++i) {
            const Word before = ask();
            if (words[i] != before) continue;
            ++words[i];
            const bool is_it = ask() == before + 1;
            --words[i];
            if (is_it) return words[i];
        }
        ADD_FAILURE() << "the region has no such number";
        return *words;
    }

    void expect_what_a_node_tells();
    void expect_ways_to_open_nodes_only();

    Region& region() { return heap_.region(0); }
    Word first_section() { return region().first_page >> word_shift; }
    uintptr_t start() { return address_of(memory_.start()); }
    static uintptr_t section_start(Word section) { return section << word_shift << page_shift; }
    static Word page_of(uintptr_t address) { return address >> page_shift; }

    TestMemory memory_;
    HeapCore heap_{};
    uintptr_t large_, short_, long_;
    std::vector<uintptr_t> blocks_;
};

class AuditOfFewPlaces : public AuditOfPlaces {
protected:
    AuditOfFewPlaces() : AuditOfPlaces(12) {}
};

const char* const one_bit = "a free page is told by one bit";
const char* const parents = "a parent's bit is set exactly when its child's word is not zero";
const char* const own_order = "a node knows the order that it is entered under";
const char* const entered = "a word of free units is entered under its largest block's order";
const char* const only_open = "a tree leads only to nodes that are open";
const char* const in_region = "open nodes lie in the region";
const char* const is_head = "only a head is tagged as one";
const char* const of_a_head = "a page is free or belongs to a head";

// A node below the root, and what the root says of it.
void AuditOfPlaces::expect_what_a_node_tells() {
    const unsigned level = region().root - 1;
    Word node = region().first_node(level);
    while (!region().is_open(level, node) || region().word(level, node, column::free_units) == 0) ++node;
    const uintptr_t where = node << (word_shift * (level + 1)) << page_shift;
    Word& units = region().word(level, node, column::free_units);
    Word& order = region().word(level, node, column::entered);
    Word* const above = region().words(level + 1, node >> word_shift);
    const Word node_bit = bit_of(node);
    expect_when(units, all_ones, "a full word of free units is merged", where);
    expect_when(above[column::free_units], above[column::free_units] | node_bit, one_bit, where);
    expect_when(order, order + 1, own_order, where);
    expect_when(order, order - 1, own_order, where);
    for (unsigned run = 0; run < word_shift; ++run) {
        Word& tree = above[column::orders + word_shift * level + run];
        expect_when(tree, tree ^ node_bit, entered, where);
    }
    for (unsigned column = column::runs; column < column::known; ++column) {
        expect_when(above[column], above[column] ^ node_bit, parents, where);
    }
}

TEST_F(AuditOfPlaces, ANodeOfALevelInBetween) {
    ASSERT_EQ(2u, region().root);
    expect_what_a_node_tells();
}

TEST_F(AuditOfFewPlaces, ANodeOfALeaf) {
    ASSERT_EQ(1u, region().root);
    expect_what_a_node_tells();
}

void AuditOfPlaces::expect_ways_to_open_nodes_only() {
    const unsigned level = region().root;
    const Word node = region().first_node(level);
    const uintptr_t where = node << (word_shift * (level + 1)) << page_shift;
    Word* const columns = region().words(level, node);
    const Word known = columns[column::known];
    const Word next = bit(highest_bit(known)) << 1;
    expect_when(columns[column::runs], columns[column::runs] | next, only_open, where);
    expect_when(columns[column::room], columns[column::room] | next, only_open, where);
    const unsigned last = node_words(level) - 1;
    expect_when(columns[last], columns[last] | next, only_open, where);
}

TEST_F(AuditOfPlaces, AWayToWhatIsNotOpen) { expect_ways_to_open_nodes_only(); }
TEST_F(AuditOfFewPlaces, AWayToWhatIsNotOpen) { expect_ways_to_open_nodes_only(); }

TEST_F(AuditOfPlaces, ANodeThatIsNotInTheRegion) {
    const Word node = first_section() >> word_shift;
    Word& below = region().word(1, node, column::known);
    ASSERT_NE(0u, digit(first_section()));
    expect_when(below, below | bit(digit(first_section()) - 1), in_region, section_start(node << word_shift));
    const Word last_section = (region().end_page - 1) >> word_shift, last_node = last_section >> word_shift;
    ASSERT_NE(word_bits - 1, digit(last_section));
    region().open(0, last_section);
    expect("");
    Word& behind = region().word(1, last_node, column::known);
    expect_when(behind, behind | bit(digit(last_section) + 1), in_region,
                section_start(last_node << word_shift));
}

TEST_F(AuditOfPlaces, TheOrderMaskAndTheNumberOfFreePages) {
    Word& mask = number_that([&] { return region().order_mask(); });
    const char* const orders = "the order mask tells which orders have blocks";
    for (unsigned order = 0; order < word_shift * (region().root + 1); ++order) {
        expect_when(mask, mask ^ bit(order), orders, start());
    }
    Word& free = number_that([&] { return region().free_pages(); });
    const char* const counted = "a region's free pages are counted exactly";
    expect_when(free, free + 1, counted, start());
    expect_when(free, free - 1, counted, start());
}

TEST_F(AuditOfPlaces, ATagBehindAPartOfTheMapThatWasNeverUsed) {
    const Word section = first_section() + 2 * sections_of_a_node;
    region().open(0, section);
    expect("");
    for (Word page = section << word_shift; page < (section + 1) << word_shift; page += word_bits / 2) {
        expect_when(region().tag(page), tag::large, is_head, page << page_shift);
        expect_when(region().tag(page), tag::leaving, is_head, page << page_shift);
        expect_when(region().tag(page), uint8_t{0}, is_head, page << page_shift);
        expect_when(region().tag(page), tag::reserved, is_head, page << page_shift);
        expect_when(*region().live(page), 1, "live marks are set in slabs only", page << page_shift);
    }
}

TEST_F(AuditOfPlaces, WhatIsLeftOfFreedBlocksIsSound) {
    const Word page = (first_section() + 2 * sections_of_a_node) << word_shift;
    region().open(0, page >> word_shift);
    constexpr uint8_t last_class = tag::freed_slab + class_count - 1;
    for (const uint8_t what : {tag::freed_large, tag::freed_slab, last_class}) {
        region().tag(page) = what;
        expect("");
    }
    region().tag(page_of(large_)) = tag::leaving;
    expect("");
}

TEST_F(AuditOfPlaces, FreeSectionsThatAreLost) {
    const unsigned root = region().root;
    Word& units = region().word(root, region().first_node(root), column::free_units);
    // The root's largest block stays, so that only the pages tell.
    const Word lost = bit(highest_bit(units));
    const Word page = (region().first_node(root) << word_shift | highest_bit(units)) << (word_shift * root);
    if (largest_run_order(units) != largest_run_order(units & ~lost)) GTEST_FAIL() << "another region is due";
    expect_when(units, units & ~lost, of_a_head, page << page_shift);
}

TEST_F(AuditOfPlaces, RunsAndTheirPages) {
    const char* const of_runs = "the tree of runs has the long runs";
    region().runs().set(page_of(short_));
    expect(of_runs, short_);
    region().runs().clear(page_of(short_));
    region().runs().clear(page_of(long_));
    expect(of_runs, long_);
    region().runs().set(page_of(long_));
    expect("");
    const Word free = page_of(long_) + 2 * word_bits;
    region().open(0, free >> word_shift);
    region().runs().set(free);
    expect(of_runs, free << page_shift);
    region().runs().clear(free);
    region().give({page_of(short_) + 4, page_of(short_) + 5});
    expect("the pages of a run are not free", short_ + 4 * page_size);
}

TEST_F(AuditOfPlaces, SparesAndRoomOfPagesThatAreNoSlabs) {
    region().spares().set(page_of(large_));
    expect("a spare is an empty slab", large_);
    region().spares().clear(page_of(large_));
    region().room(1).set(page_of(large_));
    expect("only a class's slabs have its room", large_);
    region().room(1).clear(page_of(large_));
    expect("");
    // Pages that follow one another.
    const Word slab = page_of(blocks_[0]);
    heap_.deallocate_slow(reinterpret_cast<void*>(blocks_[0]), CallSite{"slab_free", nullptr});
    region().spares().set(slab);
    expect("a spare is an empty slab", slab << page_shift);
}

TEST_F(AuditOfPlaces, SlotsOfASlab) {
    const Word page = page_of(allocate(class_size(1)));
    const uintptr_t where = page << page_shift;
    Front const& front = heap_.front(1);
    ASSERT_EQ(where, front.word_base);
    uint8_t& handed = region().handed(page)[0];
    expect_when(handed, uint8_t(class_slots(1) + 1), "no more slots were handed out than a slab has", where);
    const uintptr_t block = blocks_.front();
    const Word slab = page_of(block);
    uint8_t& mark = region().view().live(block);
    expect_when(mark, 2, "a live mark is 0 or 1", block);
    for (unsigned w = 0; w < slot_words; ++w) {
        uint8_t& count = region().handed(slab)[w];
        const uintptr_t first = (slab << page_shift) + first_slot(w) * class_size(0);
        expect_when(count, 0, "a live block was handed out", first);
    }
}

}  // namespace
}  // namespace slabheap
