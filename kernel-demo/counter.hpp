// SPDX-License-Identifier: MIT
//
// A number that one CPU counts, in one context, and that others may read meanwhile: to them it may be a
// little old.
#ifndef KERNEL_DEMO_COUNTER_HPP
#define KERNEL_DEMO_COUNTER_HPP

#include <stddef.h>

namespace demo {

class Counter {
public:
    void count(size_t more = 1) { __atomic_store_n(&value_, value_ + more, __ATOMIC_RELAXED); }
    size_t read() const { return __atomic_load_n(&value_, __ATOMIC_RELAXED); }

private:
    size_t value_ = 0;
};

}  // namespace demo

#endif
