// SPDX-License-Identifier: MIT
//
// The plain model that each state is held against: a list of the live blocks, and for each page what follows
// from it. It says whether a request fits, with which size, and what each misuse is; it knows nothing of how
// the heap searches, caches or orders anything.
#ifndef EXHAUSTION_MODEL_HPP
#define EXHAUSTION_MODEL_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace exhaustion {

constexpr size_t page_size = 4096;
constexpr size_t most_pages = 32;  // of a world

// Bytes from the start of the world's memory.
using Offset = uint32_t;

struct Block {
    Offset start;
    uint32_t size;  // bytes that may be used
    bool is_run;    // a large block: whole pages
    bool is_kept;   // never freed by a sequence

    bool has(Offset at) const { return at - start < size; }
    bool operator==(Block const&) const = default;
};

class Model {
public:
    // A region's pages that are handed out: all but its map.
    void add_region(size_t first_page, size_t end_page);
    void remove_last_region();

    // The size of the block that a request must get; 0: nothing fits, it must fail.
    size_t capacity_for(size_t size, size_t align) const;
    size_t capacity_for_run(size_t pages, size_t align) const;
    // Can a large block be that long where it is?
    bool can_be(Block const& run, size_t pages) const;
    // Why the new block cannot be right; null: it can.
    const char* objection_to(Block const& block, size_t align) const;

    void add(Block const& block);
    void remove(Offset start);
    void resize(Offset start, size_t size);

    // Are all pages of the range ones that are handed out, and nobody's? Reserved?
    bool all_free(size_t page, size_t count) const { return all_are(Use::free, page, count); }
    bool all_reserved(size_t page, size_t count) const { return all_are(Use::reserved, page, count); }
    void set_reserved(size_t page, size_t count, bool reserved);
    bool is_handed_out(size_t page) const { return pages_[page].region != 0; }

    // What freeing an address that is no live block's start must be called (slab_fault_kind).
    int verdict(Offset at) const;

    std::vector<Block> const& live() const { return live_; }
    Block const& block(Offset start) const { return *find(start); }
    // Starts of blocks that were freed, in whose pages nothing has begun since.
    std::vector<Offset> const& freed() const { return freed_; }
    // Some addresses where surely no block ever began: slots of slabs in pages that were nothing before.
    std::vector<Offset> never_begun() const;
    size_t used_bytes() const;
    size_t total_bytes() const;
    void keep_all();

    // As words, to be stored. The first ones tell how it came about, and do not tell states apart.
    static constexpr size_t words_of_history = 2;
    void pack(std::vector<uint64_t>& out) const;
    void unpack(uint64_t const* in);

private:
    enum class Use : uint8_t { free, slab, run, reserved };
    struct Page {
        Use use = Use::free;
        uint8_t region = 0;  // 0: none
        uint16_t class_size = 0;
        uint16_t live = 0;
        bool began = false;  // a block has started in the page, once
        bool again = false;  // and the page has been given up since
        bool has_room() const;
    };

    std::vector<Block>::const_iterator find(Offset start) const;
    void enter(Block const& block);
    bool all_are(Use use, size_t page, size_t count) const;
    void begin_use(size_t page);

    std::vector<Block> live_;    // by address
    std::vector<Offset> freed_;  // ascending
    std::array<Page, most_pages> pages_{};
    uint8_t regions_ = 0;
};

}  // namespace exhaustion

#endif
