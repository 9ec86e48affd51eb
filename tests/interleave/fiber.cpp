// SPDX-License-Identifier: MIT
#include "fiber.hpp"

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>

namespace interleave {
namespace {

Fiber* being_prepared;
jmp_buf preparer;

}  // namespace

void Fiber::prepare(Entry entry, unsigned argument) {
    entry_ = entry;
    argument_ = argument;
    if (stack_ == nullptr) {
        void* const memory =
            mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            std::perror("a fiber's stack");
            std::abort();
        }
        stack_ = static_cast<std::byte*>(memory);
    }
    ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = stack_;
    context.uc_stack.ss_size = stack_size;
    context.uc_link = nullptr;
    makecontext(&context, trampoline, 0);
    being_prepared = this;
    if (_setjmp(preparer) == 0) setcontext(&context);
}

void Fiber::trampoline() {
    Fiber& self = *being_prepared;
    if (_setjmp(self.place_) == 0) _longjmp(preparer, 1);
    for (;;) self.entry_(self.argument_);
}

}  // namespace interleave
