// SPDX-License-Identifier: MIT
//
// The two ways to measure whole rounds: by the clock, one round each time that the driver asks for one; and
// by callgrind, which counts the instructions and simulates the branch predictor.
#ifndef SLABHEAP_BENCH_TIMING_HPP
#define SLABHEAP_BENCH_TIMING_HPP

#include <time.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "process.hpp"
#include "round.hpp"

namespace slabheap::bench {

constexpr size_t workload_region = 64 * MiB;

// A peer manages what it needs itself, or a region full of noise.
template <Peer P>
P& started_peer(size_t region = workload_region) {
    static P peer;
    if constexpr (RegionPeer<P>) {
        static Arena arena(region);
        arena.fill_with_noise(region);
        if (!peer.init(arena.start(), arena.size())) {
            std::fputs("bench: the peer refuses its region\n", stderr);
            std::exit(1);
        }
    }
    return peer;
}

// The time that this thread ran: other processes of a busy machine do not count, the kernel's work for this
// one does.
inline int64_t thread_nanoseconds() {
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Answers each line on standard input with a line: the nanoseconds of a round, and its pairs.
template <FreeForm form, Peer P>
void time_rounds(P& peer, Workload const& workload) {
    Trace const trace(workload);
    Round<P, form> round(peer, trace);
    round.run();
    for (char line; read(STDIN_FILENO, &line, 1) == 1;) {
        round.warm_up();
        int64_t const start = thread_nanoseconds();
        round.run();
        int64_t const took = thread_nanoseconds() - start;
        dprintf(STDOUT_FILENO, "%lld %zu\n", static_cast<long long>(took), round.pairs());
    }
}

// Runs a round that callgrind counts, in a process of its own, so that what was measured before does not
// matter. The name of the dump says what it is; standard output, how many pairs.
template <FreeForm form, Peer P>
void count_round(P& peer, Workload const& workload) {
    in_child([&] {
        Trace const trace(workload);
        Round<P, form> round(peer, trace);
        round.run();
        CALLGRIND_ZERO_STATS;
        CALLGRIND_TOGGLE_COLLECT;
        round.run();
        CALLGRIND_TOGGLE_COLLECT;
        char name[64];
        std::snprintf(name, sizeof name, "%s %s", workload.name.data(), form_name(form));
        CALLGRIND_DUMP_STATS_AT(name);
        dprintf(STDOUT_FILENO, "%s %zu\n", name, round.pairs());
    });
}

}  // namespace slabheap::bench

#endif
