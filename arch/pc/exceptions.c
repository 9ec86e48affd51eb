/* SPDX-License-Identifier: MIT */
/*
 * CPU exceptions: each is reported, with what the CPU says of it in words, the registers and the way that led
 * there, and ends the boot. Without a table of gates they would reset the machine without a word.
 */
#include "exceptions.h"

#include "hooks.h"
#include "log.h"
#include "machine.h"
#include "machine_cpus.h"
#include "pc.h"
#include "print.h"
#include "record.h"
#include "slabheap/slabheap.h"

enum { CODE_SEGMENT = 0x08, PRESENT_INTERRUPT_GATE = 0x8e00 };
enum { INVALID_TASK = 10, NO_SEGMENT = 11, STACK_FAULT = 12, PROTECTION = 13, PAGE_FAULT = 14 };
enum { TEXT = 128, REGISTERS_PER_LINE = sizeof(uintptr_t) == 8 ? 3 : 4 };

static struct gate gates[ENTRIES];

/* clang-format off */
static const char *const names[EXCEPTION_VECTORS] = {
    "divide error", "debug", "non-maskable interrupt", "breakpoint", "overflow", "bound range exceeded",
    "invalid opcode", "device not available", "double fault", "coprocessor segment overrun", "invalid TSS",
    "segment not present", "stack fault", "general protection", "page fault", "reserved", "floating point",
    "alignment check", "machine check", "SIMD floating point"};
/* clang-format on */

static void load_table(const void *table, size_t bytes) {
    struct table_register value = {(uint16_t)(bytes - 1), table};
    __asm__ volatile("lidt %0" : : "m"(value));
}

static void set_gate(struct gate *gate, uintptr_t entry) {
    gate->address_low = (uint16_t)entry;
    gate->segment = CODE_SEGMENT;
    gate->type = PRESENT_INTERRUPT_GATE;
    gate->address_middle = (uint16_t)(entry >> 16);
#ifdef __x86_64__
    gate->address_high = (uint32_t)(entry >> 32);
#endif
}

void exceptions_start(void) {
    for (size_t i = 0; i < ENTRIES; i++) {
        set_gate(&gates[i], (uintptr_t)exception_entries + i * ENTRY_BYTES);
    }
    set_gate(&gates[CLOCK_VECTOR], (uintptr_t)clock_entry);
    special_stacks_start(gates);
    exceptions_load();
}

void exceptions_load(void) {
    load_table(gates, sizeof gates);
}

void machine_reset(void) {
    load_table(gates, 1); /* no gate fits: the exception is a triple fault */
    __builtin_trap();
}

static const char *name_of(const struct exception_frame *frame) {
    const char *name = names[frame->vector % EXCEPTION_VECTORS];
    return name != NULL ? name : "reserved";
}

static int is_guard(uintptr_t address) {
    struct stack stack = stack_around(address);
    return address < stack.start && stack.start - address <= SLAB_PAGE_SIZE;
}

/* What lies at an address that cannot be accessed. */
static const char *place_of(uintptr_t address) {
    if (address < SLAB_PAGE_SIZE) return "in page 0: a null pointer, most likely";
    if (is_guard(address)) return "in the stack's guard page: it has overflowed";
    return "where no memory is mapped";
}

/* The error code of a page fault: what was tried, and why it was not allowed. */
static void explain_page_fault(char out[TEXT], const struct exception_frame *frame, uintptr_t address) {
    enum { WAS_PRESENT = 1 << 0, WRITE = 1 << 1, RESERVED_BIT = 1 << 3 };
    uintptr_t code = frame->error_code;
    const char *access = address == frame->address ? "execution" : (code & WRITE) != 0 ? "write" : "read";
    const char *why = (code & RESERVED_BIT) != 0  ? "whose page table is corrupt"
                      : (code & WAS_PRESENT) != 0 ? "which the page's rights forbid"
                                                  : place_of(address);
    print_to(out, TEXT, "%s at %p, %s", access, (void *)address, why);
}

/* The error code of those that have to do with segments: one of them, in one of three tables. */
static void explain_segment(char out[TEXT], uintptr_t code) {
    enum { INTERRUPT_TABLE = 1 << 1, LOCAL_TABLE = 1 << 2, INDEX = 0xfff8 };
    const char *table = (code & INTERRUPT_TABLE) != 0 ? "interrupt"
                        : (code & LOCAL_TABLE) != 0   ? "local"
                                                      : "global";
    if ((code & INDEX) == 0) {
        print_to(out, TEXT, "no segment is to blame");
    } else {
        print_to(out, TEXT, "selector 0x%zx of the %s descriptor table", (size_t)(code & INDEX), table);
    }
}

static void explain(char out[TEXT], const struct exception_frame *frame, uintptr_t cr2) {
    out[0] = '\0';
    switch (frame->vector) {
        case PAGE_FAULT:
            explain_page_fault(out, frame, cr2);
            break;
        case DOUBLE_FAULT:
            print_to(out, TEXT,
                     is_guard(cr2) ? "after an access to %p, %s" : "an exception could not be delivered",
                     (void *)cr2, place_of(cr2));
            break;
        case INVALID_TASK:
        case NO_SEGMENT:
        case STACK_FAULT:
        case PROTECTION:
            explain_segment(out, frame->error_code);
            break;
        default:
            break;
    }
}

static void show_registers(const struct exception_frame *frame, uintptr_t cr2) {
    const int digits = 2 * sizeof(uintptr_t);
    for (size_t i = 0; i < REGISTERS; i++) {
        const char *end = i % REGISTERS_PER_LINE == REGISTERS_PER_LINE - 1 ? "\n" : "";
        print("  %-3s %0*zx%s", register_names[i], digits, (size_t)frame->registers[i], end);
    }
    print("  cr2 %0*zx\n  flags %zx, code segment %zx, error code 0x%zx\n", digits, (size_t)cr2,
          (size_t)frame->flags, (size_t)frame->code_segment, (size_t)frame->error_code);
}

static void record_exception(const struct exception_frame *frame, uintptr_t cr2, const char *meaning) {
    record_start("exception");
    record_number("vector", frame->vector);
    record_text("name", name_of(frame));
    record_number("cpu", cpu_index());
    record_address("address", frame->address);
    record_text("meaning", meaning);
    record_address("error_code", frame->error_code);
    record_address("cr2", cr2);
    record_address("flags", frame->flags);
    record_address("code_segment", frame->code_segment);
    record_object("registers");
    for (size_t i = 0; i < REGISTERS; i++) record_address(register_names[i], frame->registers[i]);
    record_object_end();
}

void exception(const struct exception_frame *frame) {
    static int is_reporting;
    char meaning[TEXT];
    struct caller callers[MOST_CALLERS];
    uintptr_t cr2;
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    machine_stop_others();
    machine_screen_close();
    print("\nexception %zu (%s)%s at %p\n", (size_t)frame->vector, name_of(frame), on_cpu().text,
          (void *)frame->address);
    if (is_reporting) machine_exit(VERDICT_CRASH); /* in a report: there is no telling more */
    is_reporting = 1;

    explain(meaning, frame, cr2);
    if (meaning[0] != '\0') print("  %s\n", meaning);
    show_registers(frame, cr2);
    record_exception(frame, cr2, meaning);
    report_backtrace(callers, backtrace_of(frame, callers, MOST_CALLERS));
    if (frame->vector == NMI) report_others();
    record_end();
    machine_exit(VERDICT_CRASH);
}
