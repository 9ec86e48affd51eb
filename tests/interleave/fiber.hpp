// SPDX-License-Identifier: MIT
//
// Fiber: a function with a stack of its own, that runs until it hands over to another fiber. A simulated CPU
// is one. They start by the system's contexts, which costs a system call, and then hand over by longjmp,
// which costs a few instructions; a fiber that has come to its end can be used again, and one that has not is
// set up anew.
#ifndef INTERLEAVE_FIBER_HPP
#define INTERLEAVE_FIBER_HPP

#include <csetjmp>
#include <cstddef>

namespace interleave {

class Fiber {
public:
    using Entry = void (*)(unsigned argument);

    // Makes the fiber ready to run `entry`, again and again: whenever it returns, the next hand_over to this
    // fiber calls it once more.
    void prepare(Entry entry, unsigned argument);

    // Leaves `from`, and goes on where `to` was left.
    static void hand_over(Fiber& from, Fiber& to) {
        if (_setjmp(from.place_) == 0) _longjmp(to.place_, 1);
    }
    // The same, when nobody will come back.
    [[noreturn]] static void go_to(Fiber& to) { _longjmp(to.place_, 1); }

private:
    static void trampoline();

    static constexpr size_t stack_size = size_t{256} << 10;

    jmp_buf place_;
    Entry entry_ = nullptr;
    unsigned argument_ = 0;
    std::byte* stack_ = nullptr;
};

}  // namespace interleave

#endif
