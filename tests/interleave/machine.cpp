// SPDX-License-Identifier: MIT
#include "machine.hpp"

#include <cstdarg>
#include <cstdio>

namespace interleave {

Machine machine;

namespace {

// More than any run needs that comes to an end.
constexpr size_t most_steps = 20'000;
constexpr size_t most_accesses = 2'000'000;

// In succession, of a CPU with nobody left to wait for: more than the library has patience for.
constexpr unsigned most_idle_pauses = 200;

constexpr unsigned most_options = 1 + most_cpus + 2 + Memory::remembered;

std::string formatted(const char* format, va_list arguments) {
    char text[400];
    std::vsnprintf(text, sizeof text, format, arguments);
    return text;
}

}  // namespace

void Machine::forget(bool all) {
    touched_.assign(memory.cells(), 0);
    conflicts_.assign(memory.cells(), all);
}

Machine::Outcome& Machine::run(Program const& program, Bounds const& bounds, Chooser& chooser,
                               bool with_events) {
    program_ = program;
    left_ = bounds;
    chooser_ = &chooser;
    outcome_.passed = true;
    outcome_.known = false;
    outcome_.deviations.clear();
    outcome_.events.clear();
    with_events_ = with_events;
    learnt_ = false;
    steps_ = accesses_ = changes_ = 0;
    announced_ = nullptr;
    memory.restart(bounds.old_values != 0);
    for (unsigned c = 0; c < program.cpus; ++c) {
        Cpu& cpu = cpus_[c];
        if (!cpu.fresh) cpu.fiber.prepare(run_thread, c);
        cpu.fresh = true;
        cpu.ended = cpu.pausing = cpu.has_read_old = false;
        cpu.own_changes = cpu.seen_at_pause = cpu.idle_pauses = 0;
        cpu.context = CONTEXT_THREAD;
        cpu.interrupts_on = true;
        cpu.preemption_stopped = 0;
    }
    Option options[most_cpus];
    for (unsigned c = 0; c < program.cpus; ++c) options[c] = {Option::run_cpu, static_cast<uint8_t>(c)};
    step_ = 0;
    current_ = choose(0, options, program.cpus).argument;
    running_ = true;
    cpus_[current_].fresh = false;
    Fiber::hand_over(host_, cpus_[current_].fiber);
    running_ = false;
    return outcome_;
}

void Machine::run_thread(unsigned c) {
    Cpu& cpu = machine.cpus_[c];
    machine.program_.thread[c]();
    if (!cpu.interrupts_on) machine.fail("CPU %u ends with its interrupts stopped", c);
    if (cpu.preemption_stopped != 0) machine.fail("CPU %u ends with its preemption stopped", c);
    cpu.ended = true;
    machine.start_step();
    machine.leave();
}

bool Machine::can_run(unsigned c) const {
    Cpu const& cpu = cpus_[c];
    return !cpu.ended && (!cpu.pausing || cpu.has_read_old || changes_by_others(c) != cpu.seen_at_pause);
}

void Machine::switch_to(unsigned c) {
    Cpu& from = cpus_[current_];
    from.fresh = from.ended;
    current_ = c;
    cpus_[c].pausing = cpus_[c].has_read_old = cpus_[c].fresh = false;
    Fiber::hand_over(from.fiber, cpus_[c].fiber);
}

// choice: which one, of those that have to be made at a step.
Position Machine::position(unsigned choice) const {
    uint64_t number = Memory::mixed(choice, current_);
    for (unsigned c = 0; c < program_.cpus; ++c) {
        number = Memory::mixed(number, memory.history(c));
        number = Memory::mixed(number, can_run(c));
    }
    number = Memory::mixed(number, left_.interruptions);
    return {Memory::mixed(number, left_.old_values), left_.preemptions};
}

Option Machine::choose(unsigned choice, Option const* options, unsigned count) {
    if (count < 2) return options[0];
    unsigned const taken = chooser_->choose(step_, position(choice), options, count);
    if (taken == Chooser::known) {
        outcome_.known = true;
        give_up();
    }
    if (taken != 0) outcome_.deviations.push_back({step_, options[taken]});
    return options[taken];
}

void Machine::start_step() {
    step_ = steps_++;
    memory.mark(current_, 0);
    if (steps_ > most_steps)
        fail("no end after %zu steps: the CPUs keep each other from going on", most_steps);
}

// The current CPU has ended, or waits.
void Machine::leave() {
    Option options[most_options];
    unsigned count = 0;
    for (unsigned c = 0; c < program_.cpus; ++c) {
        if (c != current_ && can_run(c)) options[count++] = {Option::run_cpu, static_cast<uint8_t>(c)};
    }
    if (cpus_[current_].ended) {
        end(options, count);
    } else {
        wait(options, count);
    }
}

void Machine::end(Option const* options, unsigned count) {
    if (count != 0) return switch_to(choose(1, options, count).argument);
    for (unsigned c = 0; c < program_.cpus; ++c) {
        if (!cpus_[c].ended) fail_deadlock();
    }
    cpus_[current_].fresh = true;
    running_ = false;
    Fiber::hand_over(cpus_[current_].fiber, host_);
}

void Machine::wait(Option* options, unsigned count) {
    Cpu& cpu = cpus_[current_];
    size_t const seen = changes_by_others(current_);
    bool const news = seen != cpu.seen_at_pause || cpu.has_read_old;  // since it looked
    bool const alone = count == 0;
    if (news) cpu.idle_pauses = 0;
    if (alone && ++cpu.idle_pauses > most_idle_pauses) fail_deadlock();
    if (news || alone) options[count++] = {Option::go_on, 0};
    cpu.pausing = true;
    Option const taken = choose(4, options, count);
    cpu.seen_at_pause = seen;
    if (taken.kind == Option::run_cpu) return switch_to(taken.argument);
    cpu.pausing = cpu.has_read_old = false;
}

void Machine::fail_deadlock() { fail("deadlock: each CPU has ended, or waits for what will not come"); }

unsigned Machine::add_interruptions(Option* options, unsigned count) const {
    Cpu const& cpu = cpus_[current_];
    if (left_.interruptions == 0) return count;
    if (program_.interrupt != nullptr && cpu.interrupts_on && cpu.context == CONTEXT_THREAD)
        options[count++] = {Option::interrupt, 0};
    if (program_.nmi != nullptr && cpu.context != CONTEXT_NMI) options[count++] = {Option::nmi, 0};
    return count;
}

// The choices before a step of the current CPU.
void Machine::let_others_in(bool may_preempt) {
    for (;;) {
        Option options[most_options] = {{Option::go_on, 0}};
        unsigned count = 1;
        for (unsigned c = 0; may_preempt && left_.preemptions != 0 && c < program_.cpus; ++c) {
            if (c != current_ && can_run(c)) options[count++] = {Option::run_cpu, static_cast<uint8_t>(c)};
        }
        count = add_interruptions(options, count);
        size_t const step = step_;
        Option const taken = choose(may_preempt ? 2 : 3, options, count);
        if (taken.kind == Option::go_on) return;
        if (taken.kind == Option::run_cpu) {
            --left_.preemptions;
            may_preempt = false;
            switch_to(taken.argument);
        } else {
            interrupt(taken.kind);
        }
        step_ = step;
    }
}

void Machine::interrupt(Option::Kind kind) {
    --left_.interruptions;
    Cpu& cpu = cpus_[current_];
    cpu_context const context = cpu.context;
    bool const interrupts_on = cpu.interrupts_on;
    unsigned const preemption_stopped = cpu.preemption_stopped;
    cpu.context = kind == Option::nmi ? CONTEXT_NMI : CONTEXT_INTERRUPT;
    cpu.interrupts_on = false;
    memory.mark(current_, kind);
    note("begins");
    (kind == Option::nmi ? program_.nmi : program_.interrupt)();
    if (cpu.interrupts_on) fail("a handler ends with interrupts on");
    if (cpu.preemption_stopped != preemption_stopped)
        fail("a handler ends with preemption stopped, or resumed");
    memory.mark(current_, Option::go_on);
    note("ends");
    cpu.context = context;
    cpu.interrupts_on = interrupts_on;
}

void Machine::announce(const void* address, bool alone, const void* caller) {
    if (!running_) return;
    size_t const cell = memory.cell_of(address);
    if (cell == Memory::untracked) return;
    start_step();
    let_others_in(with_events_ || conflicts_[cell]);
    announced_ = address;
    announced_alone_ = alone;
    announced_by_ = caller;
}

void Machine::hook(const char* name, const void* code) {
    if (!running_) return;
    start_step();
    let_others_in(false);
    record(Event::hook, {nullptr, 0, 0, code}, 0, 0, 0, name);
}

void Machine::pause(const void* code) {
    if (!running_) return;
    hook("cpu_pause", code);
    leave();
}

void Machine::barrier(const void* code) {
    start_step();
    let_others_in(true);
    memory.fence_all(current_, program_.cpus);
    record(Event::hook, {nullptr, 0, 0, code}, 0, 0, 0, "barrier on all CPUs");
}

void Machine::resume_preemption() {
    if (cpus_[current_].preemption_stopped-- == 0) fail("preemption is resumed more often than stopped");
}

void Machine::plain_access(Access const& access, bool writes) {
    if (++accesses_ > most_accesses) fail("no end after %zu accesses to memory", most_accesses);
    if (left_.at_any_access && left_.interruptions != 0) {
        start_step();
        let_others_in(false);
    }
    size_t const cell = memory.cell_of(access.address);
    bool const ordered = writes ? memory.plain_write(current_, cell, access.size)
                                : memory.plain_read(current_, cell, access.size);
    if (!ordered) fail_race(access, writes);
}

void Machine::fail_race(Access const& access, bool writes) {
    const char* const does = writes ? "writes" : "reads";
    record(Event::note, access, 0, 0, 0, std::string(does) + " here");
    fail("data race: CPU %u %s %p, which CPU %u %s, and nothing orders the two", current_, does,
         access.address, memory.race.other_cpu, memory.race.other_writes ? "wrote" : "read");
}

void Machine::touch(size_t cell, bool writes) {
    uint8_t& touched = touched_[cell];
    touched |= static_cast<uint8_t>((writes ? 0x10 : 0x01) << current_);
    unsigned const writers = touched >> 4;
    unsigned const all = writers | (touched & 0xfu);
    if (writers == 0 || (all & (all - 1)) == 0 || conflicts_[cell]) return;
    conflicts_[cell] = learnt_ = true;
}

unsigned Machine::reach(Access const& access, bool writes, uint64_t latest) {
    using Way = Memory::Way;
    size_t const cell = memory.cell_of(access.address);
    touch(cell, writes);
    bool const alone = announced_ != access.address || announced_alone_;
    Way const way = !writes ? Way::read : alone ? Way::write_alone : Way::write;
    unsigned const place = memory.reach(current_, cell, access.size, way, latest);
    if (place == 0) fail_race(access, writes);
    return place;
}

void Machine::count_change(uint64_t latest, uint64_t next) {
    changes_ += latest != next;
    cpus_[current_].own_changes += latest != next;
}

uint64_t Machine::load(Access const& access, uint64_t latest) {
    unsigned const place = reach(access, false, latest);
    unsigned age = 0;
    if (left_.old_values != 0 && announced_ == access.address) {
        Option options[most_options] = {{Option::go_on, 0}};
        unsigned const older = memory.older_values(current_, place, access.order);
        for (unsigned i = 1; i <= older; ++i) options[i] = {Option::older_value, static_cast<uint8_t>(i)};
        age = choose(5, options, older + 1).argument;
        left_.old_values -= age != 0;
        cpus_[current_].has_read_old |= age != 0;
    }
    uint64_t const value = memory.load(current_, place, access.order, age);
    record(Event::load, access, latest, value, age);
    return value;
}

void Machine::store(Access const& access, uint64_t latest, uint64_t next) {
    memory.store(current_, reach(access, true, latest), access.order, next);
    count_change(latest, next);
    record(Event::store, access, latest, next);
}

void Machine::exchange(Access const& access, uint64_t latest, uint64_t next) {
    memory.exchange(current_, reach(access, true, latest), access.order, next);
    count_change(latest, next);
    record(Event::exchange, access, latest, next);
}

void Machine::keep(Access const& access, uint64_t latest) {
    memory.load(current_, reach(access, false, latest), access.order, 0);
    record(Event::failed_exchange, access, latest, latest);
}

void Machine::fence(const void* code) {
    if (!running_) return;
    memory.fence(current_);
    record(Event::fence, {nullptr, 0, __ATOMIC_SEQ_CST, code});
}

void Machine::record(Event::Kind kind, Access const& access, uint64_t before, uint64_t after, unsigned age,
                     std::string text) {
    if (!with_events_) return;
    const void* const caller = access.address == announced_ ? announced_by_ : nullptr;
    outcome_.events.push_back({step_, current_, cpus_[current_].context, kind, access, caller, before, after,
                               age, std::move(text)});
}

void Machine::note(const char* format, ...) {
    if (!with_events_) return;
    va_list arguments;
    va_start(arguments, format);
    record(Event::note, {}, 0, 0, 0, formatted(format, arguments));
    va_end(arguments);
}

void Machine::fail(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    outcome_.failure = formatted(format, arguments);
    va_end(arguments);
    give_up();
}

void Machine::give_up() {
    outcome_.passed = outcome_.known;
    running_ = false;
    Fiber::go_to(host_);
}

}  // namespace interleave
