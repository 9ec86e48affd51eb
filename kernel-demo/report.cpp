// SPDX-License-Identifier: MIT
//
// Lines of the log have at most 79 columns, so that the screen shows them as the serial line does.
#include "report.hpp"

#include "print.h"

namespace demo {

namespace {

constexpr size_t line_columns = 79;
constexpr size_t name_columns = 22;

unsigned checks;
unsigned failed;

}  // namespace

void heading(const char* text) {
    print("\n%s\n", text);
}

void print_wrapped(const char* text, size_t indent) {
    const size_t room = line_columns - indent;
    while (*text != '\0') {
        size_t length = 0;
        size_t fits = 0;  // up to the last word that ends in this line
        for (; text[length] != '\0' && length <= room; length++) {
            if (text[length] == ' ') fits = length;
        }
        if (length <= room) fits = length;
        if (fits == 0) fits = room;
        print("%*s%.*s\n", static_cast<int>(indent), "", static_cast<int>(fits), text);
        text += fits;
        while (*text == ' ') text++;
    }
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
    if (broken_ == nullptr) {
        print("  [ok]   %s %.*s %s\n", name_, filler, dots, text);
        return;
    }
    failed++;
    print("  [FAIL] %s %.*s broken: %s", name_, filler, dots, broken_);
    if (where_ != nullptr) print(" (%p)", where_);
    print("\n");
}

verdict conclude() {
    if (checks == 0 || failed != 0) {
        print("\nverdict: FAIL (%u of %u checks)\n", failed, checks);
        return VERDICT_FAIL;
    }
    print("\nverdict: PASS (%u checks)\n", checks);
    return VERDICT_PASS;
}

}  // namespace demo
