// SPDX-License-Identifier: MIT
//
// See heap_model.hpp. Simple rather than fast: every question is answered by a look at all pages.
#include "heap_model.hpp"

#include "class_set.hpp"
#include "test_memory.hpp"

#include <algorithm>

namespace slabheap::test {

void HeapModel::add_region(uintptr_t first, size_t page_count) {
    regions_.push_back({first, std::vector<Page>(page_count)});
}

bool HeapModel::Region::contains(uintptr_t address) const {
    return address >= first && address - first < slabheap::test::pages(pages.size());
}

const HeapModel::Page* HeapModel::page_at(uintptr_t address) const {
    for (const Region& region : regions_) {
        if (region.contains(address)) {
            return &region.pages[(address - region.first) / page_size];
        }
    }
    return nullptr;
}

template <class Test>
bool HeapModel::any_page(Test test) const {
    return std::any_of(regions_.begin(), regions_.end(), [&](const Region& region) {
        return std::any_of(region.pages.begin(), region.pages.end(), test);
    });
}

bool HeapModel::fits(size_t size, size_t align) const {
    const size_t wanted = class_for(size, align);
    if (wanted == 0) {
        return fits_run((size + page_size - 1) / page_size, align);
    }
    return any_page([&](const Page& page) {
        const bool has_room = page.use == Use::slab && page.live < slots_in_a_page(page.class_size);
        return page.use == Use::free ||
               (has_room && page.class_size >= wanted && page.class_size % align == 0);
    });
}

bool HeapModel::fits_own_class(size_t class_size) const {
    return any_page([&](const Page& page) {
        const bool has_room = page.use == Use::slab && page.live < slots_in_a_page(page.class_size);
        return page.use == Use::free || (has_room && page.class_size == class_size);
    });
}

bool HeapModel::fits_run(size_t page_count, size_t align) const {
    for (const Region& region : regions_) {
        size_t run = 0;
        for (size_t i = region.pages.size(); i-- > 0;) {
            run = region.pages[i].use == Use::free ? run + 1 : 0;
            if (run >= page_count && (region.first + pages(i)) % align == 0) {
                return true;
            }
        }
    }
    return false;
}

bool HeapModel::in_one_region(uintptr_t first, size_t page_count) const {
    return std::any_of(regions_.begin(), regions_.end(), [&](const Region& region) {
        return region.contains(first) && region.contains(first + pages(page_count) - 1);
    });
}

bool HeapModel::all_are(Use use, uintptr_t first, size_t page_count) const {
    if (page_count == 0) {
        return true;
    }
    if (!in_one_region(first, page_count)) {
        return false;
    }
    for (size_t i = 0; i < page_count; ++i) {
        if (page_at(first + pages(i))->use != use) {
            return false;
        }
    }
    return true;
}

bool HeapModel::all_free(uintptr_t first, size_t page_count) const {
    return all_are(Use::free, first, page_count);
}

bool HeapModel::all_reserved(uintptr_t first, size_t page_count) const {
    return all_are(Use::reserved, first, page_count);
}

bool HeapModel::run_can_be(uintptr_t block, size_t page_count) const {
    const size_t now = live_.at(block).size / page_size;
    return page_count <= now || all_free(block + pages(now), page_count - now);
}

size_t HeapModel::longest_at(uintptr_t block) const {
    size_t count = live_.at(block).size / page_size;
    while (all_free(block + pages(count), 1)) ++count;
    return count;
}

size_t HeapModel::class_of_slab(uintptr_t address) const {
    const Page* const page = page_at(address);
    return page != nullptr && page->use == Use::slab ? page->class_size : 0;
}

size_t HeapModel::alignment(uintptr_t block) const {
    const Block& live = live_.at(block);
    return alignment_of(live.run ? block : live.size);
}

// A page enters a new use: whatever was freed in it before may be forgotten.
void HeapModel::take_page(uintptr_t page, Use use, size_t class_size) {
    *page_at(page) = {use, class_size, 0};
    for (auto freed = freed_.lower_bound(page); freed != freed_.end() && freed->first < page + page_size;
         ++freed) {
        freed->second = false;
    }
}

HeapModel::Block& HeapModel::allocated(uintptr_t block, size_t size, bool run) {
    used_bytes_ += size;
    if (run) {
        for (size_t offset = 0; offset < size; offset += page_size) {
            take_page(block + offset, Use::run, 0);
        }
    } else {
        if (page_at(block)->use == Use::free) {
            take_page(block & ~(page_size - 1), Use::slab, size);
        }
        ++page_at(block)->live;
    }
    freed_.erase(block);
    return live_[block] = {size, run, 0, size};
}

void HeapModel::freed(uintptr_t block) {
    const Block& dead = live_.at(block);
    used_bytes_ -= dead.size;
    if (dead.run) {
        for (size_t offset = 0; offset < dead.size; offset += page_size) {
            page_at(block + offset)->use = Use::free;
        }
    } else if (--page_at(block)->live == 0) {
        page_at(block)->use = Use::free;
    }
    freed_[block] = true;
    live_.erase(block);
}

void HeapModel::run_resized(uintptr_t block, size_t size) {
    Block& run = live_.at(block);
    for (size_t offset = run.size; offset < size; offset += page_size) {
        take_page(block + offset, Use::run, 0);
    }
    for (size_t offset = size; offset < run.size; offset += page_size) {
        page_at(block + offset)->use = Use::free;
    }
    used_bytes_ += size - run.size;
    run.size = run.usable = size;
}

void HeapModel::set_reserved(uintptr_t first, size_t page_count, bool reserved) {
    for (size_t i = 0; i < page_count; ++i) {
        take_page(first + pages(i), reserved ? Use::reserved : Use::free, 0);
    }
}

HeapModel::Verdict HeapModel::verdict(uintptr_t address) const {
    const Page* page = page_at(address);
    if (page == nullptr || page->use == Use::reserved) {
        return {SLAB_FAULT_FOREIGN, SLAB_FAULT_FOREIGN};
    }
    if (address % 16 != 0) {
        return {SLAB_FAULT_MISALIGNED, SLAB_FAULT_MISALIGNED};
    }
    auto block = live_.upper_bound(address);
    if (block != live_.begin() && address - (--block)->first < block->second.size) {
        const int kind = block->first == address ? 0 : SLAB_FAULT_INTERIOR;
        return {kind, kind};
    }
    const auto freed = freed_.find(address);
    if (freed == freed_.end()) {
        return {SLAB_FAULT_NEVER_ALLOCATED, SLAB_FAULT_NEVER_ALLOCATED};
    }
    return {SLAB_FAULT_DOUBLE_FREE, freed->second ? SLAB_FAULT_DOUBLE_FREE : SLAB_FAULT_NEVER_ALLOCATED};
}

size_t HeapModel::live_of_class(size_t class_size) const {
    return static_cast<size_t>(std::count_if(live_.begin(), live_.end(), [&](const auto& block) {
        return !block.second.run && block.second.size == class_size;
    }));
}

size_t HeapModel::pages_of_class(size_t class_size) const {
    size_t count = 0;
    for (const Region& region : regions_) {
        for (const Page& page : region.pages) {
            count += page.use == Use::slab && page.class_size == class_size;
        }
    }
    return count;
}

size_t HeapModel::total_bytes() const {
    size_t count = 0;
    for (const Region& region : regions_) {
        for (const Page& page : region.pages) {
            count += page.use != Use::reserved;
        }
    }
    return pages(count);
}

size_t HeapModel::longest_run() const {
    size_t longest = 0;
    for (const Region& region : regions_) {
        size_t run = 0;
        for (const Page& page : region.pages) {
            run = page.use == Use::free ? run + 1 : 0;
            longest = std::max(longest, run);
        }
    }
    return longest;
}

::testing::AssertionResult HeapModel::agrees_with(const slab_stats& stats) const {
    ::testing::AssertionResult differences = ::testing::AssertionFailure();
    bool agrees = true;
    const auto expect = [&](bool truth, const char* sentence, size_t found) {
        if (!truth) {
            differences << sentence << ": " << found << "; ";
            agrees = false;
        }
    };
    expect(stats.total_bytes == total_bytes(), "total_bytes are the pages", stats.total_bytes);
    expect(stats.used_bytes == used_bytes_, "used_bytes are the live blocks", stats.used_bytes);
    expect(stats.available_bytes == stats.total_bytes - stats.used_bytes, "available is total - used",
           stats.available_bytes);
    expect(stats.allocations - stats.frees == live_.size(), "allocations - frees are live",
           stats.allocations);
    expect(stats.largest_free_bytes <= pages(longest_run()), "largest_free_bytes are free",
           stats.largest_free_bytes);
    expect(stats.requested_bytes_total <= stats.taken_bytes_total, "a block has what was asked for",
           stats.requested_bytes_total);
    for (size_t i = 0; i < stats.class_count; ++i) {
        const slab_class_stats& row = stats.classes[i];
        expect(row.live == live_of_class(row.size), "a class's live blocks are counted", row.live);
        expect(row.pages >= pages_of_class(row.size), "a class has the pages of its blocks", row.pages);
        expect(row.capacity == row.pages * slots_in_a_page(row.size), "a class's pages are its capacity",
               row.capacity);
    }
    return agrees ? ::testing::AssertionSuccess() : differences;
}

}  // namespace slabheap::test
