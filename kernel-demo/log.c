/* SPDX-License-Identifier: MIT */
/*
 * A backtrace has addresses only; kernel-demo/run, which has the symbols, adds the names.
 */
#include "log.h"

#include "hooks.h"
#include "machine.h"
#include "machine_cpus.h"
#include "print.h"
#include "record.h"

enum { ADDRESSES_PER_LINE = 6 };

void heading(const char *text) {
    print("\n%s\n", text);
    record_start("section");
    record_text("title", text);
    record_end();
}

static void report_word(const char *name, char kind, uintptr_t word) {
    switch (kind) {
        case 'p':
            print("%p", (void *)word);
            record_address(name, word);
            break;
        case 'd':
            print("%d", (int)word);
            record_status(name, (int)word);
            break;
        default:
            print("%zu", (size_t)word);
            record_number(name, word);
    }
}

void report_call(const struct heap_call *call, uintptr_t first, uintptr_t second, uintptr_t result) {
    record_start("call");
    record_text("function", call->function);
    record_list("arguments");
    print("  %s(", call->function);
    report_word(NULL, call->arguments[0], first);
    if (call->arguments[1] != '\0') {
        print(", ");
        report_word(NULL, call->arguments[1], second);
    }
    print(")");
    record_list_end();
    if (call->result != 0) {
        print(" = ");
        report_word("result", call->result, result);
    }
    print(": %s\n", call->note);
    record_text("note", call->note);
    record_end();
}

void report_backtrace(const struct caller *callers, size_t count) {
    char text[24];
    print("backtrace");
    record_list("backtrace");
    for (size_t i = 0; i < count; i++) {
        print_to(text, sizeof text, "%p%s", (void *)callers[i].address, callers[i].is_guess ? "?" : "");
        print("%s %s", i % ADDRESSES_PER_LINE == 0 ? "\n " : "", text);
        record_text(NULL, text);
    }
    print("\n");
    record_list_end();
}

static void report_other(size_t cpu) {
    struct caller callers[MOST_CALLERS];
    size_t count = machine_where(cpu, callers, MOST_CALLERS);
    print("CPU %zu%s\n", cpu, count == 0 ? ", which cannot be stopped" : "");
    record_object(NULL);
    record_number("cpu", cpu);
    if (count != 0) report_backtrace(callers, count);
    record_object_end();
}

void report_others(void) {
    record_list("others");
    for (size_t cpu = 0; cpu < machine_cpu_count(); cpu++) {
        if (cpu != cpu_index()) report_other(cpu);
    }
    record_list_end();
}

struct short_text on_cpu(void) {
    struct short_text result = {""};
    if (machine_cpu_count() > 1) print_to(result.text, sizeof result.text, " on CPU %zu", cpu_index());
    return result;
}

void panic(const char *sentence) {
    struct caller callers[MOST_CALLERS];
    machine_stop_others();
    machine_screen_close();
    print("\npanic%s: %s\n", on_cpu().text, sentence);
    record_start("panic");
    record_text("sentence", sentence);
    record_number("cpu", cpu_index());
    report_backtrace(callers, machine_backtrace(callers, MOST_CALLERS));
    record_end();
    machine_exit(VERDICT_CRASH);
}
