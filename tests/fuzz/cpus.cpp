// SPDX-License-Identifier: MIT
//
// See cpus.hpp.
#include "cpus.hpp"

#include "trace.hpp"

namespace slabheap::fuzz {
namespace {

unsigned stops;  // of preemption, not yet resumed
bool interrupts_are_off;
unsigned pauses;  // of one call

constexpr unsigned most_pauses = 100'000;

}  // namespace

void expect_no_lock() { expect(!interrupts_are_off, "interrupts are on while no lock is held"); }

void expect_at_rest() {
    expect_no_lock();
    expect(stops == 0, "a call allows preemption as often as it has forbidden it");
    pauses = 0;
}

extern "C" {

size_t cpu_index() {
    expect(stops != 0, "a CPU's index is asked for while the thread stays there");
    return caller.index;
}

cpu_context cpu_current_context() { return caller.context; }

uintptr_t cpu_stop_interrupts() {
    const bool were_off = interrupts_are_off;
    interrupts_are_off = true;
    return were_off;
}
void cpu_restore_interrupts(uintptr_t flags) {
    expect(interrupts_are_off, "interrupts are restored when they are off");
    interrupts_are_off = flags != 0;
}

void cpu_stop_preemption() { ++stops; }
void cpu_resume_preemption() {
    expect(stops != 0, "preemption is allowed when it was forbidden");
    --stops;
}

void cpu_pause() { expect(++pauses < most_pauses, "a call waits for nobody who is not there"); }

}  // extern "C"

}  // namespace slabheap::fuzz
