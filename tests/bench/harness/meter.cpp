// SPDX-License-Identifier: MIT
#include "meter.hpp"

#include <limits>

namespace slabheap::bench {

uint64_t executed_blocks;

extern "C" void __sanitizer_cov_trace_pc() { ++executed_blocks; }

uintptr_t Recorder::measure(Function function, void* peer, uintptr_t first, uintptr_t second,
                            Record const& about) {
    if (used_[0] == capacity) return function(peer, first, second);
    Record& record = records_[used_[0]++];
    if (pass_ == Pass::step_suspects && !record.suspect) return function(peer, first, second);
    record = about;
    Stepped done = {};
    if (pass_ == Pass::count_blocks) {
        uint64_t const before = executed_blocks;
        done.result = function(peer, first, second);
        record.blocks = executed_blocks - before;
    } else {
        done = step(function, peer, first, second);
        record.instructions = done.instructions;
    }
    if (record.kind == Kind::searching && done.result == 0) record.kind = Kind::failing;
    return done.result;
}

void Recorder::accuse(std::span<size_t const> numbers) {
    std::fill(records_.begin(), records_.end(), Record{});
    for (size_t number : numbers) records_[number].suspect = true;
}

// Calls of as many blocks most likely went the same way. So of each of the highest counts the first and the
// last call are suspects; of the calls that empty caches and search, which are very long, only those of the
// highest.
Array<size_t> Recorder::suspects(bool with_unbounded) const {
    Array<size_t> found;
    for (Kind const kind : kinds) {
        unsigned const counts = !is_unbounded(kind) ? 12 : with_unbounded ? 1 : 0;
        for (Call const call : calls) {
            uint64_t limit = std::numeric_limits<uint64_t>::max();
            for (unsigned i = 0; i < counts && limit > 1; ++i) {
                size_t first = 0, last = 0;
                uint64_t highest = 0;
                for (size_t number = 0; number < used_[0]; ++number) {
                    Record const& record = records_[number];
                    if (!record.is(kind, call) || record.blocks >= limit || record.blocks < highest) continue;
                    if (record.blocks > highest) first = number;
                    highest = record.blocks;
                    last = number;
                }
                if (highest != 0) found.push_back(first);
                if (last != first) found.push_back(last);
                limit = highest;
            }
        }
    }
    return found;
}

}  // namespace slabheap::bench
