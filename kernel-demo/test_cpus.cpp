// SPDX-License-Identifier: MIT
//
// Self-test: all CPUs free the same block at the same moment. Exactly one of them gives it back; each other
// is told that it is free already, and changes nothing. The next block is allocated only when all have come
// back, so that none of them can free that one by mistake.
#include "hooks.h"
#include "machine_cpus.h"
#include "report.hpp"
#include "self_test.hpp"
#include "slabheap/slabheap.h"

namespace demo {

namespace {

constexpr size_t kib = 1024;
constexpr size_t sizes[] = {64, 4 * kib, 100, 8 * kib, 1000, 256 * kib};
constexpr size_t size_count = sizeof sizes / sizeof *sizes;
constexpr size_t most_rounds = 1000;
constexpr uintptr_t longest_ms = 200;  // where CPUs outnumber the computer's, a round takes long

#if defined SLABHEAP_RELAXED_CLAIM || defined SLABHEAP_UNCHECKED
constexpr bool promises_exactness = false;
#else
constexpr bool promises_exactness = true;
#endif

void* block;
size_t rounds;       // so many blocks there were to free
size_t others_back;  // so often has a CPU other than the first done so
bool is_over;
size_t double_frees;
size_t other_faults;

size_t read(const size_t& count) {
    return __atomic_load_n(&count, __ATOMIC_ACQUIRE);
}

void count(size_t& count) {
    __atomic_fetch_add(&count, 1, __ATOMIC_ACQ_REL);
}

void count_fault(const slab_fault* fault) {
    bool is_expected = fault->kind == SLAB_FAULT_DOUBLE_FREE && fault->block == block;
    count(is_expected ? double_frees : other_faults);
}

void start_races() {
    uintptr_t start = machine_milliseconds();
    size_t others = machine_cpu_count() - 1;
    while (rounds < most_rounds && machine_milliseconds() - start < longest_ms) {
        block = slab_alloc(sizes[rounds % size_count], 16);
        count(rounds);
        slab_free(block);
        while (read(others_back) != rounds * others) cpu_pause();
    }
    __atomic_store_n(&is_over, true, __ATOMIC_RELEASE);
}

void race() {
    for (size_t seen = 0;;) {
        if (read(rounds) != seen) {
            slab_free(block);
            seen++;
            count(others_back);
        } else if (__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
            return;
        }
        cpu_pause();
    }
}

void work() {
    cpu_index() == 0 ? start_races() : race();
}

}  // namespace

void test_racing_frees() {
    if (machine_cpu_count() == 1 || !promises_exactness) return;
    slab_stats before;
    slab_stats after;
    Check check("racing frees");
    slab_heap_stats(&before);
    slab_fault_handler previous = slab_heap_set_fault_handler(count_fault);
    machine_run_on_all(work, cpu_pause);
    slab_heap_set_fault_handler(previous);
    slab_heap_stats(&after);
    check.require(after.frees - before.frees == rounds, "one of them frees the block");
    check.require(double_frees == rounds * (machine_cpu_count() - 1) && other_faults == 0,
                  "all others are told");
    check.require(after.used_bytes == before.used_bytes, "and change nothing");
    check.done("%zu blocks, each freed by %zu CPUs at once", rounds, machine_cpu_count());
}

}  // namespace demo
