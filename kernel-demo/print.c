/* SPDX-License-Identifier: MIT */
/*
 * One walk over the format string, which hands each finished character to a buffer. The console gets whole
 * lines' worth of text at a time, never more than `LINE` bytes a call.
 */
#include "print.h"

#include "machine.h"

enum { LINE = 512, DIGITS = 24 };

struct buffer {
    char *out;
    size_t size;
    size_t length;
};

/* What stands between the % and the letter. */
struct directive {
    int left;
    int zero;
    size_t width;
    size_t precision;
    int has_precision;
    int length; /* 0: int, 'z': size_t, 'l': long long */
};

static void put(struct buffer *buffer, char character) {
    if (buffer->length + 1 < buffer->size) buffer->out[buffer->length++] = character;
}

static void put_padded(struct buffer *buffer, const struct directive *directive, const char *text,
                       size_t length) {
    size_t padding = directive->width > length ? directive->width - length : 0;
    for (; !directive->left && padding != 0; padding--) put(buffer, ' ');
    for (size_t i = 0; i < length; i++) put(buffer, text[i]);
    for (; padding != 0; padding--) put(buffer, ' ');
}

static void put_string(struct buffer *buffer, const struct directive *directive, const char *text) {
    size_t length = 0;
    size_t limit = directive->has_precision ? directive->precision : SIZE_MAX;
    while (length < limit && text[length] != '\0') length++;
    put_padded(buffer, directive, text, length);
}

/* Digits are made from the last to the first, then as many zeros as width (flag 0) or precision ask for. */
static void put_number(struct buffer *buffer, const struct directive *directive, uint64_t value,
                       unsigned base, const char *prefix) {
    char digits[DIGITS];
    size_t first = DIGITS;
    size_t least = directive->has_precision ? directive->precision : 1;
    if (directive->zero && !directive->left && !directive->has_precision) least = directive->width;
    if (base == 16) {
        for (; value != 0 && first > 2; value >>= 4) digits[--first] = "0123456789abcdef"[value & 15];
    } else {
        for (uintptr_t word = (uintptr_t)value; word != 0; word /= 10) {
            digits[--first] = (char)('0' + word % 10);
        }
    }
    while (DIGITS - first < least && first > 2) digits[--first] = '0';
    for (size_t i = 2; prefix[0] != '\0' && i != 0; i--) digits[--first] = prefix[i - 1];
    put_padded(buffer, directive, digits + first, DIGITS - first);
}

static size_t number(const char **format, va_list *arguments) {
    size_t value = 0;
    if (**format == '*') {
        ++*format;
        return (size_t)va_arg(*arguments, int);
    }
    for (; **format >= '0' && **format <= '9'; ++*format) value = value * 10 + (size_t)(**format - '0');
    return value;
}

static struct directive parse(const char **format, va_list *arguments) {
    struct directive directive = {0, 0, 0, 0, 0, 0};
    for (; **format == '-' || **format == '0'; ++*format) {
        if (**format == '-') directive.left = 1;
        if (**format == '0') directive.zero = 1;
    }
    directive.width = number(format, arguments);
    if (**format == '.') {
        ++*format;
        directive.has_precision = 1;
        directive.precision = number(format, arguments);
    }
    for (; **format == 'z' || **format == 'l'; ++*format) directive.length = **format;
    return directive;
}

static uint64_t unsigned_argument(const struct directive *directive, va_list *arguments) {
    if (directive->length == 'z') return va_arg(*arguments, size_t);
    if (directive->length == 'l') return va_arg(*arguments, unsigned long long);
    return va_arg(*arguments, unsigned);
}

static void put_directive(struct buffer *buffer, char letter, const struct directive *directive,
                          va_list *arguments) {
    char character;
    int value;
    switch (letter) {
        case 'c':
            character = (char)va_arg(*arguments, int);
            put_padded(buffer, directive, &character, 1);
            break;
        case 's':
            put_string(buffer, directive, va_arg(*arguments, const char *));
            break;
        case 'd':
            value = va_arg(*arguments, int);
            if (value < 0) put(buffer, '-');
            put_number(buffer, directive, value < 0 ? 0u - (unsigned)value : (unsigned)value, 10, "");
            break;
        case 'u':
            put_number(buffer, directive, unsigned_argument(directive, arguments), 10, "");
            break;
        case 'x':
            put_number(buffer, directive, unsigned_argument(directive, arguments), 16, "");
            break;
        case 'p':
            put_number(buffer, directive, (uintptr_t)va_arg(*arguments, void *), 16, "0x");
            break;
        default:
            put(buffer, letter);
    }
}

size_t print_to_v(char *out, size_t size, const char *format, va_list arguments) {
    struct buffer buffer = {out, size, 0};
    va_list rest;
    va_copy(rest, arguments);
    while (*format != '\0') {
        if (*format != '%') {
            put(&buffer, *format++);
            continue;
        }
        format++;
        struct directive directive = parse(&format, &rest);
        if (*format != '\0') put_directive(&buffer, *format++, &directive, &rest);
    }
    va_end(rest);
    out[buffer.length] = '\0';
    return buffer.length;
}

size_t print_to(char *out, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t length = print_to_v(out, size, format, arguments);
    va_end(arguments);
    return length;
}

void print(const char *format, ...) {
    char line[LINE];
    va_list arguments;
    va_start(arguments, format);
    machine_write(line, print_to_v(line, sizeof line, format, arguments));
    va_end(arguments);
}

size_t line_length(const char *text, size_t columns) {
    size_t length = 0;
    size_t fits = 0; /* up to the last word that ends in this line */
    for (; text[length] != '\0' && length <= columns; length++) {
        if (text[length] == ' ') fits = length;
    }
    if (length <= columns) return length;
    return fits != 0 ? fits : columns;
}

struct short_text size_text(uint64_t bytes) {
    static const char units[][6] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    struct short_text result;
    unsigned unit = 0;
    unsigned fraction = 0; /* in 1024ths of the unit */
    int exact = 1;         /* nothing below the fraction */
    for (; bytes >= 1024 && unit < 4; unit++) {
        exact = exact && fraction == 0;
        fraction = (unsigned)(bytes & 1023);
        bytes >>= 10;
    }
    if (exact && fraction == 0) {
        print_to(result.text, sizeof result.text, "%u %s", (unsigned)bytes, units[unit]);
    } else {
        print_to(result.text, sizeof result.text, "%u.%u %s", (unsigned)bytes, fraction * 10 / 1024,
                 units[unit]);
    }
    return result;
}
