// SPDX-License-Identifier: MIT
//
// What happens to a slab while slots come back to its pool: it gets room, is whole again, goes back to the
// pages. CPUs without a front put straight into pools.
#include "../world.hpp"

namespace interleave {
namespace {

constexpr Scenario scenarios[] = {
    {.name = "pool-fills",
     .shows =
         "slots are put into a slab's pool, which a front takes as a whole, and a CPU without one by one",
     .fronts = 2,
     .prepare = [] { take(0, 1024), take(1, 1024), take(2, 1024), take(3, 1024); },
     .program = {.cpus = 3,
                 .first_index = 1,
                 .thread = {[] { take(4, 1024); }, [] { give(0), give(1); }, [] { give(2), take(5, 1024); }}},
     .bounds = {.preemptions = 3, .old_values = 1},
     .deep = {.preemptions = 3, .old_values = 2}},

    {.name = "slabs-return",
     .shows = "slabs become spares and free pages under the puts of two CPUs, while a third takes pages",
     .fronts = 2,
     .prepare = [] { take(0, 4096), take(1, 4096), take(2, 4096); },
     .program = {.cpus = 3,
                 .first_index = 1,
                 .thread = {[] { take(3, 8192), take(4, 4096); }, [] { give(0); }, [] { give(1); }}},
     .bounds = {.preemptions = 3, .old_values = 1},
     .deep = {.preemptions = 3, .old_values = 2}},

    {.name = "page-changes-hands",
     .shows = "a slab's last slot is put, and the page is in use for something else before it is pending",
     .fronts = 2,
     .prepare = [] { take(0, 4096), take(1, 4096), take(2, 20480); },
     .program = {.cpus = 2,
                 .first_index = 1,
                 .thread = {[] {
                                if (ask(3, 4096)) give(3);
                                if (ask(4, 8192)) give(4);
                                if (ask(5, 64)) give(5);
                            },
                            [] { give(0), give(1); }}},
     .bounds = {.preemptions = 3, .old_values = 1},
     .deep = {.preemptions = 3, .old_values = 2}},

    {.name = "announced-late",
     .shows = "a page that is to be announced is a large block's by then, which is being freed",
     .fronts = 2,
     .prepare = [] { take(0, 2048), take(1, 2048), take(2, 24576); },
     .program = {.cpus = 3,
                 .first_index = 1,
                 .thread = {[] {
                                if (ask_pages(3, 1)) give(3);
                            },
                            [] { give(0); }, [] { give(1), ask(4, 4096); }}},
     .bounds = {.preemptions = 2},
     .deep = {.preemptions = 3, .old_values = 1}},

    {.name = "put-is-found",
     .shows = "what was put into a pool is found by who is told of it, when there is nothing else",
     .fronts = 2,
     .prepare = [] { take(0, 4096), take(1, 24576); },
     .program = {.cpus = 2,
                 .first_index = 1,
                 .thread = {[] { wait_for(0), take(2, 4096); }, [] { give(0), say(0); }}},
     .bounds = {.preemptions = 3, .old_values = 3},
     .deep = {.preemptions = 3, .old_values = 3}},

    {.name = "puts-are-found",
     .shows = "the same with two slabs and two who put, one after the other",
     .fronts = 2,
     .prepare = [] { take(0, 4096), take(1, 4096), take(2, 20480); },
     .program = {.cpus = 3,
                 .first_index = 1,
                 .thread = {[] { wait_for(0), wait_for(1), take(3, 8192); }, [] { give(0), say(0); },
                            [] { give(1), say(1); }}},
     .bounds = {.preemptions = 3, .old_values = 1},
     .deep = {.preemptions = 3, .old_values = 2}},

    {.name = "settled-twice",
     .shows = "two CPUs settle what a third puts",
     .fronts = 2,
     .prepare = [] { take(0, 2048), take(1, 2048), take(2, 2048), take(3, 2048); },
     .program = {.cpus = 3,
                 .thread = {[] { take(4, 2048), take(5, 2048); }, [] { take(6, 2048), take(7, 2048); },
                            [] { give(0), give(1), give(2); }}},
     .bounds = {.preemptions = 3},
     .deep = {.preemptions = 3, .old_values = 1}},
};

}  // namespace

std::span<Scenario const> pool_scenarios() { return scenarios; }

}  // namespace interleave
