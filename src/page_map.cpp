// SPDX-License-Identifier: MIT
#include "page_map.hpp"

namespace slabheap {

namespace {

constexpr unsigned section_pages = word_bits;

constexpr Word marks(Word pages) { return pages << (page_shift - mark_shift); }

// The lowest level, above the sections', at which the pages span at most two nodes.
constexpr unsigned root_level(Word first, Word end) {
    unsigned level = 1;
    while (((end - 1) >> (word_shift * (level + 1))) - (first >> (word_shift * (level + 1))) > 1) ++level;
    return level;
}

static_assert(root_level(0, bits_below(page_number_bits) + 1) < max_levels);

constexpr uintptr_t round_up(uintptr_t value, size_t unit) {
    return (value + unit - 1) & ~uintptr_t{unit - 1};
}

// Lays the arrays of a map out behind one another, from an address on.
class MapLayout {
public:
    MapLayout(const Nodes& nodes, uintptr_t start) : next_(round_up(start, sizeof(Word))), nodes_(nodes) {}

    // Places an array of `count` elements; returns the address that element 0 would have, if the first has
    // number `first`.
    uintptr_t place(Word first, Word count, size_t element_bytes) {
        uintptr_t const bias = next_ - first * element_bytes;
        next_ = round_up(next_ + count * element_bytes, sizeof(Word));
        return bias;
    }
    uintptr_t place_level(unsigned level) {
        return place(nodes_.first_node(level), nodes_.node_count(level), node_words(level) * sizeof(Word));
    }
    uintptr_t place_tags() {  // whole sections
        return place(nodes_.first_node(0) * section_pages, nodes_.node_count(0) * section_pages, 1);
    }
    uintptr_t place_pages(size_t element_bytes) {
        return place(nodes_.first_page, nodes_.end_page - nodes_.first_page, element_bytes);
    }
    uintptr_t end() const { return next_; }

private:
    uintptr_t next_;
    const Nodes& nodes_;
};

}  // namespace

size_t PageMap::bytes_needed(Word first, Word end, size_t header_bytes) {
    Nodes nodes;
    nodes.first_page = first;
    nodes.end_page = end;
    MapLayout layout(nodes, header_bytes);
    for (unsigned level = 0; level <= root_level(first, end); ++level) layout.place_level(level);
    layout.place_tags();
    layout.place_pages(handed_bytes);
    layout.place_pages(slot_words * sizeof(Word));
    layout.place_pages(live_marks);
    if constexpr (note_bytes != 0) layout.place_pages(note_bytes);
    return layout.end();
}

void PageMap::set_up(Word first, Word end, size_t header_bytes) {
    first_page = first;
    end_page = end;
    root = root_level(first, end);
    MapLayout layout(*this, reinterpret_cast<uintptr_t>(this) + header_bytes);
    // The higher levels first: their few words lie next to the header, and to one another.
    for (unsigned level = root + 1; level-- > 0;) {
        levels[level] = {layout.place_level(level), node_words(level) * sizeof(Word)};
    }
    view_.tag_bias = layout.place_tags();
    handed_bias_ = layout.place_pages(handed_bytes);
    view_.slots_bias = layout.place_pages(slot_words * sizeof(Word));
    view_.live_bias = layout.place_pages(live_marks);
    notes_bias_ = note_bytes != 0 ? layout.place_pages(note_bytes) : 0;
    view_.live_start = live(first);
    view_.base = first << page_shift;
    view_.known_marks = 0;
    known_end_ = first;
    for (Word node = first_node(root); node <= last_node(root); ++node) clear_node(root, node);
}

bool PageMap::has_geometry(Word first, Word end, size_t header_bytes) const {
    if (first_page != first || end_page != end || root != root_level(first, end)) return false;
    MapLayout layout(*this, reinterpret_cast<uintptr_t>(this) + header_bytes);
    for (unsigned level = root + 1; level-- > 0;) {
        if (levels[level].bias != layout.place_level(level)) return false;
        if (levels[level].node_bytes != node_words(level) * sizeof(Word)) return false;
    }
    if (view_.tag_bias != layout.place_tags() || handed_bias_ != layout.place_pages(handed_bytes))
        return false;
    if (view_.slots_bias != layout.place_pages(slot_words * sizeof(Word))) return false;
    if (view_.live_bias != layout.place_pages(live_marks)) return false;
    if (notes_bias_ != (note_bytes != 0 ? layout.place_pages(note_bytes) : 0)) return false;
    if (view_.live_start != live(first) || view_.base != first << page_shift ||
        view_.known_marks != marks(known_end_ - first))
        return false;
    if (known_end_ < first || known_end_ > end) return false;
    for (Word page = first; page < known_end_; page = (page | (section_pages - 1)) + 1) {
        if (!is_open(0, page >> word_shift)) return false;
    }
    return true;
}

bool PageMap::is_open(unsigned level, Word node) const {
    for (unsigned above = root; above > level; --above) {
        Word const child = node >> (word_shift * (above - 1 - level));
        Word const known = atomic::load<atomic::acquire>(word(above, child >> word_shift, column::known));
        if ((known & bit_of(child)) == 0) return false;
    }
    return true;
}

void PageMap::open(unsigned level, Word node) {
    for (unsigned below = root; below-- > level;) open_below(below, node >> (word_shift * (below - level)));
}

void PageMap::open_next() {
    if (knows_all()) return;
    Word const section = known_end_ >> word_shift;
    open(0, section);
    Word const next = (section + 1) << word_shift;
    // Pairs with the load in knows_page.
    atomic::store<atomic::release>(known_end_, next < end_page ? next : end_page);
    view_.known_marks = marks(known_end_ - first_page);
}

void PageMap::clear_node(unsigned level, Word node) {
    Word* const columns = words(level, node);
    for (unsigned i = 0; i < node_words(level); ++i) columns[i] = 0;
    if (level != 0) return;
    Word* const tags = reinterpret_cast<Word*>(view_.tag_bias + node * section_pages);
    for (unsigned i = 0; i < section_pages / sizeof(Word); ++i) tags[i] = all_ones;  // tag::none
    Word const start = node * section_pages;
    Word const first = start < first_page ? first_page : start;
    Word const end = start + section_pages < end_page ? start + section_pages : end_page;
    constexpr unsigned page_words = live_marks / sizeof(Word);
    Word* page_live = static_cast<Word*>(static_cast<void*>(live(first)));
    for (Word i = first; i < end; ++i, page_live += page_words) {
        for (unsigned w = 0; w < page_words; ++w) page_live[w] = 0;
    }
}

}  // namespace slabheap
