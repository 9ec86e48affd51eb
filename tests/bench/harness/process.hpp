// SPDX-License-Identifier: MIT
//
// Forked processes: each starts from the very state that this one is in, so that a measurement can be
// repeated exactly, leaves nothing behind, and works with heaps that can be initialised only once.
#ifndef SLABHEAP_BENCH_PROCESS_HPP
#define SLABHEAP_BENCH_PROCESS_HPP

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace slabheap::bench {

template <class Code>
void in_child(Code code) {
    pid_t const child = fork();
    if (child == 0) {
        code();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) {
        std::fprintf(stderr, "bench: a measuring process ended with wait status %d\n", status);
        std::exit(1);
    }
}

}  // namespace slabheap::bench

#endif
