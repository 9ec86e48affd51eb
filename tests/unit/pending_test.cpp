// SPDX-License-Identifier: MIT
//
// The tree of pages that changed: anybody adds, one takes, and nothing that was added is lost.
#include "pending.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "map_memory.hpp"

namespace slabheap {
namespace {

using test::Mapped;

struct Pages {
    Word first;
    Word count;
};

// Regions of a word, about a word, several levels; within one node of the root, and straddling two.
constexpr Pages regions[] = {{1, 1},      {64, 63},        {63, 1},           {64, 64},
                             {100, 65},   {4095, 2},       {128, 5000},       {4000, 5000},
                             {262143, 2}, {262000, 70000}, {524288 - 64, 129}};

class PendingTree {
public:
    explicit PendingTree(Pages pages, Among among = Among::cpus)
        : pages_(pages), map_(pages.first, pages.first + pages.count), tree_(*map_, among) {
        for (Word page = pages.first; page < end(); ++page) map_->open(0, page >> word_shift);
    }
    Word first() const { return pages_.first; }
    Word end() const { return pages_.first + pages_.count; }
    Pending& operator*() { return tree_; }
    Pending* operator->() { return &tree_; }
    bool is_clear() {
        for (unsigned level = 0; level <= map_->root; ++level) {
            for (Word node = map_->first_node(level); node <= map_->last_node(level); ++node) {
                if (map_->word(level, node, column::pending) != 0) return false;
            }
        }
        return true;
    }

private:
    Pages pages_;
    Mapped<PageMap> map_;
    Pending tree_;
};

class EveryRegion : public ::testing::TestWithParam<Pages> {};

TEST_P(EveryRegion, WhatIsAddedIsTakenOnceAndLeavesNothing) {
    for (Among among : {Among::contexts, Among::cpus}) {
        PendingTree tree(GetParam(), among);
        EXPECT_EQ(Region::none, tree->take());
        for (Word page = tree.first(); page < tree.end(); ++page) {
            tree->add(page);
            EXPECT_EQ(page, tree->take());
            ASSERT_EQ(Region::none, tree->take());
        }
        EXPECT_TRUE(tree.is_clear());
    }
}

TEST_P(EveryRegion, WhatIsAddedTwiceIsTakenOnceInAscendingOrder) {
    PendingTree tree(GetParam());
    for (int round = 0; round < 2; ++round) {
        for (Word page = tree.end(); page-- > tree.first();) {
            if (page % 3 != 0) tree->add(page);
        }
    }
    for (Word page = tree.first(); page < tree.end(); ++page) {
        if (page % 3 == 0) continue;
        ASSERT_EQ(page, tree->take());
    }
    EXPECT_EQ(Region::none, tree->take());
    EXPECT_TRUE(tree.is_clear());
}

// Threads add, each its own pages again and again, as often as they are taken: so many times that an addition
// that was lost would leave one of them waiting.
TEST_P(EveryRegion, NothingIsLostWhileOthersAdd) {
    constexpr unsigned threads = 3;
    PendingTree tree(GetParam());
    Word const count = tree.end() - tree.first();
    std::vector<std::atomic<bool>> is_out(count);
    std::atomic<unsigned> busy = threads;
    auto const add = [&](unsigned number) {
        for (Word round = 0; round < Word{100000} / (count < 5000 ? 1 : 40); ++round) {
            Word const page = (number + round * 7919) % count / threads * threads + number;
            if (page >= count || is_out[page].exchange(true)) continue;
            tree->add(tree.first() + page);
        }
        --busy;
    };
    std::vector<std::jthread> adders;
    for (unsigned i = 0; i < threads; ++i) adders.emplace_back(add, i);
    size_t taken = 0;
    for (bool last = false;;) {
        Word const page = tree->take();
        if (page != Region::none) {
            ASSERT_TRUE(is_out[page - tree.first()].exchange(false)) << "taken without having been added";
            ++taken;
        } else if (last) {
            break;
        } else {
            last = busy == 0;
        }
    }
    adders.clear();
    for (Word page = 0; page < count; ++page) ASSERT_FALSE(is_out[page]) << "lost";
    EXPECT_GE(taken, 1u);
    EXPECT_TRUE(tree.is_clear());
}

INSTANTIATE_TEST_SUITE_P(Pending, EveryRegion, ::testing::ValuesIn(regions), [](auto const& region) {
    return "PagesFrom" + std::to_string(region.param.first) + "Count" + std::to_string(region.param.count);
});

}  // namespace
}  // namespace slabheap
