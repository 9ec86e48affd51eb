// SPDX-License-Identifier: MIT
//
// The buddy allocator against one flag a page, for regions low, odd, straddling nodes, and at the top of the
// address space.
#include "buddy.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "map_memory.hpp"

namespace slabheap {
namespace {

using test::end_of_pages;
using test::Mapped;

// One flag a page, and what follows from them.
class Model {
public:
    Model(Word first, Word end) : first_(first), free_(end - first) {}

    void mark(PageRange pages, bool free) {
        for (Word page = pages.first; page < pages.end; ++page) free_[page - first_] = free;
    }
    Word first() const { return first_; }
    bool is_free(Word page) const { return free_[page - first_]; }
    bool is_free(PageRange pages) const {
        for (Word page = pages.first; page < pages.end; ++page) {
            if (!is_free(page)) return false;
        }
        return true;
    }
    Word end() const { return first_ + free_.size(); }
    Word free_pages() const {
        Word sum = 0;
        for (bool free : free_) sum += free;
        return sum;
    }
    // Pages of the largest free block that is aligned to its size.
    Word largest_block() const {
        for (Word size = Word{1} << 24; size != 0; size /= 2) {
            for (Word page = (first_ + size - 1) / size * size; page + size <= end(); page += size) {
                if (is_free({page, page + size})) return size;
            }
        }
        return 0;
    }
    Word lowest_run(Word count, Word align) const {
        for (Word page = (first_ + align - 1) / align * align; page + count <= end(); page += align) {
            if (is_free({page, page + count})) return page;
        }
        return Buddy::none;
    }

private:
    Word first_;
    std::vector<bool> free_;
};

// What the buddy says of every page, and of the largest block, is what the model says.
void expect_same(Mapped<Buddy>& buddy, Model const& model) {
    ASSERT_EQ(model.free_pages(), buddy->free_pages());
    ASSERT_EQ(model.largest_block(), buddy->largest_block());
    for (Word page = model.first(); page < model.end();) {
        Buddy::Extent const piece = buddy->extent(page);
        ASSERT_GT(piece.end, page);
        ASSERT_LE(piece.end, model.end());
        for (; page < piece.end; ++page) ASSERT_EQ(model.is_free(page), piece.free) << "page " << page;
    }
}

void give_all(Buddy& buddy, PageRange pages) {
    buddy.open_edges(pages);
    buddy.give(pages);
}

class BuddyOverPages : public ::testing::TestWithParam<PageRange> {
protected:
    PageRange range() const { return GetParam(); }
};

TEST_P(BuddyOverPages, StartsWithNothingFree) {
    Mapped<Buddy> buddy(range().first, range().end);
    expect_same(buddy, Model(range().first, range().end));
    EXPECT_EQ(Buddy::none, buddy->allocate(1, 0));
}

TEST_P(BuddyOverPages, AgreesWithOneFlagAPage) {
    Mapped<Buddy> buddy(range().first, range().end);
    Model model(range().first, range().end);
    give_all(*buddy, range());
    model.mark(range(), true);
    expect_same(buddy, model);

    std::mt19937_64 random(3);
    std::vector<PageRange> taken;
    Word const count = range().count();
    int const rounds = count > 10000 ? 150 : 1500;
    for (int round = 0; round < rounds; ++round) {
        if (random() % 20 < (round / 100 % 2 == 0 ? 12u : 8u) || taken.empty()) {
            Word const pages =
                1 + static_cast<Word>(random()) % (random() % 4 == 0 ? count / 2 + 1 : count / 20 + 2);
            unsigned const order = order_of(pages);
            Word const page = buddy->allocate(pages, order);
            if (model.largest_block() < (Word{1} << order)) {
                ASSERT_EQ(Buddy::none, page);
                continue;
            }
            ASSERT_NE(Buddy::none, page);
            ASSERT_EQ(0u, page & ((Word{1} << order) - 1));
            ASSERT_TRUE(model.is_free({page, page + (Word{1} << order)}));
            model.mark({page, page + pages}, false);
            taken.push_back({page, page + pages});
        } else {
            std::swap(taken[static_cast<size_t>(random()) % taken.size()], taken.back());
            PageRange back = taken.back();
            taken.pop_back();
            if (back.count() > 1 && random() % 3 == 0) {  // in two parts
                Word const middle = back.first + 1 + static_cast<Word>(random()) % (back.count() - 1);
                taken.push_back({middle, back.end});
                back.end = middle;
                buddy->open_edges(back);
            }
            buddy->give(back);
            model.mark(back, true);
        }
        if (round % 10 == 0 || count < 1000) expect_same(buddy, model);
    }
    for (PageRange const& back : taken) give_all(*buddy, back);
    model.mark(range(), true);
    expect_same(buddy, model);
    EXPECT_TRUE(buddy.end_is_intact());
}

// A page has short ways of its own, out and back. They lead where those of any count of pages do.
TEST_P(BuddyOverPages, APageIsTheOneThatAnAllocationOfOnePageWouldGive) {
    Mapped<Buddy> pages(range().first, range().end), runs(range().first, range().end, 0xff);
    Model model(range().first, range().end);
    give_all(*pages, range());
    give_all(*runs, range());
    model.mark(range(), true);
    std::mt19937_64 random(4);
    std::vector<Word> taken;
    auto const take = [&] {
        Word const page = pages->allocate_page();
        ASSERT_EQ(runs->allocate(1, 0), page);
        if (page == Buddy::none) return;
        ASSERT_TRUE(model.is_free(page));
        model.mark({page, page + 1}, false);
        taken.push_back(page);
    };
    auto const give = [&] {
        std::swap(taken[static_cast<size_t>(random()) % taken.size()], taken.back());
        Word const page = taken.back();
        taken.pop_back();
        pages->give_page(page);
        runs->give({page, page + 1});
        model.mark({page, page + 1}, true);
    };
    for (int round = 0; round < 300; ++round) {
        random() % 3 != 0 || taken.empty() ? take() : give();
        if (range().count() < 10000 || round % 50 == 0) expect_same(pages, model);
        ASSERT_EQ(runs->order_mask(), pages->order_mask());
        if (HasFailure()) return;
    }
    while (pages->free_pages() != 0 && !HasFailure()) take();
    EXPECT_EQ(Buddy::none, pages->allocate_page());
    EXPECT_EQ(0u, pages->order_mask());
    while (!taken.empty()) give();
    ASSERT_EQ(runs->order_mask(), pages->order_mask());
    expect_same(pages, model);
    EXPECT_TRUE(pages.end_is_intact());
}

TEST_P(BuddyOverPages, TakesAnyRangeOutOfTheMiddleAndMergesItBack) {
    Mapped<Buddy> buddy(range().first, range().end);
    Model model(range().first, range().end);
    give_all(*buddy, range());
    model.mark(range(), true);
    std::mt19937_64 random(5);
    for (int round = 0; round < 60; ++round) {
        Word const first = range().first + static_cast<Word>(random()) % range().count();
        Word const end = first + 1 + static_cast<Word>(random()) % (range().end - first);
        ASSERT_TRUE(buddy->is_free({first, end}));
        buddy->take({first, end});
        model.mark({first, end}, false);
        ASSERT_FALSE(buddy->is_free({first, first + 1}));
        ASSERT_FALSE(buddy->is_free({end - 1, end}));
        expect_same(buddy, model);
        buddy->give({first, end});
        model.mark({first, end}, true);
        expect_same(buddy, model);
    }
}

TEST_P(BuddyOverPages, SearchFindsTheLowestRunWhereverBlockBordersLie) {
    Mapped<Buddy> buddy(range().first, range().end);
    Model model(range().first, range().end);
    give_all(*buddy, range());
    model.mark(range(), true);
    std::mt19937_64 random(9);
    for (int hole = 0; hole < 12; ++hole) {
        Word const page = range().first + static_cast<Word>(random()) % range().count();
        if (!model.is_free(page)) continue;
        buddy->take({page, page + 1});
        model.mark({page, page + 1}, false);
    }
    for (int probe = 0; probe < 60; ++probe) {
        Word const count = 1 + static_cast<Word>(random()) % range().count();
        Word const align = Word{1} << random() % 6;
        ASSERT_EQ(model.lowest_run(count, align), buddy->search(count, align))
            << count << " aligned " << align;
    }
}

INSTANTIATE_TEST_SUITE_P(Ranges, BuddyOverPages,
                         ::testing::Values(PageRange{1, 9}, PageRange{7, 8}, PageRange{64, 128},
                                           PageRange{60, 70}, PageRange{63, 193}, PageRange{1, 1000},
                                           PageRange{4096, 8192}, PageRange{4095, 8193},
                                           PageRange{4096, 12288},
                                           PageRange{4000, 4200}, PageRange{262100, 262200},
                                           PageRange{5, 20005}, PageRange{end_of_pages - 8, end_of_pages},
                                           PageRange{end_of_pages - 5000, end_of_pages}));

// Three units of level 3, so that the root is above them: a page of one is split off through all levels, and
// merged back through all. What the map held before does not matter.
TEST(Buddy, APageSplitsALargestBlockOnEveryLevelAndMergesItBack) {
    constexpr unsigned order = 3 * word_shift;
    constexpr Word unit = bit(order), first = unit, end = 4 * unit;
    for (int garbage : {0x00, 0x80, 0xa5, 0xff}) {
        Mapped<Buddy> buddy(first, end, garbage);
        ASSERT_EQ(3u, buddy->root);
        give_all(*buddy, {first, end});
        // The mask tells of the largest block of each word.
        Word const whole = bit(order + 1);  // units 2 and 3
        Word const split = whole | bit(order - 1) | bit(2 * word_shift - 1) | bit(word_shift - 1);
        for (bool by_page : {true, false}) {
            ASSERT_EQ(whole, buddy->order_mask());
            EXPECT_EQ(first, by_page ? buddy->allocate_page() : buddy->allocate(1, 0));
            EXPECT_EQ(split, buddy->order_mask());
            // A block of each order is left of the unit, as far behind its start as the block is large.
            for (unsigned k = 0; k < order; ++k) EXPECT_EQ(first + bit(k), buddy->allocate(bit(k), k));
            EXPECT_EQ(whole, buddy->order_mask());
            for (unsigned k = 0; k < order; ++k) buddy->give({first + bit(k), first + 2 * bit(k)});
            EXPECT_EQ(split, buddy->order_mask());
            by_page ? buddy->give_page(first) : buddy->give({first, first + 1});
            EXPECT_EQ(whole, buddy->order_mask());
            EXPECT_EQ(end - first, buddy->free_pages());
        }
        EXPECT_TRUE(buddy.end_is_intact(garbage));
    }
}

// Counts whose last page lies in the first, in the last and in other units of a word, at every level.
TEST(Buddy, ACutLeavesTheRestWhereverInItsWordsItEnds) {
    constexpr Word u = word_bits, v = u * u, whole = u * v, last = u - 1;
    for (Word count : {Word{1}, last, u, u + 1, last * u, last * u + 1, last * u + 5, last * u + last, v,
                       v + 1, v + last, v + last * u, v + last * u + 5, last * v, last * v + 1, last * v + 5,
                       last * v + last, last * v + last * u, last * v + last * u + 5, whole - 1, whole}) {
        Mapped<Buddy> buddy(whole, 2 * whole);
        Model model(whole, 2 * whole);
        give_all(*buddy, {whole, 2 * whole});
        ASSERT_EQ(whole, buddy->allocate(count, order_of(count)));
        model.mark({whole, 2 * whole}, true);
        model.mark({whole, whole + count}, false);
        expect_same(buddy, model);
        // The rest can be had, block by block.
        while (Word const size = buddy->largest_block()) {
            Word const page = buddy->allocate(size, order_of(size));
            ASSERT_TRUE(page % size == 0 && model.is_free({page, page + size})) << count << ": " << page;
            model.mark({page, page + size}, false);
        }
        ASSERT_EQ(0u, model.free_pages()) << count;
        buddy->give({whole, 2 * whole});
        ASSERT_EQ(bit(order_of(whole)), buddy->order_mask()) << count;
    }
}

// Nodes that given pages cover wholly are not touched: they may never have been opened, and what their memory
// holds may look like an order that there is, such as 3.
TEST(Buddy, WhatIsGivenCountsAboveTheNodesThatItCovers) {
    constexpr Word v = word_bits * word_bits;
    for (int garbage : {0x00, 0x44, 0xa5, 0xff}) {
        Mapped<Buddy> buddy(v, 5 * v, garbage);
        Model model(v, 5 * v);
        PageRange const pages{2 * v - 10, 4 * v + 10};
        give_all(*buddy, pages);
        model.mark(pages, true);
        expect_same(buddy, model);
        EXPECT_NE(0u, buddy->order_mask() & bit(3));
        EXPECT_FALSE(buddy->is_open(1, 2));
        EXPECT_FALSE(buddy->is_open(1, 3));
        buddy->take(pages);
        EXPECT_EQ(0u, buddy->order_mask());
    }
}

// The root's words are full when all is free, and stay as they are: there is nothing above them.
TEST(Buddy, BothNodesOfTheRootMayBeFull) {
    constexpr Word v = word_bits * word_bits;
    Mapped<Buddy> buddy(v, 3 * v);
    ASSERT_EQ(1u, buddy->root);
    give_all(*buddy, {v, 3 * v});
    EXPECT_EQ(2 * v, buddy->free_pages());
    EXPECT_EQ(v, buddy->allocate(v, order_of(v)));
    EXPECT_EQ(2 * v, buddy->allocate(v, order_of(v)));
    EXPECT_EQ(0u, buddy->order_mask());
}

// A search in steps looks at so many pieces, and tells where it goes on.
TEST(Buddy, ASearchStopsAfterSoManyPieces) {
    for (Word first : {Word{64}, Word{65}}) {  // free, or not
        Mapped<Buddy> buddy(64, 164);
        for (Word page = 64; page < 164; page += 2) give_all(*buddy, {page, page + 1});
        for (unsigned most = 1; most < 20; ++most) {
            Word from = first;
            EXPECT_EQ(Buddy::none, buddy->search(2, 1, from, most));
            bool const ends_in_a_free_one = (first + most - 1) % 2 == 0;
            EXPECT_EQ(first + most + ends_in_a_free_one, from) << most;
        }
    }
}

TEST(Buddy, FreeingBothHalvesRestoresTheWhole) {
    Mapped<Buddy> buddy(64, 128);
    give_all(*buddy, {64, 128});
    EXPECT_EQ(64u, buddy->largest_block());
    buddy->take({64, 96});
    buddy->take({96, 128});
    EXPECT_EQ(0u, buddy->largest_block());
    buddy->give({64, 96});
    EXPECT_EQ(32u, buddy->largest_block());
    buddy->give({96, 128});
    EXPECT_EQ(64u, buddy->largest_block());
}

TEST(Buddy, NeighboursThatAreNoBuddiesDoNotMerge) {
    Mapped<Buddy> buddy(1, 9);
    give_all(*buddy, {2, 6});
    EXPECT_EQ(2u, buddy->largest_block());
    EXPECT_EQ(Buddy::none, buddy->allocate(4, 2));
    EXPECT_EQ(2u, buddy->search(4, 1));
}

TEST(Buddy, TheSmallestBlockThatWillDoIsUsed) {
    Mapped<Buddy> buddy(1, 4096);
    for (PageRange pages : {PageRange{1024, 2048}, {17, 18}, {256, 320}}) give_all(*buddy, pages);
    EXPECT_EQ(17u, buddy->allocate(1, 0));
    EXPECT_EQ(256u, buddy->allocate(2, 1));
    EXPECT_EQ(258u, buddy->allocate(1, 0));
    EXPECT_EQ(1024u, buddy->allocate(120, 7));
    EXPECT_EQ(1144u, buddy->allocate(4, 2));
    EXPECT_EQ(Buddy::none, buddy->allocate(1 << 11, 11));
}

// Every way to have taken pages of a small region, from every such state every range: the region is small
// enough.
TEST(Buddy, EveryStateOfNinePagesAgreesWithOneFlagAPage) {
    constexpr Word first = 60, count = 9;  // over the border of a node
    for (unsigned state = 0; state < 1u << count; ++state) {
        Mapped<Buddy> buddy(first, first + count);
        Model model(first, first + count);
        for (Word i = 0; i < count; ++i) {
            if ((state >> i & 1) == 0) continue;
            give_all(*buddy, {first + i, first + i + 1});
            model.mark({first + i, first + i + 1}, true);
        }
        ASSERT_EQ(model.free_pages(), buddy->free_pages());
        ASSERT_EQ(model.largest_block(), buddy->largest_block());
        for (Word low = first; low < first + count; ++low) {
            for (Word high = low + 1; high <= first + count; ++high) {
                ASSERT_EQ(model.is_free({low, high}), buddy->is_free({low, high}));
                if (!model.is_free({low, high})) continue;
                buddy->take({low, high});
                model.mark({low, high}, false);
                ASSERT_EQ(model.largest_block(), buddy->largest_block());
                buddy->give({low, high});
                model.mark({low, high}, true);
                ASSERT_EQ(model.largest_block(), buddy->largest_block());
            }
        }
        for (Word size = 1; size <= count; ++size)
            ASSERT_EQ(model.lowest_run(size, 1), buddy->search(size, 1));
    }
}

}  // namespace
}  // namespace slabheap
