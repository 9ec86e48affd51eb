// SPDX-License-Identifier: MIT
//
// Guards where CPUs share a heap: in NMIs, when a hook calls the heap, under threads; and what the audit says
// of them. For archives with guards.
#include "cpu_heap.hpp"
#include "guarded_heap.hpp"
#include "storm.hpp"

#include <array>

namespace slabheap::test {
namespace {

using GuardCpus = GuardsTest<CpusTestHeap<2>>;

TEST_F(GuardCpus, AnNmiThatGetsNoLockFreesAndTellsAsOthersDo) {
    guard_one_in(1);
    void* const large = heap.allocate(pages(2));
    void* const small = heap.allocate(100);
    machine.is_nmi = machine.held_by_other = true;
    heap.free(bytes(small) + 16);
    expect_fault(SLAB_FAULT_INTERIOR, bytes(small) + 16, small, 112);
    heap.free(bytes(large) + page_size);
    expect_fault(SLAB_FAULT_NEVER_ALLOCATED, bytes(large) + page_size, nullptr, 0);
    for (void* const block : {large, small}) {
        heap.free(block);
        heap.free(block);
        expect_fault(SLAB_FAULT_DOUBLE_FREE, block, block, block == small ? 112 : pages(2));
    }
    machine.is_nmi = machine.held_by_other = false;
    EXPECT_EQ(small, Access::read(small));
    EXPECT_FALSE(guards.is_closed(bytes(large) + pages(2)));
    EXPECT_EQ(0u, used());
    void* const all = heap.heap().allocate_pages(heap.stats().total_bytes / page_size);
    EXPECT_NE(nullptr, all);
    heap.free(all);
}

TEST_F(GuardCpus, AnNmiThatMayNotResizeLeavesTheGuardClosed) {
    void* const block = heap.allocate(pages(2));
    machine.is_nmi = machine.held_by_other = true;
    EXPECT_EQ(nullptr, heap.reallocate(block, pages(3)));
    machine.is_nmi = machine.held_by_other = false;
    expect_guarded(block, pages(2), pages(2));
    heap.free(block);
}

// What lies between a small block and its guard is looked at as any slack is.
TEST_F(GuardCpus, WhatIsWrittenInFrontOfTheGuardIsToldWhereThereAreCanaries) {
    guard_one_in(1);
    void* const block = heap.allocate(100);
    bytes(block)[104] = 1;
    heap.free(block);
    if (defences::canary) expect_fault(SLAB_FAULT_OVERFLOW, bytes(block) + 104, block, 112);
    EXPECT_EQ(0u, used());
}

TEST_F(GuardCpus, AHookMayCallTheHeap) {
    guard_one_in(1);
    bool inside = false;
    guards.meanwhile = [&] {
        if (std::exchange(inside, true)) return;
        heap.free(heap.allocate(300));
        heap.free(heap.allocate(pages(3)));
        inside = false;
    };
    for (int i = 0; i < 50; ++i) {
        void* block = heap.allocate(64);
        block = heap.reallocate(block, pages(2));
        block = heap.reallocate(block, pages(5));
        EXPECT_TRUE(heap.audits());
        heap.free(block);
    }
    EXPECT_EQ(0u, used());
}

TEST_F(GuardCpus, EachCpuHasTurnsOfItsOwn) {
    guard_one_in(1000);
    for (machine.cpu = 0; machine.cpu < 2; ++machine.cpu) {
        void* const block = heap.allocate(64);
        EXPECT_TRUE(guards.is_closed(bytes(block) + 64)) << "the first of CPU " << machine.cpu;
        heap.free(block);
    }
    // From here on each front has slots.
    guard_one_in(0);
    for (machine.cpu = 0; machine.cpu < 2; ++machine.cpu) heap.free(heap.allocate(64));
    for (const size_t one_in : {SIZE_MAX, size_t{1}}) {
        guard_one_in(one_in);
        for (machine.cpu = 0; machine.cpu < 2; ++machine.cpu) {
            void* const block = heap.allocate(64);
            EXPECT_TRUE(guards.is_closed(bytes(block) + 64)) << "the first after the hooks were set";
            heap.free(block);
        }
    }
    machine.cpu = 0;
}

TEST_F(GuardCpus, WithoutAHookThatClosesASmallRequestTakesNoLock) {
    void* const first = heap.allocate(64);
    EXPECT_TRUE(heap.heap().set_guard_hooks(nullptr, nullptr, 1));
    const size_t holds = machine.holds;
    void* const second = heap.allocate(64);
    EXPECT_EQ(holds, machine.holds);
    heap.free(first);
    heap.free(second);
}

// What has interrupted a call at the fronts takes a slot: turns are counted there.
TEST(GuardFronts, WhoFindsThemBusyGetsNoGuard) {
    SharedTestHeap<> test(2 * MiB, 2);
    PageGuards guards;
    EXPECT_TRUE(test.heap.set_guard_hooks(PageGuards::protect, PageGuards::unprotect, 1));
    uint8_t& busy = reinterpret_cast<CpuFronts*>(test.fronts.start())->busy;
    busy = 1;
    void* const block = test.allocate(48);
    busy = 0;
    EXPECT_EQ(0u, address_of(block) % 64);
    EXPECT_TRUE(guards.closed.empty());
    test.free(block);
}

TEST(GuardFronts, TheHooksTouchNothingBehindThem) {
    TestMemory fronts(cpu_memory(3), 0, TestMemory::Content::all_ones);
    SharedTestHeap<> test(2 * MiB);
    ASSERT_EQ(SLAB_OK, test.heap.set_cpus(2, fronts.start(), cpu_memory(2)));
    EXPECT_TRUE(test.heap.set_guard_hooks(PageGuards::protect, PageGuards::unprotect, 1));
    EXPECT_TRUE(std::all_of(fronts.start() + cpu_memory(2), fronts.end(),
                            [](std::byte byte) { return byte == std::byte{0xff}; }));
}

struct OpenHeap : HeapCore {
    using HeapCore::guards_;
    using HeapCore::own_;
};

class GuardCore : public ::testing::Test {
protected:
    GuardCore() {
        EXPECT_EQ(SLAB_OK, heap.init(address_of(memory.start()), memory.size()));
        guard_one_in(1);
    }

    void guard_one_in(size_t count) {
        heap.set_guard_hooks(PageGuards::protect, PageGuards::unprotect, count);
    }
    void* allocate(size_t size) { return heap.prepare(heap.allocate(size, 8), size); }

    TestMemory memory{8 * MiB};
    PageGuards guards;
    OpenHeap heap{};
};

// The number that this one is drawn after.
constexpr Word before(Word drawn) {
    const auto undo = [](Word to, auto step) {
        Word from = to;
        for (unsigned i = 0; i < word_bits; ++i) from = to ^ step(from);
        return from;
    };
    const bool is_64 = word_bits == 64;
    drawn = undo(drawn, [=](Word x) { return x << (is_64 ? 17 : 5); });
    drawn = undo(drawn, [=](Word x) { return x >> (is_64 ? 7 : 17); });
    return undo(drawn, [](Word x) { return x << 13; });
}
static_assert(next_random(before(1)) == 1 && next_random(before(all_ones - 1)) == all_ones - 1);

TEST_F(GuardCore, GapsAreDrawnFromNoneToTwiceTheMean) {
    const auto expect_gap = [&](size_t one_in, Word drawn, Word gap) {
        guard_one_in(one_in);
        heap.own_.random = before(drawn);
        heap.deallocate_slow(allocate(64), site);
        EXPECT_EQ(gap, heap.own_.until_guard) << drawn << " of one in " << one_in;
    };
    for (const size_t one_in : {size_t{1}, size_t{2}, size_t{1000}, all_ones / 3 + 1, all_ones / 2}) {
        expect_gap(one_in, 2 * one_in - 2, 2 * one_in - 2);
        expect_gap(one_in, 2 * one_in - 1, 0);
    }
    // As long as a number can be.
    for (const size_t one_in : {all_ones / 2 + 1, all_ones / 2 + 2, all_ones - 1, all_ones}) {
        expect_gap(one_in, all_ones - 1, all_ones - 1);
        expect_gap(one_in, all_ones, 0);
    }
}

// A free that has announced its run to the lowest node, and not yet to the one above, while an audit runs.
TEST_F(GuardCore, AnAuditDoesNotMindARunThatBecomesPending) {
    Region& region = heap.region(0);
    Word& pending = region.word(0, region.last_node(0), column::pending);
    pending |= 1;
    EXPECT_EQ(SLAB_OK, heap.audit(nullptr));
    pending = 0;
}

TEST_F(GuardCore, TheAuditTellsWhatContradictsAGuard) {
    uintptr_t where = 0;
    const auto audit = [&]() -> std::string {
        slab_audit result;
        const int status = heap.audit(&result);
        EXPECT_EQ(result.invariant == nullptr ? SLAB_OK : SLAB_ERR_CORRUPT, status);
        where = address_of(result.address);
        return result.invariant == nullptr ? "" : result.invariant;
    };
    const auto expect_when = [&](auto& place, auto broken, const char* sentence, uintptr_t at) {
        const auto sound = std::exchange(place, broken);
        EXPECT_EQ(sentence, audit());
        EXPECT_EQ(at, where) << sentence;
        place = sound;
        EXPECT_EQ("", audit());
    };
    Region& region = heap.region(0);
    const Word large = address_of(allocate(pages(3))) / page_size;
    const Word small = address_of(allocate(100)) / page_size;
    void* const freed = allocate(100);
    heap.deallocate_slow(freed, site);
    const Word resting = address_of(freed) / page_size;
    heap.set_guard_hooks(nullptr, nullptr, 0);
    const Word single = address_of(heap.prepare(heap.allocate_pages(1, page_size), page_size)) / page_size;
    EXPECT_EQ("", audit());

    const char* const one_guard = "behind the pages of a block is one guard";
    const char* const counted = "the bytes that guards take are counted exactly";
    const char* const rests = "what rests is the run of a small block";
    const char* const head = "a page is free or belongs to a head";
    const uint8_t resting_tag = region.tag(resting);
    const auto start = [](Word page) { return page * page_size; };
    expect_when(region.tag(large), tag::in_form(tag::large, tag::small_with_guard), one_guard, start(large));
    expect_when(region.tag(large), tag::large, counted, 0);
    expect_when(region.tag(large), uint8_t{0x90}, head, start(large));
    expect_when(region.tag(large), tag::in_form(tag::reserved, tag::with_guard), head, start(large));
    expect_when(region.tag(single), tag::in_form(tag::large, tag::with_guard), one_guard, start(single));
    expect_when(region.handed(small)[0], Handed::Number{1}, counted, 0);
    expect_when(region.tag(small), tag::in_form(tag::large, tag::with_guard), counted, 0);
    expect_when(region.tag(resting), tag::in_form(tag::large, tag::small_with_guard), rests, start(resting));
    expect_when(heap.guards_.idle, heap.guards_.idle + 16, counted, 0);
    region.tag(resting) = tag::in_form(tag::leaving, tag::small_with_guard);
    EXPECT_EQ("", audit()) << "another CPU is taking it out";
    region.tag(resting) = resting_tag;
    uintptr_t& last = heap.guards_.resting[GuardsOn::most_resting - 1];
    for (const uintptr_t run :
         {start(large), start(resting) + 16, uintptr_t{page_size}, address_of(&heap) & ~(page_size - 1)})
        expect_when(last, run, rests, run);
    // A page of which nothing is known yet, whatever its tag may say.
    const uintptr_t unknown = address_of(memory.page(1024));
    ASSERT_FALSE(region.knows_page(unknown / page_size));
    region.tag(unknown / page_size) = resting_tag;
    expect_when(last, unknown, rests, unknown);

    // A free page that says it is a live block's: a free of what lies in it believes neither.
    FaultRecorder faults;
    heap.set_fault_handler(FaultRecorder::handler);
    const Word free_page = region.search(8, 8);
    region.tag(free_page) = tag::in_form(tag::large, tag::with_guard);
    heap.deallocate_slow(reinterpret_cast<void*>(free_page * page_size + 64), site);
    EXPECT_EQ(SLAB_FAULT_CORRUPT, faults.take().record.kind);
}

// What threads do behind each other's backs: blocks are freed by others, and the heap is audited meanwhile.
class GuardStorm : public Storm {
protected:
    static int set(void* start, size_t size, int access) { return mprotect(start, size, access) == 0; }
};

TEST_F(GuardStorm, ThreadsFreeEachOthersBlocks) {
    weather(8 * MiB, [] {
        slab_heap_set_guard_hooks(
            [](void* start, size_t size) { return set(start, size, PROT_NONE); },
            [](void* start, size_t size) { return set(start, size, PROT_READ | PROT_WRITE); }, 4);
        static std::array<std::atomic<void*>, 200> places;
        in_threads(3, [](unsigned number) {
            Random random(number);
            for (size_t i = 0; i < steps / 4; ++i) {
                checked_free(places[random.below(places.size())].exchange(allocate(random_size(random), i)));
                if (number == 0 && i % 500 == 0) {
                    slab_audit found{};
                    EXPECT_EQ(SLAB_OK, slab_heap_audit(&found)) << found.invariant << " at " << found.address;
                }
            }
        });
        for (std::atomic<void*>& place : places) checked_free(place);
    });
}

}  // namespace
}  // namespace slabheap::test
