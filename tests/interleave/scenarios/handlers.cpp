// SPDX-License-Identifier: MIT
//
// Interrupt handlers and NMIs, which take and give in the midst of a call of their own CPU.
#include "../world.hpp"

namespace interleave {
namespace {

// A handler's block has a name of its own, because handlers nest.
Name free_name() {
    Name name = 70;
    while (has(name)) ++name;
    return name;
}
void take_and_give(size_t size) {
    Name const name = free_name();
    if (ask(name, size)) give(name);
}
void try_and_give(size_t size) {
    Name const name = free_name();
    if (try_take(name, size)) give(name);
}

constexpr Scenario scenarios[] = {
    {.name = "interrupted",
     .shows =
         "an interrupt handler takes and gives in the midst of any call, and another in the midst of that",
     .fronts = 2,
     .program = {.cpus = 1,
                 .thread = {[] { take(0, 2048), take(1, 2048), give(0), take(2, 2048), give(1), give(2); }},
                 .interrupt = [] { take_and_give(2048); },
                 .nmi = [] { take_and_give(2048); }},
     .bounds = {.interruptions = 2},
     .deep = {.interruptions = 3}},

    {.name = "interrupted-anywhere",
     .shows = "the same between any two accesses to memory",
     .fronts = 2,
     .program = {.cpus = 1,
                 .thread = {[] { take(0, 2048), take(1, 2048), give(0), take(2, 2048), give(1), give(2); }},
                 .interrupt = [] { take_and_give(2048); },
                 .nmi = [] { take_and_give(2048); }},
     .bounds = {.interruptions = 2, .at_any_access = true},
     .deep = {.interruptions = 3, .at_any_access = true}},

    {.name = "one-cpu",
     .shows = "a heap for one CPU, which has no locked instructions, under interrupts and NMIs",
     .fronts = 0,
     .program = {.cpus = 1,
                 .thread = {[] { take(0, 2048), take(1, 2048), give(0), take(2, 8192), give(1), give(2); }},
                 .interrupt = [] { take_and_give(2048); },
                 .nmi = [] { take_and_give(2048); }},
     .bounds = {.interruptions = 2},
     .deep = {.interruptions = 3}},

    {.name = "one-cpu-anywhere",
     .shows = "the same between any two accesses to memory",
     .fronts = 0,
     .program = {.cpus = 1,
                 .thread = {[] { take(0, 2048), take(1, 2048), give(0), take(2, 8192), give(1), give(2); }},
                 .interrupt = [] { take_and_give(2048); },
                 .nmi = [] { take_and_give(2048); }},
     .bounds = {.interruptions = 2, .at_any_access = true},
     .deep = {.interruptions = 3, .at_any_access = true}},

    {.name = "double-free-interrupted",
     .shows = "a handler frees the block that its CPU is just freeing",
     .fronts = 2,
     .prepare = [] { take(0, 256), take(1, 256); },
     .program = {.cpus = 1,
                 .thread = {[] { give_racing(0), take(2, 64); }},
                 .interrupt = [] { give_racing(0); },
                 .nmi = [] { give_racing(0); }},
     .bounds = {.interruptions = 2, .at_any_access = true},
     .deep = {.interruptions = 3, .at_any_access = true}},

    {.name = "double-free-one-cpu",
     .shows = "the same on a heap for one CPU, with a large block, too",
     .fronts = 0,
     .prepare = [] { take(0, 256), take(1, 256), take(2, 8192); },
     .program = {.cpus = 1,
                 .thread = {[] { give_racing(0), give_racing(2); }},
                 .interrupt = [] { give_racing(0); },
                 .nmi = [] { give_racing(2); }},
     .bounds = {.interruptions = 2, .at_any_access = true},
     .deep = {.interruptions = 3, .at_any_access = true}},

    {.name = "double-free-nmi",
     .shows = "an NMI frees what its CPU frees, while another CPU holds the lock",
     .fronts = 2,
     .prepare = [] { take(0, 256), take(1, 256); },
     .program = {.cpus = 2,
                 .thread = {[] { give_racing(0); }, [] { ask(2, 8192), ask(3, 64); }},
                 .nmi = [] { give_racing(0); }},
     .bounds = {.preemptions = 3, .interruptions = 1},
     .deep = {.preemptions = 3, .interruptions = 2, .old_values = 1}},

    {.name = "double-free-nmi-large",
     .shows = "an NMI frees the large block that its CPU and another one free",
     .fronts = 2,
     .prepare = [] { take(0, 8192); },
     .program = {.cpus = 2,
                 .thread = {[] { give_racing(0); }, [] { give_racing(0); }},
                 .nmi = [] { give_racing(0); }},
     .bounds = {.preemptions = 3, .interruptions = 1},
     .deep = {.preemptions = 3, .interruptions = 2}},

    {.name = "nmi-large",
     .shows = "an NMI frees a large block while its CPU holds the lock: it is given back later",
     .fronts = 2,
     .prepare = [] { take(0, 8192), take(1, 4096), take(2, 4096); },
     .program = {.cpus = 1,
                 .thread = {[] { give(1), ask(3, 12288), give(2), ask(4, 4096); }},
                 .nmi =
                     [] {
                         if (has(0)) give(0);
                     }},
     .bounds = {.interruptions = 2, .at_any_access = true},
     .deep = {.interruptions = 3, .at_any_access = true}},

    {.name = "nmi-large-one-cpu",
     .shows = "the same on a heap for one CPU",
     .fronts = 0,
     .prepare = [] { take(0, 8192), take(1, 4096), take(2, 4096); },
     .program = {.cpus = 1,
                 .thread = {[] { give(1), ask(3, 12288), give(2), ask(4, 4096); }},
                 .nmi =
                     [] {
                         if (has(0)) give(0);
                     }},
     .bounds = {.interruptions = 2, .at_any_access = true},
     .deep = {.interruptions = 3, .at_any_access = true}},

    {.name = "handlers-try",
     .shows = "slab_try_alloc gets a block or null in any context, and never waits",
     .fronts = 2,
     .program = {.cpus = 2,
                 .thread = {[] { take(0, 4096), give(0), take(0, 8192); },
                            [] { try_take(1, 4096), try_take(2, 4096); }},
                 .interrupt = [] { try_take(3, 4096); },
                 .nmi = [] { try_take(4, 4096); }},
     .bounds = {.preemptions = 3, .interruptions = 1},
     .deep = {.preemptions = 3, .interruptions = 2}},

    {.name = "handlers-on-two-cpus",
     .shows = "two CPUs take and give, and their handlers do",
     .fronts = 2,
     .prepare = [] { take(0, 2048), take(1, 2048), take(2, 2048); },
     .program = {.cpus = 2,
                 .thread = {[] { take(3, 2048), give(0); }, [] { give(1), take(4, 2048); }},
                 .interrupt = [] { take_and_give(2048); },
                 .nmi = [] { take_and_give(2048); }},
     .bounds = {.preemptions = 3, .interruptions = 1},
     .deep = {.preemptions = 3, .interruptions = 2}},

    {.name = "take-back-interrupted",
     .shows = "a CPU whose fronts are taken back is interrupted, and its handlers take and give",
     .fronts = 2,
     .prepare =
         [] {
             act_as(1);
             for (Name name = 0; name < 7; ++name) take(name, 4096);
             for (Name name = 0; name < 6; ++name) give(name);
         },
     .program = {.cpus = 2,
                 .thread = {[] { ask(0, 4096); }, [] { give(6); }},
                 .interrupt = [] { try_and_give(4096); },
                 .nmi = [] { try_and_give(4096); }},
     .bounds = {.preemptions = 2, .interruptions = 1},
     .deep = {.preemptions = 3, .interruptions = 1}},

    {.name = "handler-gathers",
     .shows =
         "a handler finds no memory at hand, and takes back what the fronts of its own CPU have, if it can",
     .fronts = 2,
     .prepare =
         [] {
             for (Name name = 0; name < 7; ++name) take(name, 4096);
             for (Name name = 0; name < 7; ++name) give(name);
         },
     .program = {.cpus = 1,
                 .thread = {[] { take(0, 4096), give(0); }},
                 .interrupt =
                     [] {
                         if (ask(1, 8192)) give(1);
                     },
                 .nmi =
                     [] {
                         if (ask(2, 8192)) give(2);
                     }},
     .bounds = {.interruptions = 2},
     .deep = {.interruptions = 2, .at_any_access = true}},
};

}  // namespace

std::span<Scenario const> handler_scenarios() { return scenarios; }

}  // namespace interleave
