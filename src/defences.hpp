// SPDX-License-Identifier: MIT
//
// Defences: what a heap does to the content of blocks, beyond the checks that cost nothing to leave on. Each
// is a build option (-Ddefences=..., or -Dhardening=full for a sensible set), and costs nothing when it is
// off.
//
//   zero-alloc   a block is zeroed before its user gets it, and what it grows by where it is
//   zero-free    a block is zeroed when it is given back, and what a block gives back of itself
//   poison       a freed block is filled with a pattern, and a slot that is handed out must still be full of
//                it: what was written after a free is told, if it was written by then
//   quarantine   a freed slot is not handed out until so many further slots of its class were freed by its
//                CPU
//   random       which slot is handed out next is drawn by lot
//   tracking     who allocated a block, or freed it last, is kept in the page map, and told with a fault
//   canary       the bytes between the size that was asked for and the end of the block are filled with a
//                pattern, which must be there when the block is given back; the size is kept in the page map
//   guard        pages around blocks fault, if the kernel says how to make them (guards.hpp)
//
// So each byte of a free slot is poison from the time its slab is set up on; and what a live block has beside
// its user's bytes is canary, or as if it were free.
#ifndef SLABHEAP_DEFENCES_HPP
#define SLABHEAP_DEFENCES_HPP

#include "shadow.hpp"

namespace slabheap::defences {

// Does each free make sure that its block is live? (-Dhardening=none: of small blocks on the usual path it
// takes the caller's word.)
#ifdef SLABHEAP_UNCHECKED
constexpr bool checks = false;
#else
constexpr bool checks = true;
#endif
#ifdef SLABHEAP_ZERO_ALLOC
constexpr bool zero_alloc = true;
#else
constexpr bool zero_alloc = false;
#endif
#ifdef SLABHEAP_ZERO_FREE
constexpr bool zero_free = true;
#else
constexpr bool zero_free = false;
#endif
#ifdef SLABHEAP_POISON
constexpr bool poison = true;
#else
constexpr bool poison = false;
#endif
#ifdef SLABHEAP_CANARY
constexpr bool canary = true;
#else
constexpr bool canary = false;
#endif

#ifdef SLABHEAP_TRACKING
constexpr bool tracking = true;
#else
constexpr bool tracking = false;
#endif
#ifdef SLABHEAP_QUARANTINE
constexpr unsigned quarantine = SLABHEAP_QUARANTINE;
#else
constexpr unsigned quarantine = 0;
#endif
#ifdef SLABHEAP_RANDOM
constexpr bool random = true;
#else
constexpr bool random = false;
#endif
#ifdef SLABHEAP_GUARD
constexpr bool guard = true;
#else
constexpr bool guard = false;
#endif

// Is anything drawn by lot?
constexpr bool draws = random || guard;

// Is there something to do with each block?
constexpr bool touch_blocks = zero_alloc || zero_free || poison || canary || tracking || shadow::is_kept;

// Is a large block in between for a while, when it is no longer live and does not leave yet?
constexpr bool retire = touch_blocks || guard;

// Is the size that was asked for kept?
constexpr bool keep_sizes = canary || shadow::is_kept;

// Neither zero nor all ones, no text, no part of a likely address, odd.
constexpr uint8_t poison_byte = 0xd5;
constexpr uint8_t canary_byte = 0xc9;
constexpr bool fill_freed = poison || zero_free;
constexpr uint8_t freed_byte = poison ? poison_byte : 0;

void fill(uintptr_t start, uintptr_t end, uint8_t byte);

// The first address from start on whose byte is another; 0: there is none.
uintptr_t first_other(uintptr_t start, uintptr_t end, uint8_t byte);

}  // namespace slabheap::defences

#endif
