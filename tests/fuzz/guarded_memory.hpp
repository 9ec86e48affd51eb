// SPDX-License-Identifier: MIT
//
// Memory for the heaps under test, in which the library may touch its page maps and nothing else: the rest,
// blocks and free pages alike, is poisoned for AddressSanitizer, but in the calls that copy or clear a block.
// The harness itself is compiled without the sanitizer.
#ifndef SLABHEAP_FUZZ_GUARDED_MEMORY_HPP
#define SLABHEAP_FUZZ_GUARDED_MEMORY_HPP

#include "test_memory.hpp"

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

    // So many pages are in use, and nothing is a page map any more.
    void renew(size_t page_count);
    // These pages are one from now on.
    void add_map(std::byte* start, size_t size);
    // What a region's page map may find in its place.
    void fill_with_garbage(std::byte* start, size_t size, int garbage);

    // While there is one, the library may touch everything: also when a hook adds a region meanwhile.
    class Opened {
    public:
        explicit Opened(GuardedMemory& memory) : memory_(memory) {
            if (memory_.opened_++ == 0) memory_.open();
        }
        ~Opened() {
            if (--memory_.opened_ == 0) memory_.guard();
        }
        Opened(const Opened&) = delete;
        Opened& operator=(const Opened&) = delete;

    private:
        GuardedMemory& memory_;
    };

private:
    struct Map {
        std::byte* start;
        size_t size;
    };

    static constexpr auto untouched = test::TestMemory::Content::untouched;

    void open();
    void guard();

    test::TestMemory memory_;  // with a page before and behind that is nobody's
    size_t size_ = 0;
    unsigned opened_ = 0;
    std::vector<Map> maps_;
};

}  // namespace slabheap::fuzz

#endif
