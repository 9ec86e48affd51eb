// SPDX-License-Identifier: MIT
//
// What a plan for the injection of failures means: which requests for pages are refused, and how they are
// counted. For archives with -Dfault_injection=true.
#include "shared_test_heap.hpp"

#include <slabheap/fault_injection.h>

#include <string>

namespace slabheap::test {
namespace {

constexpr size_t no_limit = SIZE_MAX;

class InjectionPlan : public ::testing::Test {
protected:
    SharedTestHeap<> test{1 * MiB};

    size_t follow(slab_injection plan) { return test.heap.inject_failures(&plan); }
    size_t requests() { return test.heap.inject_failures(nullptr); }

    // One request after the other: + is served, - is refused.
    std::string outcome_of(size_t count) {
        std::string outcome;
        for (size_t i = 0; i < count; ++i) {
            void* const block = test.try_allocate(5000);
            outcome += block != nullptr ? '+' : '-';
            test.free(block);
        }
        return outcome;
    }
};

TEST_F(InjectionPlan, RequestsAreCountedSinceTheLastPlan) {
    EXPECT_EQ(0u, requests());
    EXPECT_EQ("+++", outcome_of(3));
    EXPECT_EQ(3u, requests());
    EXPECT_EQ(0u, requests());
    follow({0, 2, 100, 0});
    EXPECT_EQ("--+", outcome_of(3));
    EXPECT_EQ(3u, follow({0, 0, 0, 0})) << "with those that were refused";
}

TEST_F(InjectionPlan, OnlyWhatNeedsAPageIsARequest) {
    void* const first = test.allocate(100);
    EXPECT_EQ(1u, requests()) << "a slab";
    void* const second = test.allocate(100);
    test.free(first);
    test.free(test.allocate(90));
    EXPECT_EQ(second, test.heap.reallocate(second, {128, 8}, site));
    EXPECT_EQ(0u, requests());
    EXPECT_NE(nullptr, test.heap.reallocate(second, {5000, 8}, site));
    EXPECT_EQ(1u, requests()) << "a large block";
}

TEST_F(InjectionPlan, TheFirstAreServed) {
    follow({4, 1, 100, 0});
    EXPECT_EQ("++++-+++", outcome_of(8));
}

TEST_F(InjectionPlan, NoMoreAreRefusedThanItSays) {
    follow({1, 3, 100, 0});
    EXPECT_EQ("+---+++", outcome_of(7));
    follow({0, 0, 100, 0});
    EXPECT_EQ("+++", outcome_of(3));
}

TEST_F(InjectionPlan, WithoutALimitAllAreRefused) {
    follow({2, no_limit, 100, 0});
    EXPECT_EQ("++" + std::string(100, '-'), outcome_of(102));
    EXPECT_EQ(nullptr, test.allocate(5000)) << "whatever else is tried";
    EXPECT_EQ(nullptr, test.allocate(64));
    EXPECT_EQ(nullptr, test.heap.allocate_pages(1));
    EXPECT_EQ(SLAB_ERR_IN_USE, test.heap.reserve(test.memory.page(100), page_size));
}

TEST_F(InjectionPlan, NoPlanRefusesNothing) {
    follow({0, no_limit, 100, 0});
    EXPECT_EQ("-", outcome_of(1));
    requests();
    EXPECT_EQ("+++", outcome_of(3));
}

TEST_F(InjectionPlan, TheProbabilityIsInPercent) {
    for (const unsigned probability : {0u, 1u, 25u, 50u, 99u, 100u, 101u, ~0u}) {
        follow({0, no_limit, probability, 3});
        const std::string outcome = outcome_of(4000);
        const auto refused = static_cast<int>(std::count(outcome.begin(), outcome.end(), '-'));
        const int expected = 40 * static_cast<int>(std::min(probability, 100u));
        EXPECT_NEAR(expected, refused, expected % 4000 == 0 ? 0 : 80) << probability;
    }
}

TEST_F(InjectionPlan, TheLimitCountsWhatIsRefusedAtRandom) {
    follow({0, 7, 40, 1});
    const std::string outcome = outcome_of(200);
    EXPECT_EQ(7, std::count(outcome.begin(), outcome.end(), '-'));
}

// Knuth's linear congruential generator, its upper half, modulo 100.
TEST_F(InjectionPlan, ASeedRefusesTheRequestsThatItsNumbersSay) {
    for (const uint32_t seed : {0u, 1u, 12345u, ~0u}) {
        uint32_t number = seed;
        std::string expected;
        for (unsigned i = 0; i < 400; ++i) {
            number = number * 1664525 + 1013904223;
            expected += (number >> 16) % 100 < 30 ? '-' : '+';
        }
        follow({0, no_limit, 30, seed});
        EXPECT_EQ(expected, outcome_of(400));
    }
}

TEST_F(InjectionPlan, ASeedRefusesTheSameRequestsEachTime) {
    const auto outcome_by = [&](uint32_t seed) {
        follow({5, no_limit, 50, seed});
        return outcome_of(60);
    };
    for (uint32_t seed = 0; seed < 20; ++seed) {
        EXPECT_EQ(outcome_by(seed), outcome_by(seed));
        EXPECT_NE(outcome_by(seed), outcome_by(seed + 1));
    }
}

}  // namespace
}  // namespace slabheap::test
