// SPDX-License-Identifier: MIT
#include "page_allocator.hpp"

namespace slabheap {

Word Region::map_pages_needed(Word first, Word end) {
    return (bytes_needed(first, end, sizeof(Region)) + page_size - 1) >> page_shift;
}

void Region::set_up(PageRange pages, Word map_page_count) {
    Buddy::set_up(pages.first, pages.end, sizeof(Region));
    map_pages = map_page_count;
    open_edges({first_usable(), end_page});
    give({first_usable(), end_page});
}

void Region::resize_run(Word page, Word count) {
    uint8_t const run_tag = tag(page);
    end_run(page, run_tag);
    start_run({page, page + count}, run_tag);
}

Word Region::head_of(Word page) const {
    Word const least = page < first_usable() + short_run ? first_usable() : page - short_run + 1;
    for (Word head = page; head >= least; --head) {
        uint8_t const found = knows_page(head) ? this->what(head) : tag::none;
        uint8_t const what = tag::state(found);
        if (tag::is_slab(what)) return head == page ? page : none;
        if (what == tag::large || what == tag::reserved || tag::is_leaving(found))
            return page - head < slots(head)[0] ? head : none;
    }
    Word const head = runs().previous(page);
    return head != none && page - head < slots(head)[0] ? head : none;
}

// It ends where the guard begins.
Region::Placed Region::guarded_block(Word head) const {
    bool const is_small = tag::form(what(head)) == tag::small_with_guard;
    size_t const before = is_small ? atomic::load<atomic::relaxed>(handed(head)[0]) * granule : 0;
    Word const pages = atomic::load<atomic::relaxed>(slots(head)[0]);
    return {(head << page_shift) + before, ((pages - 1) << page_shift) - before};
}

Word Region::behind_guard(Word page) const {
    Word const head = extent(page).free ? page : head_of(page);
    return head < page ? head + run_pages(head) : page;
}

Word Region::next_head(Word page) const {
    while (page < end_page) {
        Extent const piece = extent(page);
        if (!piece.free) return page;
        page = piece.end;
    }
    return none;
}

}  // namespace slabheap
