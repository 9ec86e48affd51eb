// SPDX-License-Identifier: MIT
#include "audit.hpp"

namespace slabheap {

bool Auditor::heap_is_sound() {
    if (!regions_are_sound()) return false;
    if constexpr (defences::guard) {
        if (!heap_.guards_are_sound(result_)) return false;
    }
    for (unsigned c = 0; c < class_count; ++c) {
        if (!class_is_sound(c)) return false;
    }
    if (large_pages_ != heap_.large_pages_) return broken("the pages in large blocks are counted exactly");
    if (usable_pages_ != heap_.total_pages_) return broken("the pages under management are counted exactly");
    if (map_pages_ != heap_.map_pages_) return broken("the pages of the page maps are counted exactly");
    return true;
}

bool Auditor::regions_are_sound() {
    for (unsigned i = 0; i < heap_.region_count_; ++i) {
        Entry const& entry = heap_.entry(i);
        if (i != 0 && entry.first < heap_.entry(i - 1).end) {
            return broken("regions are sorted and disjoint", entry.first << page_shift);
        }
        if (!geometry_is_sound(entry) || !nodes_are_sound(*entry.region) || !tiling_is_sound(*entry.region)) {
            return false;
        }
    }
    return true;
}

bool Auditor::geometry_is_sound(Entry const& entry) {
    Region const& region = *entry.region;
    uintptr_t const start = entry.first << page_shift;
    if (!region.has_geometry(entry.first, entry.end, sizeof(Region)) ||
        region.map_pages != Region::map_pages_needed(entry.first, entry.end)) {
        return broken("a region's header describes the region", start);
    }
    if (&region != heap_.primary_region_ ||
        (heap_.primary_ == region.view() && &entry == &heap_.entry(heap_.primary_index_))) {
        return true;
    }
    return broken("the primary view is its region's", start);
}

bool Auditor::nodes_are_sound(Region const& region) {
    marked_free_ = 0;
    for (unsigned level = region.root; level > 0; --level) {
        for (Word node = region.first_node(level); node <= region.last_node(level); ++node) {
            if (!region.is_open(level, node)) continue;
            marked_free_ += Word{popcount(region.word(level, node, column::free_units))}
                            << (word_shift * level);
            if (!children_are_sound(region, level, node)) return false;
        }
    }
    return orders_are_sound(region);
}

// Each bit of each column of a node that speaks of its children.
bool Auditor::children_are_sound(Region const& region, unsigned level, Word node) {
    uintptr_t const where = node << (word_shift * (level + 1)) << page_shift;
    Word const known = region.word(level, node, column::known);
    for (unsigned column = column::runs; column < node_words(level); ++column) {
        if ((region.word(level, node, column) & ~known) != 0) {
            return broken("a tree leads only to nodes that are open", where);
        }
    }
    for (Word rest = known; rest != 0; rest &= rest - 1) {
        Word const child = (node << word_shift) | lowest_bit(rest);
        if (child < region.first_node(level - 1) || child > region.last_node(level - 1)) {
            return broken("open nodes lie in the region", where);
        }
        if (!child_is_entered(region, level, child)) return false;
    }
    return true;
}

// Does the node above, of this level, tell of the child what is true?
bool Auditor::child_is_entered(Region const& region, unsigned level, Word child) {
    uintptr_t const where = child << (word_shift * level) << page_shift;
    Word const node = child >> word_shift;
    Word const child_bit = bit_of(child);
    for (unsigned column = column::runs; column < node_words(level - 1); ++column) {
        // Runs with guards become pending without the lock: the bit above comes a moment later. (So does a
        // large block that an NMI frees; that an audit at the same time may be disturbed by.)
        if (defences::guard && column == column::pending) continue;
        bool const entered = (region.word(level, node, column) & child_bit) != 0;
        if (column != column::known && entered != (region.word(level - 1, child, column) != 0)) {
            return broken("a parent's bit is set exactly when its child's word is not zero", where);
        }
    }
    Word const units = region.word(level - 1, child, column::free_units);
    if (level == 1) marked_free_ += popcount(units);
    if (units == all_ones) return broken("a full word of free units is merged", where);
    if (units != 0 && (region.word(level, node, column::free_units) & child_bit) != 0) {
        return broken("a free page is told by one bit", where);
    }
    Word const order = region.word(level - 1, child, column::entered);
    if (order != (units == 0 ? 0 : 1 + word_shift * (level - 1) + largest_run_order(units))) {
        return broken("a node knows the order that it is entered under", where);
    }
    unsigned const leaf_orders = column::orders + word_shift * (level - 1);
    for (unsigned run = 0; run < word_shift; ++run) {
        bool const entered = (region.word(level, node, leaf_orders + run) & child_bit) != 0;
        if (entered != (units != 0 && largest_run_order(units) == run)) {
            return broken("a word of free units is entered under its largest block's order", where);
        }
    }
    return true;
}

bool Auditor::orders_are_sound(Region const& region) {
    Word expected = 0;
    for (unsigned order = 0; order < word_shift * region.root; ++order) {
        if (!region.order_tree(order).empty()) expected |= bit(order);
    }
    for (Word node = region.first_node(region.root); node <= region.last_node(region.root); ++node) {
        Word const units = region.word(region.root, node, column::free_units);
        Word const order = units == 0 ? 0 : 1 + word_shift * region.root + largest_run_order(units);
        if (region.word(region.root, node, column::entered) != order) {
            return broken("a node knows the order that it is entered under",
                          node << (word_shift * (region.root + 1)) << page_shift);
        }
        if (units != 0) expected |= bit(static_cast<unsigned>(order) - 1);
    }
    if (expected == region.order_mask()) return true;
    return broken("the order mask tells which orders have blocks", region.first_page << page_shift);
}

// Walks the region's pages from end to end.
bool Auditor::tiling_is_sound(Region& region) {
    uintptr_t const start = region.first_page << page_shift;
    Word free = 0;
    runs_ = 0;
    usable_pages_ += region.end_page - region.first_usable();
    map_pages_ += region.map_pages;
    if (!idle_pages_are_sound(region, region.first_page, region.first_usable())) return false;
    for (Word page = region.first_usable(); page < region.end_page;) {
        Buddy::Extent const piece = region.extent(page);
        if (piece.free) {
            if (!idle_pages_are_sound(region, page, piece.end)) return false;
            free += piece.end - page;
            page = piece.end;
            continue;
        }
        if (!head_is_sound(region, page)) return false;
        Word const end = page + region.run_pages(page);
        if (!idle_pages_are_sound(region, page + 1, end)) return false;
        page = end;
    }
    for (Word run = region.runs().next(first_in_trees(region)); run != Region::none;) {
        if (runs_-- == 0) return broken("the tree of runs has the long runs", run << page_shift);
        run = region.runs().next(run + 1);
    }
    if (!room_is_sound(region)) return false;
    if (marked_free_ != free) return broken("only usable pages are free", start);
    if (free != region.free_pages()) return broken("a region's free pages are counted exactly", start);
    return true;
}

// Pages that are no head: none may be tagged as one, because a free trusts the tag.
bool Auditor::idle_pages_are_sound(Region& region, Word first, Word end) {
    for (Word page = first; page < end; ++page) {
        if (!region.knows_page(page)) {  // then nothing of its section is
            page |= word_bits - 1;
            continue;
        }
        uint8_t const what = tag::state(region.what(page));
        if (!tag::is_freed_slab(what) && what != tag::freed_large && what != tag::none) {
            return broken("only a head is tagged as one", page << page_shift);
        }
        if (!nothing_is_live(region, page)) return false;
    }
    return true;
}

bool Auditor::nothing_is_live(Region const& region, Word page) {
    if (live_blocks(region, page) == 0) return true;
    return broken("live marks are set in slabs only", page << page_shift);
}

// Marks of the page, whatever they are set to.
Word Auditor::live_blocks(Region const& region, Word page) {
    Word count = 0;
    for (unsigned i = 0; i < live_marks; ++i) count += region.live(page)[i] != 0;
    return count;
}

// head_is_sound looked at the room of every head: no other page may have room, or be a spare.
bool Auditor::room_is_sound(Region& region) {
    for (Word page = region.spares().next(first_in_trees(region)); page != Region::none;
         page = region.spares().next(page + 1)) {
        if (!region.knows_page(page) || !tag::is_slab(region.what(page))) {
            return broken("a spare is an empty slab", page << page_shift);
        }
    }
    for (unsigned c = 0; c < class_count; ++c) {
        for (Word page = region.room(c).next(first_in_trees(region)); page != Region::none;
             page = region.room(c).next(page + 1)) {
            if (!region.knows_page(page) || region.what(page) != c) {
                return broken("only a class's slabs have its room", page << page_shift);
            }
        }
    }
    return true;
}

bool Auditor::head_is_sound(Region& region, Word page) {
    uintptr_t const address = page << page_shift;
    if (!region.knows_page(page)) return broken("a page is free or belongs to a head", address);
    uint8_t const found = region.what(page), what = tag::state(found);
    if (tag::is_slab(what)) return slab_is_sound(region, page, what);
    if (what != tag::large && what != tag::reserved && !tag::is_leaving(found)) {
        return broken("a page is free or belongs to a head", address);
    }
    Word const pages = region.run_pages(page);
    if (pages == 0 || pages > region.end_page - page) {
        return broken("a run has pages, and ends in its region", address);
    }
    for (Word inner = page; inner < page + pages;) {
        Buddy::Extent const used = region.extent(inner);
        if (used.free) return broken("the pages of a run are not free", inner << page_shift);
        inner = used.end;
    }
    if (region.runs().test(page) != (pages > Region::short_run)) {
        return broken("the tree of runs has the long runs", address);
    }
    runs_ += pages > Region::short_run;
    if (!nothing_is_live(region, page)) return false;
    if (what != tag::reserved) large_pages_ += pages;
    if (what == tag::reserved) usable_pages_ -= pages;
    return true;
}

int HeapCore::audit(slab_audit* out) const {
    slab_audit result{nullptr, nullptr};
    int status = SLAB_ERR_NOT_INITIALISED;
    if (initialised()) status = Auditor(*this, result).heap_is_sound() ? SLAB_OK : SLAB_ERR_CORRUPT;
    if (out != nullptr) *out = result;
    return status;
}

}  // namespace slabheap
