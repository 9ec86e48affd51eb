/* SPDX-License-Identifier: MIT */
/*
 * A stack of its own for the double fault: the CPU finds it in the running task's state, in the table of
 * interrupt stacks, at the number that the gate names. The task has no other use in 64-bit mode.
 */
#include "exceptions.h"

enum { INTERRUPT_STACK = 1, STACK_BYTES = 8192 };

/* In halves, as fields of 64 bits would not be aligned. */
struct task_state {
    uint32_t reserved[9];
    uint32_t interrupt_stacks[7][2]; /* number 1 is the first */
    uint32_t reserved_too[2];
    uint16_t reserved_last;
    uint16_t io_map;
};

static struct task_state task = {.io_map = sizeof(struct task_state)};
static char stack[STACK_BYTES] __attribute__((aligned(16)));

void double_fault_start(struct gate *gate) {
    uintptr_t stack_end = (uintptr_t)stack + sizeof stack;
    task.interrupt_stacks[INTERRUPT_STACK - 1][0] = (uint32_t)stack_end;
    task.interrupt_stacks[INTERRUPT_STACK - 1][1] = (uint32_t)(stack_end >> 32);
    task_descriptors[0] = task_descriptor(&task, sizeof task);
    task_descriptors[1] = (uintptr_t)&task >> 32;
    load_task(TASK_SELECTOR);
    gate->type |= INTERRUPT_STACK;
}
