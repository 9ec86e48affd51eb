// SPDX-License-Identifier: MIT
//
// Each CPU keeps when it last got on, and when it last waited, in a cache line of its own. Where one hangs,
// others soon wait for what it holds: all stand still, but those have waited a moment ago.
#include "watchdog.hpp"

#include "hooks.h"
#include "log.h"
#include "machine.h"
#include "machine_cpus.h"
#include "print.h"
#include "record.h"

namespace demo {

namespace {

constexpr intptr_t patience_ms = 10000;
constexpr size_t turns_awake = 128;
constexpr size_t none = MACHINE_MOST_CPUS;

struct alignas(64) Progress {
    uintptr_t got_on_ms;
    uintptr_t waited_ms;
    size_t turns;  // of loops that wait
    bool is_watched;
};
Progress progress[MACHINE_MOST_CPUS];

// What another CPU has written may be a little ahead of this one's clock.
intptr_t since(const uintptr_t& ms, uintptr_t now) {
    return static_cast<intptr_t>(now - __atomic_load_n(&ms, __ATOMIC_RELAXED));
}

// A CPU that has not got on for so long, and has not waited for half of it either, if that matters.
size_t find_still(intptr_t ms, bool may_wait) {
    uintptr_t now = machine_milliseconds();
    for (size_t cpu = 0; cpu < machine_cpu_count(); cpu++) {
        const Progress& its = progress[cpu];
        if (!__atomic_load_n(&its.is_watched, __ATOMIC_RELAXED)) continue;
        if (since(its.got_on_ms, now) < ms) continue;
        if (may_wait || since(its.waited_ms, now) >= ms / 2) return cpu;
    }
    return none;
}

[[noreturn]] void report_hang(size_t culprit) {
    caller callers[MOST_CALLERS];
    machine_stop_others();
    machine_screen_close();
    size_t seconds = static_cast<size_t>(since(progress[culprit].got_on_ms, machine_milliseconds())) / 1000;
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
    for (size_t cpu = 0; cpu < machine_cpu_count(); cpu++) progress[cpu] = {now, now, 0, true};
}

void get_on() {
    __atomic_store_n(&progress[cpu_index()].got_on_ms, machine_milliseconds(), __ATOMIC_RELAXED);
}

void leave_watch() {
    __atomic_store_n(&progress[cpu_index()].is_watched, false, __ATOMIC_RELAXED);
}

// The culprit may have got on a little later than those that wait for it.
void look_at_others() {
    size_t still = find_still(patience_ms, true);
    if (still == none) return;
    size_t culprit = find_still(patience_ms / 2, false);
    report_hang(culprit != none ? culprit : still);
}

// An emulator may let a CPU stand that others wait for, and run those that wait: so they sleep now and then.
void wait_for_others() {
    Progress& own = progress[cpu_index()];
    cpu_pause();
    if (++own.turns % turns_awake != 0) return;
    __atomic_store_n(&own.waited_ms, machine_milliseconds(), __ATOMIC_RELAXED);
    machine_nap();
    look_at_others();
}

}  // namespace demo
