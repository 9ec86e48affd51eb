// SPDX-License-Identifier: MIT
//
// The C ABI has one heap per process. A test of it therefore runs in a process of its own, forked from one
// that never touches that heap: inside, it is as it was before init.
#ifndef SLABHEAP_TESTS_FRESH_PROCESS_HPP
#define SLABHEAP_TESTS_FRESH_PROCESS_HPP

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace slabheap::test {

// Runs the body in a forked process and fails the test when an expectation fails there, or when it dies.
template <class Body>
void in_fresh_process(Body body) {
    std::cout.flush();
    std::fflush(nullptr);
    const pid_t child = fork();
    ASSERT_NE(-1, child);
    if (child == 0) {
        body();
        std::exit(::testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(child, waitpid(child, &status, 0));
    EXPECT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
    EXPECT_EQ(0, WEXITSTATUS(status)) << "an expectation failed in the forked process";
}

}  // namespace slabheap::test

#endif
