/* SPDX-License-Identifier: MIT */
/*
 * The i386 half of the machine: no paging, so that an address is what the heap and the bus both call by it,
 * and all of the 4 GiB that 32 bits reach is there from the start.
 */
#include "machine.h"
#include "pc.h"

const char machine_name[] = "i386";
const uint64_t cpu_limit = (uint64_t)1 << 32;

int machine_make_addressable(uint64_t start, uint64_t end) {
    return start < end && end <= cpu_limit;
}
