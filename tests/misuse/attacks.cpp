// SPDX-License-Identifier: MIT
//
// The classic attacks on heaps' own data, each of which makes an allocator with lists, headers or links in
// its blocks hand out, or write to, an address of the attacker's choice; and what can be done to this heap's
// page map by who can write there.
#include "cases.hpp"

namespace slabheap::misuse {

namespace {

// What the attacker wants to be handed out: static memory that looks like blocks with headers of each common
// kind: their sizes, and links to themselves.
uintptr_t fake_blocks[64] __attribute__((aligned(64)));

void forge() {
    for (size_t i = 0; i < 64; i += 4) {
        fake_blocks[i] = 0;
        fake_blocks[i + 1] = full_small | 1;
        fake_blocks[i + 2] = fake_blocks[i + 3] = reinterpret_cast<uintptr_t>(fake_blocks + i);
    }
}

bool is_forgery_intact() {
    for (size_t i = 0; i < 64; i += 4) {
        const uintptr_t self = reinterpret_cast<uintptr_t>(fake_blocks + i);
        if (fake_blocks[i] != 0 || fake_blocks[i + 1] != (full_small | 1)) return false;
        if (fake_blocks[i + 2] != self || fake_blocks[i + 3] != self) return false;
    }
    return true;
}

// Fills memory with pointers to the forgery.
void write_links(unsigned char* at, size_t size) {
    for (size_t i = 0; i + sizeof(void*) <= size; i += sizeof(void*)) {
        write_pointer(at + i, fake_blocks + i / sizeof(void*) % 2 * 4);
    }
}

// Is memory handed out that is not the heap's?
bool hands_out_forgery(size_t size) {
    constexpr size_t count = 64;
    unsigned char* blocks[count];
    bool is_forged[count];
    bool any = !is_forgery_intact();
    const auto* const first = reinterpret_cast<const unsigned char*>(fake_blocks);
    for (size_t i = 0; i < count; ++i) {
        blocks[i] = allocate(size);
        is_forged[i] = blocks[i] >= first && blocks[i] < first + sizeof fake_blocks;
        any = any || is_forged[i];
    }
    for (size_t i = 0; i < count; ++i) {
        if (!is_forged[i]) slab_free(blocks[i]);
    }
    return any || !is_forgery_intact();
}

// The links of a list of free blocks, in the freed blocks themselves.
template <size_t size>
void links_in_freed_blocks(Trial& trial) {
    forge();
    unsigned char* const one = allocate(size);
    unsigned char* const other = allocate(size);
    slab_free(one);
    slab_free(other);
    trial.expect(SLAB_FAULT_WRITE_AFTER_FREE, one);
    trial.expect(SLAB_FAULT_WRITE_AFTER_FREE, other);
    trial.misuse([=] {
        write_links(one, size);
        write_links(other, size);
    });
    trial.at_the_reuse([=, &trial] {
        trial.harm(hands_out_forgery(size));
        is_reused(one, size);
        is_reused(other, size);
    });
}

// The same, by an overflow out of a live block into the free one behind it.
void links_by_overflow(Trial& trial) {
    forge();
    const Neighbours pair = neighbours(full_small);
    slab_free(pair.high);
    trial.expect(SLAB_FAULT_WRITE_AFTER_FREE, pair.high);
    trial.misuse([=] { write_links(pair.low + full_small, 64); });
    trial.at_the_reuse([=, &trial] {
        trial.harm(hands_out_forgery(full_small));
        is_reused(pair.high, full_small);
    });
    slab_free(pair.low);
}

// One block twice in a list: a double free with another in between, and then the link is written by the
// owner.
void duplicate_in_list(Trial& trial) {
    forge();
    unsigned char* const one = allocate(small);
    unsigned char* const other = allocate(small);
    slab_free(one);
    slab_free(other);
    trial.expect(SLAB_FAULT_DOUBLE_FREE, one);
    trial.misuse([=] { slab_free(one); });
    unsigned char* const owned = allocate(small);
    write_links(owned, 64);
    trial.harm(hands_out_forgery(small));
    slab_free(owned);
    trial.harm(hands_out_twice(small));
}

// The size in the header before a block: freed with a larger one, it would take its neighbour along.
template <size_t size>
void header_before_block(Trial& trial) {
    const Neighbours pair = neighbours(size);
    const Neighbours others = neighbours(size);
    unsigned char* const block = pair.high == nullptr ? pair.low : pair.high;
    fill(others.low, size, victims);
    trial.expect(SLAB_FAULT_OVERFLOW, block - 8);
    trial.misuse([=] { write_pointer(block - 8, reinterpret_cast<void*>(8 * size | 1)); });
    trial.harm(slab_usable_size(block) > real_size(size));
    slab_free(block);
    trial.harm(hands_out_twice(size) || !holds(others.low, size, victims));
    trial.at_the_free([=] { free_if_live(pair.low); });
    slab_free(others.low);
    slab_free(others.high);
}

// Links of a list in both directions, in freed pages, which a merge with the freed neighbour would unlink: by
// a write to where they lead.
void unlink_at_merge(Trial& trial) {
    forge();
    const Neighbours pair = neighbours(full_large);
    slab_free(pair.low);
    trial.misuse([=] { write_links(pair.low, full_large); });
    free_if_live(pair.high);
    trial.harm(hands_out_forgery(full_large));
}

// A free of the forgery itself, so that it is the next to be handed out.
void free_of_forgery(Trial& trial) {
    forge();
    trial.expect(SLAB_FAULT_FOREIGN, fake_blocks + 4);
    trial.misuse([] { slab_free(fake_blocks + 4); });
    trial.harm(hands_out_forgery(small));
}

// A forgery within a block of one's own, behind whose start it would be handed out to a victim.
void free_within_own_block(Trial& trial) {
    unsigned char* const block = allocate(1000);
    write_links(block, 1000);
    trial.expect(SLAB_FAULT_INTERIOR, block + 64);
    trial.misuse([=] { slab_free(block + 64); });
    unsigned char* const victim = allocate(small);
    trial.harm(victim >= block && victim < block + 1000);
    slab_free(victim);
    free_if_live(block);
}

// A page map's header, by a wild write: nothing is called meanwhile but the audit.
void header_of_page_map(Trial& trial) {
    volatile unsigned char* const byte = trial.place.page_map;
    const unsigned char before = *byte;
    trial.misuse([=] { *byte = static_cast<unsigned char>(before ^ 0x10); });
    trial.audit();
    *byte = before;
}

// The mark by which a block is live, by a write of someone who knows where it is: here, who has compared the
// map with itself after the block's free. With the mark, a freed block could be freed again.
void live_mark(Trial& trial) {
    volatile unsigned char* const map = trial.place.page_map;
    const size_t size = trial.place.page_map_bytes;
    unsigned char* const copy = allocate(size);
    if (copy == nullptr) return trial.harm(true);
    void* const block = allocate(small);
    for (size_t i = 0; i < size; ++i) copy[i] = map[i];
    slab_free(block);
    size_t at = 0;
    while (at < size && !(copy[at] == 1 && map[at] == 0)) ++at;
    if (at == size) return slab_free(copy);  // the block has no mark
    trial.misuse([=] { map[at] = 1; });
    trial.harm(slab_owns(block));
    trial.audit();
    map[at] = 0;
    slab_free(copy);
}

}  // namespace

const Case attacks[] = {
    {"attack-links-in-freed-blocks", links_in_freed_blocks<small>},
    {"attack-links-in-freed-blocks-large", links_in_freed_blocks<large>},
    {"attack-links-by-overflow", links_by_overflow},
    {"attack-duplicate-in-list", duplicate_in_list},
    {"attack-header-before-block", header_before_block<full_small>},
    {"attack-header-before-block-with-slack", header_before_block<small>},
    {"attack-header-before-block-large", header_before_block<full_large>},
    {"attack-unlink-at-merge", unlink_at_merge},
    {"attack-free-of-forgery", free_of_forgery},
    {"attack-free-within-own-block", free_within_own_block},
    {"attack-header-of-page-map", header_of_page_map},
    {"attack-live-mark", live_mark},
    {nullptr, nullptr},
};

}  // namespace slabheap::misuse
