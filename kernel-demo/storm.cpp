// SPDX-License-Identifier: MIT
//
// A storm ends when its time is over and every CPU has had its share, however slow the machine: the watchdog,
// not the clock, says when something is wrong. The heap is a block of the kernel's own, which is left alone
// meanwhile.
#include "storm.hpp"

#include "counter.hpp"
#include "machine_cpus.h"
#include "misbehave.hpp"
#include "print.h"
#include "record.h"
#include "report.hpp"
#include "shared_heap.hpp"
#include "storm_worker.hpp"
#include "watchdog.hpp"

namespace demo {

namespace {

constexpr size_t region_bytes = 16 << 20;
constexpr uintptr_t shortest_ms = 2000;
constexpr unsigned timer_us = 500;  // on one CPU; more CPUs have less time each
constexpr size_t steps_per_interrupt = 4;
constexpr size_t interrupts_per_nmi = 4;
constexpr size_t steps_to_mischief = 1000;

// A CPU's share.
constexpr size_t least_operations = 100;
constexpr size_t least_interrupts = 2 * interrupts_per_nmi;

struct alignas(64) StormCpu {
    StormWorker workers[CONTEXTS];
    Counter steps;  // of its thread
    size_t steps_at_interrupt = 0;
    Counter interrupts;
    Counter nmis;
    bool takes_part = true;  // what interrupts it may use the heap
};

constinit SharedHeap heap;
StormCpu* cpus;
bool is_over;
uintptr_t start_ms;
Mischief mischief;

StormCpu& this_cpu() {
    return cpus[cpu_index()];
}

void step(StormCpu& cpu) {
    cpu_context context = cpu_current_context();
    bool takes_part = __atomic_load_n(&cpu.takes_part, __ATOMIC_RELAXED);
    if (takes_part && SharedHeap::serves(context)) cpu.workers[context].step();
}

// On a busy host the next interrupt can be due before this one is over, so the thread gets its turn first.
void on_timer() {
    StormCpu& cpu = this_cpu();
    look_at_others();
    size_t steps = cpu.steps.read();
    for (size_t i = 0; i < steps_per_interrupt && steps != cpu.steps_at_interrupt; i++) step(cpu);
    cpu.steps_at_interrupt = steps;
    cpu.interrupts.count();
    size_t turn = cpu.interrupts.read();
    if (turn % interrupts_per_nmi == 0) {
        machine_send_nmi((cpu_index() + turn / interrupts_per_nmi) % machine_cpu_count());
    }
}

void on_nmi() {
    StormCpu& cpu = this_cpu();
    step(cpu);
    cpu.nmis.count();
}

// What a CPU has done, in all contexts.
struct Share {
    size_t operations;
    size_t in_interrupts;
    size_t frees_for_others;
    size_t interrupts;
    size_t nmis;

    explicit Share(const StormCpu& cpu)
        : operations(0), frees_for_others(0), interrupts(cpu.interrupts.read()), nmis(cpu.nmis.read()) {
        for (const StormWorker& worker : cpu.workers) {
            StormWorker::Tally tally = worker.tally();
            operations += tally.allocations + tally.frees;
            frees_for_others += tally.frees_for_others;
        }
        StormWorker::Tally tally = cpu.workers[CONTEXT_INTERRUPT].tally();
        in_interrupts = tally.allocations + tally.frees;
    }

    bool is_enough() const {
        return operations - in_interrupts >= least_operations && interrupts >= least_interrupts &&
               nmis != 0 && in_interrupts != 0 && (frees_for_others != 0 || machine_cpu_count() == 1);
    }
};

bool all_have_their_share() {
    for (size_t i = 0; i < machine_cpu_count(); i++) {
        if (!Share(cpus[i]).is_enough()) return false;
    }
    return true;
}

// What the first CPU says.
bool goes_on() {
    if (cpu_index() == 0 && machine_milliseconds() - start_ms >= shortest_ms && all_have_their_share()) {
        __atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
    }
    return !__atomic_load_n(&is_over, __ATOMIC_RELAXED);
}

// Every CPU runs this at the same time.
void work() {
    StormCpu& cpu = this_cpu();
    bool is_last = cpu_index() == machine_cpu_count() - 1;
    machine_start_timer(timer_us * static_cast<unsigned>(machine_cpu_count()));
    while (goes_on()) {
        step(cpu);
        get_on();
        cpu.steps.count();
        if (is_last && cpu.steps.read() == steps_to_mischief && mischief != nullptr) mischief(heap);
    }
    cpu_stop_interrupts();
    machine_stop_timer();
    __atomic_store_n(&cpu.takes_part, false, __ATOMIC_RELAXED);
    for (StormWorker& worker : cpu.workers) worker.finish();
    leave_watch();
}

void prepare() {
    for (size_t i = 0; i < machine_cpu_count(); i++) {
        cpus[i] = {};
        for (size_t j = 0; j < CONTEXTS; j++) cpus[i].workers[j].start(heap, i, static_cast<cpu_context>(j));
    }
    machine_set_handlers(on_timer, on_nmi);
    start_ms = machine_milliseconds();
    watch_all();
}

void show_table() {
    print("\n  CPU  operations  in interrupts  frees for others  interrupts  NMIs\n");
    for (size_t i = 0; i < machine_cpu_count(); i++) {
        Share share(cpus[i]);
        print("  %3zu  %10zu  %13zu  %16zu  %10zu  %4zu\n", i, share.operations, share.in_interrupts,
              share.frees_for_others, share.interrupts, share.nmis);
        record_start("storm");
        record_number("cpu", i);
        record_number("operations", share.operations);
        record_number("in_interrupts", share.in_interrupts);
        record_number("frees_for_others", share.frees_for_others);
        record_number("interrupts", share.interrupts);
        record_number("nmis", share.nmis);
        record_end();
    }
    print("\n");
}

StormWorker::Tally sum_of_all() {
    StormWorker::Tally sum = {};
    for (size_t i = 0; i < machine_cpu_count(); i++) {
        for (const StormWorker& worker : cpus[i].workers) {
            StormWorker::Tally tally = worker.tally();
            sum.allocations += tally.allocations;
            sum.frees += tally.frees;
            sum.frees_for_others += tally.frees_for_others;
            sum.failures += tally.failures;
            if (sum.damaged == nullptr) sum.damaged = tally.damaged;
        }
    }
    return sum;
}

void check_blocks(const StormWorker::Tally& sum) {
    Check check("blocks");
    check.require(sum.damaged == nullptr, "each keeps what was written", sum.damaged);
    check.require(sum.failures == 0, "each that is asked for is granted");
    check.done("%zu intact, %zu of them freed by another CPU", sum.frees, sum.frees_for_others);
}

void check_books(const StormWorker::Tally& sum, const slab_stats& before) {
    slab_stats after;
    Check check("heap of the storm");
    heap.stats(after);
    check.require(after.allocations - before.allocations == sum.allocations, "it counts what it gave");
    check.require(after.frees - before.frees == sum.frees, "it counts what it got back");
    check.require(after.used_bytes == before.used_bytes, "that was everything");
    check.require(heap.is_sound(), "every invariant of it holds");
    void* largest = heap.allocate(before.largest_free_bytes);
    check.require(largest != nullptr, "its memory is in one piece again");
    heap.free(largest);
    check.done("%zu out, %zu back; sound, and in one piece", sum.allocations, sum.frees);
}

void rage() {
    slab_stats before;
    heap.stats(before);
    prepare();
    machine_run_on_all(work, wait_for_others);
    uintptr_t ms = machine_milliseconds() - start_ms;
    cpus[0].workers[CONTEXT_THREAD].empty_mailboxes();
    show_table();

    StormWorker::Tally sum = sum_of_all();
    Check check("the CPUs' shares");
    check.require(all_have_their_share(), "every CPU has one");
    check.done("%zu operations in %zu ms", sum.allocations + sum.frees, static_cast<size_t>(ms));
    check_blocks(sum);
    check_books(sum, before);
}

}  // namespace

void run_storm(const boot_info& boot) {
    heading("storm");
    mischief = mischief_of(boot);
    void* region = slab_alloc_pages(region_bytes / SLAB_PAGE_SIZE, SLAB_PAGE_SIZE);
    cpus = static_cast<StormCpu*>(slab_alloc(machine_cpu_count() * sizeof *cpus, alignof(StormCpu)));
    Check check("what a storm needs");
    bool is_ready =
        check.require(machine_measure_clocks(), "the CPUs have timers") &&
        check.require(region != nullptr && cpus != nullptr, "the kernel's heap has memory for it") &&
        check.require(heap.open(region, region_bytes), "the heap takes its region");
    check.done("%zu CPUs with timers; a heap of %s", machine_cpu_count(), size_text(region_bytes).text);
    heap.set_fault_handler(panic_on_misuse);
    if (is_ready) rage();
    slab_free(cpus);
    slab_free(region);
}

}  // namespace demo
