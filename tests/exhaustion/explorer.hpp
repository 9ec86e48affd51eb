// SPDX-License-Identifier: MIT
//
// Explorer: every state that a world's calls can bring about, breadth first, so that a state is found by the
// shortest sequence that leads to it, and the sequence that shows a mistake is a shortest one.
//
// Sequences are counted, not run: how many lead to a state is the sum over the states from which a call leads
// to it.
#ifndef EXHAUSTION_EXPLORER_HPP
#define EXHAUSTION_EXPLORER_HPP

#include "player.hpp"

namespace exhaustion {

struct Result {
    bool passed;
    bool complete;  // no call leads to a new state
    size_t depth;   // calls of the longest sequence
    size_t states;
    size_t calls;          // that were made
    double sequences;      // of exactly `depth` calls
    std::string mismatch;  // what failed, and the sequence that shows it
};

Result explore(World const& world, size_t depth);

}  // namespace exhaustion

#endif
