// SPDX-License-Identifier: MIT
//
// PageMap: what the heap knows about the pages of one region, kept at the region's start and nowhere else.
// Nothing of the allocator lies inside a block, so nothing that a kernel writes into its blocks can mislead
// the allocator.
//
// For each page:
//
//   tag     1 byte           what the page is
//   live    1 byte a mark    1 where a live block of a slab starts
//   slots   a bit a slot     of a slab: free, in its pool; in the first page of a run: its page count
//   handed  1 byte a word    of slots: how many were handed out since the slab was set up (at random: a bit
//                            each); of a small block with a guard: granules of its page that lie before it
//
// and the nodes of the trees (nodes.hpp), one of level 0 a section of word_bits pages: 1.9 % of the region
// in all, 3.6 % with the fine classes, whose pages have up to 128 slots.
//
// A mark is a byte, not a bit, so that it is its block's alone: handing a block out is a plain store, which
// takes nothing from what another CPU, or an interrupt handler, does to the marks beside it.
//
// The map is lazy. Memory on a bare machine is garbage and clearing 2 % of 64 GiB at boot is too dear, so a
// node counts only when its parent's bit in the column `known` is set, and so on up to the root, which is
// cleared at the start. Opening a node clears its words; opening one of level 0 clears also the tags and the
// live marks of its pages. The other bytes of a page count only when its tag says so. Below `known_end` all
// sections are open, which makes the usual test one comparison; each use of pages moves known_end one section
// on, so that it reaches the region's end after a while.
#ifndef SLABHEAP_PAGE_MAP_HPP
#define SLABHEAP_PAGE_MAP_HPP

#include "atomic.hpp"
#include "bit_tree.hpp"
#include "defences.hpp"

namespace slabheap {

// What a page is. Values below class_count: a slab of that class. A tag outlives its page's use until the
// next one, which is how a free of a freed block is told from a free of what never was one.
namespace tag {
constexpr uint8_t freed_slab = 0x40;  // + class: was a slab, all of its blocks are freed
constexpr uint8_t large = 0x80;       // first page of a large block
constexpr uint8_t freed_large = 0x81;
constexpr uint8_t reserved = 0x82;  // first page of a reserved range
constexpr uint8_t leaving = 0x83;   // first page of a large block that is freed, and still holds its pages
// The same, while defences fill it, or the run of a small block rests; two bits from large.
constexpr uint8_t retiring = 0x85;
constexpr uint8_t none = 0xff;  // never was a slab, nor the first page of anything
// Each of these but a reserved range has two more forms, where there are guards: the run's last page is one;
// and what it guards is a small block, at the end of the page before it (guards.hpp).
constexpr uint8_t with_guard = 0x08;
constexpr uint8_t small_with_guard = 0x18;
constexpr bool has_form(uint8_t t) {
    return defences::guard && (t & 0xe8) == (large | with_guard) && (t & 7) != (reserved & 7);
}
constexpr uint8_t form(uint8_t t) { return has_form(t) ? t & small_with_guard : 0; }
template <class T>
constexpr T state(T t) {  // the tag without its form
    return has_form(static_cast<uint8_t>(t)) ? static_cast<T>(t & ~T{small_with_guard}) : t;
}
constexpr uint8_t in_form(uint8_t state, uint8_t form) { return static_cast<uint8_t>(state | form); }
constexpr bool is_slab(uint8_t t) { return t < class_count; }
constexpr bool is_leaving(uint8_t t) {
    return state(t) == leaving || (defences::retire && state(t) == retiring);
}
constexpr bool is_freed_slab(uint8_t t) { return t >= freed_slab && t < freed_slab + class_count; }
}  // namespace tag

constexpr unsigned live_marks = page_size >> mark_shift;                                   // a page's
constexpr unsigned size_bytes = defences::keep_sizes ? live_marks * sizeof(uint16_t) : 0;  // a page's
constexpr unsigned site_bytes = defences::tracking ? live_marks * sizeof(Word) : 0;
constexpr unsigned note_bytes = size_bytes + site_bytes;
constexpr unsigned slot_words = max_slots > word_bits ? max_slots / word_bits : 1;  // a page's

// The first of the slots that a word of slots stands for, and the word full of a class's slots.
constexpr unsigned first_slot(unsigned slot_word) { return slot_word * word_bits; }
constexpr Word all_slots(unsigned size_class, unsigned slot_word) {
    unsigned const slots = class_slots(size_class);
    if (slots <= first_slot(slot_word)) return 0;
    unsigned const here = slots - first_slot(slot_word);
    return bits_below(here < word_bits ? here : word_bits);
}

constexpr uint8_t slots_in_word(unsigned size_class, unsigned slot_word) {
    if (slot_words == 1) return static_cast<uint8_t>(class_slots(size_class));
    return static_cast<uint8_t>(popcount(all_slots(size_class, slot_word)));
}

// Which of a word's slots were handed out since the slab was set up: so many, from the lowest on; or, where
// they are drawn at random, a bit for each.
template <bool random>
struct HandedSlots {
    using Number = uint8_t;
    static constexpr Word slots(Word number) { return number >= word_bits ? all_ones : bit_of(number) - 1; }
    static constexpr Number number(Word slots) { return static_cast<Number>(popcount(slots)); }
    static constexpr Number all(unsigned size_class, unsigned w) { return slots_in_word(size_class, w); }
    static constexpr bool is_sound(Number number, unsigned size_class, unsigned w) {
        return number <= popcount(all_slots(size_class, w));
    }
};
template <>
struct HandedSlots<true> {
    using Number = Word;
    static constexpr Word slots(Word number) { return number; }
    static constexpr Number number(Word slots) { return slots; }
    static constexpr Number all(unsigned size_class, unsigned w) { return all_slots(size_class, w); }
    static constexpr bool is_sound(Number number, unsigned size_class, unsigned w) {
        return (number & ~all_slots(size_class, w)) == 0;
    }
};
using Handed = HandedSlots<defences::random>;
constexpr unsigned handed_bytes = slot_words * sizeof(Handed::Number);  // a page's

// The part of a map that free needs: where a page's bytes are, by address alone.
struct PageView {
    bool operator==(PageView const&) const = default;

    uintptr_t base;         // the region's first byte
    uintptr_t known_marks;  // from base on, how many marks are surely valid
    uintptr_t tag_bias;
    uint8_t* live_start;  // of the region's first page
    uintptr_t live_bias;
    uintptr_t slots_bias;

    // Is the address in the region, with a valid map? Addresses below base wrap round and are not.
    bool knows(uintptr_t address) const { return (address - base) >> mark_shift < known(); }
    // How many marks are valid, which CPUs may ask while another opens sections.
    Word known() const { return atomic::load<atomic::acquire>(known_marks); }
    // Which mark of the region is the address's. The bits that a multiple of the unit has not are rotated to
    // the top: where no slot can start, it is a number that is never known.
    Word mark_at(uintptr_t address) const { return rotate_right(address - base, mark_shift); }

    uint8_t& tag(uintptr_t address) const {
        return *reinterpret_cast<uint8_t*>(tag_bias + (address >> page_shift));
    }
    // The tag, and the live mark, where another CPU may be changing them.
    uint8_t what(uintptr_t address) const { return atomic::load<atomic::relaxed>(tag(address)); }
    bool is_live(uintptr_t address) const { return atomic::load<atomic::relaxed>(live(address)) != 0; }
    static uint8_t& live_at(uintptr_t live_bias, uintptr_t address) {
        return *reinterpret_cast<uint8_t*>(live_bias + (address >> mark_shift));
    }
    uint8_t& live(uintptr_t address) const { return live_at(live_bias, address); }
    Word* slots(uintptr_t address) const {
        return reinterpret_cast<Word*>(slots_bias + (address >> page_shift) * (slot_words * sizeof(Word)));
    }
};

class PageMap : public Nodes {
public:
    // Bytes that the map of the pages first ... end - 1 takes, after a header of header_bytes.
    [[gnu::cold]] static size_t bytes_needed(Word first, Word end, size_t header_bytes);

    // Sets up the map of the pages first ... end - 1 in the memory behind this object's header. Constant
    // cost.
    [[gnu::cold]] void set_up(Word first, Word end, size_t header_bytes);

    // For the audit: is the header what set_up made of these pages, and are the sections below known_end
    // open?
    [[gnu::cold]] bool has_geometry(Word first, Word end, size_t header_bytes) const;

    const PageView& view() const { return view_; }

    // Is the page's section the first behind the known part?
    bool ends_known_part(Word page) const { return page >> word_shift == known_end_ >> word_shift; }
    // Is the whole map open?
    bool knows_all() const { return known_end_ == end_page; }
    bool contains(Word page) const { return page >= first_page && page < end_page; }
    uint8_t& tag(Word page) const { return view_.tag(page << page_shift); }
    uint8_t what(Word page) const { return view_.what(page << page_shift); }
    uint8_t form(Word page) const {
        if constexpr (defences::guard) return tag::form(what(page));
        return 0;
    }
    uint8_t* live(Word page) const { return &view_.live(page << page_shift); }
    Word* slots(Word page) const { return view_.slots(page << page_shift); }
    Handed::Number* handed(Word page) const {
        return reinterpret_cast<Handed::Number*>(handed_bias_ + page * handed_bytes);
    }

    // The size that was asked for, of a live block of a slab, or of a large one (defences::keep_sizes).
    uint16_t& requested(uintptr_t address) const {
        return *reinterpret_cast<uint16_t*>(note_at(address, sizeof(uint16_t)));
    }
    Word& requested_of_run(uintptr_t address) const {
        return *reinterpret_cast<Word*>(note_at(address & ~(page_size - 1), 0));
    }
    // Who allocated the block, or freed it (defence tracking).
    Word& site(uintptr_t address) const {
        return *reinterpret_cast<Word*>(note_at(address, sizeof(Word)) + size_bytes);
    }

    BitTree runs() const { return {*this, column::runs, 0}; }
    BitTree spares() const { return {*this, column::spares, 0}; }
    BitTree room(unsigned size_class) const { return {*this, column::room + size_class, 0}; }
    // Nodes of level order / word_shift whose largest free block has that order.
    BitTree order_tree(unsigned order) const {
        return {*this, column::orders + order, order / word_shift + 1};
    }

    // Is the node open? Is the page's section?
    [[gnu::cold]] bool is_open(unsigned level, Word node) const;
    bool knows_page(Word page) const {
        return contains(page) &&
               (page < atomic::load<atomic::acquire>(known_end_) || is_open(0, page >> word_shift));
    }

    // Opens the node, and those above it.
    [[gnu::cold]] void open(unsigned level, Word node);
    // Opens the node; the one above it is open.
    void open_below(unsigned level, Word node) {
        Word& known = word(level + 1, node >> word_shift, column::known);
        if ((known & bit_of(node)) != 0) return;
        clear_node(level, node);
        // Pairs with the load in is_open.
        atomic::store<atomic::release>(known, known | bit_of(node));
    }
    // Moves known_end a section on.
    [[gnu::cold]] void open_next();

private:
    void clear_node(unsigned level, Word node);
    uintptr_t note_at(uintptr_t address, unsigned bytes) const {
        return notes_bias_ + (address >> page_shift) * note_bytes +
               (address % page_size >> mark_shift) * bytes;
    }

    PageView view_;
    uintptr_t handed_bias_;
    uintptr_t notes_bias_;
    Word known_end_;
};

}  // namespace slabheap

#endif
