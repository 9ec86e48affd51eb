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

void Region::start_run(PageRange pages, uint8_t run_tag) {
    tag(pages.first) = run_tag;
    slots(pages.first)[0] = pages.count();
    runs().set(pages.first);
}

void Region::end_run(Word page, uint8_t new_tag) {
    tag(page) = new_tag;
    runs().clear(page);
}

Word Region::head_of(Word page) const {
    if (knows_page(page) && tag::is_slab(tag(page))) return page;
    Word const head = runs().previous(page);
    return head != none && page - head < slots(head)[0] ? head : none;
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
