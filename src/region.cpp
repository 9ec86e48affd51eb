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

void Region::set_head(Word page, uint8_t new_tag) {
    tag(page) = new_tag;
    heads().set(page);
}

void Region::clear_head(Word page, uint8_t new_tag) {
    tag(page) = new_tag;
    heads().clear(page);
}

Word Region::head_of(Word page) {
    Word const head = heads().previous(page);
    return head != none && page - head < run_pages(head) ? head : none;
}

}  // namespace slabheap
