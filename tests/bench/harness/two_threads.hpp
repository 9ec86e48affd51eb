// SPDX-License-Identifier: MIT
//
// Two threads, each bound to a processor of its own, that work when they are told to: one of them, or both
// at the same time. What counts is the time on the wall, because a thread that waits for the other takes
// time and does nothing; so work that another process interrupted has to be told from the rest.
#ifndef SLABHEAP_BENCH_TWO_THREADS_HPP
#define SLABHEAP_BENCH_TWO_THREADS_HPP

#include <atomic>
#include <cstdint>
#include <thread>

namespace slabheap::bench {

enum class Who { first, second, both };

struct Worked {
    int64_t nanoseconds;  // from the start of the first to the end of the last
    bool interrupted;
};

class TwoThreads {
public:
    TwoThreads();
    ~TwoThreads();
    TwoThreads(TwoThreads const&) = delete;
    TwoThreads& operator=(TwoThreads const&) = delete;

    // Has the first thread call work(0), the second work(1).
    template <class Work>
    Worked run(Who who, Work work) {
        function_ = [](void* context, unsigned number) { (*static_cast<Work*>(context))(number); };
        context_ = &work;
        return run(who);
    }

private:
    struct alignas(64) Thread {
        std::thread handle;
        std::atomic<uint32_t> calls = 0;
        int64_t start, end;
        bool interrupted;
    };

    Worked run(Who who);
    void call(Thread& thread);
    void serve(unsigned number);
    void work(unsigned number);

    Thread threads_[2];
    void (*function_)(void* context, unsigned number) = nullptr;  // none: the threads are to end
    void* context_ = nullptr;
    alignas(64) std::atomic<uint32_t> to_come_ = 0;    // threads that are not at the start yet
    alignas(64) std::atomic<uint32_t> to_finish_ = 0;  // and that have not finished
};

}  // namespace slabheap::bench

#endif
