/* SPDX-License-Identifier: MIT */
/*
 * Who called whom: a function of this kernel keeps its caller's frame pointer where its own points, and
 * its return address above it. One that needs no stack has its return address on top of the stack, and
 * that is all; the heap's functions keep no frame pointers; and where something is wrong the chain may
 * be broken. So a link is believed only if it leads upwards in the stack, to an address in the code that
 * follows a call; where it does not, the stack above is searched for what looks like a frame. What is
 * found otherwise than by links is a guess. At the frame of an interrupt the way goes on with what was
 * interrupted, which may be on another stack.
 */
#include "exceptions.h"
#include "machine.h"
#include "pc.h"

/* The linker script's names for the first byte of code and the first behind it. */
extern const char code_start[];
extern const char code_end[];

struct frame {
    uintptr_t caller;  /* its frame */
    uintptr_t address; /* where it goes on */
};

/* A walk from frame to frame, and what it has found. */
struct walk {
    struct caller *callers;
    size_t room;
    size_t count;
    struct stack stack;
    uintptr_t above; /* from there on nothing has been looked at */
    uintptr_t at;    /* the next frame, if the link to it is right */
};

static int is_on_stack(const struct walk *walk, uintptr_t at, size_t bytes) {
    struct stack stack = walk->stack;
    return at % sizeof(uintptr_t) == 0 && at >= stack.start && at < stack.end && stack.end - at >= bytes;
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

static int is_frame(const struct walk *walk, uintptr_t at) {
    if (!is_on_stack(walk, at, sizeof(struct frame))) return 0;
    const struct frame *frame = (const struct frame *)at;
    return follows_call(frame->address) && (frame->caller == 0 || frame->caller > at);
}

static uintptr_t search_frame(const struct walk *walk) {
    uintptr_t at = walk->above;
    while (is_on_stack(walk, at, sizeof(struct frame)) && !is_frame(walk, at)) at += sizeof at;
    return at;
}

/* Of a recursion, two calls are enough. */
static void add(struct walk *walk, uintptr_t address, int is_guess) {
    const struct caller *last = walk->callers + walk->count;
    if (walk->count >= 2 && last[-1].address == address && last[-2].address == address) return;
    if (walk->count == walk->room) return;
    walk->callers[walk->count].address = address;
    walk->callers[walk->count].is_guess = is_guess;
    walk->count++;
}

static void start_at(struct walk *walk, uintptr_t stack_pointer, uintptr_t frame_pointer) {
    walk->stack = stack_around(stack_pointer);
    walk->above = stack_pointer;
    walk->at = frame_pointer;
    if (!is_on_stack(walk, stack_pointer, sizeof stack_pointer)) return;
    uintptr_t top = *(const uintptr_t *)stack_pointer;
    if (follows_call(top)) add(walk, top, 1);
}

static void start_at_interrupted(struct walk *walk, const struct exception_frame *frame) {
    add(walk, frame->address, 0);
    start_at(walk, frame->registers[STACK_POINTER], frame->registers[FRAME_POINTER]);
}

/* Returns 0 at the end of the way. */
static int step(struct walk *walk) {
    int is_guess = !is_frame(walk, walk->at);
    if (is_guess) walk->at = search_frame(walk);
    if (!is_frame(walk, walk->at)) return 0;
    const struct frame *frame = (const struct frame *)walk->at;
    if (frame->address == (uintptr_t)entry_returns &&
        is_on_stack(walk, frame->caller, sizeof(struct exception_frame))) {
        start_at_interrupted(walk, (const struct exception_frame *)frame->caller);
        return 1;
    }
    walk->above = walk->at + sizeof *frame;
    walk->at = frame->caller;
    add(walk, frame->address, is_guess);
    return 1;
}

size_t backtrace_of(const struct exception_frame *frame, struct caller *callers, size_t room) {
    struct walk walk = {.callers = callers, .room = room};
    start_at_interrupted(&walk, frame);
    while (walk.count < room && step(&walk)) continue;
    return walk.count;
}

size_t machine_backtrace(struct caller *callers, size_t room) {
    struct walk walk = {.callers = callers, .room = room};
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    start_at(&walk, frame, frame);
    while (walk.count < room && step(&walk)) continue;
    return walk.count;
}
