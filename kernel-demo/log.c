/* SPDX-License-Identifier: MIT */
/*
 * A backtrace has addresses only; kernel-demo/run, which has the symbols, adds the names.
 */
#include "log.h"

#include "machine.h"
#include "print.h"
#include "record.h"

enum { CALLERS = 18, ADDRESSES_PER_LINE = 6 };

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

void panic(const char *sentence) {
    struct caller callers[CALLERS];
    machine_screen_close();
    print("\npanic: %s\n", sentence);
    record_start("panic");
    record_text("sentence", sentence);
    report_backtrace(callers, machine_backtrace(callers, CALLERS));
    record_end();
    machine_exit(VERDICT_CRASH);
}
