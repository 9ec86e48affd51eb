/* SPDX-License-Identifier: MIT */
/*
 * A CPU finds its stacks for double faults and NMIs in its task's table of interrupt stacks, at the number
 * that the gate names: the double fault's, because the stack in use may be what is wrong; the NMI's, because
 * it may come when that stack is all but used up. The task has no other use in 64-bit mode.
 */
#include "cpu_local.h"

enum { CODE_SELECTOR = 0x08, DATA_SELECTOR = 0x10 };
enum { DOUBLE_FAULT_STACK = 1, NMI_STACK = 2 };
#define GS_BASE_MSR 0xc0000101
#define CODE_DESCRIPTOR ((uint64_t)0x00af9a000000ffff)
#define DATA_DESCRIPTOR ((uint64_t)0x00cf92000000ffff)

extern char boot_stack[];
extern char boot_stack_top[];

struct cpu first_cpu = {.stack = {(uintptr_t)boot_stack, (uintptr_t)boot_stack_top}};
struct cpu *running_cpus[MACHINE_MOST_CPUS] = {&first_cpu};
size_t running_cpu_count = 1;
int all_cpus_run;

static void set_stack(struct cpu *cpu, int number, const char *stack) {
    uintptr_t end = (uintptr_t)stack + SPECIAL_STACK_BYTES;
    cpu->task.interrupt_stacks[number - 1][0] = (uint32_t)end;
    cpu->task.interrupt_stacks[number - 1][1] = (uint32_t)(end >> 32);
}

/* The selectors are as they were, so only the descriptors behind them change. */
void cpu_local_start(struct cpu *cpu) {
    cpu->self = cpu;
    set_stack(cpu, DOUBLE_FAULT_STACK, cpu->double_fault_stack);
    set_stack(cpu, NMI_STACK, cpu->nmi_stack);
    cpu->task.io_map = sizeof cpu->task;
    cpu->descriptors[CODE_SELECTOR / 8] = CODE_DESCRIPTOR;
    cpu->descriptors[DATA_SELECTOR / 8] = DATA_DESCRIPTOR;
    cpu->descriptors[TASK_SELECTOR / 8] = descriptor_of(&cpu->task, sizeof cpu->task, TASK_TYPE);
    cpu->descriptors[TASK_SELECTOR / 8 + 1] = (uintptr_t)&cpu->task >> 32;

    struct table_register table = {sizeof cpu->descriptors - 1, cpu->descriptors};
    __asm__ volatile("lgdt %0" : : "m"(table));
    load_task(TASK_SELECTOR);
    write_msr(GS_BASE_MSR, (uintptr_t)cpu);
}

void special_stacks_start(struct gate gates[]) {
    gates[DOUBLE_FAULT].type |= DOUBLE_FAULT_STACK;
    gates[NMI].type |= NMI_STACK;
    cpu_local_start(&first_cpu);
}

struct stack stack_around(uintptr_t address) {
    const struct cpu *cpu = this_cpu();
    uintptr_t nmi_stack = (uintptr_t)cpu->nmi_stack;
    if (address - nmi_stack < sizeof cpu->nmi_stack) {
        return (struct stack){nmi_stack, nmi_stack + sizeof cpu->nmi_stack};
    }
    return cpu->stack;
}
