// SPDX-License-Identifier: MIT
//
// Random numbers that are the same everywhere (splitmix64), and the distributions of sizes that the
// workloads draw from.
#ifndef SLABHEAP_BENCH_RANDOM_HPP
#define SLABHEAP_BENCH_RANDOM_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace slabheap::bench {

class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}

    uint64_t next() {
        uint64_t z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    // 0 ... bound - 1.
    uint32_t below(size_t bound) { return static_cast<uint32_t>((next() >> 32) * bound >> 32); }
    // 0 <= x < 1.
    double fraction() { return static_cast<double>(next() >> 11) * 0x1p-53; }

private:
    uint64_t state_;
};

// Each doubling from `low` to `high` is as likely as any other.
inline uint32_t log_uniform(Random& random, double low, double high) {
    return static_cast<uint32_t>(low * std::exp2(random.fraction() * std::log2(high / low)) + 0.5);
}

template <class Array>
void shuffle(Array& array, Random& random) {
    for (size_t i = array.size(); i > 1; --i) std::swap(array[i - 1], array[random.below(i)]);
}

}  // namespace slabheap::bench

#endif
