// SPDX-License-Identifier: MIT
//
// How many instructions a piece of code takes, exactly: a forked process runs it while this one single-steps
// it. Unlike a time, the count is the same on a busy machine.
#ifndef SLABHEAP_TESTS_INSTRUCTION_COUNT_HPP
#define SLABHEAP_TESTS_INSTRUCTION_COUNT_HPP

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>

namespace slabheap::test {

// The count includes the few instructions of leaving one raise() and entering the next. What the code does to
// memory stays in the forked process.
template <class Code>
size_t count_instructions(Code code) {
    const pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        raise(SIGSTOP);
        code();
        raise(SIGUSR1);
        _exit(0);
    }
    int status = 0;
    EXPECT_EQ(child, waitpid(child, &status, 0));
    size_t count = 0;
    while (WIFSTOPPED(status) && (WSTOPSIG(status) == SIGSTOP || WSTOPSIG(status) == SIGTRAP)) {
        if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) {
            ADD_FAILURE() << "this system does not let a process trace its child";
            break;
        }
        waitpid(child, &status, 0);
        ++count;
    }
    EXPECT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == SIGUSR1) << "the code did not come to its end";
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return count;
}

}  // namespace slabheap::test

#endif
