// SPDX-License-Identifier: MIT
//
// A program writes its counts when it ends; this makes it write them, too, when a signal ends it, as the trap
// of a broken contract does, or when it leaves by _exit, as GoogleTest's forked processes do.
#include <signal.h>
#include <unistd.h>

#include <initializer_list>

extern "C" void __gcov_dump();
extern "C" [[noreturn]] void __real__exit(int status);

extern "C" [[noreturn]] void __wrap__exit(int status) {
    __gcov_dump();
    __real__exit(status);
}

namespace {

// What raised the signal is done once more, and ends the program.
void on_signal(int) { __gcov_dump(); }

[[maybe_unused]] bool const is_set_up = [] {
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESETHAND;
    for (int const number : {SIGILL, SIGTRAP, SIGABRT, SIGSEGV}) sigaction(number, &action, nullptr);
    return true;
}();

}  // namespace
