// SPDX-License-Identifier: MIT
//
// Every status of every call that returns one, in the order in which the conditions are tested; and that a
// refused call has changed nothing. reserve_test.cpp has slab_heap_reserve and slab_heap_release.
#include "test_heap.hpp"

#include <cstdint>
#include <cstring>
#include <set>
#include <string>

namespace slabheap::test {
namespace {

constexpr size_t unit = SLAB_MIN_HEAP_SIZE;

void* at(uintptr_t address) {
    return reinterpret_cast<void*>(address);
}

struct Refusal {
    const char* name;
    size_t start;  // added to the memory's start, unless absolute
    bool absolute;
    size_t size;
    int status;
};

// Prints a case by its name.
void PrintTo(const Refusal& refusal, std::ostream* out) {
    *out << refusal.name;
}

std::string name_of(const ::testing::TestParamInfo<Refusal>& param) {
    return param.param.name;
}

constexpr size_t last_page = SIZE_MAX - page_size + 1;

const Refusal init_refusals[] = {
    {"NullStart", 0, true, unit, SLAB_ERR_RANGE},
    {"NullStartComesBeforeTheSize", 0, true, 1, SLAB_ERR_RANGE},
    {"NullStartAndNoSize", 0, true, 0, SLAB_ERR_RANGE},
    {"StartOffByOne", 1, false, unit, SLAB_ERR_ALIGN},
    {"StartOffBy16", 16, false, unit, SLAB_ERR_ALIGN},
    {"StartOffByHalfAPage", 2048, false, unit, SLAB_ERR_ALIGN},
    {"AlignmentComesBeforeTheSize", 8, false, pages(1), SLAB_ERR_ALIGN},
    {"SizeZero", 0, false, 0, SLAB_ERR_TOO_SMALL},
    {"OnePage", 0, false, pages(1), SLAB_ERR_TOO_SMALL},
    {"OnePageLessThanTheMinimum", 0, false, unit - pages(1), SLAB_ERR_TOO_SMALL},
    {"OnePageMore", 0, false, unit + pages(1), SLAB_ERR_NOT_MULTIPLE},
    {"OnePageLessThanTwice", 0, false, 2 * unit - pages(1), SLAB_ERR_NOT_MULTIPLE},
    {"LargestSize", 0, false, SIZE_MAX - unit + 1, SLAB_ERR_RANGE},
    {"WrapsByAPage", SIZE_MAX - unit + 1 + page_size, true, unit, SLAB_ERR_RANGE},
    {"StartsInTheLastPage", last_page, true, unit, SLAB_ERR_RANGE},
};

class InitRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(InitRefuses, WithItsStatusAndTheHeapUntouched) {
    const Refusal& refusal = GetParam();
    TestMemory memory(4 * unit);
    Heap heap;
    void* start = refusal.absolute ? at(refusal.start) : memory.start() + refusal.start;
    EXPECT_EQ(refusal.status, heap.init(start, refusal.size));
    EXPECT_EQ(0u, heap.total_bytes());
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.check());
    EXPECT_EQ(nullptr, heap.allocate({1, 1}));
    EXPECT_EQ(SLAB_OK, heap.init(memory.start(), unit)) << "the refusal must leave no trace";
    EXPECT_TRUE(audits(heap));
}

INSTANTIATE_TEST_SUITE_P(Every, InitRefuses, ::testing::ValuesIn(init_refusals), name_of);

TEST(Init, ASecondCallIsRefusedBeforeAnythingElse) {
    TestHeap test(unit);
    TestMemory other(unit);
    const slab_stats before = test.stats();
    EXPECT_EQ(SLAB_ERR_ALREADY_INITIALISED, test.heap.init(other.start(), unit));
    EXPECT_EQ(SLAB_ERR_ALREADY_INITIALISED, test.heap.init(test.memory.start(), unit));
    EXPECT_EQ(SLAB_ERR_ALREADY_INITIALISED, test.heap.init(nullptr, 1));
    EXPECT_TRUE(same_books(before, test.stats()));
}

TEST(Init, EverySizeThatIsAMultipleOf32KiBIsTaken) {
    for (size_t count = 1; count <= 40; ++count) {
        TestHeap test(count * unit, pages(count % 7));
        const slab_stats stats = test.stats();
        EXPECT_EQ(count * unit, stats.total_bytes + stats.metadata_bytes);
        EXPECT_EQ(stats.total_bytes, stats.available_bytes);
    }
}

const Refusal add_refusals[] = {
    {"NullStart", 0, true, pages(8), SLAB_ERR_RANGE},
    {"NullStartComesBeforeTheSize", 0, true, 1, SLAB_ERR_RANGE},
    {"StartOffByOne", unit + 1, false, pages(8), SLAB_ERR_ALIGN},
    {"StartOffBy16", unit + 16, false, pages(8), SLAB_ERR_ALIGN},
    {"SizeOffByOne", unit, false, pages(8) + 1, SLAB_ERR_ALIGN},
    {"SizeBelowAPage", unit, false, 100, SLAB_ERR_ALIGN},
    {"SizeZero", unit, false, 0, SLAB_ERR_TOO_SMALL},
    {"NoPageBesideTheMap", unit, false, pages(1), SLAB_ERR_TOO_SMALL},
    {"TooSmallComesBeforeOverlap", 0, false, pages(1), SLAB_ERR_TOO_SMALL},
    {"TheSameAgain", 0, false, unit, SLAB_ERR_OVERLAP},
    {"WithinTheRegion", pages(2), false, pages(3), SLAB_ERR_OVERLAP},
    {"OverItsEnd", unit - pages(1), false, pages(3), SLAB_ERR_OVERLAP},
    {"AllOfItAndMore", 0, false, 2 * unit, SLAB_ERR_OVERLAP},
    {"LargestSize", unit, false, SIZE_MAX - page_size + 1, SLAB_ERR_RANGE},
    {"WrapsByAPage", SIZE_MAX - pages(3) + 1, true, pages(4), SLAB_ERR_RANGE},
    {"StartsInTheLastPage", last_page, true, pages(2), SLAB_ERR_RANGE},
};

class AddMemoryRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(AddMemoryRefuses, WithItsStatusAndTheHeapUntouched) {
    const Refusal& refusal = GetParam();
    TestMemory memory(4 * unit);
    FaultRecorder faults;
    Heap heap;
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), unit));
    const slab_stats before = stats_of(heap);
    void* start = refusal.absolute ? at(refusal.start) : memory.start() + refusal.start;
    EXPECT_EQ(refusal.status, heap.add_memory(start, refusal.size));
    EXPECT_TRUE(same_books(before, stats_of(heap)));
    EXPECT_TRUE(audits(heap));
    EXPECT_EQ(SLAB_OK, heap.add_memory(memory.start() + unit, unit)) << "the refusal must leave no trace";
}

INSTANTIATE_TEST_SUITE_P(Every, AddMemoryRefuses, ::testing::ValuesIn(add_refusals), name_of);

TEST(AddMemory, BeforeInitItIsRefusedBeforeAnythingElse) {
    TestMemory memory(unit);
    Heap heap;
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.add_memory(memory.start(), unit));
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.add_memory(nullptr, 1));
    EXPECT_EQ(0u, heap.total_bytes());
    EXPECT_EQ(SLAB_OK, heap.init(memory.start(), unit));
}

TEST(AddMemory, OverTheStartOfARegionItIsRefused) {
    TestMemory memory(2 * unit);
    Heap heap;
    ASSERT_EQ(SLAB_OK, heap.init(memory.start() + unit, unit));
    EXPECT_EQ(SLAB_ERR_OVERLAP, heap.add_memory(memory.start(), unit + pages(1)));
    EXPECT_EQ(SLAB_ERR_OVERLAP, heap.add_memory(memory.start(), 2 * unit));
    EXPECT_EQ(SLAB_OK, heap.add_memory(memory.start(), unit));
}

TEST(AddMemory, AtLeast64RegionsAreTakenThenRefused) {
    constexpr size_t span = pages(3);
    static_assert(SLAB_MAX_REGIONS >= 64);
    TestMemory more((SLAB_MAX_REGIONS + 1) * span);
    TestHeap test(unit);
    for (size_t i = 1; i < SLAB_MAX_REGIONS; ++i) {
        ASSERT_EQ(SLAB_OK, test.heap.add_memory(more.start() + i * span, pages(2))) << i;
    }
    const slab_stats before = test.stats();
    EXPECT_EQ(pages(7 + SLAB_MAX_REGIONS - 1), before.total_bytes);
    EXPECT_EQ(SLAB_ERR_TOO_MANY_REGIONS, test.heap.add_memory(more.start(), pages(2)));
    EXPECT_EQ(SLAB_ERR_OVERLAP, test.heap.add_memory(more.start() + span, pages(2)))
        << "an overlap is found before the region is counted";
    EXPECT_TRUE(same_books(before, test.stats()));
    std::set<void*> blocks;
    for (const void* block : test.exhaust({4096, 4096})) {
        blocks.insert(const_cast<void*>(block));
    }
    EXPECT_EQ(7u + SLAB_MAX_REGIONS - 1, blocks.size()) << "every region serves";
}

TEST(Check, SaysWhetherTheHeapIsInitialised) {
    TestMemory memory(unit);
    Heap heap;
    slab_audit audit{"untouched", &memory};
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.check());
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.audit(&audit));
    EXPECT_EQ(SLAB_ERR_NOT_INITIALISED, heap.audit(nullptr));
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), unit));
    EXPECT_EQ(SLAB_OK, heap.check());
    EXPECT_EQ(SLAB_OK, heap.audit(&audit));
    EXPECT_EQ(SLAB_OK, heap.audit(nullptr));
    EXPECT_EQ(nullptr, audit.invariant);
}

TEST(Check, APageMapThatWasOverwrittenIsCorrupt) {
    for (const int garbage : {0x00, 0xa5, 0xff}) {
        TestMemory memory(unit);
        Heap heap;
        ASSERT_EQ(SLAB_OK, heap.init(memory.start(), unit));
        ASSERT_NE(nullptr, heap.allocate({100, 8}));
        ASSERT_NE(nullptr, heap.allocate({pages(2), 8}));
        std::memset(memory.start(), garbage, page_size);
        slab_audit audit{};
        EXPECT_EQ(SLAB_ERR_CORRUPT, heap.check()) << garbage;
        EXPECT_EQ(SLAB_ERR_CORRUPT, heap.audit(&audit)) << garbage;
        EXPECT_EQ(SLAB_ERR_CORRUPT, heap.audit(nullptr)) << garbage;
        ASSERT_NE(nullptr, audit.invariant);
        EXPECT_NE(0u, std::strlen(audit.invariant));
    }
}

TEST(StatusString, EveryStatusHasItsOwnSentence) {
    std::set<std::string> sentences;
    for (int status = SLAB_OK; status >= SLAB_ERR_CORRUPT; --status) {
        const char* sentence = slab_status_string(status);
        ASSERT_NE(nullptr, sentence) << status;
        EXPECT_STRNE("unknown status", sentence) << status;
        EXPECT_TRUE(sentences.insert(sentence).second) << status << " repeats: " << sentence;
    }
}

TEST(StatusString, AnythingElseIsUnknown) {
    for (const int status : {1, 2, SLAB_ERR_CORRUPT - 1, 1000, -1000, INT32_MAX, INT32_MIN}) {
        EXPECT_STREQ("unknown status", slab_status_string(status)) << status;
    }
}

}  // namespace
}  // namespace slabheap::test
