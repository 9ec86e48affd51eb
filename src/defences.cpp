// SPDX-License-Identifier: MIT
#include "heap_core.hpp"
#include "memory.hpp"

namespace slabheap {

namespace defences {

static uint8_t& byte_at(uintptr_t address) { return *reinterpret_cast<uint8_t*>(address); }

void fill(uintptr_t start, uintptr_t end, uint8_t byte) {
    shadow::Unseen const unseen;
    Word const pattern = all_ones / 255 * byte;
    for (; start != end && start % sizeof(Word) != 0; ++start) byte_at(start) = byte;
    for (; end - start >= sizeof(Word); start += sizeof(Word)) *reinterpret_cast<BlockWord*>(start) = pattern;
    for (; start != end; ++start) byte_at(start) = byte;
}

uintptr_t first_other(uintptr_t start, uintptr_t end, uint8_t byte) {
    shadow::Unseen const unseen;
    Word const pattern = all_ones / 255 * byte;
    for (; start != end; ++start) {
        if (start % sizeof(Word) == 0) {
            while (end - start >= sizeof(Word) && *reinterpret_cast<BlockWord*>(start) == pattern)
                start += sizeof(Word);
            if (start == end) return 0;
        }
        if (byte_at(start) != byte) return start;
    }
    return 0;
}

}  // namespace defences

using namespace defences;

// The bytes of a range that are not what they should be.
Damage HeapCore::damage_of(uintptr_t start, uintptr_t end, uint8_t byte, Diagnosis const& what) const {
    Damage damage{first_other(start, end, byte), 0, what, noted_at(what.block), {}};
    if (damage.at == 0) return damage;
    shadow::Unseen const unseen;
    for (unsigned i = 0; i < sizeof damage.found && damage.at + i < end; ++i)
        damage.found[i] = byte_at(damage.at + i);
    return damage;
}

void* HeapCore::prepare_block(uintptr_t address, size_t size) {
    Block const block = live_block(address);
    size += size == 0;
    if (poison && !block.is_run()) {
        report({"slab_alloc", nullptr}, damage_of(address, address + block.size, poison_byte,
                                                  {SLAB_FAULT_WRITE_AFTER_FREE, address, block.size}));
    }
    if (tracking) note(address, nullptr);
    shadow::open_block(address, size, address + block.size);
    if (zero_alloc) fill(address, address + (canary ? size : block.size), 0);
    keep_size(address, block, size);
    if (canary) fill(address + size, address + block.size, canary_byte);
    return shadow::pointer_to(address);
}

void HeapCore::keep_size(uintptr_t address, Block block, size_t size) {
    if (!keep_sizes) return;
    if (block.is_run()) {
        region_of(address)->requested_of_run(address) = size;
    } else {
        region_of(address)->requested(address) = static_cast<uint16_t>(size);
    }
}

void HeapCore::resize_shadow(uintptr_t address, Block block, size_t size) {
    shadow::resize_block(address, requested(address, block), size, address + block.size);
    keep_size(address, block, size);
}

// Whatever the page map says, it is no more than the block.
size_t HeapCore::requested_of(uintptr_t address, Block block) const {
    Region const& region = *region_of(address);
    size_t const size = block.is_run() ? region.requested_of_run(address) : region.requested(address);
    return size < block.size ? size : block.size;
}

Damage HeapCore::tail_damage(uintptr_t address, Block block) const {
    if (!canary) return {};
    size_t const size = requested(address, block);
    Damage damage = damage_of(address + size, address + block.size, canary_byte,
                              {SLAB_FAULT_OVERFLOW, address, block.size});
    damage.size = size;
    return damage;
}

Damage HeapCore::retire_block(uintptr_t address, Block block, const void* caller) {
    Damage const damage = tail_damage(address, block);
    if (tracking) note(address, caller);
    if (fill_freed) fill(address, address + block.size, freed_byte);
    shadow::close_block(address, address + block.size);
    return damage;
}

void HeapCore::fill_tail_anew(uintptr_t address, size_t size, CallSite site) {
    Block const now = live_block(address);
    if (now.size < size) return;  // somebody has freed it meanwhile
    // A large block that has grown or shrunk has no tail where it was.
    Damage damage{};
    if (!now.is_large()) damage = tail_damage(address, now);
    if (keep_sizes) {
        size_t const before = requested(address, now);
        resize_shadow(address, now, size);
        if (zero_alloc && before < size) fill(address + before, address + size, 0);
    }
    // Without canaries it is what the block grows by next.
    constexpr uint8_t byte = canary ? canary_byte : zero_alloc ? 0 : freed_byte;
    if (canary || fill_freed) fill(address + size, address + now.size, byte);
    report(site, damage);
}

void HeapCore::report_damage(CallSite site, Damage const& damage) {
    atomic::add(faults_, 1, among_);
    slab_fault record{damage.what.kind,
                      reinterpret_cast<const void*>(damage.at),
                      reinterpret_cast<const void*>(damage.what.block),
                      damage.what.block_size,
                      damage.size,
                      0,
                      site.caller,
                      site.call,
                      {},
                      nullptr,
                      nullptr};
    (damage.what.kind == SLAB_FAULT_OVERFLOW ? record.allocated_by : record.freed_by) = damage.noted;
    for (unsigned i = 0; i < sizeof record.found; ++i) record.found[i] = damage.found[i];
    deliver(record);
}

}  // namespace slabheap
