/* SPDX-License-Identifier: MIT */
/*
 * A stack of its own for the double fault: its gate leads to another task, which brings one. The CPU saves
 * the registers of the task that it leaves into that one's state, where the report finds them.
 */
#include "cpu_local.h"
#include "exceptions.h"

enum { STACK_BYTES = 8192, CODE_SEGMENT = 0x08, DATA_SEGMENT = 0x10, FLAGS = 0x02 };
enum { REPORT_SELECTOR = TASK_SELECTOR + 8, PRESENT_TASK_GATE = 0x8500 };

struct task_state {
    uint32_t previous;
    uint32_t inner_stacks[6];
    uint32_t page_directory;
    uint32_t address;
    uint32_t flags;
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs;
    uint32_t local_descriptors;
    uint16_t trap;
    uint16_t io_map;
};

static struct task_state kernel = {.io_map = sizeof(struct task_state)};
static struct task_state report = {.io_map = sizeof(struct task_state)};
static char stack[STACK_BYTES] __attribute__((aligned(16)));

/* The CPU has pushed an error code, always 0, where a return address would be: no backtrace goes on there. */
static void report_double_fault(void) {
    const struct exception_frame frame = {
        .registers = {kernel.eax, kernel.ebx, kernel.ecx, kernel.edx, kernel.esi, kernel.edi, kernel.ebp,
                      kernel.esp},
        .vector = DOUBLE_FAULT,
        .address = kernel.address,
        .code_segment = kernel.cs,
        .flags = kernel.flags,
    };
    exception(&frame);
}

void special_stacks_start(struct gate gates[]) {
    struct gate *gate = &gates[DOUBLE_FAULT];
    __asm__ volatile("mov %%cr3, %0" : "=r"(report.page_directory));
    report.address = (uintptr_t)report_double_fault;
    report.flags = FLAGS;
    report.esp = (uintptr_t)stack + sizeof stack;
    report.cs = CODE_SEGMENT;
    report.es = report.ss = report.ds = report.fs = DATA_SEGMENT;
    report.gs = CPU_SELECTOR;
    own_descriptors[0] = descriptor_of(&kernel, sizeof kernel, TASK_TYPE);
    own_descriptors[1] = descriptor_of(&report, sizeof report, TASK_TYPE);
    cpu_local_start();
    load_task(TASK_SELECTOR);

    gate->address_low = 0;
    gate->segment = REPORT_SELECTOR;
    gate->type = PRESENT_TASK_GATE;
    gate->address_middle = 0;
}
