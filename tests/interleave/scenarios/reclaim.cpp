// SPDX-License-Identifier: MIT
//
// Nothing is stranded: what other CPUs have in their fronts is taken back before a request fails.
#include "../world.hpp"

namespace interleave {
namespace {

// The fronts of a CPU get all slots of so many pages.
void fill_fronts(size_t cpu, unsigned count) {
    act_as(cpu);
    for (Name name = 0; name < count; ++name) take(name, 4096);
    for (Name name = 0; name < count; ++name) give(name);
    act_as(0);
}

constexpr Scenario scenarios[] = {
    {.name = "take-back",
     .shows = "a CPU gets what another has in its front, which the other uses at the same time",
     .fronts = 2,
     .prepare = [] { fill_fronts(1, 7); },
     .program = {.cpus = 2, .thread = {[] { take(0, 4096); }, [] { take(1, 4096), give(1), take(2, 4096); }}},
     .bounds = {.preemptions = 3, .old_values = 1},
     .deep = {.preemptions = 3, .old_values = 2}},

    {.name = "take-back-pages",
     .shows = "the same, for pages, while the other gives what it has",
     .fronts = 2,
     .prepare =
         [] {
             fill_fronts(1, 7);
             act_as(1);
             take(1, 4096), take(2, 4096);
         },
     .program = {.cpus = 2, .thread = {[] { ask(0, 12288); }, [] { give(1), give(2); }}},
     .bounds = {.preemptions = 3, .old_values = 1},
     .deep = {.preemptions = 3, .old_values = 2}},

    {.name = "take-back-mutually",
     .shows = "two CPUs take back from each other",
     .fronts = 2,
     .prepare =
         [] {
             fill_fronts(0, 7);
             take(0, 4096), take(1, 4096), take(2, 4096);
             act_as(1);
             give(0), give(1), give(2);
         },
     .program = {.cpus = 2, .thread = {[] { ask(0, 8192); }, [] { ask(1, 8192); }}},
     .bounds = {.preemptions = 3},
     .deep = {.preemptions = 3, .old_values = 1}},

    {.name = "take-back-from-two",
     .shows = "a CPU takes back from two others, one of which takes back, too",
     .fronts = 3,
     .prepare =
         [] {
             fill_fronts(1, 7);
             act_as(1);
             for (Name name = 0; name < 3; ++name) take(name, 4096);
             act_as(2);
             for (Name name = 0; name < 3; ++name) give(name);
         },
     .program = {.cpus = 3, .thread = {[] { take(0, 4096); }, [] { take(1, 4096); }, [] { take(2, 8192); }}},
     .bounds = {.preemptions = 2},
     .deep = {.preemptions = 3}},

    {.name = "barrier-refuses",
     .shows = "without a barrier other CPUs keep their fronts, and the heap is open again afterwards",
     .fronts = 2,
     .prepare =
         [] {
             refuse_barriers();
             fill_fronts(1, 7);
         },
     .program = {.cpus = 2, .thread = {[] { ask(0, 4096); }, [] { take(1, 4096), give(1), take(2, 4096); }}},
     .bounds = {.preemptions = 3, .old_values = 1},
     .deep = {.preemptions = 3, .old_values = 2}},

    {.name = "exhausted",
     .shows = "a request may fail when all is in hand, and what is given meanwhile is not lost",
     .fronts = 2,
     .prepare =
         [] {
             for (Name name = 0; name < 7; ++name) take(name, 4096);
         },
     .program = {.cpus = 2, .thread = {[] { ask(7, 4096); }, [] { give(0), ask(8, 4096); }}},
     .bounds = {.preemptions = 3, .old_values = 1},
     .deep = {.preemptions = 3, .old_values = 2}},
};

}  // namespace

std::span<Scenario const> reclaim_scenarios() { return scenarios; }

}  // namespace interleave
