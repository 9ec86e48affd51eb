// SPDX-License-Identifier: MIT
//
// The C ABI under threads, which need nothing but to call it: storms of several shapes. Each block's content
// is checked before it is freed; afterwards the books balance, the audit passes, and all memory is one run
// again.
#include "storm.hpp"
#include "test_heap.hpp"

#include <array>

namespace slabheap::test {
namespace {

class Threads : public Storm, public ::testing::WithParamInterface<unsigned> {};

// Each step leaves a block in a random place that all share, and frees what lay there.
TEST_P(Threads, FreeEachOthersBlocks) {
    weather(8 * MiB, [] {
        static std::array<std::atomic<void*>, 500> places;
        in_threads(GetParam(), [](unsigned number) {
            Random random(number);
            for (size_t i = 0; i < steps; ++i) {
                checked_free(places[random.below(places.size())].exchange(allocate(random_size(random), i)));
            }
        });
        for (std::atomic<void*>& place : places) checked_free(place);
    });
}

// Half of the threads allocate, the others free.
TEST_P(Threads, PassBlocksOneWay) {
    weather(8 * MiB, [] {
        struct Ring {
            std::array<std::atomic<void*>, 128> cells;
        };
        static std::array<Ring, 4> rings;
        in_threads(GetParam(), [](unsigned number) {
            Random random(number);
            Ring& ring = rings[number / 2];
            for (size_t i = 0; i < steps; ++i) {
                std::atomic<void*>& cell = ring.cells[i % ring.cells.size()];
                void* const block = number % 2 == 0 ? allocate(random_size(random), i) : nullptr;
                if (number % 2 == 0) {
                    ASSERT_NE(nullptr, block);
                    for (Patience patience; cell.load() != nullptr;) patience.wait();
                    cell = block;
                } else {
                    void* found;
                    for (Patience patience; (found = cell.exchange(nullptr)) == nullptr;) patience.wait();
                    checked_free(found);
                }
            }
        });
    });
}

// A thread replaces blocks of an array for a while, then a successor goes on with it; many more live in all
// than have fronts at a time (Larson and Krishnan, 1998).
TEST_P(Threads, HandTheirBlocksToSuccessors) {
    weather(8 * MiB, [] {
        in_threads(GetParam(), [](unsigned number) {
            Random random(number);
            std::array<void*, 200> blocks{};
            for (unsigned generation = 0; generation < steps / 32 / GetParam(); ++generation) {
                std::thread([&] {
                    for (size_t i = 0; i < 500; ++i) {
                        void*& block = blocks[random.below(blocks.size())];
                        checked_free(block);
                        block = allocate(random_size(random), i);
                    }
                }).join();
            }
            for (void* block : blocks) checked_free(block);
        });
    });
}

TEST_P(Threads, ResizeBlocksAndTakePages) {
    weather(16 * MiB, [] {
        in_threads(GetParam(), [](unsigned number) {
            Random random(number);
            std::array<void*, 40> blocks{};
            for (size_t i = 0; i < steps / 4; ++i) {
                void*& block = blocks[random.below(blocks.size())];
                const size_t size = random_size(random);
                switch (random.below(4)) {
                    case 0: {
                        if (block == nullptr) break;
                        const size_t before = checked_size(block);
                        void* const moved = slab_realloc(block, size, 8);
                        if (moved == nullptr) break;
                        if (moved != block) ++allocated;
                        const uint64_t pattern = static_cast<Stamp*>(moved)->pattern;
                        const size_t kept = (before < size ? before : size) - sizeof(Stamp);
                        EXPECT_TRUE(is_filled(static_cast<char*>(moved) + sizeof(Stamp), kept, pattern));
                        block = stamped(moved, size, i);
                        break;
                    }
                    case 1: {
                        checked_free(block);
                        auto* const zeroed = static_cast<char*>(slab_calloc(1, size));
                        if (zeroed != nullptr) ++allocated;
                        EXPECT_TRUE(zeroed == nullptr || is_zero(zeroed, size));
                        block = stamped(zeroed, size, i);
                        break;
                    }
                    case 2: {
                        const size_t count = 1 + random.below(5);
                        void* const run = stamped(slab_alloc_pages(count, page_size), pages(count), i);
                        if (run == nullptr) break;
                        ++allocated;
                        checked_size(run);
                        slab_free_pages(run, count);
                        break;
                    }
                    default:
                        checked_free(block);
                        block = allocate(size, i);
                        break;
                }
            }
            for (void* block : blocks) checked_free(block);
        });
    });
}

// Each takes what it can get. Not one page may be left, whoever's front had it last; then all comes back.
TEST_P(Threads, ExhaustTheHeapTogether) {
    weather(1 * MiB, [] {
        const size_t total = stats().total_bytes;
        for (const size_t size : {size_t{4096}, size_t{64}, size_t{1024}}) {
            std::atomic<size_t> count = 0;
            Meeting all_have_seen_null(GetParam());
            in_threads(GetParam(), [&](unsigned number) {
                std::vector<void*> blocks;
                while (void* block = allocate(size, number)) blocks.push_back(block);
                count += blocks.size();
                for (void* block : blocks) checked_size(block);
                all_have_seen_null.arrive();
                for (void* block : blocks) checked_free(block);
            });
            EXPECT_EQ(total / size, count) << size;
        }
        EXPECT_EQ(3 * GetParam(), stats().failures);
    });
}

INSTANTIATE_TEST_SUITE_P(Of, Threads, ::testing::Values(2, 4, 8));

}  // namespace
}  // namespace slabheap::test
