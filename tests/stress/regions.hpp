// SPDX-License-Identifier: MIT
//
// The regions of the heap under stress: the first is there from the beginning, the others come one by one.
#ifndef SLABHEAP_STRESS_REGIONS_HPP
#define SLABHEAP_STRESS_REGIONS_HPP

#include "stamped_block.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <vector>

namespace slabheap::stress {

inline constexpr size_t region_pages[] = {1024, 512, 1536, 33, 200};

class Regions {
public:
    Regions() {
        void* const memory = mmap(nullptr, pages(total_pages() + std::size(region_pages)),
                                  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        expect(memory != MAP_FAILED, "there is memory for the heap");
        next_ = static_cast<char*>(memory);
        add();
    }

    // Threads come here one at a time.
    void add() {
        const size_t index = usable_.size();
        if (index == std::size(region_pages)) return;
        const size_t size = pages(region_pages[index]);
        const size_t map = stats().metadata_bytes;
        expect((index == 0 ? slab_heap_init(next_, size) : slab_heap_add_memory(next_, size)) == SLAB_OK,
               "a region is taken");
        usable_.push_back({next_ + (stats().metadata_bytes - map), size - (stats().metadata_bytes - map)});
        next_ += size + page_size;  // with a gap
    }

    static slab_stats stats() {
        slab_stats stats;
        slab_heap_stats(&stats);
        return stats;
    }

    struct Range {
        char* start;
        size_t size;
    };
    const std::vector<Range>& usable() const { return usable_; }
    std::vector<Range> largest_first() const {
        std::vector<Range> sorted = usable_;
        std::sort(sorted.begin(), sorted.end(), [](Range a, Range b) { return a.size > b.size; });
        return sorted;
    }

private:
    static size_t total_pages() {
        size_t sum = 0;
        for (const size_t count : region_pages) sum += count;
        return sum;
    }

    char* next_ = nullptr;
    std::vector<Range> usable_;
};

}  // namespace slabheap::stress

#endif
