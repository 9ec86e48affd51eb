// SPDX-License-Identifier: MIT
//
// See checked_heap.hpp. Here is what blocks contain: what the harness writes into them, and where nobody may
// write, and how that is told.
#include "checked_heap.hpp"
#include "content.hpp"
#include "trace.hpp"

#include <algorithm>

namespace slabheap::fuzz {

namespace {

// What is filled and looked at of a block: all of it, unless it is very long.
constexpr size_t most_content = 64 * 1024;

// memcpy and the like would be the sanitizer's, which does not let anybody touch a block.
unsigned char& byte_at(uintptr_t address) { return *reinterpret_cast<unsigned char*>(address); }
uint64_t& word_at(uintptr_t address) { return *reinterpret_cast<uint64_t*>(address); }
unsigned char content_byte(uint64_t pattern, size_t offset) {
    return static_cast<unsigned char>(test::content_at(pattern, offset / 8) >> offset % 8 * 8);
}

}  // namespace

void CheckedHeap::fill(uintptr_t address, size_t size, uint64_t pattern) {
    size = std::min(size, most_content);
    size_t i = 0;
    for (; i + 8 <= size; i += 8) word_at(address + i) = test::content_at(pattern, i / 8);
    for (; i < size; ++i) byte_at(address + i) = content_byte(pattern, i);
}

bool CheckedHeap::is_filled(uintptr_t address, size_t size, uint64_t pattern) {
    size = std::min(size, most_content);
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        if (word_at(address + i) != test::content_at(pattern, i / 8)) return false;
    }
    for (; i < size; ++i) {
        if (byte_at(address + i) != content_byte(pattern, i)) return false;
    }
    return true;
}

void CheckedHeap::expect_content(uintptr_t address) {
    const HeapModel::Block& block = live().at(address);
    expect(is_filled(address, block.usable, block.pattern), "a block has what was written to it");
}

// A neighbour that is live is guarded; one that is free has not got what the old block has there.
void CheckedHeap::expect_no_copy_behind(uintptr_t address, size_t size, const HeapModel::Block& old) {
    if (old.usable < size + 8 || size >= most_content || !memory_.contains(address, size + 8)) return;
    expect(word_at(address + size) != test::content_at(old.pattern, size / 8),
           "nothing is copied beyond the new block");
}

CheckedHeap::Damage CheckedHeap::damage_at(uintptr_t at, uintptr_t block, size_t block_size) {
    Damage damage{SLAB_FAULT_WRITE_AFTER_FREE, "slab_alloc", at, block, block_size, 0, {}};
    for (size_t i = 0; i < sizeof damage.found && at + i < block + block_size; ++i) {
        damage.found[i] = byte_at(at + i);
    }
    return damage;
}

void CheckedHeap::expect_damage(const Damage& damage) {
    expect(faults_.size() == 1, "what was written where nobody may write is told");
    const slab_fault record = faults_.front();
    faults_.clear();
    ++fault_count_;
    expect(expect_sentence(record, 0) < 384, "384 bytes hold the sentence of every fault");
    expect(record.kind == damage.kind && record.address == pointer(damage.at) &&
               record.block == pointer(damage.block) && record.block_size == damage.block_size &&
               record.size == damage.size && record.align == 0 && std::string(record.call) == damage.call &&
               std::equal(std::begin(damage.found), std::end(damage.found), record.found),
           "a fault's record says what was written, and where");
    const bool is_overflow = damage.kind == SLAB_FAULT_OVERFLOW;
    expect((record.caller != nullptr) == is_overflow, "whoever is handed a written slot is not its culprit");
    expect((record.allocated_by != nullptr) == (test::has_tracking && is_overflow) &&
               (record.freed_by != nullptr) == (test::has_tracking && !is_overflow),
           "a fault's record says who had the block");
}

void CheckedHeap::overflow(uintptr_t address, size_t skip, size_t count, End end) {
    if (address == 0) return;
    const HeapModel::Block block = live().at(address);
    if (end == End::resize && block.run) end = End::free;  // its old end is not looked at
    const size_t slack = block.size - block.usable;
    if (test::has_canary && slack != 0) {
        const uintptr_t at = address + block.usable + skip % slack;
        for (size_t i = 0; i <= count && at + i < address + block.size; ++i) byte_at(at + i) ^= 0xff;
        damage_ = damage_at(at, address, block.size);
        damage_->kind = SLAB_FAULT_OVERFLOW;
        damage_->call = end == End::free     ? "slab_free"
                        : end == End::resize ? "slab_realloc"
                                             : "slab_free_sized";
        damage_->size = block.usable;
        say("%zu bytes are written behind %s\n", count + 1, name(address).c_str());
    }
    switch (end) {
        case End::free: return deallocate(address);
        case End::free_sized: return deallocate(address, {block.size, 1});
        case End::resize: return reallocate(address, {1 + skip % block.size, 1});
    }
}

void CheckedHeap::write_after_free(size_t offset) {
    const size_t block_size = model_.class_of_slab(freed_last_);
    const HeapModel::Verdict verdict = model_.verdict(freed_last_);
    const bool is_freed_slot = verdict.kind == SLAB_FAULT_DOUBLE_FREE && verdict.or_kind == verdict.kind;
    if (!test::has_poison || written_ || block_size == 0 || !is_freed_slot) return;
    const uintptr_t at = freed_last_ + offset % block_size;
    byte_at(at) ^= 0xff;
    written_ = damage_at(at, freed_last_, block_size);
    is_surely_written_ = true;
    say("a byte of a free slot is written, at %s\n", name(at).c_str());
}

// Of a new block: if it is the slot that was written, that is told, unless its slab was set up anew since.
void CheckedHeap::expect_told_writes(const void* result) {
    if (!written_ || result != pointer(written_->block)) return;
    expect(!is_surely_written_ || !faults_.empty(), "who gets a slot that was written is told");
    if (!faults_.empty()) expect_damage(*written_);
    written_.reset();
}

}  // namespace slabheap::fuzz
