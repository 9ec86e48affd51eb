/* SPDX-License-Identifier: MIT */
/*
 * Who called whom: a function of this kernel keeps its caller's frame pointer where its own points, and
 * its return address above it. One that needs no stack has its return address on top of the stack, and
 * that is all; the heap's functions keep no frame pointers; and where something is wrong the chain may
 * be broken. So a link is believed only if it leads upwards in the stack, to an address in the code that
 * follows a call; where it does not, the stack above is searched for what looks like a frame. What is
 * found otherwise than by links is a guess.
 */
#include "machine.h"
#include "pc.h"

/* The linker script's names for the first byte of code and the first behind it. */
extern const char code_start[];
extern const char code_end[];

struct frame {
    uintptr_t caller;  /* its frame */
    uintptr_t address; /* where it goes on */
};

static int is_on_stack(uintptr_t at, size_t bytes) {
    return at % sizeof(uintptr_t) == 0 && at >= kernel_stack.start && at < kernel_stack.end &&
           kernel_stack.end - at >= bytes;
}

static int is_code(uintptr_t address) {
    return address - (uintptr_t)code_start < (uintptr_t)code_end - (uintptr_t)code_start;
}

/* Whether the instruction before an address is a call: a direct one within the code, or an indirect one. */
static int follows_call(uintptr_t address) {
    enum { LONGEST = 7, DIRECT = 0xe8, DIRECT_BYTES = 5, INDIRECT = 0xff, OPERATION = 0x38, CALL = 0x10 };
    const uint8_t *code = (const uint8_t *)address;
    if (!is_code(address) || !is_code(address - LONGEST)) return 0;
    if (code[-DIRECT_BYTES] == DIRECT) {
        uint32_t distance =
            code[-4] | (uint32_t)code[-3] << 8 | (uint32_t)code[-2] << 16 | (uint32_t)code[-1] << 24;
        if (is_code((uint32_t)address + distance)) return 1;
    }
    for (int length = 2; length <= LONGEST; length++) {
        if (code[-length] == INDIRECT && (code[1 - length] & OPERATION) == CALL) return 1;
    }
    return 0;
}

static int is_frame(uintptr_t at) {
    if (!is_on_stack(at, sizeof(struct frame))) return 0;
    const struct frame *frame = (const struct frame *)at;
    return follows_call(frame->address) && (frame->caller == 0 || frame->caller > at);
}

static uintptr_t search_frame(uintptr_t at) {
    while (is_on_stack(at, sizeof(struct frame)) && !is_frame(at)) at += sizeof at;
    return at;
}

/* Returns the new count. Of a recursion, two calls are enough. */
static size_t add(struct caller *callers, size_t count, uintptr_t address, int is_guess) {
    if (count >= 2 && callers[count - 1].address == address && callers[count - 2].address == address)
        return count;
    callers[count].address = address;
    callers[count].is_guess = is_guess;
    return count + 1;
}

size_t backtrace_from(uintptr_t stack_pointer, uintptr_t frame_pointer, struct caller *callers, size_t room) {
    size_t count = 0;
    uintptr_t above = stack_pointer;
    if (is_on_stack(above, sizeof above) && follows_call(*(const uintptr_t *)above)) {
        count = add(callers, count, *(const uintptr_t *)above, 1);
    }
    for (uintptr_t at = frame_pointer; count < room; at = ((const struct frame *)at)->caller) {
        int is_guess = !is_frame(at);
        if (is_guess) at = search_frame(above);
        if (!is_frame(at)) break;
        above = at + sizeof(struct frame);
        count = add(callers, count, ((const struct frame *)at)->address, is_guess);
    }
    return count;
}

size_t machine_backtrace(struct caller *callers, size_t room) {
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    return backtrace_from(frame, frame, callers, room);
}
