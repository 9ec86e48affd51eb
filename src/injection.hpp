// SPDX-License-Identifier: MIT
//
// Failures on purpose (fault_injection.h): whoever asks for pages asks the injector first. In an archive that
// was not built with -Dfault_injection=true it is empty and refuses nothing, which the compiler knows.
#ifndef SLABHEAP_INJECTION_HPP
#define SLABHEAP_INJECTION_HPP

#include <slabheap/fault_injection.h>

namespace slabheap {

#ifdef SLABHEAP_FAULT_INJECTION
constexpr bool injects_failures = true;
#else
constexpr bool injects_failures = false;
#endif

template <bool injects>
class Injector {
public:
    size_t follow(slab_injection const* plan);  // not in this one
    static constexpr bool refuses() { return false; }
};

template <>
class Injector<true> {
public:
    // Returns the requests since the last plan.
    size_t follow(slab_injection const* plan) {
        size_t const before = requests_;
        plan_ = plan != nullptr ? *plan : slab_injection{};
        requests_ = 0;
        return before;
    }

    // Counts a request. Is it to be refused?
    bool refuses() {
        if (requests_++ < plan_.space || plan_.times == 0 || draw() % 100 >= plan_.probability) return false;
        --plan_.times;
        return true;
    }

private:
    // Linear congruential (Knuth, TAOCP 2, 3.2.1); its upper bits are the random ones.
    uint32_t draw() {
        plan_.seed = plan_.seed * 1664525 + 1013904223;
        return plan_.seed >> 16;
    }

    slab_injection plan_;  // seed: the number drawn last
    size_t requests_;
};

}  // namespace slabheap

#endif
