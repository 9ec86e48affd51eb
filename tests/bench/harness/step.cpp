// SPDX-License-Identifier: MIT
#include "step.hpp"

#include <signal.h>
#include <ucontext.h>

namespace slabheap::bench {

namespace {

uint64_t volatile traps;
greg_t volatile last_stop;

// A processor in a virtual machine sometimes reports an instruction twice.
void count_trap(int, siginfo_t*, void* context) {
    greg_t const stop = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
    if (stop != last_stop) traps = traps + 1;
    last_stop = stop;
}

extern "C" {
uintptr_t bench_call_stepped(void* peer, uintptr_t first, uintptr_t second, Function function);
uintptr_t bench_jump_to_return(void*, uintptr_t, uintptr_t);
void bench_set_trap_flag();
void bench_clear_trap_flag();
}

__asm__(R"(
    .text
bench_call_stepped:
    subq $8, %rsp
    pushfq
    orq $0x100, (%rsp)
    popfq
    call *%rcx
    pushfq
    andq $~0x100, (%rsp)
    popfq
    addq $8, %rsp
    ret
bench_jump_to_return:
    jmp 1f
1:  ret
bench_set_trap_flag:
    pushfq
    orq $0x100, (%rsp)
    popfq
    ret
bench_clear_trap_flag:
    pushfq
    andq $~0x100, (%rsp)
    popfq
    ret
)");

void handle_traps() {
    struct sigaction action = {};
    action.sa_sigaction = count_trap;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, nullptr);
}

uint64_t traps_of(Function function, void* peer, uintptr_t first, uintptr_t second, uintptr_t& result) {
    traps = 0;
    result = bench_call_stepped(peer, first, second, function);
    return traps;
}

}  // namespace

Stepped step(Function function, void* peer, uintptr_t first, uintptr_t second) {
    uintptr_t result;
    static uint64_t const around_one = [&] {
        handle_traps();
        return traps_of(bench_jump_to_return, nullptr, 0, 0, result) - 1;
    }();
    uint64_t const counted = traps_of(function, peer, first, second, result);
    return {result, counted - around_one};
}

// The few instructions of these two themselves count.
void start_stepping() {
    static bool const handles = (handle_traps(), true);
    if (handles) traps = 0;
    bench_set_trap_flag();
}

uint64_t stop_stepping() {
    bench_clear_trap_flag();
    return traps;
}

}  // namespace slabheap::bench
