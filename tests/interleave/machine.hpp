// SPDX-License-Identifier: MIT
//
// Machine: a few simulated CPUs in one thread of the host, and the schedule that they run under.
//
// A CPU runs its thread's function on a fiber. Each atomic operation and each hook of the code under test is
// a *step*. Before a step,
//
//     another CPU may run instead             a preemption, if one is left, and only where the address of
//                                             the step is one over which CPUs can conflict
//     an interrupt's or an NMI's handler may  if one is left; an interrupt only while the CPU's are on
//     run on this CPU, to its end
//     a load may return an older value        if one is left
//
// and the chooser decides. When a CPU ends, or pauses because it waits for another, the others run, at no
// cost; one that pauses is not run again until another CPU has changed something. One that nobody is left to
// wait for goes on, in case it loses patience; if it does not, that is a deadlock, and a failure.
//
// Where CPUs cannot conflict, it does not matter whether they run before or after each other; so a preemption
// there would only repeat what one at a later step shows. Which addresses these are is found by running: when
// a new one appears, the enumeration starts again (see explore in main.cpp).
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

// An access to memory, as the code under test makes it.
struct Access {
    const void* address;
    unsigned size;
    int order;         // __ATOMIC_...; of a plain access no matter what
    const void* code;  // where it comes from: a return address
};

// What happened, for the report of a failure.
struct Event {
    enum Kind { load, store, exchange, failed_exchange, fence, hook, note };
    size_t step;
    unsigned cpu;
    cpu_context context;
    Kind kind;
    Access access;
    const void* caller;  // of the function that the access is in; null: not known
    uint64_t before;
    uint64_t after;
    unsigned age;  // of a value that was loaded: how many stores are later
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

    // What the CPU that runs is at.
    bool running() const { return running_; }
    unsigned index() const { return program_.first_index + current_; }
    cpu_context context() const { return cpus_[current_].context; }
    bool interrupts_on() const { return cpus_[current_].interrupts_on; }
    void set_interrupts(bool on) { cpus_[current_].interrupts_on = on; }
    bool preemption_stopped() const { return cpus_[current_].preemption_stopped != 0; }
    void stop_preemption() { ++cpus_[current_].preemption_stopped; }
    void resume_preemption();

    // The steps in the last run, or so far.
    size_t steps() const { return steps_; }

    // Ends the run.
    [[noreturn, gnu::format(printf, 2, 3)]] void fail(const char* format, ...);
    // For the report.
    [[gnu::format(printf, 2, 3)]] void note(const char* format, ...);

    // Steps: before an atomic operation, and hooks. alone: no other CPU may change the place meanwhile. What
    // is not announced is no step, and may change only what is the CPU's own.
    void announce(const void* address, bool alone, const void* caller);
    void hook(const char* name, const void* code);
    void pause(const void* code);
    void barrier(const void* code);

    // The accesses themselves. Atomic ones may be told of only if they are tracked, and say what is there
    // (latest), and what will be (next).
    bool tracks(const void* address) const {
        return running_ && memory.cell_of(address) != Memory::untracked;
    }
    void plain(Access const& access, bool writes) {
        if (tracks(access.address)) plain_access(access, writes);
    }
    uint64_t load(Access const& access, uint64_t latest);
    void store(Access const& access, uint64_t latest, uint64_t next);
    void exchange(Access const& access, uint64_t latest, uint64_t next);
    void keep(Access const& access, uint64_t latest);  // a compare-exchange that does not exchange
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
    Position position(unsigned choice) const;
    Option choose(unsigned choice, Option const* options, unsigned count);
    bool can_run(unsigned cpu) const;
    size_t changes_by_others(unsigned cpu) const { return changes_ - cpus_[cpu].own_changes; }
    void switch_to(unsigned cpu);
    void plain_access(Access const& access, bool writes);
    unsigned reach(Access const& access, bool writes, uint64_t latest);
    void count_change(uint64_t latest, uint64_t next);
    void touch(size_t cell, bool writes);
    [[noreturn]] void fail_race(Access const& access, bool writes);
    void record(Event::Kind kind, Access const& access, uint64_t before = 0, uint64_t after = 0,
                unsigned age = 0, std::string text = {});
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
