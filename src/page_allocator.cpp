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
    while (place < region_count_ && entry(place).first < pages.first) ++place;
    for (unsigned i = 0; i < region_count_; ++i) {
        if (overlap(regions_[i].first, regions_[i].end, pages)) return SLAB_ERR_OVERLAP;
    }
    if (region_count_ == SLAB_MAX_REGIONS) return SLAB_ERR_TOO_MANY_REGIONS;

    shadow::close_region(start, start + (map_pages << page_shift), start + size);
    Region* const added = reinterpret_cast<Region*>(start);
    added->set_up(pages, map_pages);
    regions_[region_count_] = {pages.first, pages.end, added};
    for (unsigned i = region_count_; i > place; --i) order_[i] = order_[i - 1];
    order_[place] = static_cast<uint8_t>(region_count_);
    // Pairs with the load in entry_at.
    atomic::store<atomic::release>(region_count_, region_count_ + 1);
    total_pages_ += pages.count() - map_pages;
    map_pages_ += map_pages;

    bool const is_first = primary_region_ == nullptr;
    if (!is_first && place <= primary_index_) ++primary_index_;
    if (is_first ||
        (!keeps_primary_ && pages.count() > primary_region_->end_page - primary_region_->first_page)) {
        primary_region_ = added;
        primary_index_ = place;
        set_primary_view(added->view());
    }
    refresh_primary();
    return SLAB_OK;
}

// An NMI that comes meanwhile finds that the view knows nothing.
void PageAllocator::set_primary_view(PageView const& view) {
    atomic::store<atomic::relaxed>(primary_.known_marks, Word{0});
    atomic::compiler_fence();
    primary_.base = view.base;
    primary_.tag_bias = view.tag_bias;
    primary_.live_start = view.live_start;
    primary_.live_bias = view.live_bias;
    primary_.slots_bias = view.slots_bias;
}

// The page map of the primary region may be known further than before. Pairs with the load in
// PageView::knows: who sees the number sees the marks cleared.
void PageAllocator::refresh_primary() {
    atomic::store<atomic::release>(primary_.known_marks, primary_region_->view().known_marks);
}

PageAllocator::Entry const* PageAllocator::entry_at(Word page) const {
    unsigned const count = atomic::load<atomic::acquire>(region_count_);
    for (unsigned i = 0; i < count; ++i) {
        if (page - regions_[i].first < regions_[i].end - regions_[i].first) return &regions_[i];
    }
    return nullptr;
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
    if (view != &primary_region_->view()) return view;
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
    if (injector_.refuses()) return 0;
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
    if (injector_.refuses()) return false;
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
    if (injector_.refuses() || !region.is_free(pages)) return SLAB_ERR_IN_USE;
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
