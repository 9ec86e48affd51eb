// SPDX-License-Identifier: MIT
//
// Each CPU keeps when it last got on, in a cache line of its own. Where one hangs, others may come to wait
// for what it holds: the one that has stood still for longest is to blame, most likely.
#include "watchdog.hpp"

#include "hooks.h"
#include "log.h"
#include "machine.h"
#include "machine_cpus.h"
#include "print.h"
#include "record.h"

namespace demo {

namespace {

// The more CPUs share what the emulator's computer has, the longer each may have to wait for its turn.
intptr_t patience_ms() {
    return 10000 + 250 * static_cast<intptr_t>(machine_cpu_count());
}

struct alignas(64) Progress {
    uintptr_t got_on_ms;
    bool is_watched;
};
Progress progress[MACHINE_MOST_CPUS];

[[noreturn]] void report_hang(size_t culprit, intptr_t ms) {
    caller callers[MOST_CALLERS];
    machine_stop_others();
    machine_screen_close();
    size_t seconds = static_cast<size_t>(ms) / 1000;
    print("\nhang: CPU %zu has not got on for %zu seconds, says CPU %zu\n", culprit, seconds, cpu_index());
    record_start("hang");
    record_number("cpu", culprit);
    record_number("seconds", seconds);
    record_number("says", cpu_index());
    report_backtrace(callers, machine_backtrace(callers, MOST_CALLERS));
    report_others();
    record_end();
    machine_exit(VERDICT_HANG);
}

}  // namespace

void watch_all() {
    uintptr_t now = machine_milliseconds();
    for (size_t cpu = 0; cpu < machine_cpu_count(); cpu++) progress[cpu] = {now, true};
}

void get_on() {
    __atomic_store_n(&progress[cpu_index()].got_on_ms, machine_milliseconds(), __ATOMIC_RELAXED);
}

void leave_watch() {
    __atomic_store_n(&progress[cpu_index()].is_watched, false, __ATOMIC_RELAXED);
}

// What another CPU has written may be a little ahead of this one's clock.
void look_at_others() {
    uintptr_t now = machine_milliseconds();
    intptr_t longest_ms = 0;
    size_t culprit = 0;
    for (size_t cpu = 0; cpu < machine_cpu_count(); cpu++) {
        const Progress& its = progress[cpu];
        intptr_t ms = static_cast<intptr_t>(now - __atomic_load_n(&its.got_on_ms, __ATOMIC_RELAXED));
        if (ms <= longest_ms || !__atomic_load_n(&its.is_watched, __ATOMIC_RELAXED)) continue;
        longest_ms = ms;
        culprit = cpu;
    }
    if (longest_ms >= patience_ms()) report_hang(culprit, longest_ms);
}

void wait_for_others() {
    cpu_pause();
    look_at_others();
}

}  // namespace demo
