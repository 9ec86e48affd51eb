// SPDX-License-Identifier: MIT
//
// World: a heap of 32 KiB, the blocks that the CPUs of a scenario have in hand, and what must be true of
// them.
//
// A scenario is a list of calls for each CPU, in the words below. They hold every answer of the heap against
// a plain table of blocks: a block that is handed out is nobody else's and overlaps none, its content is its
// owner's until it is freed, faults are those that were foretold. After each schedule the heap passes its
// audit, its books balance, what is still in hand is given back, and then all pages can be had as one block:
// nothing is lost, nothing stranded.
//
// The owner writes to its block when it gets it and reads when it gives it back, as far as the memory model
// is concerned too; so the heap has to order one owner before the next.
#ifndef INTERLEAVE_WORLD_HPP
#define INTERLEAVE_WORLD_HPP

#include "machine.hpp"

#include <slabheap/slabheap.h>

#include <span>

namespace interleave {

struct Scenario {
    const char* name;
    const char* shows;
    unsigned fronts;    // how many CPUs have some; 0: the heap is for one CPU
    void (*prepare)();  // before the CPUs start; null: nothing
    Program program;
    Bounds bounds;
    Bounds deep;
};

// A block of a scenario: a small number that it chooses.
using Name = unsigned;
constexpr Name most_blocks = 80;

// A block is taken and must be had; is asked for, and may be refused; the same by slab_try_alloc; and whole
// pages.
void take(Name name, size_t size);
bool ask(Name name, size_t size);
bool try_take(Name name, size_t size);
bool ask_pages(Name name, size_t count);
// The block is given back, and that is right.
void give(Name name);
// The block is given back as often as this is called: one of them frees it, and the others are told.
void give_racing(Name name);
bool has(Name name);

// One CPU tells the others something, as a kernel would: what it did before is done for who waits for it.
void say(unsigned what);
void wait_for(unsigned what);

// While no CPU runs: calls are made by the CPU of this index, 0 at first.
void act_as(size_t index);

// The kernel's barrier hook says that it could not.
void refuse_barriers();

// --- for the checker ---

// Makes the heap of a scenario, as its CPUs will find it each time.
void prepare(Scenario const& scenario);
// Puts it back to that.
void restore();
// What must be true after a schedule; the first thing that is not, or an empty text.
std::string conclude();
// What an address is, for people.
std::string described(const void* address);

std::span<Scenario const> free_scenarios();
std::span<Scenario const> pool_scenarios();
std::span<Scenario const> reclaim_scenarios();
std::span<Scenario const> handler_scenarios();

}  // namespace interleave

#endif
