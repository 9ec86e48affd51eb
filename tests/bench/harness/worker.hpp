// SPDX-License-Identifier: MIT
//
// The main program of every peer's worker: one process, one peer, one thing measured at a time, as the
// driver asks.
#ifndef SLABHEAP_BENCH_WORKER_HPP
#define SLABHEAP_BENCH_WORKER_HPP

#include <sys/prctl.h>

#include <charconv>
#include <cstring>
#include <string>

#include "memory_use.hpp"
#include "scale.hpp"
#include "thread_rounds.hpp"

namespace slabheap::bench {

constexpr char const* worker_usage = R"(Usage: WORKER about
       WORKER time WORKLOAD free|free_sized
       WORKER threads WORKLOAD
       WORKER count WORKLOAD...
       WORKER suspects|worst gate|full free|free_sized HEAP_BYTES PAIRS
       WORKER scale HEAP_BYTES...
       WORKER crowd FREE_BLOCKS...
       WORKER memory SEEDS REGION_BYTES...
)";

[[noreturn]] inline void misused() {
    std::fputs(worker_usage, stderr);
    std::exit(2);
}

inline size_t number(std::string_view text) {
    size_t value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) misused();
    return value;
}

inline auto const& known(auto const* found) {
    if (found == nullptr) misused();
    return *found;
}

inline Workload const& workload(std::string_view name) { return known(find_workload(name)); }

inline FreeForm form(std::string_view name) {
    if (name != "free" && name != "free_sized") misused();
    return name == "free" ? FreeForm::by_address : FreeForm::by_size;
}

#ifdef __clang__
constexpr char const* compiler = "Clang " __clang_version__;
#else
constexpr char const* compiler = "GCC " __VERSION__;
#endif

// What the peer was compiled with, and the version of the library that it is, if it is another's.
template <Peer P>
void about() {
    std::printf("compiler\t%s\n", compiler);
    if constexpr (requires { P::version(); }) std::printf("library\t%s\n", P::version().c_str());
}

template <Peer P>
void time_workload(Workload const& of, FreeForm form) {
    P& peer = started_peer<P>();
    form == FreeForm::by_size ? time_rounds<FreeForm::by_size>(peer, of)
                              : time_rounds<FreeForm::by_address>(peer, of);
}

template <Peer P>
void count_workloads(std::span<char*> names) {
    P& peer = started_peer<P>();
    for (char const* const name : names) {
        count_round<FreeForm::by_address>(peer, workload(name));
        count_round<FreeForm::by_size>(peer, workload(name));
    }
}

template <Peer P>
void find_worst(FreeForm form, WorstRequest const& request) {
    static P peer;
    form == FreeForm::by_size ? worst_calls<FreeForm::by_size>(peer, request)
                              : worst_calls<FreeForm::by_address>(peer, request);
}

// What only some peers can be asked for.
template <Peer P>
bool does_more(std::span<char*> arguments) {
    size_t const count = arguments.size();
    std::string_view const command = arguments[0];
    if constexpr (SharedPeer<P>) {
        if (command == "threads" && count == 2) {
            time_threads(started_peer<P>(), known(find_thread_workload(arguments[1])));
            return true;
        }
    }
    if constexpr (RegionPeer<P>) {
        static P peer;
        if (command == "scale" && count >= 2) {
            for (char const* const bytes : arguments.subspan(1)) scale(peer, number(bytes));
            return true;
        }
        if (command == "crowd" && count >= 2) {
            for (char const* const blocks : arguments.subspan(1)) {
                in_child([&] { crowd(peer, number(blocks)); });
            }
            return true;
        }
        if (command == "memory" && count >= 3) {
            for (char const* const bytes : arguments.subspan(2)) {
                memory_use(peer, number(bytes), number(arguments[1]));
            }
            return true;
        }
    }
    return false;
}

template <Peer P>
int worker(int argc, char** argv) {
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);  // no peer is given large pages that others lack
    std::span<char*> const arguments(argv + 1, argv + argc);
    size_t const count = arguments.size();
    std::string_view const command = count > 0 ? arguments[0] : "";
    if (command == "about" && count == 1) {
        about<P>();
    } else if (command == "time" && count == 3) {
        time_workload<P>(workload(arguments[1]), form(arguments[2]));
    } else if (command == "count" && count >= 2) {
        count_workloads<P>(arguments.subspan(1));
    } else if ((command == "suspects" || command == "worst") && count == 5) {
        WorstRequest const request{number(arguments[3]), static_cast<uint32_t>(number(arguments[4])),
                                   command == "suspects", std::string_view(arguments[1]) == "full"};
        find_worst<P>(form(arguments[2]), request);
    } else if (count == 0 || !does_more<P>(arguments)) {
        misused();
    }
    return 0;
}

}  // namespace slabheap::bench

#endif
