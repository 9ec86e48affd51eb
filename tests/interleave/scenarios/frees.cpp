// SPDX-License-Identifier: MIT
//
// Blocks that CPUs take and give by their fronts, their own and each other's, and the claim of a free.
#include "../world.hpp"

namespace interleave {
namespace {

constexpr Scenario scenarios[] = {
    {.name = "own-blocks",
     .shows = "two CPUs take and give blocks of one class",
     .fronts = 2,
     .program = {.cpus = 2,
                 .thread = {[] { take(0, 64), give(0), take(1, 64), give(1); },
                            [] { take(2, 64), give(2), take(3, 64), give(3); }}},
     .bounds = {.preemptions = 3, .old_values = 2},
     .deep = {.preemptions = 3, .old_values = 3}},

    {.name = "refills",
     .shows =
         "two CPUs empty their fronts' words, and get the next from a slab with room, or from a new page",
     .fronts = 2,
     .program = {.cpus = 2,
                 .thread = {[] { take(0, 2048), take(1, 2048), take(2, 2048); },
                            [] { take(3, 2048), take(4, 2048), take(5, 2048); }}},
     .bounds = {.preemptions = 3, .old_values = 1},
     .deep = {.preemptions = 3, .old_values = 3}},

    {.name = "passed-blocks",
     .shows = "one CPU gives what another has taken, which takes more of the class",
     .fronts = 2,
     .prepare = [] { take(0, 1024), take(1, 1024), take(2, 1024), take(3, 1024); },
     .program = {.cpus = 2,
                 .thread = {[] { take(4, 1024), take(5, 1024), give(4); },
                            [] { give(0), give(1), give(2), take(6, 1024); }}},
     .bounds = {.preemptions = 3, .old_values = 2},
     .deep = {.preemptions = 3, .old_values = 3}},

    {.name = "handed-over",
     .shows = "a block is handed from CPU to CPU, given there, and taken again where it came from",
     .fronts = 2,
     .program = {.cpus = 2,
                 .thread = {[] { take(0, 4096), say(0), wait_for(1), take(1, 4096); },
                            [] { wait_for(0), give(0), take(2, 4096), give(2), say(1); }}},
     .bounds = {.preemptions = 3, .old_values = 2},
     .deep = {.preemptions = 3, .old_values = 3}},

    {.name = "double-free",
     .shows = "two CPUs free the same block: one of them does, the other is told",
     .fronts = 2,
     .prepare = [] { take(0, 256), take(1, 256); },
     .program = {.cpus = 2, .thread = {[] { give_racing(0), take(2, 64); }, [] { give_racing(0); }}},
     .bounds = {.preemptions = 3, .old_values = 2},
     .deep = {.preemptions = 3, .old_values = 3}},

    {.name = "triple-free",
     .shows = "three CPUs free the same block, the third of which has no front",
     .fronts = 2,
     .prepare = [] { take(0, 256), take(1, 256); },
     .program = {.cpus = 3,
                 .thread = {[] { give_racing(0); }, [] { give_racing(0); }, [] { give_racing(0); }}},
     .bounds = {.preemptions = 3, .old_values = 1},
     .deep = {.preemptions = 3, .old_values = 2}},

    {.name = "double-free-beside",
     .shows = "who is told of a double free looks at a slab of which another CPU takes slots",
     .fronts = 2,
     .prepare =
         [] {
             act_as(1);
             take(0, 256);
         },
     .program = {.cpus = 3,
                 .thread = {[] { give_racing(0); }, [] { take(1, 256), take(2, 256); },
                            [] { give_racing(0); }}},
     .bounds = {.preemptions = 3, .old_values = 2},
     .deep = {.preemptions = 3, .old_values = 3}},

    {.name = "double-free-large",
     .shows = "two CPUs free the same large block while a third takes one",
     .fronts = 2,
     .prepare = [] { take(0, 8192); },
     .program = {.cpus = 3,
                 .thread = {[] { give_racing(0); }, [] { give_racing(0); }, [] { take(1, 12288); }}},
     .bounds = {.preemptions = 3},
     .deep = {.preemptions = 3, .old_values = 1}},
};

}  // namespace

std::span<Scenario const> free_scenarios() { return scenarios; }

}  // namespace interleave
