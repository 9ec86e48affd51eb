// SPDX-License-Identifier: MIT
//
// Threads that meet at one point, again and again: frees of one block at the same time, an audit in the midst
// of a storm, threads beyond the number that have fronts.
#include "class_set.hpp"
#include "storm.hpp"
#include "test_heap.hpp"

#include <algorithm>
#include <array>

namespace slabheap::test {
namespace {

class ThreadRaces : public Storm {
protected:
    // Faults that were reported, by kind.
    static inline std::array<std::atomic<size_t>, SLAB_FAULT_WRITE_AFTER_FREE + 1> faults;

    static void count(const slab_fault* fault) { ++faults[static_cast<size_t>(fault->kind)]; }
    static size_t all_faults() {
        size_t sum = 0;
        for (const std::atomic<size_t>& kind : faults) sum += kind;
        return sum;
    }
};

enum class Way { plain, sized, realloc };

void free_in(Way way, void* block, size_t size) {
    switch (way) {
        case Way::plain: slab_free(block); break;
        case Way::sized: slab_free_sized(block, size, 8); break;
        case Way::realloc: slab_realloc(block, 2 * size, 8); break;
    }
}

#ifndef SLABHEAP_RELAXED_CLAIM  // which promises this only of frees that are not at the same time
// Two threads free each block at the same moment. One wins, the other is told so; then the block is freed
// once, and can be had once.
TEST_F(ThreadRaces, OfTwoFreesOfABlockExactlyOneWins) {
    static constexpr size_t rounds = under_thread_sanitizer ? 2400 : 8000;
    weather(1 * MiB, [] {
        slab_heap_set_fault_handler(count);
        for (const size_t size : {size_t{64}, size_t{1000}, size_t{4096}, size_t{5000}}) {
            for (const Way first : {Way::plain, Way::sized}) {
                std::atomic<void*> block = nullptr;
                Meeting meeting(2);
                const size_t before = all_faults();
                in_threads(2, [&](unsigned number) {
                    for (unsigned i = 0; i < rounds / 8; ++i) {
                        if (number == i % 2) block = allocate(size, i);
                        meeting.arrive();
                        free_in(number == 0 ? first : Way::plain, block, size);
                        meeting.arrive();
                    }
                });
                EXPECT_EQ(rounds / 8, all_faults() - before) << size;
                EXPECT_EQ(SLAB_OK, slab_heap_check());
            }
        }
        EXPECT_EQ(rounds, faults[SLAB_FAULT_DOUBLE_FREE]);
        EXPECT_EQ(rounds, stats().faults);
    });
}
#endif

// The same when it is not at the same time: this is told in every build.
TEST_F(ThreadRaces, ASecondFreeByAnotherThreadIsAFault) {
    weather(1 * MiB, [] {
        slab_heap_set_fault_handler(count);
        size_t expected = 0;
        for (const size_t size :
             {size_t{32}, size_t{64}, size_t{1000}, size_t{4096}, size_t{5000}, 70 * page_size}) {
            for (const Way way : {Way::plain, Way::sized, Way::realloc}) {
                void* const block = allocate(size, 0);
                in_threads(1, [&](unsigned) { slab_free(block); });
                free_in(way, block, size);
                EXPECT_EQ(++expected, faults[SLAB_FAULT_DOUBLE_FREE]) << size;
                in_threads(1, [&](unsigned) { free_in(way, block, size); });
                EXPECT_EQ(++expected, faults[SLAB_FAULT_DOUBLE_FREE]) << size;
            }
        }
        EXPECT_EQ(expected, all_faults());
    });
}

TEST_F(ThreadRaces, AnAuditPassesWhileOthersRun) {
    weather(4 * MiB, [] {
        static std::array<std::atomic<void*>, 200> places;
        std::atomic<unsigned> running = 3;
        in_threads(4, [&](unsigned number) {
            if (number == 3) {
                for (; running != 0; sched_yield()) {
                    slab_audit found{};
                    ASSERT_EQ(SLAB_OK, slab_heap_audit(&found)) << found.invariant << " at " << found.address;
                }
                return;
            }
            Random random(number);
            for (size_t i = 0; i < steps / 2; ++i) {
                checked_free(places[random.below(places.size())].exchange(allocate(random_size(random), i)));
            }
            --running;
        });
        for (std::atomic<void*>& place : places) checked_free(place);
    });
}

// So do the figures: while others run they are near what is true, and what is live is never more than was
// handed out.
TEST_F(ThreadRaces, FiguresCanBeReadWhileOthersRun) {
    weather(4 * MiB, [] {
        std::atomic<unsigned> running = 2;
        in_threads(3, [&](unsigned number) {
            if (number == 2) {
                for (slab_stats last = stats(); running != 0; sched_yield()) {
                    const slab_stats now = stats();
                    ASSERT_GE(now.allocations, last.allocations);
                    ASSERT_GE(now.frees, last.frees);
                    ASSERT_EQ(last.total_bytes, now.total_bytes);
                    last = now;
                }
                return;
            }
            Random random(number);
            for (size_t i = 0; i < steps / 2; ++i) checked_free(allocate(random_size(random), i));
            --running;
        });
    });
}

// More threads live at the same time than have fronts. Those beyond share, and need nothing for it.
TEST_F(ThreadRaces, ThreadsBeyondTheLimitShare) {
    constexpr unsigned threads = 300;
    weather(16 * MiB, [] {
        static std::array<std::atomic<void*>, threads> places;
        Meeting meeting(threads);
        in_threads(threads, [&](unsigned number) {
            Random random(number);
            for (std::atomic<void*>& place : places) {
                if (random.below(8) == 0) checked_free(place.exchange(allocate(random_size(random), number)));
            }
            meeting.arrive();  // all have called
            for (size_t i = 0; i < 50; ++i) {
                checked_free(places[random.below(places.size())].exchange(allocate(random_size(random), i)));
            }
            meeting.arrive();
        });
        for (std::atomic<void*>& place : places) checked_free(place);
    });
}

// What an ended thread had in its front serves the others, though nobody runs short.
TEST_F(ThreadRaces, TheFrontsOfAThreadThatEndsAreEmptied) {
    weather(1 * MiB, [] {
        std::vector<void*> first, second;
        const auto take = [](std::vector<void*>& blocks) {
            for (int i = 0; i < 32; ++i) blocks.push_back(allocate(128, 0));
        };
        in_threads(1, [&](unsigned) {
            take(first);
            for (void* block : first) checked_free(block);
        });
        in_threads(1, [&](unsigned) {
            take(second);
            for (void* block : second) checked_free(block);
        });
        std::sort(first.begin(), first.end());
        std::sort(second.begin(), second.end());
        EXPECT_EQ(first, second);
        EXPECT_EQ(1u, stats().classes[by_set(1, 3)].pages);
    });
}

}  // namespace
}  // namespace slabheap::test
