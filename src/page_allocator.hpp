// SPDX-License-Identifier: MIT
//
// PageAllocator: pages out of several regions, and runs of pages as blocks.
//
// A region is memory given at once: its page map, then the pages that the map describes. Regions never merge,
// even when they touch. The largest is the primary one: its view is held here, so that the address of nearly
// every block leads to its tag and marks without a search. The table of regions only grows, and a region is
// in it before it is counted, so that other CPUs may look addresses up meanwhile; what moves is the order.
//
// A run is a number of pages in use as one thing: a large block or a reserved range. Its first page carries
// its tag and its page count; the other pages carry nothing, so no work grows with a run. A slab is one page,
// told by its tag. The first page of either is a head. Whose an address in the middle of a run is, tell the
// tags before it, or, for a run of more than short_run pages, the tree of runs, which has the first page.
#ifndef SLABHEAP_PAGE_ALLOCATOR_HPP
#define SLABHEAP_PAGE_ALLOCATOR_HPP

#include "buddy.hpp"
#include "guards.hpp"
#include "injection.hpp"

namespace slabheap {

class Auditor;

struct Region : Buddy {
    static constexpr Word short_run = word_bits;

    Word map_pages;

    // Pages that the map of the pages first ... end - 1 takes at their start.
    [[gnu::cold]] static Word map_pages_needed(Word first, Word end);
    [[gnu::cold]] void set_up(PageRange pages, Word map_page_count);

    Word first_usable() const { return first_page + map_pages; }
    bool is_usable(Word page) const { return page >= first_usable() && page < end_page; }

    // Makes pages a run, which is then none any more. The section of the first page is open.
    void start_run(PageRange pages, uint8_t run_tag) {
        atomic::store<atomic::relaxed>(tag(pages.first), run_tag);
        atomic::store<atomic::relaxed>(slots(pages.first)[0], pages.count());
        if (pages.count() > short_run) runs().set(pages.first);
    }
    void end_run(Word page, uint8_t new_tag) {
        atomic::store<atomic::relaxed>(tag(page), new_tag);
        if (slots(page)[0] > short_run) runs().clear(page);
    }
    [[gnu::cold]] void resize_run(Word page, Word count);

    // The head that a page in use belongs to, or none.
    [[gnu::cold]] Word head_of(Word page) const;
    // The first head at or behind a page that is free or a head; or none.
    [[gnu::cold]] Word next_head(Word page) const;
    // Is the run at this head a live block with a guard behind it? The block that it is, or was.
    bool has_guarded_block(Word head) const {
        return form(head) != 0 && tag::state(what(head)) == tag::large;
    }
    struct Placed {
        uintptr_t start;
        size_t size;
    };
    [[gnu::cold]] Placed guarded_block(Word head) const;
    // The bytes of a run that are not its block's.
    size_t idle_bytes(Word head) const {
        return form(head) != 0 ? (slots(head)[0] << page_shift) - guarded_block(head).size : 0;
    }
    // The page, or if it is a guard, or in the midst of a run, the first one behind that.
    [[gnu::cold]] Word behind_guard(Word page) const;
    // Pages of the slab or run that starts at this head.
    Word run_pages(Word head) const { return tag::is_slab(what(head)) ? 1 : slots(head)[0]; }
};

class PageAllocator {
public:
    // Adds the region of `size` bytes at `start`. Returns a slab_status.
    [[gnu::cold]] int add_region(uintptr_t start, size_t size);

    unsigned region_count() const { return region_count_; }
    // In the order of their addresses.
    Region& region(unsigned index) const { return *entry(index).region; }
    // The same in the order in which they serve requests: the primary one first, because its blocks go the
    // short way, then the others by address.
    Region& preferred(unsigned index) const {
        return index == 0 ? *primary_region_ : region(index <= primary_index_ ? index - 1 : index);
    }
    bool initialised() const { return region_count_ != 0; }

    // The view that describes the address, or null: not in a region, or in a part of the map that was never
    // used.
    const PageView* view_of(uintptr_t address) const {
        return primary_.knows(address) ? &primary_ : other_view_of(address);
    }
    // The same, and if the primary view does not reach that far yet, it does a little further.
    const PageView* view_to_use(uintptr_t address) {
        return primary_.knows(address) ? &primary_ : learn_view_of(address);
    }
    // The region that has the address, or null.
    Region* region_of(uintptr_t address) const;

    // Large blocks: the address of `count` pages aligned to `align` pages, or 0. The first looks for a buddy
    // block, the second for free pages side by side. Neither collects slabs; that is the heap's business.
    uintptr_t allocate_run(Word count, Word align) {
        if (injector_.refuses()) return 0;
        unsigned const order = order_of(count > align ? count : align);
        Word const page = primary_region_->allocate(count, order);
        if (page == Region::none) [[unlikely]]
            return allocate_elsewhere(count, order);
        return start_block(*primary_region_, page, count);
    }
    [[gnu::cold]] uintptr_t search_run(Word count, Word align);
    void free_run(Region& region, Word head) {
        Word const count = region.slots(head)[0];
        large_pages_ -= count;
        guards_.returned(region.idle_bytes(head));
        region.end_run(head, tag::in_form(tag::freed_large, region.form(head)));
        region.give({head, head + count});
    }
    // Gives the tail back, or takes the pages behind if they are free; false: they are not.
    void shrink_run(Region& region, Word head, Word count);
    [[gnu::cold]] bool grow_run(Region& region, Word head, Word count);

    // Reserved ranges. Both return a slab_status.
    [[gnu::cold]] int reserve(PageRange pages);
    [[gnu::cold]] int release(PageRange pages);

    Word total_pages() const { return total_pages_; }
    Word map_pages() const { return map_pages_; }
    [[gnu::cold]] Word largest_block() const;  // pages

    // Pages of live large blocks.
    Word large_pages() const { return large_pages_; }

    size_t inject_failures(slab_injection const* plan) { return injector_.follow(plan); }

protected:
    friend class Auditor;

    struct Entry {
        Word first;
        Word end;
        Region* region;
    };

    [[gnu::cold]] const PageView* other_view_of(uintptr_t address) const;
    [[gnu::cold]] const PageView* learn_view_of(uintptr_t address);
    Entry const& entry(unsigned index) const { return regions_[order_[index]]; }
    [[gnu::cold]] Entry const* entry_at(Word page) const;
    // What was taken is about to have a head, and the known part of the map grows with the heap's use.
    void taken(Region& region, Word head) {
        if (!region.knows_all()) [[unlikely]]
            learn(region, head);
    }
    [[gnu::cold]] void learn(Region& region, Word head);
    void refresh_primary();
    [[gnu::cold]] void set_primary_view(PageView const& view);
    [[gnu::cold]] void give_part(Region& region,
                                 PageRange pages);  // pages that need not be what was taken at once
    [[gnu::cold]] uintptr_t allocate_elsewhere(Word count, unsigned order);
    uintptr_t start_block(Region& region, Word head, Word count) {
        taken(region, head);
        region.start_run({head, head + count}, tag::large);
        large_pages_ += count;
        return head << page_shift;
    }

    PageView primary_;
    Region* primary_region_;
    unsigned primary_index_;
    unsigned region_count_;
    Entry regions_[SLAB_MAX_REGIONS];  // as they came
    uint8_t order_[SLAB_MAX_REGIONS];  // by address
    bool keeps_primary_;               // whatever region is added
    Word total_pages_;                 // without maps and reserved pages
    Word map_pages_;
    Word large_pages_;  // in live large blocks
    [[no_unique_address]] Injector<injects_failures> injector_;
    [[no_unique_address]] Guards guards_;
};

}  // namespace slabheap

#endif
