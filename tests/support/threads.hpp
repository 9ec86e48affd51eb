// SPDX-License-Identifier: MIT
//
// What tests with threads share: threads that start together, random numbers of each thread's own, a place
// where threads meet, and blocks of the C ABI whose content tells that nobody else has them.
#ifndef SLABHEAP_TESTS_THREADS_HPP
#define SLABHEAP_TESTS_THREADS_HPP

#include <gtest/gtest.h>
#include <slabheap/slabheap.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "content.hpp"
#include "random.hpp"
#include "sanitizers.hpp"

namespace slabheap::test {

// A thread that waits for another spins for a while, so as to be there at the same moment; then it sleeps, so
// that the other can run.
inline constexpr unsigned spins = 50000;

class Patience {
public:
    void wait() {
        if (++turns_ > spins) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }

private:
    unsigned turns_ = 0;
};

// Where a number of threads wait for each other, again and again.
class Meeting {
public:
    explicit Meeting(unsigned count) : count_(count) {}

    void arrive() {
        const unsigned round = round_.load();
        if (++arrived_ == count_) {
            arrived_ = 0;
            ++round_;
            round_.notify_all();
            return;
        }
        for (unsigned turns = 0; turns < spins && round_ == round; ++turns) {
        }
        round_.wait(round);
    }

private:
    const unsigned count_;
    std::atomic<unsigned> arrived_ = 0;
    std::atomic<unsigned> round_ = 0;
};

// Runs code(number) in so many threads, which begin together; returns when all have ended.
template <class Code>
void in_threads(unsigned count, Code code) {
    Meeting start(count);
    std::vector<std::thread> threads;
    for (unsigned number = 0; number < count; ++number) {
        threads.emplace_back([&start, &code, number] {
            start.arrive();
            code(number);
        });
    }
    for (std::thread& thread : threads) thread.join();
}

// A block says at its start how large it is and which pattern fills the rest. So whoever frees it can see
// that nobody else wrote to it, from first to last byte.
struct Stamp {
    size_t size;
    uint64_t pattern;
};

inline void* stamped(void* block, size_t size, uint64_t pattern) {
    if (block == nullptr) return nullptr;
    *static_cast<Stamp*>(block) = {size, pattern};
    fill(static_cast<char*>(block) + sizeof(Stamp), size - sizeof(Stamp), pattern);
    return block;
}

inline void* stamped_alloc(size_t size, uint64_t pattern) {
    return stamped(slab_alloc(size, 8), size, pattern);
}

inline size_t checked_size(const void* block) {
    const Stamp stamp = *static_cast<const Stamp*>(block);
    EXPECT_TRUE(
        is_filled(static_cast<const char*>(block) + sizeof stamp, stamp.size - sizeof stamp, stamp.pattern))
        << "somebody wrote to a block that was not theirs";
    return stamp.size;
}

inline void checked_free(void* block) {
    if (block == nullptr) return;
    const size_t size = checked_size(block);
    static_cast<Stamp*>(block)->pattern ^= 1;  // whoever has it now finds that it is freed
    if (size % 2 == 0) {
        slab_free(block);
    } else {
        slab_free_sized(block, size, 8);
    }
}

}  // namespace slabheap::test

#endif
