// SPDX-License-Identifier: MIT
//
// Interrupt handlers and NMIs that call the heap in the midst of its own calls: between any two instructions.
// The call and what interrupts it both do what they would do alone; no block is lost, none is handed out
// twice.
#include "interruption.hpp"
#include "sanitizers.hpp"
#include "shared_test_heap.hpp"

#include <algorithm>
#include <map>
#include <memory>

namespace slabheap::test {
namespace {

// CPU 0, on which all happens. Its lock keeps interrupts out, but not NMIs.
struct Cpu {
    static inline volatile bool is_nmi, is_locked;
    static inline size_t number;  // beyond the count: it has no fronts

    static size_t index(size_t) { return number; }
    static bool may_wait() { return !is_nmi; }
    static bool is_alone(size_t cpus) { return cpus == 1; }
    static void stop_preemption() {}
    static void resume_preemption() {}
    static void pause() {}
};

struct Lock {
    void lock() {
        if (!try_lock(false)) __builtin_trap();  // it would wait for ever
    }
    bool try_lock(bool) {
        if (Cpu::is_locked) return false;
        Cpu::is_locked = true;
        asm volatile("" ::: "memory");
        return true;
    }
    void unlock() {
        asm volatile("" ::: "memory");
        Cpu::is_locked = false;
    }
};

using TheHeap = SharedHeap<Cpu, Lock>;

// What the call, or what interrupts it, has and did. Each keeps its own, without a lock of course.
class Books {
public:
    explicit Books(TheHeap& heap) : heap_(heap) {}

    void* allocate(size_t size) {
        void* const block = heap_.allocate({size, 8});
        took(block, size);
        return block;
    }
    void took(void* block, size_t size) {
        if (block == nullptr) {
            ++failures;
            return;
        }
        ++allocations;
        if (count_ == most) __builtin_trap();
        blocks_[count_++] = {block, size};
    }
    void free(void* block) {
        if (block == nullptr) return;
        forget(block);
        heap_.deallocate(block, site);
    }
    void forget(void* block) {
        ++frees;
        for (size_t i = 0; i < count_; ++i) {
            if (blocks_[i].start == block) blocks_[i] = blocks_[--count_];
        }
    }
    void resize(void*& block, size_t size) {
        forget(block);
        void* const moved = heap_.reallocate(block, {size, 8}, site);
        if (moved == block) --frees, --allocations;
        took(moved, size);
        block = moved;
    }
    TheHeap& heap() { return heap_; }

    void keep(size_t size, size_t number) {
        for (size_t i = 0; i < number; ++i) kept.push_back(allocate(size));
    }
    void free_kept() {
        for (void* block : kept) free(block);
        kept.clear();
    }
    // Each block is there, and no other reaches into it.
    void check(std::map<uintptr_t, size_t>& all) {
        for (size_t i = 0; i < count_; ++i) {
            const auto [start, size] = blocks_[i];
            EXPECT_TRUE(heap_.owns(start));
            EXPECT_TRUE(all.emplace(address_of(start), heap_.usable_size(start, site)).second)
                << "handed out twice";
            EXPECT_GE(heap_.usable_size(start, site), size);
        }
    }
    void free_all() {
        while (count_ != 0) free(blocks_[0].start);
    }

    std::vector<void*> kept;
    size_t allocations = 0, frees = 0, failures = 0;

private:
    struct Block {
        void* start;
        size_t size;
    };
    static constexpr size_t most = 512;

    TheHeap& heap_;
    Block blocks_[most];
    size_t count_ = 0;
};

struct World {
    World(std::byte* memory, size_t size, void* fronts, size_t cpus) {
        Cpu::is_nmi = false;
        Cpu::is_locked = false;
        EXPECT_EQ(SLAB_OK, heap.init(memory, size));
        EXPECT_EQ(SLAB_OK, heap.set_cpus(cpus, fronts, cpu_memory(cpus)));
        heap.set_fault_handler([](const slab_fault* fault) { ADD_FAILURE() << describe(*fault); });
    }

    void expect_sound() {
        slab_audit found{};
        EXPECT_EQ(SLAB_OK, heap.audit(&found)) << found.invariant << " at " << found.address;
        std::map<uintptr_t, size_t> all;
        call.check(all);
        handler.check(all);
        for (auto block = all.begin(); block != all.end(); ++block) {
            const auto next = std::next(block);
            EXPECT_TRUE(next == all.end() || next->first - block->first >= block->second) << "blocks overlap";
        }
        slab_stats stats;
        heap.stats(stats);
        EXPECT_EQ(call.allocations + handler.allocations, stats.allocations);
        EXPECT_EQ(call.frees + handler.frees, stats.frees);
        EXPECT_EQ(call.failures + handler.failures, stats.failures);
        call.free_all();
        handler.free_all();
        EXPECT_NE(nullptr, heap.allocate_pages(stats.total_bytes / page_size)) << "a page is lost";
    }

    TheHeap heap;
    Books call{heap};
    Books handler{heap};
};

constexpr size_t size = 1000;

// A call, and the state it starts from.
struct Call {
    const char* name;
    void (*prepare)(Books&);
    void (*make)(Books&);
};
void allocate_one(Books& b) { b.allocate(size); }
void free_kept(Books& b) { b.free_kept(); }
void keep_all(Books& b) {
    while (void* block = b.allocate(size)) b.kept.push_back(block);
}

constexpr Call calls[] = {
    {"AllocatesFromTheStack", [](Books& b) { b.keep(size, 5), b.free_kept(); }, allocate_one},
    {"AllocatesFromTheWord", [](Books& b) { b.keep(size, 1); }, allocate_one},
    {"AllocatesTheLastOfTheWord", [](Books& b) { b.keep(size, 2); },
     [](Books& b) { b.allocate(size), b.allocate(size); }},
    {"AllocatesFromANewPage", [](Books&) {}, allocate_one},
    {"AllocatesFromARoomyPage", [](Books& b) { b.keep(size, 80), b.free_kept(), b.keep(size, 40); },
     allocate_one},
    {"AllocatesPages", [](Books&) {}, [](Books& b) { b.allocate(3 * page_size); }},
    {"AllocatesZeroed", [](Books&) {},
     [](Books& b) {
         b.took(b.heap().allocate_zeroed(1, {100, 8}), 100);
     }},
    {"AllocatesWhenThereIsNone", keep_all, allocate_one},
    {"AllocatesPagesWhenThereAreNone", [](Books& b) { keep_all(b), b.free(b.kept[0]); },
     [](Books& b) { b.allocate(2 * page_size); }},
    {"FreesOntoTheStack", [](Books& b) { b.keep(size, 2); }, free_kept},
    {"FreesOntoAFullStack",
     [](Books& b) {
         b.keep(size, 52);
         for (size_t i = 0; i < 48; ++i) b.free(b.kept[i]);
         b.kept.erase(b.kept.begin(), b.kept.begin() + 48);
     },
     free_kept},
    {"FreesPages", [](Books& b) { b.keep(3 * page_size, 1); }, free_kept},
    {"Resizes", [](Books& b) { b.keep(100, 1); }, [](Books& b) { b.resize(b.kept[0], 200); }},
    {"ResizesInPlace", [](Books& b) { b.keep(3 * page_size, 1); },
     [](Books& b) {
         b.resize(b.kept[0], page_size);
         b.resize(b.kept[0], 2 * page_size);
     }},
};

struct Handler {
    const char* name;
    void (*handle)(Books&);
};
constexpr Handler handlers[] = {
    {"Allocation", allocate_one},
    {"Free", [](Books& b) { b.free(b.kept[0]); }},
    {"LargeFree", [](Books& b) { b.free(b.kept[1]); }},
    {"All",
     [](Books& b) {
         void* const first = b.allocate(size);
         b.free(b.kept[0]);
         void* const second = b.allocate(size);
         b.free(first);
         b.free(b.kept[1]);
         b.free(b.allocate(2 * page_size));
         b.allocate(64);
         b.free(second);
     }},
};

struct Case {
    Call call;
    bool is_nmi;
    size_t cpus;
};

// What a sanitizer adds is many more instructions, which are interrupted now and then only.
constexpr size_t stride = under_address_sanitizer ? 7 : 1;

class Interrupts : public ::testing::TestWithParam<Case> {
protected:
    static constexpr size_t heap_size = 128 * KiB;

    std::unique_ptr<World> prepared() {
        auto world = std::make_unique<World>(memory_.start(), heap_size, fronts_.start(), GetParam().cpus);
        world->handler.keep(size, 1);
        world->handler.keep(2 * page_size, 1);
        GetParam().call.prepare(world->call);
        return world;
    }

    TestMemory memory_{heap_size, 0, TestMemory::Content::zero};
    TestMemory fronts_{cpu_memory(2)};
    Interruption interruption_;
};

TEST_P(Interrupts, AtAnyInstructionDoNoHarm) {
    const Case& given = GetParam();
    std::unique_ptr<World> world = prepared();
    const auto make = [&] { given.call.make(world->call); };
    const auto places = interruption_.places_in(make, [&] { return given.is_nmi || !Cpu::is_locked; });
    world->expect_sound();
    EXPECT_GT(places.size(), 50u);
    for (const Handler& handler : handlers) {
        const auto interrupt = [&] {
            Cpu::is_nmi = given.is_nmi;
            handler.handle(world->handler);
            Cpu::is_nmi = false;
        };
        for (size_t i = 0; i < places.size(); i += stride) {
            world = prepared();
            EXPECT_TRUE(interruption_.at(places[i], make, interrupt));
            world->expect_sound();
            ASSERT_FALSE(HasFailure()) << handler.name << " before instruction " << i << " of "
                                       << places.size() << ", at " << Interruption::address(places[i]);
        }
    }
}

std::vector<Case> cases() {
    std::vector<Case> all;
    for (const Call& call : calls) {
        for (const bool is_nmi : {false, true}) {
            for (const size_t cpus : {size_t{1}, size_t{2}}) all.push_back({call, is_nmi, cpus});
        }
    }
    return all;
}
INSTANTIATE_TEST_SUITE_P(Of, Interrupts, ::testing::ValuesIn(cases()), [](auto const& entry) {
    return std::string(entry.param.call.name) + (entry.param.is_nmi ? "ByAnNmi" : "ByAnInterrupt") +
           (entry.param.cpus == 1 ? "OnOneCpu" : "OnTwo");
});

// A block that is freed once more in the midst of its free: one has it, the other is told.
struct Race {
    const char* name;
    size_t size;
    size_t cpu;
    bool is_elsewhere;  // in a region that is not the primary one
};
constexpr Race races[] = {
    {"OfASlot", size, 0, false},
    {"OfASlotElsewhere", size, 0, true},
    {"WithoutFronts", size, 2, false},
    {"OfALargeBlock", 3 * page_size, 0, false},
};

class FreesAtOnce : public ::testing::TestWithParam<std::tuple<Race, size_t, bool>> {
protected:
    static inline size_t told;

    TestMemory memory_{64 * KiB}, more_{32 * KiB};
    TestMemory fronts_{cpu_memory(2)};
    Interruption interruption_;
};

TEST_P(FreesAtOnce, OneHasTheBlockTheOtherIsTold) {
    const Race race = std::get<0>(GetParam());
    const size_t cpus = std::get<1>(GetParam());
    const bool is_nmi = std::get<2>(GetParam());
    std::unique_ptr<World> world;
    void* block = nullptr;
    const auto prepare = [&] {
        world = std::make_unique<World>(memory_.start(), memory_.size(), fronts_.start(), cpus);
        world->heap.set_fault_handler([](const slab_fault* fault) {
            EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, fault->kind) << describe(*fault);
            ++told;
        });
        EXPECT_EQ(SLAB_OK, world->heap.add_memory(more_.start(), more_.size()));
        // In archives with guards, of blocks that have one.
        const slab_guard_hook hook = [](void*, size_t) { return 1; };
        world->heap.set_guard_hooks(hook, hook, 1);
        do block = world->heap.allocate({race.size, 8});
        while (race.is_elsewhere && !more_.contains(block));
        told = 0;
        Cpu::number = race.cpu;
    };
    const auto make = [&] { world->heap.deallocate(block, site); };
    prepare();
    const auto places = interruption_.places_in(make, [&] { return is_nmi || !Cpu::is_locked; });
    EXPECT_GT(places.size(), 20u);
    for (size_t i = 0; i < places.size(); i += stride) {
        prepare();
        EXPECT_TRUE(interruption_.at(places[i], make, [&] {
            Cpu::is_nmi = is_nmi;
            make();
            Cpu::is_nmi = false;
        }));
        Cpu::number = 0;
        EXPECT_EQ(1u, told);
        EXPECT_FALSE(world->heap.owns(block));
        EXPECT_EQ(SLAB_OK, world->heap.audit(nullptr));
        ASSERT_FALSE(HasFailure()) << "at " << Interruption::address(places[i]);
    }
}

#ifdef SLABHEAP_RELAXED_CLAIM  // which promises this only of one CPU
constexpr size_t most_cpus = 1;
#else
constexpr size_t most_cpus = 2;
#endif

INSTANTIATE_TEST_SUITE_P(Of, FreesAtOnce,
                         ::testing::Combine(::testing::ValuesIn(races),
                                            ::testing::Range(size_t{1}, most_cpus + 1),
                                            ::testing::Bool()),
                         [](auto const& entry) {
                             return std::string(std::get<0>(entry.param).name) +
                                    (std::get<2>(entry.param) ? "ByAnNmi" : "ByAnInterrupt") +
                                    (std::get<1>(entry.param) == 1 ? "OnOneCpu" : "OnTwo");
                         });

}  // namespace
}  // namespace slabheap::test
