// SPDX-License-Identifier: MIT
//
// Every misuse of every call that takes a block: the fault that is reported, its sentence, and that nothing
// but the fault counter has changed. Each pair of a misuse and a call is a test of its own.
#include "class_set.hpp"
#include "test_heap.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <tuple>

namespace slabheap::test {
namespace {

constexpr ptrdiff_t page = page_size;

// An address that must not be passed to a call, and what the fault must say of it.
struct Offender {
    void* address;
    const void* block = nullptr;  // checked unless null
    size_t block_size = 0;
};

struct Misuse {
    const char* name;
    slab_fault_kind kind;
    Offender (*prepare)(TestHeap& test);
};

struct Call {
    const char* name;
    const char* reported_as;
    void (*make)(Heap& heap, void* ptr);
};

void PrintTo(const Misuse& misuse, std::ostream* out) {
    *out << misuse.name;
}

void PrintTo(const Call& call, std::ostream* out) {
    *out << call.name;
}

void* offset(void* ptr, ptrdiff_t bytes) {
    return static_cast<std::byte*>(ptr) + bytes;
}

Offender freed_once(TestHeap& test, size_t size, bool keep_slab) {
    if (keep_slab) {
        test.heap.allocate({size, 1});
    }
    void* block = test.heap.allocate({size, 1});
    test.heap.deallocate(block);
    return {block, block, class_for(size)};
}

// A block in a page that went back to the pages: all slabs were emptied, and memory was short enough to
// collect them.
Offender freed_and_collected(TestHeap& test) {
    std::vector<void*> blocks = test.exhaust({256, 1});
    for (void* block : blocks) {
        test.heap.deallocate(block);
    }
    const size_t free_pages = test.heap.total_bytes() / page_size;
    void* everything = test.heap.allocate_pages(free_pages - 2);
    EXPECT_NE(nullptr, everything);
    for (void* block : blocks) {
        if (address_of(block) >= address_of(everything) + pages(free_pages - 2)) {
            return {block, block, 0};
        }
    }
    return {blocks.back()};
}

const Misuse misuses[] = {
    {"DoubleFreeOfASlot", SLAB_FAULT_DOUBLE_FREE, [](TestHeap& test) { return freed_once(test, 100, true); }},
    {"DoubleFreeOfTheOnlySlot", SLAB_FAULT_DOUBLE_FREE,
     [](TestHeap& test) { return freed_once(test, 100, false); }},
    {"DoubleFreeOfAPageSizedSlot", SLAB_FAULT_DOUBLE_FREE,
     [](TestHeap& test) { return freed_once(test, 4096, false); }},
    {"DoubleFreeOfALargeBlock", SLAB_FAULT_DOUBLE_FREE,
     [](TestHeap& test) {
         void* block = test.heap.allocate({pages(3), 1});
         test.heap.deallocate(block);
         return Offender{block};
     }},
    {"DoubleFreeAfterTheSlabWentBack", SLAB_FAULT_DOUBLE_FREE,
     [](TestHeap& test) { return Offender{freed_and_collected(test).address}; }},
    {"InteriorOfASlot", SLAB_FAULT_INTERIOR,
     [](TestHeap& test) {
         void* block = test.heap.allocate({500, 1});
         return Offender{offset(block, 16), block, 512};
     }},
    {"InteriorAtTheEndOfASlot", SLAB_FAULT_INTERIOR,
     [](TestHeap& test) {
         void* block = test.heap.allocate({4096, 1});
         return Offender{offset(block, 4080), block, 4096};
     }},
    {"InteriorAtTheEndOfALaterSlot", SLAB_FAULT_INTERIOR,
     [](TestHeap& test) {
         test.heap.allocate({300, 1});
         test.heap.allocate({300, 1});
         void* block = test.heap.allocate({300, 1});
         return Offender{offset(block, static_cast<ptrdiff_t>(class_for(300)) - 16), block, class_for(300)};
     }},
    {"InteriorOfTheFirstPageOfALargeBlock", SLAB_FAULT_INTERIOR,
     [](TestHeap& test) {
         void* block = test.heap.allocate({pages(3), 1});
         return Offender{offset(block, 64), block, pages(3)};
     }},
    {"InteriorPageOfALargeBlock", SLAB_FAULT_INTERIOR,
     [](TestHeap& test) {
         void* block = test.heap.allocate({pages(3), 1});
         return Offender{offset(block, 2 * page), block, pages(3)};
     }},
    {"InteriorOfTheLastPageOfALargeBlock", SLAB_FAULT_INTERIOR,
     [](TestHeap& test) {
         void* block = test.heap.allocate({pages(3), 1});
         return Offender{offset(block, 3 * page - 16), block, pages(3)};
     }},
    {"MisalignedByOne", SLAB_FAULT_MISALIGNED,
     [](TestHeap& test) {
         return Offender{offset(test.heap.allocate({64, 1}), 1)};
     }},
    {"MisalignedBy8", SLAB_FAULT_MISALIGNED,
     [](TestHeap& test) {
         return Offender{offset(test.heap.allocate({64, 1}), 8)};
     }},
    {"MisalignedInALargeBlock", SLAB_FAULT_MISALIGNED,
     [](TestHeap& test) {
         return Offender{offset(test.heap.allocate({pages(2), 1}), 4096 + 15)};
     }},
    {"MisalignedInAFreePage", SLAB_FAULT_MISALIGNED,
     [](TestHeap& test) { return Offender{offset(test.memory.end(), -3)}; }},
    {"ForeignOnTheStack", SLAB_FAULT_FOREIGN, [](TestHeap& test) { return Offender{&test}; }},
    {"ForeignBehindTheRegion", SLAB_FAULT_FOREIGN,
     [](TestHeap& test) { return Offender{test.memory.end()}; }},
    {"ForeignBeforeTheRegion", SLAB_FAULT_FOREIGN,
     [](TestHeap& test) { return Offender{offset(test.memory.start(), -16)}; }},
    {"ForeignInThePageMap", SLAB_FAULT_FOREIGN, [](TestHeap& test) { return Offender{test.memory.start()}; }},
    {"ForeignAtTheEndOfThePageMap", SLAB_FAULT_FOREIGN,
     [](TestHeap& test) { return Offender{offset(test.memory.page(test.map_pages()), -16)}; }},
    {"ForeignInAReservedPage", SLAB_FAULT_FOREIGN,
     [](TestHeap& test) {
         void* last = offset(test.memory.end(), -page);
         EXPECT_EQ(SLAB_OK, test.heap.reserve(last, pages(1)));
         return Offender{last};
     }},
    {"ForeignAtTheTopOfTheAddressSpace", SLAB_FAULT_FOREIGN,
     [](TestHeap&) { return Offender{reinterpret_cast<void*>(SIZE_MAX - 15)}; }},
    {"ForeignMisalignedOutside", SLAB_FAULT_FOREIGN,
     [](TestHeap& test) { return Offender{offset(test.memory.end(), 1)}; }},
    {"NeverAllocatedPage", SLAB_FAULT_NEVER_ALLOCATED,
     [](TestHeap& test) { return Offender{offset(test.memory.end(), -page)}; }},
    {"NeverAllocatedInsideAFreePage", SLAB_FAULT_NEVER_ALLOCATED,
     [](TestHeap& test) { return Offender{offset(test.memory.end(), 64 - page)}; }},
    {"NeverAllocatedSlotOfASlab", SLAB_FAULT_NEVER_ALLOCATED,
     [](TestHeap& test) {
         void* block = test.heap.allocate({512, 1});
         return Offender{reinterpret_cast<void*>(address_of(block) ^ 2048)};
     }},
    {"NeverAllocatedBehindTheLastSlotOfAPage", SLAB_FAULT_NEVER_ALLOCATED,
     [](TestHeap& test) {
         void* last = nullptr;  // of a page, in which it may or may not leave room
         for (size_t i = 0; i < slots_in_a_page(class_for(80)); ++i) {
             last = std::max(last, test.heap.allocate({80, 1}));
         }
         return Offender{offset(last, static_cast<ptrdiff_t>(class_for(80)))};
     }},
    {"NeverAllocatedInsideAFreedSlot", SLAB_FAULT_NEVER_ALLOCATED,
     [](TestHeap& test) { return Offender{offset(freed_once(test, 500, true).address, 32)}; }},
    {"NeverAllocatedInAHeapThatGaveNothingYet", SLAB_FAULT_NEVER_ALLOCATED,
     [](TestHeap& test) { return Offender{test.memory.page(test.map_pages())}; }},
};

const Call calls[] = {
    {"free", "slab_free", [](Heap& heap, void* ptr) { heap.deallocate(ptr); }},
    {"free_sized", "slab_free_sized",
     [](Heap& heap, void* ptr) {
         heap.deallocate(ptr, {40, 8});
     }},
    {"realloc", "slab_realloc",
     [](Heap& heap, void* ptr) {
         EXPECT_EQ(nullptr, heap.reallocate(ptr, {3000, 8}));
     }},
    {"usable_size", "slab_usable_size", [](Heap& heap, void* ptr) { EXPECT_EQ(0u, heap.usable_size(ptr)); }},
    {"free_pages", "slab_free_pages", [](Heap& heap, void* ptr) { heap.deallocate_pages(ptr, 2); }},
};

// Every misuse is tried in a heap that has seen some use, and that goes on being used afterwards.
class EveryMisuse : public ::testing::TestWithParam<std::tuple<Misuse, Call>> {};

TEST_P(EveryMisuse, IsReportedAndChangesNothing) {
    const auto& [misuse, call] = GetParam();
    TestHeap test(64 * KiB);
    const Offender offender = misuse.prepare(test);
    const slab_stats before = test.stats();

    call.make(test.heap, offender.address);

    EXPECT_TRUE(same_books(before, test.stats(), 1));
    EXPECT_TRUE(audits(test.heap));
    const RecordedFault fault = test.faults.take();
    EXPECT_EQ(misuse.kind, fault.record.kind) << fault.sentence;
    EXPECT_EQ(offender.address, fault.record.address);
    EXPECT_STREQ(call.reported_as, fault.record.call);
    EXPECT_NE(nullptr, fault.record.caller);
    EXPECT_TRUE(tells_all(fault));
    if (offender.block != nullptr) {
        EXPECT_EQ(offender.block, fault.record.block) << fault.sentence;
        EXPECT_EQ(offender.block_size, fault.record.block_size) << fault.sentence;
    }
}

std::string name_of(const ::testing::TestParamInfo<std::tuple<Misuse, Call>>& param) {
    return std::string(std::get<Misuse>(param.param).name) + "_" + std::get<Call>(param.param).name;
}

INSTANTIATE_TEST_SUITE_P(For, EveryMisuse,
                         ::testing::Combine(::testing::ValuesIn(misuses), ::testing::ValuesIn(calls)),
                         name_of);

// Sizes and alignments that a block cannot have been allocated with.

struct WrongSize {
    const char* name;
    Layout allocated;
    Layout freed;
};

const WrongSize wrong_sizes[] = {
    {"OneByteMoreThanTheClass", {64, 8}, {65, 8}},
    {"TheNextClass", {100, 8}, {200, 8}},
    {"ManyPages", {100, 8}, {pages(3), 8}},
    {"OneByteMoreThanAPageSizedSlot", {4096, 8}, {4097, 8}},
    {"LargestSize", {64, 8}, {SIZE_MAX, 8}},
    {"AlignZero", {64, 8}, {64, 0}},
    {"AlignNoPowerOfTwo", {64, 8}, {64, 24}},
    {"AlignThatTheClassCannotHave", {64, 8}, {64, 128}},
    {"AlignOfAPageForASmallSlot", {64, 8}, {64, 4096}},
    {"AlignAboveAPage", {64, 8}, {64, 1u << 30}},
    {"OneByteMoreThanTheLargeBlock", {pages(3), 8}, {pages(3) + 1, 8}},
    {"OnePageLessThanTheLargeBlock", {pages(3), 8}, {pages(2), 8}},
    {"ASlotsSizeForALargeBlock", {pages(3), 8}, {64, 8}},
    {"ALargeBlockWithAnAlignmentThatItLacks", {pages(3), 8}, {pages(3), size_t{1} << 30}},
    {"LargestSizeForALargeBlock", {pages(3), 8}, {SIZE_MAX - 4095, 8}},
};

void PrintTo(const WrongSize& wrong, std::ostream* out) {
    *out << wrong.name;
}

class FreeSizedWithWrongSize : public ::testing::TestWithParam<WrongSize> {};

TEST_P(FreeSizedWithWrongSize, IsReportedAndChangesNothing) {
    const WrongSize& wrong = GetParam();
    TestHeap test(64 * KiB, pages(1));
    void* block = test.heap.allocate(wrong.allocated);
    const size_t real_size = test.heap.used_bytes();
    const slab_stats before = test.stats();

    test.heap.deallocate(block, wrong.freed);

    EXPECT_TRUE(same_books(before, test.stats(), 1));
    const RecordedFault fault = test.faults.take();
    EXPECT_EQ(SLAB_FAULT_WRONG_SIZE, fault.record.kind) << fault.sentence;
    EXPECT_EQ(block, fault.record.address);
    EXPECT_EQ(block, fault.record.block);
    EXPECT_EQ(real_size, fault.record.block_size);
    EXPECT_EQ(wrong.freed.size, fault.record.size);
    EXPECT_EQ(wrong.freed.align, fault.record.align);
    EXPECT_STREQ("slab_free_sized", fault.record.call);
    EXPECT_TRUE(tells_all(fault));
    EXPECT_NE(std::string::npos, fault.sentence.find(std::to_string(wrong.freed.size))) << fault.sentence;
    test.heap.deallocate(block, wrong.allocated);
    EXPECT_EQ(0u, test.heap.used_bytes());
}

INSTANTIATE_TEST_SUITE_P(Every, FreeSizedWithWrongSize, ::testing::ValuesIn(wrong_sizes),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(FreeSized, AnAlignmentThatTheClassHasNotIsAWrongSizeWhereverTheSlotLies) {
    for (const size_t size : class_sizes) {
        TestHeap test(64 * KiB);
        for (size_t i = 0; i < slots_in_a_page(size); ++i) {
            void* block = test.heap.allocate({size, 1});
            for (size_t align = 2 * alignment_of(size); align <= 2 * page_size; align *= 2) {
                for (const size_t asked : {size_t{0}, size_t{1}, size / 2, size}) {
                    test.heap.deallocate(block, {asked, align});
                    EXPECT_EQ(SLAB_FAULT_WRONG_SIZE, test.faults.take().record.kind) << size << ", " << align;
                }
            }
        }
        EXPECT_EQ(slots_in_a_page(size) * size, test.heap.used_bytes());
    }
}

TEST(FreePagesWithWrongCount, IsReportedAndChangesNothing) {
    for (const size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{4}, SIZE_MAX / page_size, SIZE_MAX}) {
        TestHeap test(64 * KiB);
        void* run = test.heap.allocate_pages(3);
        const slab_stats before = test.stats();
        test.heap.deallocate_pages(run, count);
        EXPECT_TRUE(same_books(before, test.stats(), 1)) << count;
        const RecordedFault fault = test.faults.take();
        EXPECT_EQ(SLAB_FAULT_WRONG_SIZE, fault.record.kind) << fault.sentence;
        EXPECT_EQ(run, fault.record.block);
        EXPECT_EQ(pages(3), fault.record.block_size);
        EXPECT_STREQ("slab_free_pages", fault.record.call);
        EXPECT_TRUE(tells_all(fault));
    }
}

TEST(FreePagesWithWrongCount, ASlotOfAClassIsNoRunOfPages) {
    for (const size_t size : {size_t{64}, size_t{1024}, size_t{4096}}) {
        TestHeap test(64 * KiB);
        void* block = test.heap.allocate({size, 8});
        const slab_stats before = test.stats();
        test.heap.deallocate_pages(block, 1);
        EXPECT_TRUE(same_books(before, test.stats(), 1)) << size;
        const RecordedFault fault = test.faults.take();
        EXPECT_EQ(SLAB_FAULT_WRONG_SIZE, fault.record.kind) << fault.sentence;
        EXPECT_EQ(block, fault.record.block);
        EXPECT_EQ(size, fault.record.block_size);
        EXPECT_TRUE(tells_all(fault));
    }
}

TEST(FreeSized, AOnePageRunTakesTheSizesOfAPageSizedSlot) {
    TestHeap test(64 * KiB);
    for (const Layout layout : {Layout{1, 1}, Layout{64, 64}, Layout{2049, 8}, Layout{4096, 4096}}) {
        void* run = test.heap.allocate_pages(1);
        test.heap.deallocate(run, layout);
        EXPECT_EQ(0u, test.heap.used_bytes());
    }
}

TEST(UsableSize, OfNullIsAForeignFault) {
    TestHeap test(32 * KiB);
    EXPECT_EQ(0u, test.heap.usable_size(nullptr));
    const RecordedFault fault = test.faults.take();
    EXPECT_EQ(SLAB_FAULT_FOREIGN, fault.record.kind);
    EXPECT_EQ(nullptr, fault.record.address);
    EXPECT_STREQ("slab_usable_size", fault.record.call);
    EXPECT_EQ(1u, test.stats().faults);
}

TEST(Misuse, AReusedBlockCanBeFreedAgain) {
    TestHeap test(32 * KiB);
    void* block = test.heap.allocate({100, 8});
    test.heap.deallocate(block);
    test.heap.deallocate(block);
    EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, test.faults.take().record.kind);
    void* again = test.heap.allocate({100, 8});
    EXPECT_TRUE(is_next(block, again)) << "the fault has not lost the block";
    test.heap.deallocate(again);
    EXPECT_EQ(0u, test.heap.used_bytes());
}

// The map, that is; what of it the defences find, they tell.
TEST(Misuse, ABlockSurvivesWhatIsWrittenAroundIt) {
    TestHeap test(32 * KiB);
    void* block = test.heap.allocate({100, 8});
    void* freed = test.heap.allocate({100, 8});
    test.heap.deallocate(freed);
    std::memset(test.memory.page(test.map_pages()), 0xff, test.heap.total_bytes());
    EXPECT_TRUE(audits(test.heap)) << "nothing of the allocator lies in the pages";
    EXPECT_TRUE(is_next(freed, test.heap.allocate({100, 8})));
    if (has_poison) {
        EXPECT_EQ(SLAB_FAULT_WRITE_AFTER_FREE, test.faults.take().record.kind);
    }
    test.heap.deallocate(block);
    if (has_canary) {
        EXPECT_EQ(SLAB_FAULT_OVERFLOW, test.faults.take().record.kind);
    }
    test.heap.deallocate(block);
    EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, test.faults.take().record.kind);
}

}  // namespace
}  // namespace slabheap::test
