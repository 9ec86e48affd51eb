// SPDX-License-Identifier: MIT
//
// The CPUs and the lock of a SharedHeap, played by a test in one thread: the test says which CPU runs,
// whether in an NMI, and whether another CPU holds the lock; what else happens, an interrupt for instance, it
// does in `meanwhile`, which is called at each moment that a call tells of. Whatever no call may do fails the
// test.
#ifndef SLABHEAP_TESTS_TEST_CPU_HPP
#define SLABHEAP_TESTS_TEST_CPU_HPP

#include <gtest/gtest.h>
#include <slabheap/shared_heap.hpp>

#include <functional>

namespace slabheap::test {

enum class Moment { begins, ends, pauses, waits, locked, unlocked };

// What the test says, and what it sees. All heaps of a test share it.
struct Machine {
    size_t cpu = 0;  // which one runs
    bool is_nmi = false;
    bool held_by_other = false;  // another CPU has the page lock
    std::function<void(Moment)> meanwhile;

    bool is_held = false;
    size_t begun = 0;  // calls on this CPU that have not ended
    size_t holds = 0;
    size_t waits = 0;  // calls of lock(), which may wait
    size_t tries_among_cpus = 0;  // of try_lock(), where another CPU might hold it
    size_t pauses = 0;
    size_t asked_context = 0;

    void tell(Moment moment) {
        if (!meanwhile || is_telling) return;
        is_telling = true;  // what happens meanwhile is not interrupted itself
        meanwhile(moment);
        is_telling = false;
    }
    bool is_telling = false;
};

inline Machine machine;

struct TestCpu {
    static size_t index(size_t) {
        EXPECT_GT(machine.begun, 0u) << "a CPU is asked for its index when it may change";
        return machine.cpu;
    }
    static bool may_wait() {
        ++machine.asked_context;
        return !machine.is_nmi;
    }
    static bool is_alone(size_t cpus) { return cpus == 1; }
    static void stop_preemption() {
        ++machine.begun;
        machine.tell(Moment::begins);
    }
    static void resume_preemption() {
        machine.tell(Moment::ends);
        --machine.begun;
    }
    static void pause() {
        ++machine.pauses;
        machine.tell(Moment::pauses);
    }
};

class TestLock {
public:
    void lock() {
        EXPECT_FALSE(machine.is_nmi) << "an NMI waits for the lock";
        EXPECT_FALSE(machine.is_held) << "a CPU waits for itself";
        ++machine.waits;
        if (machine.held_by_other) machine.tell(Moment::waits);
        EXPECT_FALSE(machine.held_by_other) << "the call waits for ever";
        take();
    }
    bool try_lock(bool is_alone) {
        EXPECT_FALSE(is_alone && machine.held_by_other) << "there is no other CPU";
        machine.tries_among_cpus += !is_alone;
        if (machine.is_held || machine.held_by_other) return false;
        take();
        return true;
    }
    void unlock() {
        EXPECT_TRUE(machine.is_held);
        machine.is_held = false;
        machine.tell(Moment::unlocked);
    }

private:
    static void take() {
        machine.is_held = true;
        ++machine.holds;
        machine.tell(Moment::locked);
    }
};

}  // namespace slabheap::test

#endif
