// SPDX-License-Identifier: MIT
//
// The audit: every invariant of the heap's data, each told by a sentence. It trusts nothing in the page maps:
// bounds come from the heap's own table, every count is checked before it is used as one, so corrupt data is
// reported, not followed.
//
//   region   its geometry is the one that its bounds give
//   nodes    a parent's bit is set exactly when its child's word is not zero; orders are entered exactly
//   tiling   free extents, slabs and runs cover the usable pages without gap or overlap, and the counts agree
//   slabs    slots = live + pool + stack + word, each slot in one of them; room and spares are told exactly
//   books    what the counters say is what was counted; free + slabs + runs + reserved + map = region
#include "heap_core.hpp"

namespace slabheap {

class Auditor {
public:
    Auditor(HeapCore const& heap, slab_audit& result) : heap_(heap), result_(result) {}

    bool heap_is_sound();

private:
    // Trees have bits for the pages of the first section that lie before the region: none may be set.
    static Word first_in_trees(Region const& region) { return region.first_node(0) << word_shift; }

    using Entry = PageAllocator::Entry;

    bool broken(const char* invariant, uintptr_t address = 0) {
        result_ = {invariant, reinterpret_cast<const void*>(address)};
        return false;
    }

    bool regions_are_sound();
    bool geometry_is_sound(Entry const& entry);
    bool nodes_are_sound(Region const& region);
    bool children_are_sound(Region const& region, unsigned level, Word node);
    bool child_is_entered(Region const& region, unsigned level, Word child);
    bool orders_are_sound(Region const& region);
    bool tiling_is_sound(Region& region);
    bool nothing_is_live(Region const& region, Word page);
    static Word live_blocks(Region const& region, Word page);
    bool room_is_sound(Region& region);
    bool idle_pages_are_sound(Region& region, Word first, Word end);
    bool head_is_sound(Region& region, Word page);
    bool slab_is_sound(Region& region, Word page, unsigned size_class);
    bool slots_are_sound(Region& region, Word page, unsigned size_class);
    bool class_is_sound(unsigned size_class);
    bool stack_is_sound(Front const& front, unsigned size_class);
    bool word_is_sound(Front const& front, unsigned size_class);
    bool is_free_slot(uintptr_t address, unsigned size_class) const;

    HeapCore const& heap_;
    slab_audit& result_;
    Word runs_ = 0;          // runs of the region
    Word in_fronts_ = 0;     // free slots in the fronts of the class
    Word marked_free_ = 0;   // pages of the region that bits of free units tell
    Word large_pages_ = 0;   // counted in all regions: pages of large blocks,
    Word usable_pages_ = 0;  // pages that are neither maps nor reserved,
    Word map_pages_ = 0;     // and pages of the page maps
};

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

bool Auditor::slab_is_sound(Region& region, Word page, unsigned size_class) {
    uintptr_t const start = page << page_shift;
    Word pooled = 0, pooled_count = 0;
    for (unsigned w = 0; w < slot_words; ++w) {
        Word const slots = region.slots(page)[w];
        Word const all = all_slots(size_class, w);
        if ((slots & ~all) != 0) return broken("a slab's pool has only the slab's slots", start);
        if (!Handed::is_sound(region.handed(page)[w], size_class, w)) {
            return broken("no more slots were handed out than a slab has", start);
        }
        pooled |= slots;
        pooled_count += popcount(slots);
    }
    if (region.room(size_class).test(page) != (pooled != 0)) {
        return broken("a slab has room exactly when its pool is not empty", start);
    }
    if (region.spares().test(page) != (pooled_count == class_slots(size_class))) {
        return broken("a spare is an empty slab", start);
    }
    return slots_are_sound(region, page, size_class);
}

bool Auditor::slots_are_sound(Region& region, Word page, unsigned size_class) {
    uintptr_t const start = page << page_shift;
    Word marked = live_blocks(region, page);
    for (unsigned slot = 0; slot < class_slots(size_class); ++slot) {
        uintptr_t const block = start + slot_offset(size_class, slot);
        uint8_t const mark = region.view().live(block);
        if (mark == 0) continue;
        --marked;
        if (mark != 1) return broken("a live mark is 0 or 1", block);
        if ((region.slots(page)[slot / word_bits] & bit_of(slot)) != 0) {
            return broken("a live block is not in a pool", block);
        }
        if (!heap_.was_handed_out(region, page, size_class, slot)) {
            return broken("a live block was handed out", block);
        }
    }
    for (unsigned slot = 0; slot < class_slots(size_class); ++slot) {
        bool const pooled = (region.slots(page)[slot / word_bits] & bit_of(slot)) != 0;
        bool const in_front = heap_.front_with(page, size_class, slot) != nullptr;
        if (!pooled && !in_front && !heap_.was_handed_out(region, page, size_class, slot)) {
            return broken("a slot that never was handed out is free", start + slot_offset(size_class, slot));
        }
    }
    if (marked != 0) return broken("a slab's blocks start at its slots", start);
    return true;
}

// A slot that is neither live nor in its pool, in a slab of the class.
bool Auditor::is_free_slot(uintptr_t address, unsigned size_class) const {
    PageView const* const view = heap_.view_of(address);
    if (view == nullptr || view->what(address) != size_class ||
        address % page_size % class_size(size_class) != 0)
        return false;
    unsigned const slot = slot_at(size_class, address % page_size);
    return slot < class_slots(size_class) && view->live(address) == 0 &&
           (view->slots(address)[slot / word_bits] & bit_of(slot)) == 0;
}

bool Auditor::stack_is_sound(Front const& front, unsigned size_class) {
    bool const hidden = front.other != 0;
    Word const limit = hidden ? front.hidden_limit : front.limit;
    Word const depth = hidden ? front.hidden_depth : front.depth;
    if (limit != stack_limit(size_class) || depth > limit || front.stack[0] != 0) {
        return broken("a stack has its class's capacity");
    }
    if (defences::quarantine != 0) {
        if (front.other != 0 || front.oldest >= (depth == limit ? limit : 1))
            return broken("a quarantine knows what is oldest");
    } else if (hidden ? (front.depth | front.limit | front.word) != 0
                      : (front.hidden_depth | front.hidden_limit | front.hidden_word) != 0) {
        return broken("a front is hidden while a block of another region is on top");
    }
    if (hidden && !is_free_slot(front.other, size_class)) {
        return broken("a stack holds free slots of its class", front.other);
    }
    for (Word i = 1; i <= depth; ++i) {
        uintptr_t const address = front.stack[i];
        if (!is_free_slot(address, size_class) ||
            (defences::quarantine == 0 && !heap_.primary_.knows(address))) {
            return broken("a stack holds free slots of its class", address);
        }
        for (Word older = 1; older < i; ++older) {
            if (front.stack[older] == address) return broken("a stack holds a slot once", address);
        }
        if (address == front.other || heap_.front_with(address >> page_shift, size_class,
                                                       slot_at(size_class, address % page_size)) != nullptr) {
            return broken("a free slot is in one place", address);
        }
    }
    in_fronts_ += depth + hidden;
    return true;
}

bool Auditor::word_is_sound(Front const& front, unsigned size_class) {
    bool sound =
        front.slot_bytes == class_size(size_class) && front.reciprocal == class_reciprocal(size_class);
    for (unsigned w = 0; w < slot_words; ++w) sound = sound && front.full[w] == all_slots(size_class, w);
    if (!sound) return broken("a front knows its class");
    for (Word rest = front.word | front.hidden_word; rest != 0; rest &= rest - 1) {
        uintptr_t const address = front.word_base + slot_offset(size_class, lowest_bit(rest));
        if (!is_free_slot(address, size_class) || front.word_live_bias != heap_.view_of(address)->live_bias) {
            return broken("a front's word holds free slots", address);
        }
    }
    in_fronts_ += popcount(front.word | front.hidden_word);
    return true;
}

// The fronts, and the books of the class.
bool Auditor::class_is_sound(unsigned size_class) {
    in_fronts_ = 0;
    for (Word i = 0; i < heap_.front_count_; ++i) {
        Front const& front = heap_.fronts_of(i).of_class[size_class];
        if (!stack_is_sound(front, size_class) || !word_is_sound(front, size_class)) return false;
    }
    Word slabs = 0, roomy = 0, empty = 0, live = 0, pooled = 0;
    for (unsigned i = 0; i < heap_.region_count_; ++i) {
        Region& region = heap_.region(i);
        Word next;
        for (Word page = region.next_head(region.first_usable()); page != Region::none;
             page = region.next_head(next)) {
            next = page + region.run_pages(page);
            if (region.what(page) != size_class) continue;
            Word here = 0;
            for (unsigned w = 0; w < slot_words; ++w) here += popcount(region.slots(page)[w]);
            live += live_blocks(region, page);
            pooled += here;
            roomy += here != 0;
            empty += here == class_slots(size_class);
            ++slabs;
        }
    }
    if (heap_.slabs(size_class) != slabs) return broken("a class's slabs are counted exactly");
    if (heap_.with_room(size_class) != roomy) return broken("a class's slabs with room are counted exactly");
    if (heap_.spares(size_class) != empty) return broken("a class's spares are counted exactly");
    if (heap_.live(size_class) != live) return broken("a class's live blocks are counted exactly");
    if (live + pooled + in_fronts_ == slabs * class_slots(size_class)) return true;
    return broken("each slot is live, in its pool, in a stack or in a front's word");
}

int HeapCore::audit(slab_audit* out) const {
    slab_audit result{nullptr, nullptr};
    int status = SLAB_ERR_NOT_INITIALISED;
    if (initialised()) status = Auditor(*this, result).heap_is_sound() ? SLAB_OK : SLAB_ERR_CORRUPT;
    if (out != nullptr) *out = result;
    return status;
}

}  // namespace slabheap
