// SPDX-License-Identifier: MIT
//
// What a harness says: each call and its result in readable form, when SLABHEAP_TRACE is set in the
// environment (a replay); and the sentence that is not true, before the program aborts and the fuzzer keeps
// the input.
#ifndef SLABHEAP_FUZZ_TRACE_HPP
#define SLABHEAP_FUZZ_TRACE_HPP

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace slabheap::fuzz {

inline const bool tracing = std::getenv("SLABHEAP_TRACE") != nullptr;

// Part of a line: it is there before the call that it is about can crash.
[[gnu::format(printf, 1, 2)]] inline void say(const char* format, ...) {
    if (!tracing) return;
    std::va_list values;
    va_start(values, format);
    std::vfprintf(stderr, format, values);
    va_end(values);
}

[[noreturn]] inline void disagree(const char* sentence) {
    std::fprintf(stderr, "%snot true: %s\n", tracing ? "\n" : "", sentence);
    std::abort();
}

inline void expect(bool truth, const char* sentence) {
    if (!truth) disagree(sentence);
}

}  // namespace slabheap::fuzz

#endif
