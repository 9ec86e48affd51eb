// SPDX-License-Identifier: MIT
//
// Memory for the heaps under test, in which the library may touch its page maps and nothing else: the rest,
// blocks and free pages alike, is poisoned for AddressSanitizer. In the calls that copy or clear a block it
// may touch what is free, too, and the block that the call is about; with defences that fill blocks, in every
// call. What is somebody's, a block or a reserved range, it may never touch otherwise. The harness itself is
// compiled without the sanitizer.
#ifndef SLABHEAP_FUZZ_GUARDED_MEMORY_HPP
#define SLABHEAP_FUZZ_GUARDED_MEMORY_HPP

#include "built_defences.hpp"
#include "test_memory.hpp"

#include <map>
#include <optional>
#include <vector>

namespace slabheap::fuzz {

using test::page_size;
using test::pages;

class GuardedMemory {
public:
    explicit GuardedMemory(size_t most_pages) : memory_(pages(most_pages + 2), 0, untouched) {}

    std::byte* page(size_t index) const { return memory_.page(1 + index); }
    size_t size() const { return size_; }
    // The bytes are all there.
    bool contains(uintptr_t start, size_t size) const;

    // So many pages are in use, and there is no region any more.
    void renew(size_t page_count);
    // A region that is to be: open, and its first bytes, where its page map comes to lie, are garbage.
    void prepare_region(uintptr_t start, size_t size, size_t map_size, int garbage);
    // It is one, and so much of it is its map.
    void add_region(uintptr_t start, size_t size, size_t map_size);
    // A block is somebody's, and so long, from now on; or it is free.
    void take(uintptr_t start, size_t size);
    void give(uintptr_t start);

    // Do the defences that the library was built with touch blocks in each call?
    static constexpr bool are_filled = test::fills_blocks || test::has_canary;

    // While there is one, the library may touch what is free, and one block (0: none): also what a hook frees
    // or adds meanwhile.
    class Opened {
    public:
        explicit Opened(GuardedMemory& memory, uintptr_t block = 0);
        ~Opened();
        Opened(const Opened&) = delete;
        Opened& operator=(const Opened&) = delete;

    private:
        GuardedMemory& memory_;
        uintptr_t block_;
    };

    // The same in a call that touches a block only where defences fill it.
    class Filled {
    public:
        Filled(GuardedMemory& memory, uintptr_t block) {
            if (are_filled) opened_.emplace(memory, block);
        }

    private:
        std::optional<Opened> opened_;
    };

private:
    struct Region {
        uintptr_t start;
        size_t size;
        size_t map_size;
    };

    static constexpr auto untouched = test::TestMemory::Content::untouched;

    void open();
    void shut();

    test::TestMemory memory_;  // with a page before and behind that is nobody's
    size_t size_ = 0;
    unsigned opened_ = 0;
    std::vector<Region> regions_;
    std::map<uintptr_t, size_t> taken_;
};

}  // namespace slabheap::fuzz

#endif
