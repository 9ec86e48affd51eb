// SPDX-License-Identifier: MIT
//
// CPUs that count instructions do not run at once: the emulator lets one run for a while, then the next,
// and goes on to the next at once from one that pauses. So the CPUs take turns of a step each. Now and then
// the emulator goes on in the midst of a counted call; those that wait notice that they run, and the call
// is left out.
#include "bench_cpus.hpp"

#include "bench_rows.hpp"
#include "bench_walk.hpp"
#include "cpus.hpp"
#include "hoard.hpp"
#include "hooks.h"
#include "machine_cpus.h"
#include "print.h"
#include "record.h"
#include "report.hpp"

namespace demo {

namespace {

constexpr size_t pairs_of_one = 200000;
constexpr size_t pairs_of_each = 5000;

// How the heap is used: the columns of the table.
enum Use { ONE_CPU, ONE_WORKS, ALL_WORK, PASS_ON, USES };
constexpr const char* names[USES] = {"one_cpu", "one_works", "all_work", "pass_on"};

CountedCalls::Counts results[bench_row_count][USES];
Slot* slots;

// What all CPUs do now.
const Row* current_row;
CountedCalls::Counts* current_result;  // of all
Company company;
size_t turn;   // whose it is, modulo the number of CPUs
size_t waits;  // how often a CPU has found that it is not its turn

void wait_for_turn() {
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) % company.cpus != cpu_index()) {
        __atomic_fetch_add(&waits, 1, __ATOMIC_RELAXED);
        cpu_pause();
    }
}

void end_turn() {
    __atomic_fetch_add(&turn, 1, __ATOMIC_RELEASE);
}

// Every CPU runs this. Its clock must not interrupt it.
void walk_in_turns() {
    uintptr_t flags = cpu_stop_interrupts();
    CountedCalls calls;
    Walk walk(*current_row, pairs_of_each, FreeForm::plain, calls, slots, company, cpu_index());
    calls.watch(waits);
    for (bool goes_on = true; goes_on; end_turn()) {
        wait_for_turn();
        goes_on = walk.step();
        if (!goes_on) *current_result += walk.counts();
    }
    cpu_restore_interrupts(flags);
}

void walk_alone(const Row& row, CountedCalls::Counts& result) {
    CountedCalls calls;
    Walk walk(row, pairs_of_one, FreeForm::plain, calls, slots);
    while (walk.step()) continue;
    result = walk.counts();
}

void walk_together(const Row& row, CountedCalls::Counts& result, bool passes_blocks) {
    current_row = &row;
    current_result = &result;
    company = {machine_cpu_count(), passes_blocks};
    turn = 0;
    machine_run_on_all(walk_in_turns, cpu_pause);
}

void walk(size_t row, Use use) {
    CountedCalls::Counts& result = results[row][use];
    if (use == ONE_CPU || use == ONE_WORKS) {
        walk_alone(bench_rows[row], result);
    } else {
        walk_together(bench_rows[row], result, use == PASS_ON);
    }
}

void show_row(size_t row, size_t uses) {
    print("  %-3s  %-30s", bench_rows[row].name, bench_rows[row].blocks);
    record_start("bench_cpus");
    record_text("workload", bench_rows[row].name);
    record_number("cpus", machine_cpu_count());
    for (size_t use = 0; use < uses; use++) {
        print(" %9s", Mean(results[row][use]).text);
        record_object(names[use]);
        record_counts(results[row][use]);
        record_object_end();
    }
    print("\n");
    record_end();
}

void show_table(size_t uses) {
    bool is_shared = uses == USES;
    print("\n%-37s %9s", "slab_alloc and slab_free,", "heap of");
    if (is_shared) print("    heap of %zu CPUs, of which", machine_cpu_count());
    print("\n%-37s %9s", "instructions of a pair", "1 CPU");
    if (is_shared) print(" %9s %9s %9s", "one works", "all work", "pass on");
    print("\n");
    for (size_t row = 0; row < bench_row_count; row++) show_row(row, uses);
    if (is_shared) {
        print("  of several CPUs one works, and the others sleep; or all do, in turns; or they\n");
        print("  pass blocks on: each is freed by another CPU than the one that allocated it\n");
    }
    print("\n");
}

// A long time after boot, the page map is in use, and slabs are in the largest region: blocks elsewhere, of
// which boot has left some, take a longer way. Each page call puts a section of the map, of 64 pages, into
// use; and the slots of the slabs that there are are taken, so that what is counted comes from new ones.
void age(Hoard& hoard) {
    slab_stats stats;
    slab_heap_stats(&stats);
    for (size_t pages = 0; pages < stats.total_bytes / SLAB_PAGE_SIZE; pages += 64) {
        slab_free_pages(slab_alloc_pages(1, SLAB_PAGE_SIZE), 1);
    }
    for (size_t i = 0; i < stats.class_count; i++) {
        const slab_class_stats& its = stats.classes[i];
        for (size_t free = its.capacity - its.live; free != 0; free--) hoard.take(its.size);
    }
}

}  // namespace

void bench_cpus(const boot_info& boot) {
    size_t cpus = machine_cpu_count();
    size_t uses = cpus == 1 ? ONE_WORKS : USES;
    slots = static_cast<Slot*>(slab_alloc(cpus * most_live * sizeof(Slot), alignof(Slot)));
    Check check("kernel's heap");
    if (check.require(slots != nullptr, "it has memory for the bench")) {
        slab_stats before;
        slab_stats after;
        Hoard hoard;
        age(hoard);
        for (size_t row = 0; row < bench_row_count; row++) walk(row, ONE_CPU);
        share_heap(boot);
        slab_heap_stats(&before);
        for (size_t use = ONE_WORKS; use < uses; use++) {
            for (size_t row = 0; row < bench_row_count; row++) walk(row, static_cast<Use>(use));
        }
        slab_heap_stats(&after);
        show_table(uses);
        check.require(after.failures == before.failures, "it gave every block that was asked for");
        check.require(after.used_bytes == before.used_bytes, "it got every block back");
        hoard.give_back_all();
    }
    check.done("all blocks given, all back");
    slab_free(slots);
}

namespace {

// In thousandths. No division of 64 bits, which some CPUs have no instruction for.
size_t mean_of(const Tally& tally) {
    if (tally.calls == 0) return 0;
    return tally.instructions / tally.calls * 1000 + tally.instructions % tally.calls * 1000 / tally.calls;
}

void record_tally(const char* name, const Tally& tally) {
    record_object(name);
    record_number("calls", tally.calls);
    record_number("instructions", tally.instructions);
    record_number("longest", tally.longest);
    record_object_end();
}

}  // namespace

Mean::Mean(const CountedCalls::Counts& counts) {
    size_t thousandths = mean_of(counts.allocations) + mean_of(counts.frees);
    print_to(text, sizeof text, "%zu.%zu", thousandths / 1000, thousandths % 1000 / 100);
}

void record_counts(const CountedCalls::Counts& counts) {
    record_tally("allocations", counts.allocations);
    record_tally("frees", counts.frees);
}

}  // namespace demo
