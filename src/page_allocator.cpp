// SPDX-License-Identifier: MIT
#include "page_allocator.hpp"

namespace slabheap {

namespace {

constexpr Word page_numbers = bits_below(page_number_bits) + 1;  // pages of the whole address space

constexpr bool overlap(Word first, Word end, PageRange pages) {
    return pages.first < end && first < pages.end;
}

}  // namespace

int PageAllocator::add_region(uintptr_t start, size_t size) {
    if (start == 0) return SLAB_ERR_RANGE;
    if (start % page_size != 0 || size % page_size != 0) return SLAB_ERR_ALIGN;
    PageRange const pages{start >> page_shift, (start >> page_shift) + (size >> page_shift)};
    if (pages.end > page_numbers) return SLAB_ERR_RANGE;
    Word const map_pages = pages.count() == 0 ? 0 : Region::map_pages_needed(pages.first, pages.end);
    if (pages.count() <= map_pages) return SLAB_ERR_TOO_SMALL;

    unsigned place = 0;
    while (place < region_count_ && regions_[place].first < pages.first) ++place;
    for (unsigned i = 0; i < region_count_; ++i) {
        if (overlap(regions_[i].first, regions_[i].end, pages)) return SLAB_ERR_OVERLAP;
    }
    if (region_count_ == SLAB_MAX_REGIONS) return SLAB_ERR_TOO_MANY_REGIONS;

    Region* const added = reinterpret_cast<Region*>(start);
    added->set_up(pages, map_pages);
    for (unsigned i = region_count_; i > place; --i) regions_[i] = regions_[i - 1];
    regions_[place] = {pages.first, pages.end, added};
    ++region_count_;
    total_pages_ += pages.count() - map_pages;
    map_pages_ += map_pages;

    if (primary_region_ == nullptr ||
        pages.count() > primary_region_->end_page - primary_region_->first_page) {
        primary_region_ = added;
        primary_index_ = place;
    } else if (place <= primary_index_) {
        ++primary_index_;
    }
    primary_ = primary_region_->view();
    return SLAB_OK;
}

// The page map of the primary region may be known further than before.
void PageAllocator::refresh_primary() { primary_.known_marks = primary_region_->view().known_marks; }

PageAllocator::Entry const* PageAllocator::entry_at(Word page) const {
    // The last entry that starts at or below the page is one of low ... high - 1.
    unsigned low = 0, high = region_count_;
    while (high - low > 1) {
        unsigned const middle = (low + high) / 2;
        (regions_[middle].first <= page ? low : high) = middle;
    }
    bool const found = high != 0 && page >= regions_[low].first && page < regions_[low].end;
    return found ? &regions_[low] : nullptr;
}

Region* PageAllocator::region_of(uintptr_t address) const {
    if (primary_.knows(address)) return primary_region_;
    Entry const* const entry = entry_at(address >> page_shift);
    return entry != nullptr ? entry->region : nullptr;
}

const PageView* PageAllocator::other_view_of(uintptr_t address) const {
    Entry const* const entry = entry_at(address >> page_shift);
    bool const known = entry != nullptr && entry->region->knows_page(address >> page_shift);
    return known ? &entry->region->view() : nullptr;
}

const PageView* PageAllocator::learn_view_of(uintptr_t address) {
    const PageView* const view = other_view_of(address);
    if (view == nullptr || view != &primary_region_->view()) return view;
    primary_region_->open_next();
    refresh_primary();
    return view;
}

void PageAllocator::learn(Region& region, Word head) {
    // At most one section is opened: the head's, or the next one.
    bool const open = region.knows_page(head);
    if (!open) region.open(0, head >> word_shift);
    if (open || region.ends_known_part(head)) region.open_next();
    refresh_primary();
}

void PageAllocator::give_part(Region& region, PageRange pages) {
    region.open_edges(pages);
    region.give(pages);
}

uintptr_t PageAllocator::allocate_elsewhere(Word count, unsigned order) {
    for (unsigned i = 1; i < region_count_; ++i) {
        Word const page = preferred(i).allocate(count, order);
        if (page != Region::none) return start_block(preferred(i), page, count);
    }
    return 0;
}

uintptr_t PageAllocator::search_run(Word count, Word align) {
    for (unsigned i = 0; i < region_count_; ++i) {
        Region& region = preferred(i);
        if (region.free_pages() < count) continue;
        Word const page = region.search(count, align);
        if (page == Region::none) continue;
        region.take({page, page + count});
        return start_block(region, page, count);
    }
    return 0;
}

void PageAllocator::shrink_run(Region& region, Word head, Word count) {
    Word const old = region.slots(head)[0];
    if (old == count) return;
    region.resize_run(head, count);
    give_part(region, {head + count, head + old});
    large_pages_ -= old - count;
}

bool PageAllocator::grow_run(Region& region, Word head, Word count) {
    Word const old = region.slots(head)[0];
    if (count > region.end_page - head || !region.is_free({head + old, head + count})) return false;
    region.take({head + old, head + count});
    region.resize_run(head, count);
    large_pages_ += count - old;
    return true;
}

int PageAllocator::reserve(PageRange pages) {
    Entry const* const entry = entry_at(pages.first);
    if (entry == nullptr || pages.end > entry->end) return SLAB_ERR_RANGE;
    Region& region = *entry->region;
    if (!region.is_free(pages)) return SLAB_ERR_IN_USE;
    region.take(pages);
    taken(region, pages.first);
    region.start_run(pages, tag::reserved);
    total_pages_ -= pages.count();
    return SLAB_OK;
}

int PageAllocator::release(PageRange pages) {
    Entry const* const entry = entry_at(pages.first);
    if (entry == nullptr || pages.end > entry->end) return SLAB_ERR_RANGE;
    Region& region = *entry->region;
    for (Word page = pages.first; page < pages.end;) {
        Word const head = region.head_of(page);
        if (head == Region::none || region.tag(head) != tag::reserved) return SLAB_ERR_RANGE;
        page = head + region.run_pages(head);
    }
    // What lies before and behind the released pages in their reserved ranges stays reserved.
    for (Word page = pages.first; page < pages.end;) {
        Word const head = region.head_of(page);
        Word const end = head + region.run_pages(head);
        if (head < page) {
            region.resize_run(head, page - head);
        } else {
            region.end_run(head, tag::none);
        }
        if (end > pages.end) {
            region.open(0, pages.end >> word_shift);
            region.start_run({pages.end, end}, tag::reserved);
        }
        page = end;
    }
    give_part(region, pages);
    total_pages_ += pages.count();
    return SLAB_OK;
}

Word PageAllocator::largest_block() const {
    Word largest = 0;
    for (unsigned i = 0; i < region_count_; ++i) {
        if (region(i).largest_block() > largest) largest = region(i).largest_block();
    }
    return largest;
}

}  // namespace slabheap
