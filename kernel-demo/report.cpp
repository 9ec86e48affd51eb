// SPDX-License-Identifier: MIT
//
// Lines of the log have at most 79 columns, so that the screen shows them as the serial line does.
#include "report.hpp"

#include "machine_cpus.h"
#include "print.h"
#include "record.h"

namespace demo {

namespace {

constexpr size_t line_columns = 79;
constexpr size_t name_columns = 22;

unsigned checks;
unsigned failed;

}  // namespace

void print_wrapped(const char* text, size_t indent) {
    while (*text != '\0') {
        size_t length = line_length(text, line_columns - indent);
        print("%*s%.*s\n", static_cast<int>(indent), "", static_cast<int>(length), text);
        text += length;
        while (*text == ' ') text++;
    }
}

void show_misuse(const slab_fault& fault, const char* sentence, size_t indent) {
    print_wrapped(sentence, indent);
    record_start("misuse");
    record_text("sentence", sentence);
    record_address("address", reinterpret_cast<uintptr_t>(fault.address));
    record_end();
}

void panic_on_misuse(const slab_fault* fault) {
    char sentence[384];
    machine_stop_others();
    slab_fault_describe(fault, sentence, sizeof sentence);
    machine_screen_close();
    heading("misuse of the heap");
    show_misuse(*fault, sentence, 2);
    panic("the kernel has broken the heap's contract");
}

bool Check::require(bool holds, const char* promise, const void* where) {
    if (!holds && broken_ == nullptr) {
        broken_ = promise;
        where_ = where;
    }
    return holds;
}

void Check::done(const char* detail, ...) {
    static constexpr char dots[] = "......................";
    char text[line_columns + 1];
    va_list arguments;
    va_start(arguments, detail);
    print_to_v(text, sizeof text, detail, arguments);
    va_end(arguments);

    size_t name_length = 0;
    while (name_[name_length] != '\0') name_length++;
    int filler = name_length < name_columns ? static_cast<int>(name_columns - name_length) : 0;
    checks++;
    record_start("check");
    record_text("name", name_);
    record_flag("passed", broken_ == nullptr);
    if (broken_ == nullptr) {
        print("  [ok]   %s %.*s %s\n", name_, filler, dots, text);
        record_text("detail", text);
    } else {
        failed++;
        print("  [FAIL] %s %.*s broken: %s", name_, filler, dots, broken_);
        record_text("broken", broken_);
        if (where_ != nullptr) {
            print(" (%p)", where_);
            record_address("where", reinterpret_cast<uintptr_t>(where_));
        }
        print("\n");
    }
    record_end();
}

verdict conclude() {
    bool passed = checks != 0 && failed == 0;
    record_start("verdict");
    record_flag("passed", passed);
    record_number("checks", checks);
    record_number("failed", failed);
    record_end();
    if (passed) {
        print("\nverdict: PASS (%u checks)\n", checks);
    } else {
        print("\nverdict: FAIL (%u of %u checks)\n", failed, checks);
    }
    return passed ? VERDICT_PASS : VERDICT_FAIL;
}

}  // namespace demo
