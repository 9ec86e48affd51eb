// SPDX-License-Identifier: MIT
#include "two_threads.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace slabheap::bench {

namespace {

int64_t wall_nanoseconds() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// How often another process took this thread's place so far.
long interruptions() {
    rusage used;
    getrusage(RUSAGE_THREAD, &used);
    return used.ru_nivcsw;
}

// Binds this thread to the processor of this number, of those that the process may use.
void bind(unsigned number) {
    cpu_set_t usable, chosen;
    sched_getaffinity(getpid(), sizeof usable, &usable);
    CPU_ZERO(&chosen);
    for (int cpu = 0, found = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &usable) && found++ == static_cast<int>(number)) CPU_SET(cpu, &chosen);
    }
    if (sched_setaffinity(0, sizeof chosen, &chosen) != 0) {
        std::perror("bench: two threads need two processors");
        std::exit(1);
    }
}

// Has this thread come before those of other processes, if that is allowed. Not by a real-time priority: this
// thread spins, and two that wait for others behind each other would have the machine to themselves for ever.
void take_precedence() { setpriority(PRIO_PROCESS, 0, -20); }

}  // namespace

TwoThreads::TwoThreads() {
    for (unsigned number : {0u, 1u}) threads_[number].handle = std::thread([=, this] { serve(number); });
}

TwoThreads::~TwoThreads() {
    function_ = nullptr;
    for (Thread& thread : threads_) call(thread);
    for (Thread& thread : threads_) thread.handle.join();
}

void TwoThreads::call(Thread& thread) {
    thread.calls.fetch_add(1, std::memory_order_release);
    thread.calls.notify_one();
}

void TwoThreads::serve(unsigned number) {
    bind(number);
    take_precedence();
    for (uint32_t served = 0;; ++served) {
        threads_[number].calls.wait(served, std::memory_order_acquire);  // call()
        if (function_ == nullptr) return;
        work(number);
    }
}

void TwoThreads::work(unsigned number) {
    Thread& self = threads_[number];
    long const before = interruptions();
    to_come_.fetch_sub(1, std::memory_order_relaxed);
    while (to_come_.load(std::memory_order_relaxed) != 0) __builtin_ia32_pause();
    self.start = wall_nanoseconds();
    function_(context_, number);
    self.end = wall_nanoseconds();
    self.interrupted = interruptions() != before;
    // Only the last one wakes who waits, who might take the other's processor.
    if (to_finish_.fetch_sub(1, std::memory_order_acq_rel) == 1) to_finish_.notify_one();
}

Worked TwoThreads::run(Who who) {
    Thread* const first = threads_ + (who == Who::second);
    Thread* const last = threads_ + (who != Who::first);
    uint32_t const count = static_cast<uint32_t>(last - first) + 1;
    to_come_ = count;
    to_finish_ = count;
    for (Thread* thread = first; thread <= last; ++thread) call(*thread);
    for (uint32_t left; (left = to_finish_.load(std::memory_order_acquire)) != 0;) to_finish_.wait(left);
    return {std::max(first->end, last->end) - std::min(first->start, last->start),
            first->interrupted || last->interrupted};
}

}  // namespace slabheap::bench
