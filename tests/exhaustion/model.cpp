// SPDX-License-Identifier: MIT
#include "model.hpp"

#include <slabheap/slabheap.h>

#include <algorithm>

#include "class_set.hpp"

namespace exhaustion {

using slabheap::test::class_for;
using slabheap::test::class_sizes;

bool Model::Page::has_room() const {
    return use == Use::slab && live < slabheap::test::slots_in_a_page(class_size);
}

void Model::add_region(size_t first_page, size_t end_page) {
    ++regions_;
    for (size_t page = first_page; page < end_page; ++page) pages_[page].region = regions_;
}

void Model::remove_last_region() {
    for (Page& page : pages_) {
        if (page.region == regions_) page = {};
    }
    --regions_;
}

// A slot of the smallest class that has the size and the alignment, while that or a page is there; else of
// the next larger one that has a slot.
size_t Model::capacity_for(size_t size, size_t align) const {
    size_t const own = class_for(size, align);
    if (own == 0) return capacity_for_run((size + page_size - 1) / page_size, align);
    size_t best = 0;
    for (Page const& page : pages_) {
        if (page.region == 0) continue;
        if (page.use == Use::free) return own;
        if (page.has_room() && page.class_size >= own && page.class_size % align == 0 &&
            (best == 0 || page.class_size < best)) {
            best = page.class_size;
        }
    }
    return best;
}

// Whether pages are aligned is the same as whether their offsets are: the memory starts at a multiple of
// every alignment that is asked for.
size_t Model::capacity_for_run(size_t pages, size_t align) const {
    for (size_t first = 0; first + pages <= most_pages; ++first) {
        if (first * page_size % align == 0 && all_free(first, pages)) return pages * page_size;
    }
    return 0;
}

bool Model::can_be(Block const& run, size_t pages) const {
    size_t const now = run.size / page_size;
    size_t const first = run.start / page_size;
    return pages <= now ||
           (pages_[first].region == pages_[first + now].region && all_free(first + now, pages - now));
}

const char* Model::objection_to(Block const& block, size_t align) const {
    if (block.start % std::max<size_t>(align, 16) != 0) return "it is not aligned";
    for (Block const& other : live_) {
        if (other.has(block.start) || block.has(other.start)) return "it overlaps a live block";
    }
    if (block.is_run) {
        bool const free = all_free(block.start / page_size, block.size / page_size);
        return free ? nullptr : "its pages are not free pages of one region";
    }
    Page const& page = pages_[block.start / page_size];
    if (page.region == 0) return "it lies in no region's pages";
    if (page.use != Use::free && (page.use != Use::slab || page.class_size != block.size))
        return "its page is in other use";
    bool const at_slot =
        block.start % page_size % block.size == 0 && block.start % page_size + block.size <= page_size;
    return at_slot ? nullptr : "it does not start where a block of its class does";
}

// The model's books of pages.
void Model::enter(Block const& block) {
    for (size_t page = block.start / page_size; page * page_size < block.start + block.size; ++page) {
        pages_[page].use = block.is_run ? Use::run : Use::slab;
        pages_[page].class_size = static_cast<uint16_t>(block.is_run ? 0 : block.size);
        ++pages_[page].live;
    }
}

void Model::add(Block const& block) {
    for (size_t page = block.start / page_size; page * page_size < block.start + block.size; ++page) {
        if (pages_[page].use == Use::free) begin_use(page);
    }
    enter(block);
    pages_[block.start / page_size].began = true;
    auto const place =
        std::find_if(live_.begin(), live_.end(), [&](Block const& it) { return it.start > block.start; });
    live_.insert(place, block);
    std::erase(freed_, block.start);
}

void Model::remove(Offset start) {
    auto const dead = find(start);
    for (size_t page = start / page_size; page * page_size < start + dead->size; ++page) {
        if (--pages_[page].live != 0) continue;
        pages_[page].use = Use::free;
        pages_[page].again = pages_[page].began;
    }
    live_.erase(dead);
    freed_.insert(std::lower_bound(freed_.begin(), freed_.end(), start), start);
}

void Model::resize(Offset start, size_t size) {
    Block block = *find(start);
    remove(start);
    block.size = static_cast<uint32_t>(size);
    add(block);
}

bool Model::all_are(Use use, size_t page, size_t count) const {
    for (size_t i = page; i < page + count; ++i) {
        if (i >= most_pages || pages_[i].region == 0 || pages_[i].region != pages_[page].region ||
            pages_[i].use != use)
            return false;
    }
    return true;
}

void Model::set_reserved(size_t page, size_t count, bool reserved) {
    for (size_t i = page; i < page + count; ++i) {
        begin_use(i);
        pages_[i].use = reserved ? Use::reserved : Use::free;
    }
}

// What was freed in the page before need not be told any more.
void Model::begin_use(size_t page) {
    std::erase_if(freed_, [&](Offset start) { return start / page_size == page; });
}

std::vector<Offset> Model::never_begun() const {
    std::vector<Offset> result;
    for (size_t i = 0; i < most_pages; ++i) {
        Page const& page = pages_[i];
        if (page.region == 0 || page.use == Use::reserved) continue;
        size_t const start = i * page_size;
        if (!page.began) result.push_back(static_cast<Offset>(start));
        if (page.use != Use::slab || page.again) continue;
        // The first slots that were not used, since those are handed out next, and the last.
        size_t found = 0;
        size_t const last = slabheap::test::slots_in_a_page(page.class_size) - 1;
        for (size_t slot = 0; slot <= last; ++slot) {
            Offset const at = static_cast<Offset>(start + slot * page.class_size);
            if (verdict(at) == SLAB_FAULT_NEVER_ALLOCATED && (found++ < 2 || slot == last))
                result.push_back(at);
        }
    }
    return result;
}

int Model::verdict(Offset at) const {
    Page const& page = pages_[at / page_size];
    if (page.region == 0 || page.use == Use::reserved) return SLAB_FAULT_FOREIGN;
    if (at % 16 != 0) return SLAB_FAULT_MISALIGNED;
    for (Block const& block : live_) {
        if (block.has(at)) return block.start == at ? 0 : SLAB_FAULT_INTERIOR;
    }
    bool const freed = std::binary_search(freed_.begin(), freed_.end(), at);
    return freed ? SLAB_FAULT_DOUBLE_FREE : SLAB_FAULT_NEVER_ALLOCATED;
}

std::vector<Block>::const_iterator Model::find(Offset start) const {
    return std::find_if(live_.begin(), live_.end(), [&](Block const& it) { return it.start == start; });
}

size_t Model::used_bytes() const {
    size_t sum = 0;
    for (Block const& block : live_) sum += block.size;
    return sum;
}

size_t Model::total_bytes() const {
    size_t pages = 0;
    for (Page const& page : pages_) pages += page.region != 0 && page.use != Use::reserved;
    return pages * page_size;
}

void Model::keep_all() {
    for (Block& block : live_) block.is_kept = true;
}

// Three words of a bit for each page, one of counts, one for each block, and for each that was freed.
void Model::pack(std::vector<uint64_t>& out) const {
    uint64_t reserved = 0, began = 0, again = 0;
    for (size_t page = 0; page < most_pages; ++page) {
        reserved |= uint64_t{pages_[page].use == Use::reserved} << page;
        began |= uint64_t{pages_[page].began} << page;
        again |= uint64_t{pages_[page].again} << page;
    }
    out.insert(out.end(), {began, again, reserved, live_.size() | freed_.size() << 32});
    for (Block const& block : live_) {
        out.push_back(block.start | uint64_t{block.size} << 32 | uint64_t{block.is_run} << 62 |
                      uint64_t{block.is_kept} << 63);
    }
    out.insert(out.end(), freed_.begin(), freed_.end());
}

// The regions stay as they are.
void Model::unpack(uint64_t const* in) {
    size_t const live = in[3] & 0xffff'ffff, freed = in[3] >> 32;
    uint64_t const began = in[0], again = in[1], reserved = in[2];
    in += 4;
    for (size_t page = 0; page < most_pages; ++page) {
        pages_[page].use = (reserved >> page & 1) != 0 ? Use::reserved : Use::free;
        pages_[page].live = 0;
        pages_[page].began = (began >> page & 1) != 0;
        pages_[page].again = (again >> page & 1) != 0;
    }
    live_.clear();
    for (size_t i = 0; i < live; ++i, ++in) {
        live_.push_back({static_cast<Offset>(*in), static_cast<uint32_t>(*in >> 32 & 0x3fff'ffff),
                         (*in >> 62 & 1) != 0, *in >> 63 != 0});
        enter(live_.back());
    }
    freed_.clear();
    for (size_t i = 0; i < freed; ++i) freed_.push_back(static_cast<Offset>(*in++));
}

}  // namespace exhaustion
