// SPDX-License-Identifier: MIT
//
// The plain model that the random test holds a heap against: which blocks are live, what each page is used
// for, and what follows from that. It decides whether a request fits (and then must not fail), what each
// misuse must be called, and what the figures must be; it knows nothing of how the heap searches, caches or
// orders anything.
//
// It assumes what the contract of the size classes says: a slab is one page of blocks of one class.
#ifndef SLABHEAP_TESTS_HEAP_MODEL_HPP
#define SLABHEAP_TESTS_HEAP_MODEL_HPP

#include <gtest/gtest.h>
#include <slabheap/slabheap.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace slabheap::test {

class HeapModel {
public:
    struct Block {
        size_t size;       // bytes that it takes
        bool run;          // a large block: whole pages
        uint64_t pattern;  // what it is filled with
        size_t usable;     // bytes that may be used: all, unless the test says otherwise
    };

    // What a free of an address must report. A slab that was empty for a while may or may not have gone back
    // to the pages in between; of blocks freed before that, two verdicts are right.
    struct Verdict {
        int kind;  // 0: none, it is the start of a live block
        int or_kind;
        bool allows(int found) const { return found == kind || found == or_kind; }
    };

    // The pages that a new region hands out: all but its map.
    void add_region(uintptr_t first, size_t page_count);

    // Whether a request fits, and whether its own class serves it: from its slabs, or from a free page.
    bool fits(size_t size, size_t align) const;
    bool fits_own_class(size_t class_size) const;
    bool fits_run(size_t page_count, size_t align) const;
    // Whether a large block can be that long where it is; and how long it can be, in pages.
    bool run_can_be(uintptr_t block, size_t page_count) const;
    size_t longest_at(uintptr_t block) const;
    // The class of the slab that the address lies in, if it has live blocks; 0: it has none, or there is no
    // slab.
    size_t class_of_slab(uintptr_t address) const;
    // The largest alignment that a live block may have been asked for with.
    size_t alignment(uintptr_t block) const;
    // Every page of the range is one that the heap hands out, and: free, reserved.
    bool all_free(uintptr_t first, size_t page_count) const;
    bool all_reserved(uintptr_t first, size_t page_count) const;
    bool in_one_region(uintptr_t first, size_t page_count) const;

    Block& allocated(uintptr_t block, size_t size, bool run);
    void freed(uintptr_t block);
    void run_resized(uintptr_t block, size_t size);
    void set_reserved(uintptr_t first, size_t page_count, bool reserved);

    Verdict verdict(uintptr_t address) const;

    std::map<uintptr_t, Block>& live() { return live_; }
    size_t used_bytes() const { return used_bytes_; }
    size_t longest_run() const;  // of free pages
    ::testing::AssertionResult agrees_with(const slab_stats& stats) const;

private:
    enum class Use { free, slab, run, reserved };
    struct Page {
        Use use = Use::free;
        size_t class_size = 0;
        size_t live = 0;
    };
    struct Region {
        uintptr_t first;
        std::vector<Page> pages;
        bool contains(uintptr_t address) const;
    };

    const Page* page_at(uintptr_t address) const;
    Page* page_at(uintptr_t address) {
        return const_cast<Page*>(static_cast<const HeapModel*>(this)->page_at(address));
    }
    size_t live_of_class(size_t class_size) const;
    size_t pages_of_class(size_t class_size) const;
    size_t total_bytes() const;
    bool all_are(Use use, uintptr_t first, size_t page_count) const;
    void take_page(uintptr_t page, Use use, size_t class_size);
    template <class Test>
    bool any_page(Test test) const;

    std::vector<Region> regions_;
    std::map<uintptr_t, Block> live_;
    std::map<uintptr_t, bool> freed_;  // starts of blocks that were freed; true: nothing used the page since
    size_t used_bytes_ = 0;
};

}  // namespace slabheap::test

#endif
