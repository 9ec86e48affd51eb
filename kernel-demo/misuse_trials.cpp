// SPDX-License-Identifier: MIT
#include "misuse_trials.hpp"

#include "../tests/misuse/trial.hpp"
#include "hooks.h"
#include "machine_cpus.h"
#include "report.hpp"

namespace misuse = slabheap::misuse;

namespace demo {

namespace {

void (*work_of_two)(unsigned);
unsigned arrived;

// The first two CPUs wait for each other, so that they begin at once.
void work() {
    if (cpu_index() > 1) return;
    __atomic_fetch_add(&arrived, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) != 2) cpu_pause();
    work_of_two(static_cast<unsigned>(cpu_index()));
}

void on_two_cpus(void (*work_of_each)(unsigned)) {
    work_of_two = work_of_each;
    arrived = 0;
    if (machine_cpu_count() > 1) return machine_run_on_all(work, cpu_pause);
    for (unsigned cpu = 0; cpu < 2; cpu++) work_of_each(cpu);
}

// The largest region, where most blocks are.
const boot_range& main_region(const boot_info& boot) {
    const boot_range* largest = nullptr;
    for (const boot_range* range = boot.ranges; range != nullptr; range = range->next) {
        if (is_region(range) && (largest == nullptr || range->map_bytes > largest->map_bytes))
            largest = range;
    }
    return *largest;
}

}  // namespace

void try_misuse(const boot_info& boot) {
    const boot_range& region = main_region(boot);
    auto* const page_map = reinterpret_cast<unsigned char*>(static_cast<uintptr_t>(region.memory.start));
    const misuse::Place place{page_map, region.map_bytes, on_two_cpus};
    heading("misuse, kind by kind");
    for (const misuse::Case* const* list = misuse::all_cases; *list != nullptr; list++) {
        for (const misuse::Case* it = *list; it->name != nullptr; it++) {
            Check check(it->name);
            const misuse::Outcome outcome = misuse::attempt(*it, place);
            check.require(outcome != misuse::Outcome::wrong_report, "the report is of this misuse");
            check.require(slab_heap_check() == SLAB_OK, "the heap is sound afterwards");
            check.done("%s", misuse::name_of(outcome));
        }
    }
}

}  // namespace demo
