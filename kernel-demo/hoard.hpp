// SPDX-License-Identifier: MIT
//
// Everything that is left of the heap, in blocks of mixed sizes. The blocks are chained through
// themselves; large ones have the pattern at both ends only, so that gigabytes are a matter of seconds.
#ifndef KERNEL_DEMO_HOARD_HPP
#define KERNEL_DEMO_HOARD_HPP

#include <stddef.h>

namespace demo {

class Hoard {
public:
    static constexpr size_t kinds = 13;  // sizes of blocks

    // Takes a block. False when there is none.
    bool take(size_t size);
    // One of every size in turn; a size that cannot be had any more drops out.
    void take_everything();
    // Returns the first block that has not kept what was written to it; null when all have.
    const void* give_back_all();

    size_t count() const { return count_; }
    size_t bytes() const { return bytes_; }

private:
    struct Block {
        Block* next;
        size_t size;
    };

    static void write(Block* block);
    static bool is_intact(const Block* block);
    void give_back(Block** link);

    Block* first_ = nullptr;
    size_t count_ = 0;
    size_t bytes_ = 0;
    const void* broken_ = nullptr;
};

}  // namespace demo

#endif
