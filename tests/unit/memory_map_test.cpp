// SPDX-License-Identifier: MIT
//
// The demo kernel's memory map (kernel-demo/memory_map.c, compiled for the host): which memory the heap may
// have, out of what loaders say. Real maps, the malformed ones that firmware is known for, and a plain model
// that looks at each page.
#include "../../kernel-demo/memory_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t kib = 1024;
constexpr uint64_t mib = 1024 * kib;
constexpr uint64_t gib = 1024 * mib;
constexpr uint64_t no_limit = uint64_t{1} << 47;
constexpr uint64_t last_end = ~uint64_t{0} - (page - 1);

class MemoryMap : public testing::Test {
protected:
    MemoryMap() { memory_map_start(&map_, no_limit); }

    void claim(uint64_t start, uint64_t size, memory_use use) {
        ASSERT_EQ(memory_map_claim(&map_, start, size, use), 1);
    }

    std::vector<memory_range> pieces() const {
        std::vector<memory_range> found;
        memory_range piece;
        for (uint64_t from = 0; memory_map_next(&map_, from, &piece); from = piece.end)
            found.push_back(piece);
        return found;
    }

    memory_map map_;
};

}  // namespace

// Found by argument-dependent look-up when GoogleTest compares and prints.
static bool operator==(const memory_range& a, const memory_range& b) {
    return a.start == b.start && a.end == b.end && a.use == b.use;
}
static void PrintTo(const memory_range& range, std::ostream* out) {
    *out << std::hex << range.start << " - " << range.end << std::dec << ", use " << range.use;
}

using Pieces = std::vector<memory_range>;

TEST_F(MemoryMap, OfNothingHasNoPieces) {
    memory_range region;
    EXPECT_EQ(pieces(), Pieces{});
    EXPECT_EQ(memory_map_first_region(&map_, 32 * kib, &region), 0);
}

TEST_F(MemoryMap, KeepsWhatNobodyElseClaims) {
    claim(mib, 127 * mib, MEMORY_USABLE);
    EXPECT_EQ(pieces(), (Pieces{{mib, 128 * mib, MEMORY_USABLE}}));
}

TEST_F(MemoryMap, CutsTheImageOut) {
    claim(mib, 127 * mib, MEMORY_USABLE);
    claim(2 * mib, 100 * kib, MEMORY_IMAGE);
    EXPECT_EQ(pieces(), (Pieces{{mib, 2 * mib, MEMORY_USABLE},
                                {2 * mib, 2 * mib + 100 * kib, MEMORY_IMAGE},
                                {2 * mib + 100 * kib, 128 * mib, MEMORY_USABLE}}));
}

TEST_F(MemoryMap, DoesNotCareForTheOrderOfClaims) {
    claim(2 * mib, 100 * kib, MEMORY_IMAGE);
    claim(64 * mib, 64 * mib, MEMORY_USABLE);
    claim(0, page, MEMORY_PAGE_0);
    claim(0, 64 * mib, MEMORY_USABLE);
    EXPECT_EQ(pieces(), (Pieces{{0, page, MEMORY_PAGE_0},
                                {page, 2 * mib, MEMORY_USABLE},
                                {2 * mib, 2 * mib + 100 * kib, MEMORY_IMAGE},
                                {2 * mib + 100 * kib, 128 * mib, MEMORY_USABLE}}));
}

TEST_F(MemoryMap, GivesOverlapsToTheStrongest) {
    claim(0, 10 * page, MEMORY_USABLE);
    claim(5 * page, 10 * page, MEMORY_RESERVED);
    claim(7 * page, 2 * page, MEMORY_ACPI);
    claim(14 * page, 2 * page, MEMORY_USABLE);
    EXPECT_EQ(pieces(), (Pieces{{0, 5 * page, MEMORY_USABLE},
                                {5 * page, 15 * page, MEMORY_RESERVED},
                                {15 * page, 16 * page, MEMORY_USABLE}}));
}

TEST_F(MemoryMap, LeavesGapsOut) {
    claim(page, page, MEMORY_USABLE);
    claim(10 * page, page, MEMORY_USABLE);
    EXPECT_EQ(pieces(), (Pieces{{page, 2 * page, MEMORY_USABLE}, {10 * page, 11 * page, MEMORY_USABLE}}));
}

TEST_F(MemoryMap, ShrinksUsableMemoryToWholePages) {
    claim(page + 1, 3 * page, MEMORY_USABLE);
    EXPECT_EQ(pieces(), (Pieces{{2 * page, 4 * page, MEMORY_USABLE}}));
}

TEST_F(MemoryMap, DropsUsableMemoryWithoutAWholePage) {
    claim(page + 1, 2 * page - 2, MEMORY_USABLE);
    claim(8 * page, 0, MEMORY_USABLE);
    EXPECT_EQ(pieces(), Pieces{});
}

TEST_F(MemoryMap, GrowsEverythingElseToWholePages) {
    claim(0, 16 * page, MEMORY_USABLE);
    claim(4 * page - 1, 2, MEMORY_LOADER);
    EXPECT_EQ(pieces(), (Pieces{{0, 3 * page, MEMORY_USABLE},
                                {3 * page, 5 * page, MEMORY_LOADER},
                                {5 * page, 16 * page, MEMORY_USABLE}}));
}

TEST_F(MemoryMap, IgnoresAnEmptyReservation) {
    claim(0, 16 * page, MEMORY_USABLE);
    claim(4 * page + 1, 0, MEMORY_RESERVED);
    EXPECT_EQ(pieces(), (Pieces{{0, 16 * page, MEMORY_USABLE}}));
}

TEST_F(MemoryMap, DoesNotWrapAtTheTop) {
    claim(~uint64_t{0} - 10 * page + 1, 20 * page, MEMORY_RESERVED);
    claim(gib, ~uint64_t{0}, MEMORY_ACPI);
    claim(~uint64_t{0}, 1, MEMORY_IMAGE);
    EXPECT_EQ(pieces(), (Pieces{{gib, last_end - 9 * page, MEMORY_ACPI},
                                {last_end - 9 * page, last_end, MEMORY_RESERVED}}));
}

TEST_F(MemoryMap, PutsUsableMemoryBeyondTheLimitOutOfReach) {
    memory_map_start(&map_, 4 * gib);
    claim(3 * gib, 2 * gib, MEMORY_USABLE);
    claim(5 * gib, gib, MEMORY_RESERVED);
    EXPECT_EQ(pieces(), (Pieces{{3 * gib, 4 * gib, MEMORY_USABLE},
                                {4 * gib, 5 * gib, MEMORY_OUT_OF_REACH},
                                {5 * gib, 6 * gib, MEMORY_RESERVED}}));
}

TEST_F(MemoryMap, SaysWhenItIsFull) {
    for (uint64_t i = 0; i < MEMORY_MAP_CLAIMS; i++) claim(2 * i * page, page, MEMORY_USABLE);
    EXPECT_EQ(memory_map_claim(&map_, gib, page, MEMORY_RESERVED), 0);
    EXPECT_EQ(memory_map_claim(&map_, gib, 0, MEMORY_RESERVED), 1) << "nothing always fits";
    EXPECT_EQ(pieces().size(), size_t{MEMORY_MAP_CLAIMS});
}

TEST_F(MemoryMap, FirstRegionIsTheLowestThatHasTheSize) {
    claim(page, 7 * page, MEMORY_USABLE);
    claim(16 * page, 17 * page, MEMORY_USABLE);
    claim(mib, 127 * mib, MEMORY_USABLE);
    memory_range region;
    ASSERT_EQ(memory_map_first_region(&map_, 32 * kib, &region), 1);
    EXPECT_EQ(region, (memory_range{16 * page, 32 * page, MEMORY_USABLE})) << "cut to a multiple of 32 KiB";
}

TEST_F(MemoryMap, FirstRegionIsUsable) {
    claim(0, mib, MEMORY_RESERVED);
    claim(mib, mib, MEMORY_IMAGE);
    claim(2 * mib, 16 * kib, MEMORY_USABLE);
    memory_range region;
    EXPECT_EQ(memory_map_first_region(&map_, 32 * kib, &region), 0);
}

TEST_F(MemoryMap, OfAPcGivesTheHeapItsRegions) {
    memory_map_start(&map_, 4 * gib);
    claim(0, 0x9fc00, MEMORY_USABLE);
    claim(0x9fc00, 0x400, MEMORY_RESERVED);
    claim(0xf0000, 0x10000, MEMORY_RESERVED);
    claim(0x100000, 0x7ee0000, MEMORY_USABLE);
    claim(0x7fe0000, 0x20000, MEMORY_RESERVED);
    claim(0xfffc0000, 0x40000, MEMORY_RESERVED);
    claim(0x100000, 0x2b123, MEMORY_IMAGE);
    claim(0x9500, 0x78, MEMORY_LOADER);
    claim(0, page, MEMORY_PAGE_0);
    EXPECT_EQ(pieces(), (Pieces{{0, 0x1000, MEMORY_PAGE_0},
                                {0x1000, 0x9000, MEMORY_USABLE},
                                {0x9000, 0xa000, MEMORY_LOADER},
                                {0xa000, 0x9f000, MEMORY_USABLE},
                                {0x9f000, 0xa0000, MEMORY_RESERVED},
                                {0xf0000, 0x100000, MEMORY_RESERVED},
                                {0x100000, 0x12c000, MEMORY_IMAGE},
                                {0x12c000, 0x7fe0000, MEMORY_USABLE},
                                {0x7fe0000, 0x8000000, MEMORY_RESERVED},
                                {0xfffc0000, 0x100000000, MEMORY_RESERVED}}));
}

// The model knows the strongest claim of each page by itself.
TEST_F(MemoryMap, AgreesWithAModelOfPages) {
    constexpr size_t pages = 64;
    constexpr int nobody = -1;
    std::mt19937 random(20240229);
    for (int round = 0; round < 2000; round++) {
        const uint64_t limit = random() % pages * page;
        memory_map_start(&map_, limit);
        std::vector<int> model(pages, nobody);
        for (auto claims = random() % 12; claims != 0; claims--) {
            const uint64_t start = random() % (pages / 2 * page);
            const uint64_t size = random() % (pages / 2 * page);
            const auto use = static_cast<memory_use>(random() % (MEMORY_PAGE_0 + 1));
            claim(start, size, use);
            const uint64_t last = start + size - 1;
            for (size_t i = 0; i < pages && size != 0; i++) {
                const bool touched = i * page <= last && start < (i + 1) * page;
                const bool covered = start <= i * page && (i + 1) * page - 1 <= last;
                if (use == MEMORY_USABLE ? covered : touched) model[i] = std::max<int>(model[i], use);
            }
        }
        for (size_t i = static_cast<size_t>(limit / page); i < pages; i++) {
            if (model[i] == MEMORY_USABLE) model[i] = MEMORY_OUT_OF_REACH;
        }
        Pieces expected;
        for (size_t i = 0; i < pages; i++) {
            if (model[i] == nobody) continue;
            const auto use = static_cast<memory_use>(model[i]);
            if (!expected.empty() && expected.back().end == i * page && expected.back().use == use) {
                expected.back().end += page;
            } else {
                expected.push_back({i * page, (i + 1) * page, use});
            }
        }
        ASSERT_EQ(pieces(), expected) << "round " << round;
    }
}
