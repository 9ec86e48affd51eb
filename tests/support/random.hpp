// SPDX-License-Identifier: MIT
//
// Random numbers, the same for a seed everywhere.
#ifndef SLABHEAP_TESTS_RANDOM_HPP
#define SLABHEAP_TESTS_RANDOM_HPP

#include <cstddef>
#include <cstdint>

namespace slabheap::test {

// xorshift64*.
class Random {
public:
    explicit Random(uint64_t seed) : state_((seed + 1) * 0x9e3779b97f4a7c15) {}

    size_t below(size_t bound) {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return static_cast<size_t>((state_ * 0x2545f4914f6cdd1d) >> 32) % bound;
    }

private:
    uint64_t state_;
};

}  // namespace slabheap::test

#endif
