// SPDX-License-Identifier: MIT
//
// Report: a schedule as people read it, one line an event: the CPU, what it did to which place, and the line
// of the source that did it.
#ifndef INTERLEAVE_REPORT_HPP
#define INTERLEAVE_REPORT_HPP

#include "machine.hpp"

namespace interleave {

void print_events(std::vector<Event> const& events);

}  // namespace interleave

#endif
