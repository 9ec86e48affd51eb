// SPDX-License-Identifier: MIT
//
// Interrupts code of this program before any of its instructions, as a CPU does: the trap flag tells which
// instructions there are, and a breakpoint in the place of one calls what interrupts it. For x86.
#ifndef SLABHEAP_TESTS_INTERRUPTION_HPP
#define SLABHEAP_TESTS_INTERRUPTION_HPP

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <x86intrin.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <vector>

extern "C" char __executable_start, etext;  // the linker's

namespace slabheap::test {

class Interruption {
public:
    Interruption() {
        struct sigaction action {};
        action.sa_sigaction = on_trap;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGTRAP, &action, &before_);
        mprotect(&__executable_start, text_size(), PROT_READ | PROT_WRITE | PROT_EXEC);
    }
    ~Interruption() {
        mprotect(&__executable_start, text_size(), PROT_READ | PROT_EXEC);
        sigaction(SIGTRAP, &before_, nullptr);
    }
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;

    // The instructions of the code, each once, before which is_open() is true.
    template <class Code, class IsOpen>
    std::vector<unsigned char*> places_in(Code const& code, IsOpen is_open) {
        std::vector<unsigned char*> places;
        std::set<unsigned char*> seen;
        at_trap_ = [&](unsigned char* place) {
            const bool in_program = place >= start() && place - start() < static_cast<ptrdiff_t>(text_size());
            if (in_program && is_running_ && is_open() && seen.insert(place).second) places.push_back(place);
        };
        set_trap_flag(true);
        run(code);
        set_trap_flag(false);
        return places;
    }

    // Runs the code; before it first comes to this instruction, what interrupts it. False: it never did.
    template <class Code, class What>
    bool at(unsigned char* place, Code const& code, What what) {
        bool happened = false;
        const unsigned char instruction = *place;
        at_trap_ = [&](unsigned char*) {
            *place = instruction;
            happened = true;
            what();
        };
        *place = breakpoint;
        run(code);
        *place = instruction;
        return happened;
    }

    // A place as addr2line takes it.
    static const void* address(const unsigned char* place) {
        return reinterpret_cast<const void*>(place - start());
    }

private:
    static constexpr unsigned char breakpoint = 0xcc;
#ifdef __x86_64__
    static constexpr int instruction_pointer = REG_RIP;
#else
    static constexpr int instruction_pointer = REG_EIP;
#endif

    static unsigned char* start() { return reinterpret_cast<unsigned char*>(&__executable_start); }
    static size_t text_size() {
        const size_t size = static_cast<size_t>(&etext - &__executable_start);
        return (size + 4095) / 4096 * 4096;
    }
    // What is traced and what is interrupted are the same instructions.
    template <class Code>
    [[gnu::noinline]] static void run(Code const& code) {
        is_running_ = true;
        code();
        is_running_ = false;
    }
    [[gnu::always_inline]] static void set_trap_flag(bool on) {
        constexpr auto flag = decltype(__readeflags()){0x100};
        __writeeflags(on ? __readeflags() | flag : __readeflags() & ~flag);
    }
    static void on_trap(int, siginfo_t* info, void* context) {
        greg_t& next = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[instruction_pointer];
        if (info->si_code != TRAP_TRACE) --next;  // the breakpoint's place
        at_trap_(reinterpret_cast<unsigned char*>(next));
    }

    static inline std::function<void(unsigned char*)> at_trap_;
    static inline volatile bool is_running_;
    struct sigaction before_ {};
};

}  // namespace slabheap::test

#endif
