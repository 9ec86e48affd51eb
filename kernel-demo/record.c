/* SPDX-License-Identifier: MIT */
/*
 * JSON (RFC 8259) as it is written, from left to right: all that has to be remembered is whether a comma is
 * due, and whether a line is open.
 */
#include "record.h"

#include "machine.h"
#include "print.h"

static int line_is_open;
static int comma_is_due;

static void put(const char *text) {
    size_t length = 0;
    while (text[length] != '\0') length++;
    machine_record(text, length);
}

static void put_string(const char *text) {
    char escape[8];
    put("\"");
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ') {
            print_to(escape, sizeof escape, "\\u%04x", (unsigned char)*text);
            put(escape);
        } else {
            machine_record(text, 1);
        }
    }
    put("\"");
}

static void start_member(const char *name) {
    if (comma_is_due) put(",");
    comma_is_due = 1;
    if (name == NULL) return;
    put_string(name);
    put(":");
}

static void open_member(const char *name, const char *bracket) {
    start_member(name);
    put(bracket);
    comma_is_due = 0;
}

static void close_member(const char *bracket) {
    put(bracket);
    comma_is_due = 1;
}

void record_start(const char *event) {
    if (line_is_open) put("\n");
    line_is_open = 1;
    put("{");
    comma_is_due = 0;
    record_text("event", event);
}

void record_end(void) {
    put("}\n");
    line_is_open = 0;
}

void record_text(const char *name, const char *text) {
    start_member(name);
    put_string(text);
}

void record_number(const char *name, size_t number) {
    char digits[24];
    print_to(digits, sizeof digits, "%zu", number);
    start_member(name);
    put(digits);
}

void record_address(const char *name, uint64_t address) {
    char digits[24];
    print_to(digits, sizeof digits, "0x%llx", (unsigned long long)address);
    start_member(name);
    put_string(digits);
}

void record_flag(const char *name, int flag) {
    start_member(name);
    put(flag ? "true" : "false");
}

void record_status(const char *name, int status) {
    char digits[24];
    print_to(digits, sizeof digits, "%d", status);
    start_member(name);
    put(digits);
}

void record_object(const char *name) {
    open_member(name, "{");
}

void record_object_end(void) {
    close_member("}");
}

void record_list(const char *name) {
    open_member(name, "[");
}

void record_list_end(void) {
    close_member("]");
}
