// SPDX-License-Identifier: MIT
#include "page_allocator.hpp"

namespace slabheap {

Word Region::map_pages_needed(Word first, Word end) {
    return (bytes_needed(first, end, sizeof(Region)) + page_size - 1) >> page_shift;
}

void Region::set_up(Word first, Word end) {
    Buddy::set_up(first, end, sizeof(Region));
    map_pages = map_pages_needed(first, end);
    give({first_usable(), end});
}

void Region::set_head(Word page, uint8_t new_tag) {
    open(0, page >> word_shift);
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
