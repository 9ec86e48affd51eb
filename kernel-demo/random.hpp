// SPDX-License-Identifier: MIT
//
// Random numbers that are the same on every boot: Marsaglia's xorshift.
#ifndef KERNEL_DEMO_RANDOM_HPP
#define KERNEL_DEMO_RANDOM_HPP

#include <stddef.h>
#include <stdint.h>

namespace demo {

class Random {
public:
    constexpr Random() = default;
    // Another sequence for each seed that is not 0.
    constexpr explicit Random(uint32_t seed) : state_(seed) {}

    // 0 ... limit - 1.
    size_t below(size_t limit) {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 17;
        state_ ^= state_ << 5;
        return state_ % limit;
    }

private:
    uint32_t state_ = 2463534242u;
};

}  // namespace demo

#endif
