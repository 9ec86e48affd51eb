// SPDX-License-Identifier: MIT
//
// A kernel's worth of live blocks, for the tables and the picture: small ones by the thousand, and buffers of
// up to a hundredth of the heap, until half of it is in use; then every third is freed again.
#ifndef KERNEL_DEMO_WORKLOAD_HPP
#define KERNEL_DEMO_WORKLOAD_HPP

#include <stddef.h>
#include <stdint.h>

namespace demo {

class Workload {
public:
    void start();
    void stop();

private:
    // The blocks are chained through themselves.
    struct Block {
        Block* next;
    };

    void take(size_t bytes, size_t largest);
    void free_every_third();
    size_t random(size_t limit);

    Block* first_ = nullptr;
    uint32_t random_ = 2463534242u;
};

}  // namespace demo

#endif
