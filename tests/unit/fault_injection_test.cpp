// SPDX-License-Identifier: MIT
//
// Out of memory everywhere: each scenario is played again and again, and each time the next of its requests
// for pages is refused, or all from there on, until none is left to refuse. Whatever fails, nothing else
// does: the audit holds, the books balance, blocks keep their content, and in the end all memory is one
// piece. For archives with -Dfault_injection=true.
#include "content.hpp"
#include "fresh_process.hpp"
#include "played_heap.hpp"
#include "random.hpp"

#include <iterator>
#include <list>
#include <memory>
#include <string>

namespace slabheap::test {
namespace {

constexpr size_t heap_size = 128 * KiB;
constexpr size_t no_limit = SIZE_MAX;

// Makes calls that may fail, and keeps the books. Where there is no block to do it with, a call is left out.
class Player {
public:
    explicit Player(std::unique_ptr<PlayedHeap> heap) : heap_(std::move(heap)), before_(heap_->stats()) {
        regions_.push_back(before_.total_bytes / page_size);
        playing_ = this;
    }

    size_t inject_failures(const slab_injection* plan) { return heap_->inject_failures(plan); }

    bool allocate(size_t size, size_t align = 8) {
        return keep(heap_->allocate({size, align}), {size, align});
    }
    bool try_allocate(size_t size) { return keep(heap_->try_allocate({size, 8}), {size, 8}); }
    bool allocate_pages(size_t count, size_t align = page_size) {
        return keep(heap_->allocate_pages(count, align), {pages(count), align});
    }
    bool allocate_zeroed(size_t size) {
        void* const block = heap_->allocate_zeroed({size, 16});
        EXPECT_TRUE(block == nullptr || is_zero(block, size));
        return keep(block, {size, 16});
    }
    void fill_with(size_t size) {
        while (allocate(size)) {
        }
    }

    // The block that was allocated last, or one before it.
    bool resize(size_t size, size_t back = 1) {
        if (back > blocks_.size()) return false;
        const auto block = std::prev(blocks_.end(), static_cast<ptrdiff_t>(back));
        resized_ = block->start;
        void* const to = heap_->reallocate(block->start, {size, block->layout.align});
        resized_ = nullptr;
        if (to == nullptr) return fail();
        EXPECT_TRUE(is_filled(to, std::min(size, block->layout.size), block->pattern)) << "moved";
        fill(to, size, block->pattern);
        block->start = to;
        block->layout.size = size;
        return true;
    }
    void free(size_t back = 1) {
        if (back > blocks_.size()) return;
        const auto place = std::prev(blocks_.end(), static_cast<ptrdiff_t>(back));
        const Block block = *place;
        blocks_.erase(place);
        expect_content(block);
        const Layout layout = block.layout;
        if (layout.size % page_size == 0 && layout.size != page_size && ++frees_ % 2 == 0) {
            heap_->free_pages(block.start, layout.size / page_size);
        } else if (++frees_ % 3 == 0) {
            heap_->free_sized(block.start, layout);
        } else {
            heap_->free(block.start);
        }
    }
    void free_every_other() {
        for (size_t back = 1; back <= blocks_.size(); ++back) free(back);
    }
    void free_all() {
        while (!blocks_.empty()) free();
    }

    void reserve(size_t count) {
        void* const range = heap_->allocate_pages(count, page_size);
        if (range == nullptr) {
            fail();
            return;
        }
        heap_->free(range);
        const int status = heap_->reserve(range, pages(count));
        if (status == SLAB_OK) {
            EXPECT_EQ(SLAB_OK, heap_->release(range, pages(count)));
        } else {
            EXPECT_EQ(SLAB_ERR_IN_USE, status);
        }
    }
    void add_region(size_t count) {
        added_.push_back(std::make_unique<TestMemory>(pages(count)));
        const size_t before = heap_->stats().total_bytes;
        EXPECT_EQ(SLAB_OK, heap_->add_memory(added_.back()->start(), pages(count)));
        regions_.push_back((heap_->stats().total_bytes - before) / page_size);
    }

    // What the out-of-memory hook does: frees the oldest block, adds a region, or promises in vain.
    enum class Relief { frees, adds, none };
    void set_relief(Relief relief) {
        relief_ = relief;
        heap_->set_oom_hook([](size_t, size_t) {
            playing_->relieve();
            return 1;
        });
    }

    // What must be true whatever has failed.
    void settle_up() {
        heap_->set_oom_hook(nullptr);
        EXPECT_TRUE(heap_->audit());
        for (const Block& block : blocks_) expect_content(block);
        const slab_stats now = heap_->stats();
        EXPECT_EQ(failures_, now.failures - before_.failures);
        EXPECT_EQ(blocks_.size(), now.allocations - now.frees);
        EXPECT_EQ(now.total_bytes, now.used_bytes + now.available_bytes);
        free_all();
        EXPECT_EQ(0u, heap_->stats().used_bytes);
        // The largest first: one that does not fit it may take another's place.
        std::sort(regions_.rbegin(), regions_.rend());
        std::vector<void*> whole;
        for (const size_t count : regions_) {
            whole.push_back(heap_->allocate_pages(count, page_size));
            EXPECT_NE(nullptr, whole.back()) << "a region of " << count << " pages is in pieces";
        }
        for (void* region : whole) heap_->free(region);
        EXPECT_TRUE(heap_->audit());
    }

private:
    struct Block {
        void* start;
        Layout layout;
        uint64_t pattern;
    };

    bool fail() {
        ++failures_;
        EXPECT_TRUE(heap_->audit());
        return false;
    }
    bool keep(void* start, Layout layout) {
        if (start == nullptr) return fail();
        EXPECT_EQ(0u, address_of(start) % layout.align);
        fill(start, layout.size, ++patterns_);
        blocks_.push_back({start, layout, patterns_});
        return true;
    }
    void expect_content(const Block& block) {
        EXPECT_TRUE(heap_->owns(block.start));
        EXPECT_GE(heap_->usable_size(block.start), block.layout.size);
        EXPECT_TRUE(is_filled(block.start, block.layout.size, block.pattern));
    }
    void relieve() {
        if (relief_ == Relief::adds && added_.size() < 3) add_region(10);
        if (relief_ == Relief::frees && !blocks_.empty() && blocks_.front().start != resized_)
            free(blocks_.size());
    }

    static inline Player* playing_;

    std::vector<std::unique_ptr<TestMemory>> added_;  // outlives the heap
    std::unique_ptr<PlayedHeap> heap_;
    slab_stats before_;
    std::vector<size_t> regions_;  // pages that they hand out
    std::list<Block> blocks_;
    void* resized_ = nullptr;
    Relief relief_ = Relief::none;
    uint64_t patterns_ = 0;
    size_t frees_ = 0;
    size_t failures_ = 0;
};

struct Scenario {
    const char* name;
    void (*play)(Player&);
};

void PrintTo(const Scenario& scenario, std::ostream* out) {
    *out << scenario.name;
}

// Calls of all kinds and sizes, the same each time.
void play_anything(Player& player) {
    Random random(7);
    for (int step = 0; step < 250; ++step) {
        const size_t size = size_t{1} << random.below(16);
        const size_t any = 1 + random.below(5);
        switch (random.below(9)) {
            case 0: player.allocate(size, size_t{8} << random.below(10)); break;
            case 1: player.allocate_zeroed(size); break;
            case 2: player.allocate_pages(any); break;
            case 3: player.try_allocate(size); break;
            case 4:
            case 5: player.resize(size + random.below(size), any); break;
            case 6: player.reserve(any); break;
            default: player.free(any);
        }
    }
}

// Once each.
void play_each_call(Player& player) {
    player.allocate(100);
    player.allocate_zeroed(5000);
    player.try_allocate(300);
    player.resize(20000);
    player.allocate_pages(3);
    player.resize(pages(5));
    player.reserve(4);
    player.free_every_other();
    player.allocate(2000, 4096);
}

const Scenario scenarios[] = {
    {"EachCall", play_each_call},
    {"Slots",
     [](Player& player) {
         for (const size_t size : class_sizes) player.allocate(size);
         player.free_every_other();
         for (const size_t size : class_sizes) player.allocate(size - 1);
         for (const size_t size : class_sizes) player.try_allocate(size);
     }},
    {"SlotsUntilItIsFull",
     [](Player& player) {
         player.fill_with(2000);
         player.free_every_other();
         player.fill_with(100);
         player.free_all();
         player.fill_with(4096);
     }},
    {"LargeBlocks",
     [](Player& player) {
         for (const size_t size : {5000u, 20000u, 4097u, 40000u}) player.allocate(size);
         player.try_allocate(9000);
         player.free_every_other();
         player.allocate(30000);
         player.allocate(heap_size);
     }},
    {"Aligned",
     [](Player& player) {
         for (const size_t align : {16u, 512u, 4096u, 8192u, 32768u}) {
             player.allocate(100, align);
             player.allocate(5000, align);
             player.allocate_pages(1, align);
         }
     }},
    {"Zeroed",
     [](Player& player) {
         for (const size_t size : {100u, 4000u, 9000u, 30000u}) player.allocate_zeroed(size);
         player.free_every_other();
         for (const size_t size : {100u, 4000u, 9000u, 30000u}) player.allocate_zeroed(size);
     }},
    {"SlotsThatGrow",
     [](Player& player) {
         player.allocate(40);
         for (const size_t size : {60u, 100u, 500u, 3000u, 5000u, 20000u, 100u}) player.resize(size);
     }},
    {"LargeBlocksThatStay",
     [](Player& player) {
         player.allocate(5000);
         for (const size_t count : {3u, 4u, 9u, 2u, 1u, 7u}) player.resize(pages(count) - 96);
     }},
    {"LargeBlocksThatMove",
     [](Player& player) {
         for (int i = 0; i < 3; ++i) player.allocate_pages(2);
         for (const size_t count : {3u, 5u, 7u}) player.resize(pages(count), 2);
         player.resize(pages(4), 3);
     }},
    {"ABlockThatStaysOnceWhatIsBehindItIsGathered",
     [](Player& player) {
         player.allocate_pages(20);
         player.resize(pages(2));
         for (int i = 0; i < 29; ++i) player.allocate(4096);
         for (int i = 0; i < 29; ++i) player.free();
         player.resize(pages(20));
     }},
    {"RunsAcrossBuddies",
     [](Player& player) {
         while (player.allocate_pages(1)) {
         }
         player.free_every_other();
         player.allocate_pages(2);
         for (size_t back = 3; back < 6; ++back) player.free(back);
         player.allocate_pages(3);
         player.allocate_pages(5);
     }},
    {"ReservedRanges",
     [](Player& player) {
         player.allocate(300);
         for (const size_t count : {1u, 3u, 20u}) player.reserve(count);
         player.free();
         player.reserve(30);
     }},
    {"SeveralRegions",
     [](Player& player) {
         player.allocate(5000);
         player.add_region(5);
         player.fill_with(1000);
         player.add_region(40);
         player.allocate_pages(30);
         player.resize(pages(35));
         player.free_every_other();
         player.fill_with(3000);
     }},
    {"AHookThatFrees",
     [](Player& player) {
         player.set_relief(Player::Relief::frees);
         for (int i = 0; i < 40; ++i) player.allocate(4000);
         for (const size_t size : {6000u, 9000u, 20000u}) player.resize(size);
         player.allocate_zeroed(10000);
         player.allocate_pages(2);
     }},
    {"AHookThatAdds",
     [](Player& player) {
         player.set_relief(Player::Relief::adds);
         for (int i = 0; i < 40; ++i) player.allocate(4000);
         player.resize(20000);
         player.fill_with(60);
     }},
    {"AHookThatIsNoHelp",
     [](Player& player) {
         player.set_relief(Player::Relief::none);
         player.fill_with(5000);
         player.allocate(100);
         player.resize(30000, 2);
     }},
    {"Anything", play_anything},
};

template <class Played>
std::unique_ptr<PlayedHeap> played_heap() {
    return std::make_unique<Played>(heap_size);
}

struct Face {
    const char* name;
    std::unique_ptr<PlayedHeap> (*make)();
};

void PrintTo(const Face& face, std::ostream* out) {
    *out << face.name;
}

// Plays a scenario on a new heap, by a plan. Returns how often it asked for pages.
size_t play(const Face& face, const Scenario& scenario, const slab_injection& plan) {
    Player player(face.make());
    player.inject_failures(&plan);
    scenario.play(player);
    const size_t requests = player.inject_failures(nullptr);
    player.settle_up();
    return requests;
}

// Refuses the first request, then instead the second, ... as many at a time.
void walk_through(const Face& face, const Scenario& scenario, size_t times) {
    size_t n = 0;
    while (play(face, scenario, {n, times, 100, 0}) > n) {
        ASSERT_FALSE(::testing::Test::HasFailure()) << "request " << n << ", " << times << " times";
        ASSERT_LT(++n, 2000u) << "it does not end";
    }
    EXPECT_GT(n, 0u) << "it never asks for pages";
}

class FaultInjection : public ::testing::TestWithParam<std::tuple<Face, Scenario>> {
protected:
    const Face& face() const { return std::get<0>(GetParam()); }
    const Scenario& scenario() const { return std::get<1>(GetParam()); }
};

TEST_P(FaultInjection, EachRequestIsRefusedOnce) { walk_through(face(), scenario(), 1); }
TEST_P(FaultInjection, EachRequestIsRefusedWithTheNextOne) { walk_through(face(), scenario(), 2); }
TEST_P(FaultInjection, AllAreRefusedFromEachOn) { walk_through(face(), scenario(), no_limit); }

TEST_P(FaultInjection, RequestsAreRefusedAtRandom) {
    for (const unsigned probability : {5u, 30u, 70u}) {
        for (uint32_t seed = 1; seed <= 8; ++seed) {
            play(face(), scenario(), {0, no_limit, probability, seed});
            ASSERT_FALSE(HasFailure()) << probability << " percent, seed " << seed;
        }
    }
}

const Face faces[] = {{"Heap", played_heap<PlayedPlainHeap>}, {"SharedHeap", played_heap<PlayedCpus>}};

INSTANTIATE_TEST_SUITE_P(Every, FaultInjection,
                         ::testing::Combine(::testing::ValuesIn(faces), ::testing::ValuesIn(scenarios)),
                         [](const auto& param) {
                             return std::string(std::get<0>(param.param).name) +
                                    std::get<1>(param.param).name;
                         });

TEST(FaultInjectionC, EachRequestIsRefused) {
    in_fresh_process([] {
        const Face c{"C", played_heap<PlayedC>};
        for (const size_t times : {size_t{1}, size_t{2}, no_limit})
            walk_through(c, {"EachCall", play_each_call}, times);
    });
}

}  // namespace
}  // namespace slabheap::test
