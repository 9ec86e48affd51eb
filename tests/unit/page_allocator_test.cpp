// SPDX-License-Identifier: MIT
//
// The page allocator: regions in their order, single pages, runs, and reserved ranges.
#include "page_allocator.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "built_defences.hpp"
#include "test_memory.hpp"

namespace slabheap {
namespace {

using test::address_of;
using test::TestMemory;

class PageAllocatorTest : public ::testing::Test {
protected:
    static constexpr Word map_of_20 = test::has_canary ? 2 : 1;  // pages that a map of 20 pages takes

    int add(TestMemory& memory, size_t first, size_t count) {
        return pages_.add_region(address_of(memory.page(first)), test::pages(count));
    }
    static Word page_of(TestMemory& memory, size_t index) {
        return address_of(memory.page(index)) >> page_shift;
    }

    Word free_pages() {
        Word sum = 0;
        for (unsigned i = 0; i < pages_.region_count(); ++i) sum += pages_.region(i).free_pages();
        return sum;
    }

    struct Found {
        Region* region;
        Word page;
    };
    // A run of pages, from a buddy block or across blocks.
    Found run(Word count, Word align) {
        uintptr_t address = pages_.allocate_run(count, align);
        if (address == 0) address = pages_.search_run(count, align);
        return {address == 0 ? nullptr : pages_.region_of(address), address >> page_shift};
    }

    PageAllocator pages_{};
};

TEST_F(PageAllocatorTest, KeepsRegionsSortedWhateverTheirOrder) {
    TestMemory memory(test::pages(80));
    for (size_t first : {40u, 0u, 60u, 20u}) ASSERT_EQ(SLAB_OK, add(memory, first, 20));
    ASSERT_EQ(4u, pages_.region_count());
    for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(page_of(memory, 20 * i), pages_.region(i).first_page);
    for (size_t page = 0; page < 80; ++page) {
        EXPECT_EQ(&pages_.region(static_cast<unsigned>(page / 20)),
                  pages_.region_of(address_of(memory.page(page))));
    }
    EXPECT_EQ(nullptr, pages_.region_of(address_of(memory.start()) - 1));
    EXPECT_EQ(nullptr, pages_.region_of(address_of(memory.end())));
    EXPECT_EQ(4 * (20 - map_of_20), pages_.total_pages());
    EXPECT_EQ(4 * map_of_20, pages_.map_pages());
}

TEST_F(PageAllocatorTest, RefusesWhatOverlapsAnyRegion) {
    TestMemory memory(test::pages(80));
    ASSERT_EQ(SLAB_OK, add(memory, 20, 20));
    EXPECT_EQ(SLAB_ERR_OVERLAP, add(memory, 20, 20));
    EXPECT_EQ(SLAB_ERR_OVERLAP, add(memory, 0, 21));
    EXPECT_EQ(SLAB_ERR_OVERLAP, add(memory, 39, 10));
    EXPECT_EQ(SLAB_ERR_OVERLAP, add(memory, 10, 60));
    EXPECT_EQ(SLAB_ERR_OVERLAP, add(memory, 25, 5));
    EXPECT_EQ(SLAB_OK, add(memory, 40, 10));
    EXPECT_EQ(SLAB_OK, add(memory, 10, 10));
    EXPECT_EQ(3u, pages_.region_count());
}

TEST_F(PageAllocatorTest, RefusesRangesThatWrapBeforeTouchingThem) {
    uintptr_t const top = all_ones - page_size + 1;  // the last page that there is
    EXPECT_EQ(SLAB_ERR_RANGE, pages_.add_region(0, 16 * page_size));
    EXPECT_EQ(SLAB_ERR_RANGE, pages_.add_region(top, 16 * page_size));
    EXPECT_EQ(SLAB_ERR_RANGE, pages_.add_region(2 * page_size, all_ones & ~(page_size - 1)));
    EXPECT_EQ(SLAB_ERR_TOO_SMALL, pages_.add_region(top, page_size));
    EXPECT_EQ(SLAB_ERR_TOO_SMALL, pages_.add_region(page_size, 0));
    EXPECT_EQ(SLAB_ERR_ALIGN, pages_.add_region(page_size + 1, 16 * page_size));
    EXPECT_EQ(SLAB_ERR_ALIGN, pages_.add_region(page_size, page_size + 1));
    EXPECT_FALSE(pages_.initialised());
}

TEST_F(PageAllocatorTest, HandsOutEveryPageOfEveryRegionOnce) {
    TestMemory memory(test::pages(300));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 100));
    ASSERT_EQ(SLAB_OK, add(memory, 100, 100));
    ASSERT_EQ(SLAB_OK, add(memory, 210, 90));
    Word const total = pages_.total_pages();
    EXPECT_EQ(total, free_pages());
    for (Word i = 0; i < total; ++i) {
        Found const found = run(1, 1);
        ASSERT_NE(nullptr, found.region);
        ASSERT_TRUE(found.region->is_usable(found.page));
        ASSERT_FALSE(found.region->is_free({found.page, found.page + 1}));
    }
    EXPECT_EQ(nullptr, run(1, 1).region);
    EXPECT_EQ(0u, free_pages());
    EXPECT_EQ(0u, pages_.largest_block());
}

TEST_F(PageAllocatorTest, ARunTakesItsPagesAndNotAPowerOfTwo) {
    TestMemory memory(test::pages(64));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 64));
    Word const before = free_pages();
    Found const block = run(5, 1);
    ASSERT_NE(nullptr, block.region);
    EXPECT_EQ(before - 5, free_pages());
    EXPECT_EQ(5u, pages_.large_pages());
    EXPECT_EQ(tag::large, block.region->tag(block.page));
    EXPECT_EQ(5u, block.region->run_pages(block.page));
    for (Word page = block.page; page < block.page + 5; ++page)
        EXPECT_EQ(block.page, block.region->head_of(page));
    EXPECT_EQ(Region::none, block.region->head_of(block.page + 5));
    pages_.free_run(*block.region, block.page);
    EXPECT_EQ(before, free_pages());
    EXPECT_EQ(tag::freed_large, block.region->tag(block.page));
    EXPECT_EQ(Region::none, block.region->head_of(block.page));
}

TEST_F(PageAllocatorTest, ARunIsFoundAcrossBlockBordersWhenNoBlockHoldsIt) {
    TestMemory memory(test::pages(8));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 8));  // 7 pages behind the map: blocks of 1, 2 and 4
    Found const block = run(7, 1);
    ASSERT_NE(nullptr, block.region);
    EXPECT_EQ(page_of(memory, 1), block.page);
    EXPECT_EQ(0u, free_pages());
}

TEST_F(PageAllocatorTest, RunsAreAligned) {
    TestMemory memory(test::pages(600), test::pages(3));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 600));
    for (Word align = 1; align <= 64; align *= 2) {
        Found const block = run(3, align);
        ASSERT_NE(nullptr, block.region);
        EXPECT_EQ(0u, block.page % align);
    }
}

TEST_F(PageAllocatorTest, RunsNeverReachAcrossRegionsThatTouch) {
    TestMemory memory(test::pages(40));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 20));
    ASSERT_EQ(SLAB_OK, add(memory, 20, 20));
    EXPECT_EQ(nullptr, run(20, 1).region);
    EXPECT_NE(nullptr, run(20 - map_of_20, 1).region);
    EXPECT_NE(nullptr, run(20 - map_of_20, 1).region);
}

TEST_F(PageAllocatorTest, RunsGrowOnlyIntoFreePagesAndShrinkFromTheirEnd) {
    TestMemory memory(test::pages(64));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 64));
    Found const first = run(4, 4), second = run(4, 4);
    ASSERT_EQ(first.page + 4, second.page);
    EXPECT_FALSE(pages_.grow_run(*first.region, first.page, 5));
    EXPECT_TRUE(pages_.grow_run(*second.region, second.page, 9));
    EXPECT_EQ(13u, pages_.large_pages());
    pages_.free_run(*second.region, second.page);
    EXPECT_TRUE(pages_.grow_run(*first.region, first.page, 12));
    pages_.shrink_run(*first.region, first.page, 2);
    EXPECT_EQ(2u, first.region->run_pages(first.page));
    EXPECT_TRUE(first.region->is_free({first.page + 2, first.page + 12}));
    EXPECT_FALSE(pages_.grow_run(*first.region, first.page, 1000));
    EXPECT_EQ(2u, pages_.large_pages());
}

TEST_F(PageAllocatorTest, EveryPageOfARunLeadsToItsHeadHoweverLongTheRunIsOrBecomes) {
    constexpr Word border = Region::short_run;
    TestMemory memory(test::pages(1024));
    for (Word count : {Word{1}, Word{2}, border - 1, border, border + 1, 3 * border + 5}) {
        pages_ = {};
        ASSERT_EQ(SLAB_OK, add(memory, 0, 1024));
        Region& region = pages_.region(0);
        run(3, 1);  // something before it
        Word const head = run(count, 4 * border).page;
        for (Word now : {count, border + 1, border, Word{1}, 4 * border, border + 2, 2 * border}) {
            if (now < region.run_pages(head)) pages_.shrink_run(region, head, now);
            ASSERT_TRUE(pages_.grow_run(region, head, now));
            for (Word page = head; page < head + now; ++page) ASSERT_EQ(head, region.head_of(page));
            EXPECT_EQ(now > border, region.runs().test(head)) << now;
        }
        pages_.free_run(region, head);
        EXPECT_FALSE(region.runs().test(head));
    }
}

TEST_F(PageAllocatorTest, ReservedRangesLeaveTheTotalAndComeBackInParts) {
    TestMemory memory(test::pages(300));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 300));
    Word const total = pages_.total_pages(), base = page_of(memory, 0);
    PageRange const whole{base + 50, base + 250};
    EXPECT_EQ(SLAB_OK, pages_.reserve(whole));
    EXPECT_EQ(total - 200, pages_.total_pages());
    EXPECT_EQ(SLAB_ERR_IN_USE, pages_.reserve({base + 249, base + 251}));
    EXPECT_EQ(SLAB_ERR_RANGE, pages_.release({base + 249, base + 251}));
    EXPECT_EQ(SLAB_OK, pages_.release({base + 100, base + 150}));
    EXPECT_EQ(SLAB_ERR_RANGE, pages_.release({base + 99, base + 101}));
    EXPECT_EQ(total - 150, pages_.total_pages());
    EXPECT_EQ(SLAB_OK, pages_.reserve({base + 100, base + 150}));
    EXPECT_EQ(SLAB_OK, pages_.release({base + 60, base + 240}));  // over three ranges that touch
    EXPECT_EQ(SLAB_OK, pages_.release({base + 50, base + 60}));
    EXPECT_EQ(SLAB_OK, pages_.release({base + 240, base + 250}));
    EXPECT_EQ(total, pages_.total_pages());
    EXPECT_EQ(total, free_pages());
}

TEST_F(PageAllocatorTest, ReservingRefusesMapsAndWhatIsNotInOneRegion) {
    TestMemory memory(test::pages(40));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 20));
    ASSERT_EQ(SLAB_OK, add(memory, 20, 20));
    Word const base = page_of(memory, 0);
    EXPECT_EQ(SLAB_ERR_IN_USE, pages_.reserve({base, base + 2}));
    EXPECT_EQ(SLAB_ERR_RANGE, pages_.reserve({base + 10, base + 30}));
    EXPECT_EQ(SLAB_ERR_RANGE, pages_.reserve({base + 40, base + 41}));
    EXPECT_EQ(SLAB_OK, pages_.reserve({base + 19, base + 20}));
}

// Three regions in every order of adding them, the largest above or between the small ones.
TEST_F(PageAllocatorTest, TheLargestRegionServesFirstThenTheOthersByAddress) {
    TestMemory memory(test::pages(200));
    for (size_t largest : {100u, 40u}) {
        std::vector<PageRange> spans{{0, 20}, {largest, largest + 60}, {160, 180}};
        std::vector<Word> const served{page_of(memory, largest), page_of(memory, 0), page_of(memory, 160)};
        auto const by_first = [](PageRange a, PageRange b) { return a.first < b.first; };
        do {
            for (bool search : {false, true}) {
                pages_ = {};
                for (PageRange span : spans) ASSERT_EQ(SLAB_OK, add(memory, span.first, span.count()));
                for (unsigned i = 0; i < 3; ++i) {
                    ASSERT_EQ(served[i], pages_.preferred(i).first_page);
                    while (pages_.preferred(i).free_pages() != 0) {
                        uintptr_t const run = search ? pages_.search_run(1, 1) : pages_.allocate_run(1, 1);
                        ASSERT_EQ(&pages_.preferred(i), pages_.region_of(run));
                    }
                }
                ASSERT_EQ(0u, search ? pages_.search_run(1, 1) : pages_.allocate_run(1, 1));
            }
        } while (std::next_permutation(spans.begin(), spans.end(), by_first));
    }
}

TEST_F(PageAllocatorTest, OfRegionsThatAreEquallyLargeTheOneThatWasFirstServesFirst) {
    TestMemory memory(test::pages(60));
    for (size_t first : {20u, 0u, 40u}) ASSERT_EQ(SLAB_OK, add(memory, first, 20));
    unsigned i = 0;
    for (size_t first : {20u, 0u, 40u}) EXPECT_EQ(page_of(memory, first), pages_.preferred(i++).first_page);
}

TEST_F(PageAllocatorTest, ARegionThatIsTooSmallForARunIsPassedOver) {
    TestMemory memory(test::pages(200));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 60));
    ASSERT_EQ(SLAB_OK, add(memory, 100, 20));
    ASSERT_EQ(SLAB_OK, add(memory, 160, 40));
    EXPECT_EQ(&pages_.region(0), run(50, 1).region);
    EXPECT_EQ(&pages_.region(2), run(30, 1).region) << "nine pages are left in the first, 19 in the second";
    EXPECT_EQ(&pages_.region(0), run(1, 1).region);
}

TEST_F(PageAllocatorTest, TheLargestRegionsViewIsThePrimaryOne) {
    TestMemory memory(test::pages(200));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 20));
    Found const page = run(1, 1);
    ASSERT_EQ(SLAB_OK, add(memory, 100, 100));
    EXPECT_EQ(&page.region->view(), pages_.view_of(page.page << page_shift));
    Found const block = run(90, 1);
    EXPECT_EQ(&pages_.region(1), block.region);
    EXPECT_NE(&block.region->view(), pages_.view_of(block.page << page_shift));  // the copy, not the original
    EXPECT_EQ(*pages_.view_of(block.page << page_shift), block.region->view());
}

TEST_F(PageAllocatorTest, OnlyWhatLiesBetweenTheMapAndTheEndCanBeUsed) {
    TestMemory memory(test::pages(20));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 20));
    Region const& region = pages_.region(0);
    for (size_t i = 0; i <= 20; ++i) {
        EXPECT_EQ(i >= map_of_20 && i != 20, region.is_usable(page_of(memory, i))) << i;
    }
}

TEST_F(PageAllocatorTest, TheMapTakesWholePagesAndNoneTooMany) {
    size_t exact = 0;
    for (Word end = 10; end < 5000; ++end) {
        size_t const bytes = Region::bytes_needed(1, end, sizeof(Region));
        Word pages = bytes / page_size;
        if (pages * page_size < bytes) ++pages;
        ASSERT_EQ(pages, Region::map_pages_needed(1, end)) << end;
        exact += bytes % page_size == 0;
    }
    EXPECT_GT(exact, 0u);
}

TEST_F(PageAllocatorTest, TheLargestBlockIsThatOfAllRegions) {
    TestMemory memory(test::pages(300));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 20));
    ASSERT_EQ(SLAB_OK, add(memory, 100, 150));
    ASSERT_EQ(SLAB_OK, add(memory, 270, 30));
    EXPECT_EQ(64u, pages_.largest_block());
}

// What the primary view does not know yet, it knows a section more of with each use.
TEST_F(PageAllocatorTest, EachUseOfABlockMakesThePrimaryViewKnowASectionMore) {
    constexpr Word section = word_bits;
    TestMemory memory(test::pages(2000));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 1000));
    ASSERT_EQ(SLAB_OK, add(memory, 1500, 200));
    Region& region = pages_.region(0);
    uintptr_t const other = pages_.region(1).first_usable() << page_shift;
    ASSERT_EQ(SLAB_OK, pages_.reserve({other >> page_shift, (other >> page_shift) + 1}));
    uintptr_t const far = run(1, 512).page << page_shift;
    Word const marks = section << (page_shift - mark_shift);
    for (;;) {
        Word const known = region.view().known_marks;
        EXPECT_EQ(nullptr, pages_.view_to_use(far + test::pages(3 * section))) << "never used";
        EXPECT_EQ(&pages_.region(1).view(), pages_.view_to_use(other)) << "of another region";
        ASSERT_EQ(known, region.view().known_marks);
        PageView const* const view = pages_.view_to_use(far);
        ASSERT_EQ(*view, region.view());
        if (view != &region.view()) break;  // the primary one
        ASSERT_EQ(known + marks, region.view().known_marks);
    }
    EXPECT_TRUE(region.view().knows(far));
    EXPECT_FALSE(region.view().knows(far + test::pages(section)));
}

// A block's section is opened when it is taken; if it is the next that would be known, it is known then.
TEST_F(PageAllocatorTest, ASectionThatATakenRunOpensIsKnownIfAllBeforeItAre) {
    constexpr Word section = word_bits;
    TestMemory memory(test::pages(1000));
    ASSERT_EQ(SLAB_OK, add(memory, 0, 1000));
    Region& region = pages_.region(0);
    run(1, 1);
    Word const known = region.view().known_marks, marks = section << (page_shift - mark_shift);
    ASSERT_EQ(marks, known);
    uintptr_t const next = run(section, section).page << page_shift;
    ASSERT_EQ(page_of(memory, section), next >> page_shift);
    EXPECT_EQ(2 * marks, region.view().known_marks);
    EXPECT_TRUE(region.view().knows(next));
    uintptr_t const far = run(section, 8 * section).page << page_shift;
    EXPECT_EQ(2 * marks, region.view().known_marks) << "one section is opened, that of the block";
    EXPECT_FALSE(region.view().knows(far));
    EXPECT_EQ(&region.view(), pages_.view_of(far));
}

// Also one of whole sections that nobody used before.
TEST_F(PageAllocatorTest, AReservedRangeIsFoundWhereverItStarts) {
    constexpr Word section = word_bits;
    TestMemory memory(test::pages(1000));
    for (Word count : {section, 2 * section, 2 * section + 1}) {
        pages_ = {};
        ASSERT_EQ(SLAB_OK, add(memory, 0, 1000));
        PageRange const pages{page_of(memory, 5 * section), page_of(memory, 5 * section + count)};
        Word const free = free_pages();
        EXPECT_EQ(SLAB_OK, pages_.reserve(pages));
        for (Word page = pages.first; page < pages.end; ++page)
            ASSERT_EQ(pages.first, pages_.region(0).head_of(page));
        EXPECT_EQ(SLAB_OK, pages_.release(pages));
        EXPECT_EQ(free, free_pages());
    }
}

}  // namespace
}  // namespace slabheap
