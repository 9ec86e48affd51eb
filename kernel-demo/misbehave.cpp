// SPDX-License-Identifier: MIT
//
// Each crash is a function that is not inlined, so that its name is in the backtrace.
#include "misbehave.hpp"

#include "command_line.hpp"
#include "hooks.h"
#include "log.h"
#include "machine.h"
#include "report.hpp"
#include "slabheap/slabheap.h"

namespace demo {

namespace {

[[gnu::noinline]] void execute_no_instruction() {
    __builtin_trap();
}

[[gnu::noinline]] void write_through_null() {
    volatile int* volatile nowhere = nullptr;
    nowhere[2] = 1;
}

[[gnu::noinline]] void jump_to_null() {
    void (*volatile nowhere)() = nullptr;
    nowhere();
}

[[gnu::noinline]] void break_protection() {
    machine_crash("gp");
}

[[gnu::noinline]] void lose_frame_pointer() {
    machine_crash("frame");
}

// It never gets to that depth: the stack has 16 KiB.
[[gnu::noinline]] int recurse(int depth) {
    volatile int used[64];
    used[0] = depth;
    return depth == 1 << 20 ? 0 : recurse(depth + 1) + used[0];
}

[[gnu::noinline]] void overflow_stack() {
    recurse(0);
}

[[gnu::noinline]] void free_twice() {
    void* block = slab_alloc(100, 8);
    slab_free(block);
    slab_free(block);
}

struct Crash {
    const char* word;
    void (*run)();
};
constexpr Crash crashes[] = {
    {"crash", execute_no_instruction},   {"crash=ud", execute_no_instruction},
    {"crash=pf", write_through_null},    {"crash=jump", jump_to_null},
    {"crash=gp", break_protection},      {"crash=stack", overflow_stack},
    {"crash=frame", lose_frame_pointer}, {"crash=misuse", free_twice},
};

[[gnu::noinline]] void hang() {
    for (volatile bool forever = true; forever;) continue;
}

[[gnu::noinline]] void panic_in_storm() {
    panic("the command line says so");
}

[[gnu::noinline]] void overflow_stack_in_storm() {
    overflow_stack();
}

[[gnu::noinline]] void hang_in_storm() {
    hang();
}

// Not one freed twice, because another CPU may have the block by then.
[[gnu::noinline]] void free_inside_in_storm() {
    char* block;
    do {
        block = static_cast<char*>(slab_alloc(100, 16));
    } while (block == nullptr);
    slab_free(block + 16);
}

void hang_in_handler(const slab_fault*) {
    cpu_stop_interrupts();
    hang();
}

[[gnu::noinline]] void hang_in_call() {
    slab_heap_set_fault_handler(hang_in_handler);
    free_inside_in_storm();
}

struct StormEnd {
    const char* word;
    Mischief run;
};
constexpr StormEnd storm_ends[] = {
    {"storm=panic", panic_in_storm},        {"storm=stack", overflow_stack_in_storm},
    {"storm=misuse", free_inside_in_storm}, {"storm=hang", hang_in_storm},
    {"storm=call", hang_in_call},
};

}  // namespace

Mischief mischief_of(const boot_info& boot) {
    for (const StormEnd& end : storm_ends) {
        if (told_to(boot, end.word)) return end.run;
    }
    return nullptr;
}

void misbehave_as_told(const boot_info& boot) {
    if (told_to(boot, "hang")) {
        heading("hanging, as the command line says");
        hang();
    }
    if (told_to(boot, "reset")) {
        heading("resetting, as the command line says");
        machine_reset();
    }
    if (told_to(boot, "panic")) panic("the command line says so");
    for (const Crash& crash : crashes) {
        if (!told_to(boot, crash.word)) continue;
        heading("crashing, as the command line says");
        crash.run();
    }
    if (told_to(boot, "fail")) {
        heading("failing, as the command line says");
        Check check("success");
        check.require(false, "the command line forbids it");
        check.done(" ");
    }
}

}  // namespace demo
