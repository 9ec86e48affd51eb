// SPDX-License-Identifier: MIT
//
// Machine: a few simulated CPUs in one thread of the host, and the schedule that they run under.
//
// A CPU runs its thread's function on a fiber. Each atomic operation and each hook of the code under test is a
// *step*. Before a step,
//
//     another CPU may run instead             a preemption, if one is left, and only where the address of
//                                             the step is one over which CPUs can conflict
//     an interrupt's or an NMI's handler may  if one is left; an interrupt only while the CPU's are on
//     run on this CPU, to its end
//     a load may return an older value        if one is left
//
// and the chooser decides. When a CPU ends, or pauses because it waits for another, the others run, at no cost;
// one that pauses is not run again until another CPU has changed something. One that nobody is left to wait for
// goes on, in case it loses patience; if it does not, that is a deadlock, and a failure.
//
// Where CPUs cannot conflict, it does not matter whether they run before or after each other; so a preemption
// there would only repeat what one at a later step shows. Which addresses these are is found by running: when a
// new one appears, the enumeration starts again (see explore in main.cpp).
#ifndef INTERLEAVE_MACHINE_HPP
#define INTERLEAVE_MACHINE_HPP

#include "explorer.hpp"
#include "fiber.hpp"
#include "memory.hpp"

extern "C" {
#include "hooks.h"
}

#include <string>
#include <vector>

namespace interleave {

// What the CPUs do. A handler runs on the CPU that it interrupts, which `cpu_index` tells.
struct Program {
    using Function = void (*)();
    unsigned cpus;
    unsigned first_index;  // what cpu_index says of the first of them; the others follow
    Function thread[most_cpus];
    Function interrupt;  // null: there are none
    Function nmi;
};

// How far a schedule may leave the usual course.
struct Bounds {
    unsigned preemptions;
    unsigned interruptions;
    unsigned old_values;
    bool at_any_access;  // handlers may also start before plain accesses
};

// What happened, for the report of a failure.
struct Event {
    enum Kind { load, store, exchange, failed_exchange, fence, hook, note };
    size_t step;
    unsigned cpu;
    cpu_context context;
    Kind kind;
    const void* address;
    unsigned size;
    int order;
    uint64_t before;
    uint64_t after;
    unsigned age;
    const void* code;
    const void* caller;  // of the function that has the code; null: not known
    std::string text;
};

class Machine {
public:
    struct Outcome {
        bool passed;
        bool known;  // it was not followed to its end, because an earlier one went on from there
        std::string failure;
        std::vector<Deviation> deviations;
        std::vector<Event> events;  // if they were asked for
    };

    Memory memory;

    // Which addresses conflict is learnt per program; this is before the next one. all: they all do.
    void forget(bool all);
    // Runs the program once. What it shares is in the tracked memory, and as it should be at the start.
    Outcome& run(Program const& program, Bounds const& bounds, Chooser& chooser, bool with_events);
    // Did the last run show a conflict that was not known at its start?
    bool learnt() const { return learnt_; }

    // For the functions of a program, and the code under test.
    State state(unsigned point) const;
    bool running() const { return running_; }
    unsigned cpu() const { return current_; }
    unsigned index() const { return program_.first_index + current_; }
    cpu_context context() const { return cpus_[current_].context; }
    size_t steps() const { return steps_; }
    [[noreturn, gnu::format(printf, 2, 3)]] void fail(const char* format, ...);
    [[gnu::format(printf, 2, 3)]] void note(const char* format, ...);

    // Before an atomic operation of the code under test, or a hook. alone: no other CPU may change this place
    // meanwhile. Operations that are not announced are no steps, and may change only what is the CPU's own.
    void announce(const void* address, bool alone, const void* caller);
    void hook(const char* name, const void* code);
    void pause(const void* code);
    void barrier(const void* code);
    void stop_interrupts() { cpus_[current_].interrupts_on = false; }
    bool interrupts_on() const { return cpus_[current_].interrupts_on; }
    void start_interrupts() { cpus_[current_].interrupts_on = true; }
    void stop_preemption() { ++cpus_[current_].preemption_stopped; }
    void resume_preemption();
    bool preemption_stopped() const { return cpus_[current_].preemption_stopped != 0; }

    // The accesses themselves. False: the address is not tracked, or nothing runs; then do it without us.
    void plain(const void* address, size_t size, bool writes, const void* code) {
        if (!running_) return;
        size_t const cell = memory.cell_of(address);
        if (cell != Memory::untracked) plain_access(cell, address, size, writes, code);
    }
    bool tracks(const void* address) const {
        return running_ && memory.cell_of(address) != Memory::untracked;
    }
    uint64_t load(const void* address, unsigned size, int order, uint64_t latest, const void* code);
    // latest: what is there; next: what will be.
    void store(const void* address, unsigned size, int order, uint64_t latest, uint64_t next, const void* code);
    void exchange(const void* address, unsigned size, int order, uint64_t latest, uint64_t next,
                  const void* code);
    // A compare-exchange that does not exchange.
    void keep(const void* address, unsigned size, int order, uint64_t latest, const void* code);
    void fence(const void* code);

private:
    struct Cpu {
        Fiber fiber;
        bool fresh;  // its fiber can run the thread's function from the start
        bool ended;
        bool pausing;
        size_t seen_at_pause;  // changes by others
        bool has_read_old;     // so that it may read something newer without a change
        size_t own_changes;
        unsigned idle_pauses;  // in succession
        cpu_context context;
        bool interrupts_on;
        unsigned preemption_stopped;
    };

    static void run_thread(unsigned cpu);
    void start_step();
    void let_others_in(bool may_preempt);
    unsigned add_interruptions(Option* options, unsigned count) const;
    void interrupt(Option::Kind kind);
    void leave();
    void end(Option const* options, unsigned count);
    void wait(Option* options, unsigned count);
    [[noreturn]] void fail_deadlock();
    Option choose(unsigned point, Option const* options, unsigned count);
    bool can_run(unsigned cpu) const;
    size_t changes_by_others(unsigned cpu) const { return changes_ - cpus_[cpu].own_changes; }
    void switch_to(unsigned cpu);
    void plain_access(size_t cell, const void* address, size_t size, bool writes, const void* code);
    unsigned reach(const void* address, unsigned size, bool writes, uint64_t latest, const void* code);
    void touch(size_t cell, bool writes);
    [[noreturn]] void fail_race(const void* address, const char* what, const void* code);
    void record(Event::Kind kind, const void* address, unsigned size, int order, uint64_t before,
                uint64_t after, unsigned age, const void* code);
    [[noreturn]] void give_up();

    Program program_{};
    Bounds left_{};
    Chooser* chooser_ = nullptr;
    Outcome outcome_{};
    bool with_events_ = false;
    bool learnt_ = false;
    bool running_ = false;
    unsigned current_ = 0;
    size_t step_ = 0;   // the one that is being decided on
    size_t steps_ = 0;  // so far
    size_t accesses_ = 0;
    size_t changes_ = 0;
    const void* announced_ = nullptr;
    bool announced_alone_ = false;
    const void* announced_by_ = nullptr;
    Cpu cpus_[most_cpus]{};
    Fiber host_;
    std::vector<uint8_t> touched_;  // by cell: which CPUs read (low half) and wrote it
    std::vector<bool> conflicts_;
};

extern Machine machine;

// What cpu_index says while no program runs.
extern size_t index_at_rest;

}  // namespace interleave

#endif
