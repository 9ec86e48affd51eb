// SPDX-License-Identifier: MIT
//
// Rounds of two threads. Either each does work of its own, beside the other, and alone: if that is faster,
// the peer has one wait for the other. Or they pass blocks through rings, and the one that gets a block frees
// it without looking into it: what that would take is the same whatever the peer.
#ifndef SLABHEAP_BENCH_THREAD_ROUNDS_HPP
#define SLABHEAP_BENCH_THREAD_ROUNDS_HPP

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <optional>

#include "ring.hpp"
#include "round.hpp"
#include "two_threads.hpp"

namespace slabheap::bench {

// Two threads may call it at the same time.
template <class T>
concept SharedPeer = Peer<T> && FreesByAddress<T> && requires { requires T::shared; };

// A quarter of what one thread does in a round: both have to be left alone for all of it.
inline Trace short_trace(Workload const& of, uint64_t seed) { return {of, of.live, of.pairs / 4, seed}; }

template <SharedPeer P>
class PrivateWork {
public:
    PrivateWork(P& peer, Workload const& of, TwoThreads& threads)
        : traces_{short_trace(of, 1), short_trace(of, 2)} {
        threads.run(Who::both, [&](unsigned me) { rounds_[me].emplace(peer, traces_[me]); });
    }

    size_t pairs() const { return rounds_[0]->pairs(); }
    void run(unsigned me) { rounds_[me]->run(); }

private:
    Trace const traces_[2];
    std::optional<Round<P, FreeForm::by_address>> rounds_[2];
};

template <SharedPeer P>
class PassedBlocks {
public:
    PassedBlocks(P& peer, Workload const& of, Pattern pattern)
        : peer_(peer),
          both_ways_(pattern == Pattern::both_ways),
          traces_{short_trace(of, 1), short_trace(of, 2)} {}

    size_t pairs() const { return batches() * batch_blocks; }
    void run(unsigned me) { pass(me, batches()); }

private:
    size_t batches() const { return traces_[0].steps.size() / batch_blocks; }

    // A thread whose ring is full receives meanwhile; so neither waits for ever.
    void pass(unsigned me, size_t count) {
        size_t to_send = both_ways_ || me == 0 ? count : 0;
        size_t to_receive = both_ways_ || me == 1 ? count : 0;
        Step const* next = traces_[me].steps.data();
        while (to_send + to_receive != 0) {
            bool const sent = to_send != 0 && send(rings_[me], next);
            bool const received = to_receive != 0 && receive(rings_[1 - me]);
            to_send -= sent;
            to_receive -= received;
            if (!sent && !received) __builtin_ia32_pause();
        }
    }

    bool send(Ring& ring, Step const*& next) {
        Batch* const batch = ring.to_fill();
        if (batch == nullptr) return false;
        for (void*& block : *batch) {
            block = peer_.alloc(next->size);
            *static_cast<uint64_t*>(block) = next->size;
            ++next;
        }
        ring.filled();
        return true;
    }

    bool receive(Ring& ring) {
        Batch const* const batch = ring.to_empty();
        if (batch == nullptr) return false;
        for (void* const block : *batch) peer_.free(block);
        ring.emptied();
        return true;
    }

    P& peer_;
    bool const both_ways_;
    Trace const traces_[2];
    Ring rings_[2];  // from the first thread, from the second
};

// How long a round takes that follows another. What another process interrupted does not count, as long as
// there is time to do it again.
template <class Round>
int64_t undisturbed_nanoseconds(TwoThreads& threads, Who who, Round round) {
    constexpr int64_t patience = 100'000'000;
    int64_t shortest = INT64_MAX;
    for (int64_t spent = 0; spent < patience;) {
        threads.run(who, round);
        Worked const worked = threads.run(who, round);
        if (!worked.interrupted) return worked.nanoseconds;
        shortest = std::min(shortest, worked.nanoseconds);
        spent += worked.nanoseconds;
    }
    return shortest;
}

// Answers each line on standard input with a line: the pairs of a thread, and the nanoseconds of a round of
// each.
template <class Work>
void time_each(TwoThreads& threads, std::initializer_list<Who> each, Work& work) {
    auto const round = [&](unsigned me) { work.run(me); };
    for (char line; read(STDIN_FILENO, &line, 1) == 1;) {
        dprintf(STDOUT_FILENO, "%zu", work.pairs());
        for (Who const who : each) {
            int64_t const took = undisturbed_nanoseconds(threads, who, round);
            dprintf(STDOUT_FILENO, " %lld", static_cast<long long>(took));
        }
        dprintf(STDOUT_FILENO, "\n");
    }
}

template <SharedPeer P>
void time_threads(P& peer, ThreadWorkload const& workload) {
    TwoThreads threads;
    if (workload.pattern == Pattern::apart) {
        PrivateWork<P> work(peer, workload.of, threads);
        time_each(threads, {Who::both, Who::first, Who::second}, work);
    } else {
        PassedBlocks<P> work(peer, workload.of, workload.pattern);
        time_each(threads, {Who::both}, work);
    }
}

}  // namespace slabheap::bench

#endif
