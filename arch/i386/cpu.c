/* SPDX-License-Identifier: MIT */
/*
 * The i386 half of the machine: start-up has mapped all of the 4 GiB that 32 bits reach, so nothing is
 * left to do for what lies in them.
 */
#include "exceptions.h"
#include "machine.h"
#include "pc.h"

const char machine_name[] = "i386";
const char register_names[REGISTERS][4] = {"eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp"};
const uint64_t cpu_limit = (uint64_t)1 << 32;

int machine_make_addressable(uint64_t start, uint64_t end) {
    return start < end && end <= cpu_limit;
}
