// SPDX-License-Identifier: MIT
//
// What culprits and victims do with blocks: fill them, look into them, get two that lie side by side, or one
// that they had before.
//
// Four sizes, whatever the classes: of a slot and of pages, and of each one that leaves some of its block
// over (which is the heap's, its slack) and one that fills it.
#ifndef MISUSE_BLOCKS_HPP
#define MISUSE_BLOCKS_HPP

#include <slabheap/slabheap.h>

namespace slabheap::misuse {

constexpr size_t small = 100;
constexpr size_t full_small = 128;
constexpr size_t large = 16000;
constexpr size_t full_large = 16384;

// The size of the block that a request gets.
constexpr size_t real_size(size_t size) {
    const size_t unit = size > SLAB_PAGE_SIZE ? SLAB_PAGE_SIZE : full_small;
    return (size + unit - 1) / unit * unit;
}

// What is in a block says who wrote it. Neither is what the heap itself writes anywhere.
constexpr unsigned char victims = 0x5e;
constexpr unsigned char culprits = 0x41;

inline unsigned char* allocate(size_t size) { return static_cast<unsigned char*>(slab_alloc(size, 16)); }

// Volatile, so that the compiler does not reason about what is freed.
inline void fill(volatile unsigned char* at, size_t size, unsigned char byte) {
    for (size_t i = 0; i < size; ++i) at[i] = byte;
}

inline bool holds(const volatile unsigned char* at, size_t size, unsigned char byte) {
    for (size_t i = 0; i < size; ++i) {
        if (at[i] != byte) return false;
    }
    return true;
}

inline bool shows(const volatile unsigned char* at, size_t size, unsigned char byte) {
    for (size_t i = 0; i < size; ++i) {
        if (at[i] == byte) return true;
    }
    return false;
}

inline void write_pointer(void* at, const void* pointer) {
    *static_cast<const void* volatile*>(at) = pointer;
}
inline void* read_pointer(void* at) { return *static_cast<void* volatile*>(at); }

// Two blocks side by side; or, where the heap keeps them apart, with a page between; or one, and null.
struct Neighbours {
    unsigned char* low;
    unsigned char* high;
};
Neighbours neighbours(size_t size);

// Frees what may be freed: after a misuse that nobody has caught, a block may not be there any more.
inline void free_if_live(void* block) {
    if (slab_owns(block)) slab_free(block);
}

// Allocates, for a long time, until a block is one that is wanted, and returns it; null: none was.
template <class Wanted, class Allocate>
unsigned char* take_until(Wanted is_wanted, Allocate allocate_one) {
    constexpr size_t most = 256;
    void* others[most];
    unsigned char* found = nullptr;
    for (unsigned round = 0; round < 64 && found == nullptr; ++round) {
        size_t count = 0;
        while (count < most && found == nullptr && (others[count] = allocate_one()) != nullptr) {
            auto* const block = static_cast<unsigned char*>(others[count]);
            is_wanted(block) ? void(found = block) : void(++count);
        }
        while (count-- != 0) slab_free(others[count]);
    }
    return found;
}

// The same, until a block that was freed is handed out once more. Returns whether it is, and then it is live;
// nothing has been written to it since its free.
inline bool take_again(void* block, size_t size) {
    return take_until([=](void* it) { return it == block; }, [=] { return allocate(size); }) != nullptr;
}

// The same, and gives it back.
inline bool is_reused(void* block, size_t size) {
    const bool found = take_again(block, size);
    if (found) slab_free(block);
    return found;
}

// Does the heap hand out a block to two owners now?
bool hands_out_twice(size_t size);

}  // namespace slabheap::misuse

#endif
