// SPDX-License-Identifier: MIT
//
// What a kernel does with its heap: objects of the sizes that kernels have, in bursts of the same kind,
// that live for a while. The heap fills up to a high mark, empties to a low one, and so on. What is next
// is random, but the same on every boot.
#ifndef KERNEL_DEMO_WORKLOAD_HPP
#define KERNEL_DEMO_WORKLOAD_HPP

#include <stddef.h>

#include "random.hpp"

namespace demo {

class Workload {
public:
    // Allocates or frees objects until about so many bytes have been moved.
    void run(size_t bytes);
    // Frees all of them.
    void stop();

    // The last call, as a sentence.
    struct Sentence {
        char text[80];
    };
    Sentence last_call() const;

private:
    struct Kind;
    static const Kind kinds[11];
    static constexpr size_t chains = 64;

    // Objects are chained through themselves. A new one is put at the front of a random chain or at its
    // end, and the first of a random chain is freed: so some live long, and others do not.
    struct Object {
        Object* next;
    };
    struct Chain {
        Object* first = nullptr;
        Object* last = nullptr;
    };

    void change_kind(size_t total_bytes);
    bool allocate();
    bool free();
    static void put(Chain& chain, Object* object, bool in_front);
    static Object* take(Chain& chain);

    Chain chains_[chains];
    bool is_filling_ = true;
    size_t moved_ = 0;
    Random random_;
    const Kind* kind_ = nullptr;   // what is allocated for now,
    size_t burst_ = 0;             // so many bytes more
    bool was_allocation_ = false;  // the last call
    const void* last_object_ = nullptr;
};

}  // namespace demo

#endif
