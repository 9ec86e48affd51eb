// SPDX-License-Identifier: MIT
//
// A storm ends when its time is over and every CPU has had its share, however slow the machine: the
// watchdog, not the clock, says when something is wrong. The first CPU says when there is a shortage, and
// when it is over. What lives in the heap before the storm stays there.
#include "storm.hpp"

#include "machine_cpus.h"
#include "misbehave.hpp"
#include "report.hpp"
#include "self_test.hpp"
#include "slabheap/slabheap.h"
#include "storm_cpu.hpp"
#include "storm_report.hpp"
#include "watchdog.hpp"

namespace demo {

namespace {

constexpr uintptr_t shortest_ms = 2000;
constexpr uintptr_t shortest_calm_ms = 200;  // after a shortage; or as long as that took
constexpr unsigned timer_us = 500;           // on one CPU; more CPUs have less time each
constexpr size_t steps_per_interrupt = 4;
constexpr size_t interrupts_per_nmi = 4;
constexpr size_t steps_to_mischief = 1000;

// A CPU's share, and the shortages of a storm.
constexpr size_t least_operations = 100;
constexpr size_t least_interrupts = 2 * interrupts_per_nmi;
constexpr size_t least_shortages = 2;

constinit Shortages shortages;
StormCpu* cpus;
bool is_over;
size_t nmis_sent;
uintptr_t start_ms;
uintptr_t begun_ms;   // when the last shortage has begun,
uintptr_t length_ms;  // how long it took,
uintptr_t calm_ms;    // and since when it is over
Mischief mischief;

StormCpu& this_cpu() {
    return cpus[cpu_index()];
}

// False: it has nothing to do now.
bool step(StormCpu& cpu) {
    bool takes_part = __atomic_load_n(&cpu.takes_part, __ATOMIC_RELAXED);
    return takes_part && shortages.lets_work(cpu_index()) && cpu.workers[cpu_current_context()].step();
}

// To one CPU after the other, whoever sends them.
void send_nmi() {
    size_t cpu = __atomic_fetch_add(&nmis_sent, 1, __ATOMIC_RELAXED) % machine_cpu_count();
    if (shortages.lets_work(cpu)) machine_send_nmi(cpu);
}

// On a busy host the next interrupt can be due before this one is over, so the thread gets its turn first.
void on_timer() {
    StormCpu& cpu = this_cpu();
    look_at_others();
    size_t steps = cpu.steps.read();
    for (size_t i = 0; i < steps_per_interrupt && steps != cpu.steps_at_interrupt; i++) step(cpu);
    cpu.steps_at_interrupt = steps;
    cpu.interrupts.count();
    if (cpu.interrupts.read() % interrupts_per_nmi == 0) send_nmi();
}

void on_nmi() {
    StormCpu& cpu = this_cpu();
    step(cpu);
    cpu.nmis.count();
}

bool has_its_share(const StormCpu& cpu) {
    StormTally interrupts = cpu.tally(CONTEXT_INTERRUPT);
    return cpu.tally(CONTEXT_THREAD).operations() >= least_operations &&
           cpu.interrupts.read() >= least_interrupts && interrupts.operations() != 0 &&
           interrupts.tries != 0 && cpu.tally(CONTEXT_NMI).operations() != 0 &&
           (cpu.tally().frees_for_others != 0 || machine_cpu_count() == 1);
}

bool all_have_their_share() {
    for (size_t i = 0; i < machine_cpu_count(); i++) {
        if (!has_its_share(cpus[i])) return false;
    }
    return shortages.begun() >= least_shortages;
}

void direct() {
    uintptr_t now = machine_milliseconds();
    bool time_is_over = now - start_ms >= shortest_ms;
    bool may_begin = !time_is_over || shortages.begun() < least_shortages;
    if (shortages.is_on()) {
        calm_ms = now;
        length_ms = now - begun_ms;
    } else if (may_begin && now - calm_ms >= shortest_calm_ms && now - calm_ms >= length_ms) {
        begun_ms = now;
        shortages.begin();
    } else if (time_is_over && all_have_their_share()) {
        __atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
    }
}

bool goes_on() {
    if (cpu_index() == 0) direct();
    return !__atomic_load_n(&is_over, __ATOMIC_RELAXED);
}

// Every CPU runs this at the same time.
void work() {
    StormCpu& cpu = this_cpu();
    bool is_last = cpu_index() == machine_cpu_count() - 1;
    machine_start_timer(timer_us * static_cast<unsigned>(machine_cpu_count()));
    while (goes_on()) {
        if (!cpu.hoarder.step() && !step(cpu)) machine_nap();
        get_on();
        cpu.steps.count();
        if (is_last && cpu.steps.read() == steps_to_mischief && mischief != nullptr) mischief();
    }
    cpu_stop_interrupts();
    machine_stop_timer();
    __atomic_store_n(&cpu.takes_part, false, __ATOMIC_RELAXED);
    for (StormWorker& worker : cpu.workers) worker.finish();
    leave_watch();
}

void prepare() {
    shortages.start(machine_cpu_count());
    for (size_t i = 0; i < machine_cpu_count(); i++) {
        cpus[i] = {};
        cpus[i].hoarder.start(shortages, i);
        for (size_t j = 0; j < CONTEXTS; j++) {
            cpus[i].workers[j].start(shortages, i, static_cast<cpu_context>(j));
        }
    }
    machine_set_handlers(on_timer, on_nmi);
    start_ms = calm_ms = machine_milliseconds();
    watch_all();
}

void rage() {
    slab_stats before;
    slab_heap_stats(&before);
    prepare();
    machine_run_on_all(work, wait_for_others);
    uintptr_t ms = machine_milliseconds() - start_ms;
    cpus[0].workers[CONTEXT_THREAD].empty_mailboxes();
    show_storm_table(cpus, machine_cpu_count());

    StormTally sum;
    for (size_t i = 0; i < machine_cpu_count(); i++) sum += cpus[i].tally();
    Check check("the CPUs' shares");
    check.require(all_have_their_share(), "every CPU has one");
    check.done("%zu operations in %zu ms", sum.operations(), static_cast<size_t>(ms));
    check_storm_blocks(sum, shortages.begun());
    check_storm_books(sum, before);
    test_exhaustion();
}

}  // namespace

void run_storm(const boot_info& boot) {
    heading("storm");
    mischief = mischief_of(boot);
    cpus = static_cast<StormCpu*>(slab_alloc(machine_cpu_count() * sizeof *cpus, alignof(StormCpu)));
    Check check("what a storm needs");
    bool is_ready = check.require(machine_measure_clocks(), "the CPUs have timers") &&
                    check.require(cpus != nullptr, "the heap has memory for it");
    check.done("%zu CPUs with timers", machine_cpu_count());
    if (is_ready) {
        test_racing_frees();
        rage();
    }
    slab_free(cpus);
}

}  // namespace demo
