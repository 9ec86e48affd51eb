// SPDX-License-Identifier: MIT
//
// What each byte of a sound region's page map is, and whether the audit has to notice that it changed: yes
// for whatever calls go by, no for what is not in use (garbage in nodes that are not open, counts of pages
// that have no blocks) or may be either (the tag of a free page says what it was last).
#ifndef SLABHEAP_TESTS_MAP_BYTES_HPP
#define SLABHEAP_TESTS_MAP_BYTES_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

#include "heap_core.hpp"

namespace slabheap::test {

enum class MapByte : uint8_t {
    header,
    header_unused,  // levels that the region has not, padding
    units,          // columns of open nodes
    entered,
    runs,
    spares,
    pending,
    room,
    known,
    orders,
    closed_node,
    tag_in_use,  // of a slab, of the first page of a run
    tag_idle,    // of a free page, or one within a run
    handed_slab,
    slots_slab,
    slots_run,  // its page count
    live_slab,
    live_idle,  // of any other page
    map_pages,  // tags and marks that describe the page map's own pages
    idle_page,  // handed and slots of pages that have no use for them
    closed_section,
    between,  // the arrays; behind the last
};
constexpr size_t map_byte_kinds = static_cast<size_t>(MapByte::between) + 1;

inline constexpr const char* map_byte_names[map_byte_kinds] = {
    "header",
    "header: unused levels, padding",
    "nodes: free units",
    "nodes: entered",
    "nodes: runs",
    "nodes: spares",
    "nodes: pending",
    "nodes: room",
    "nodes: known",
    "nodes: orders",
    "nodes that are not open",
    "tags of slabs and runs",
    "tags of other pages",
    "handed, of slabs",
    "slots, of slabs",
    "slots, of runs: page counts",
    "live marks of slabs",
    "live marks of other pages",
    "tags and marks of the map's own pages",
    "handed and slots of other pages",
    "tags, marks of sections that are not open",
    "between and behind the arrays",
};

class MapBytes {
public:
    MapBytes(HeapCore& heap, Region& region)
        : heap_(heap), region_(region), bytes_(region.map_pages << page_shift, {MapByte::between, 0, 0, 0}) {
        place_header();
        for (unsigned level = 0; level <= region_.root; ++level) place_nodes(level);
        place_pages();
    }

    size_t size() const { return bytes_.size(); }
    uint8_t& operator[](size_t byte) const { return reinterpret_cast<uint8_t*>(&region_)[byte]; }
    MapByte kind(size_t byte) const { return bytes_[byte].kind; }

    // Must the audit notice that the byte becomes this, and nothing else changed?
    bool must_be_noticed(size_t byte, uint8_t after) const {
        switch (bytes_[byte].kind) {
            case MapByte::header_unused:
            case MapByte::closed_node:
            case MapByte::idle_page:
            case MapByte::closed_section:
            case MapByte::between: return false;
            case MapByte::tag_idle:
                return !tag::is_freed_slab(after) && tag::state(after) != tag::freed_large &&
                       after != tag::none;
            case MapByte::handed_slab: return handed_must_be_noticed(byte, after);
            case MapByte::known: return known_must_be_noticed(byte, after);
            default: return true;
        }
    }

private:
    struct Byte {
        MapByte kind;
        uint8_t part;  // of nodes: the level; of handed and slots: which of a page's words
        Word number;   // node or page
        Word* word;    // that the byte is part of, where that matters
    };

    size_t offset_of(const volatile void* place) const {
        return reinterpret_cast<uintptr_t>(place) - reinterpret_cast<uintptr_t>(&region_);
    }
    void mark(const void* start, size_t size, Byte as) {
        for (size_t i = 0; i < size; ++i) bytes_[offset_of(start) + i] = as;
    }

    void place_header() {
        mark(&region_, sizeof(Region), {MapByte::header, 0, 0, nullptr});
        Byte const unused{MapByte::header_unused, 0, 0, nullptr};
        mark(&region_.root + 1, offset_of(region_.levels) - offset_of(&region_.root + 1), unused);
        Nodes::Level const* const behind = region_.levels + region_.root + 1;
        mark(behind, static_cast<size_t>(region_.levels + max_levels - behind) * sizeof *behind, unused);
    }

    static MapByte column_kind(unsigned column) {
        if (column >= column::orders) return MapByte::orders;
        if (column == column::known) return MapByte::known;
        if (column >= column::room) return MapByte::room;
        constexpr MapByte kinds[] = {MapByte::units, MapByte::entered, MapByte::runs, MapByte::spares,
                                     MapByte::pending};
        return kinds[column];
    }

    void place_nodes(unsigned level) {
        uint8_t const part = static_cast<uint8_t>(level);
        for (Word node = region_.first_node(level); node <= region_.last_node(level); ++node) {
            Word* const words = region_.words(level, node);
            bool const open = region_.is_open(level, node);
            for (unsigned column = 0; column < node_words(level); ++column) {
                MapByte const kind = open ? column_kind(column) : MapByte::closed_node;
                mark(words + column, sizeof(Word), {kind, part, node, words + column});
            }
        }
    }

    void place_pages() {
        Word const first = region_.first_node(0) << word_shift;
        Word const end = (region_.last_node(0) + 1) << word_shift;
        for (Word page = first; page < end; ++page) {
            if (!region_.contains(page)) {
                mark(&region_.tag(page), 1, {MapByte::between, 0, page, nullptr});
                continue;
            }
            bool const open = region_.knows_page(page);
            bool const own = page < region_.first_usable();
            bool const head = open && !own && !region_.extent(page).free && region_.head_of(page) == page;
            bool const slab = head && tag::is_slab(region_.tag(page));
            auto const as = [&](MapByte in_slab, MapByte in_run, MapByte otherwise) {
                if (!open) return MapByte::closed_section;
                return slab ? in_slab : head ? in_run : own ? MapByte::map_pages : otherwise;
            };
            mark(&region_.tag(page), 1,
                 {as(MapByte::tag_in_use, MapByte::tag_in_use, MapByte::tag_idle), 0, page, nullptr});
            mark(region_.live(page), live_marks,
                 {as(MapByte::live_slab, MapByte::live_idle, MapByte::live_idle), 0, page, nullptr});
            for (unsigned i = 0; i < slot_words; ++i) {
                uint8_t const part = static_cast<uint8_t>(i);
                MapByte const run = i == 0 ? MapByte::slots_run : MapByte::idle_page;
                MapByte slots = slab ? MapByte::slots_slab : head ? run : MapByte::idle_page;
                mark(region_.slots(page) + i, sizeof(Word), {slots, part, page, nullptr});
                MapByte const handed = slab ? MapByte::handed_slab : MapByte::idle_page;
                mark(region_.handed(page) + i, sizeof(Handed::Number), {handed, part, page, nullptr});
            }
        }
    }

    // Which slots were handed out only matters where a slot that is in use would be one that never was.
    bool handed_must_be_noticed(size_t offset, uint8_t after) const {
        Byte const& byte = bytes_[offset];
        unsigned const size_class = region_.tag(byte.number);
        Handed::Number const* const place = region_.handed(byte.number) + byte.part;
        Handed::Number number = *place;
        reinterpret_cast<uint8_t*>(&number)[offset - offset_of(place)] = after;
        if (!Handed::is_sound(number, size_class, byte.part)) return true;
        Word const never = all_slots(size_class, byte.part) & ~Handed::slots(number);
        Word left = never & ~region_.slots(byte.number)[byte.part];
        for (; left != 0; left &= left - 1) {
            unsigned const slot = first_slot(byte.part) + lowest_bit(left);
            if (heap_.front_with(byte.number, size_class, slot) == nullptr) return true;
        }
        return false;
    }

    // A node that is opened too many is full of garbage. One that is missing matters if it has something to
    // tell, or lies in the part that is taken for open.
    bool known_must_be_noticed(size_t byte, uint8_t after) const {
        Byte const& what = bytes_[byte];
        uint8_t const before = (*this)[byte];
        if ((after & ~before) != 0) return true;
        Word const word_before = *what.word;
        (*this)[byte] = after;
        Word const lost = word_before ^ *what.word;
        (*this)[byte] = before;
        Word const* const columns = region_.words(what.part, what.number);
        for (unsigned column = column::runs; column < node_words(what.part); ++column) {
            if (column != column::known && (columns[column] & lost) != 0) return true;
        }
        for (Word rest = lost; rest != 0; rest &= rest - 1) {
            Word const child = (what.number << word_shift) | lowest_bit(rest);
            if (something_starts_in(child << (word_shift * what.part), (child + 1)
                                                                           << (word_shift * what.part)))
                return true;
        }
        return false;
    }
    bool something_starts_in(Word first, Word end) const {
        Word const known_end = region_.first_page + (region_.view().known_marks >> (page_shift - mark_shift));
        if (first < known_end) return true;
        if (first < region_.first_usable()) first = region_.first_usable();
        for (Word page = first; page < end && page < region_.end_page; ++page) {
            if (!region_.extent(page).free && region_.head_of(page) == page) return true;
        }
        return false;
    }

    HeapCore& heap_;
    Region& region_;
    std::vector<Byte> bytes_;
};

}  // namespace slabheap::test

#endif
