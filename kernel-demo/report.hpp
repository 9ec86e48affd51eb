// SPDX-License-Identifier: MIT
//
// The log's form, and its verdict. A Check is one line of the self-test: it stands while what it requires
// holds, and says the first thing that does not.
//
//     Check check("64-byte class");
//     check.require(block != nullptr, "no block");
//     check.done("%u blocks, aligned, intact", count);        prints the line and counts it
#ifndef KERNEL_DEMO_REPORT_HPP
#define KERNEL_DEMO_REPORT_HPP

#include <stddef.h>

#include "log.h"
#include "machine.h"
#include "slabheap/slabheap.h"

namespace demo {

// Prints a long text in lines that fit the screen, each indented by so many columns.
void print_wrapped(const char* text, size_t indent);

// The sentence that the heap has for a fault, in lines indented by so many columns.
void show_misuse(const slab_fault& fault, const char* sentence, size_t indent);

// The heap's fault handler while nothing is broken on purpose: says what was broken, and gives up.
void panic_on_misuse(const slab_fault* fault);

class Check {
public:
    explicit Check(const char* name) : name_(name) {}

    // Returns holds. `where`, if there is such a thing, is the block that does not keep the promise.
    bool require(bool holds, const char* promise, const void* where = nullptr);
    void done(const char* detail, ...) __attribute__((format(printf, 2, 3)));

private:
    const char* name_;
    const char* broken_ = nullptr;
    const void* where_ = nullptr;
};

// Prints the verdict on all checks so far.
verdict conclude();

}  // namespace demo

#endif
