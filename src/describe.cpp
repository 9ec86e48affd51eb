// SPDX-License-Identifier: MIT
//
// Sentences for people: what a fault record means and what to look for, and what a status is.
//
// Each fault sentence has the same shape: the call, the kind, what the address is, what was expected, the likely cause, and
// who called.
#include "heap_core.hpp"

namespace slabheap {

namespace {

// Appends to a buffer of fixed size, and counts what would have been written.
class Writer {
public:
    Writer(char* out, size_t size) : out_(out), size_(size) {}

    Writer& text(const char* words) {
        while (*words != '\0') put(*words++);
        return *this;
    }
    Writer& address(uintptr_t value) { return text("0x").number(value, 16); }
    Writer& decimal(size_t value) { return number(value, 10); }

    size_t finish() {
        if (size_ != 0) out_[length_ < size_ ? length_ : size_ - 1] = '\0';
        return length_;
    }

private:
    void put(char c) {
        if (length_ < size_) out_[length_] = c;
        ++length_;
    }
    Writer& number(uintptr_t value, unsigned base) {
        char digits[20];
        unsigned count = 0;
        do {
            digits[count++] = "0123456789abcdef"[value % base];
            value /= base;
        } while (value != 0);
        while (count != 0) put(digits[--count]);
        return *this;
    }

    char* out_;
    size_t size_;
    size_t length_ = 0;
};

// "the 64-byte block at 0x10040 in page 0x10000", "the large block of 20480 bytes at 0x10000"
void block(Writer& out, slab_fault const& fault) {
    uintptr_t const start = reinterpret_cast<uintptr_t>(fault.block);
    bool const large = fault.block_size > page_size;
    if (large) out.text("the large block of ").decimal(fault.block_size).text(" bytes");
    if (!large) out.text("the ").decimal(fault.block_size).text("-byte block");
    out.text(" at ").address(start);
    if (!large) out.text(" in page ").address(start & ~(page_size - 1));
}

void offset(Writer& out, slab_fault const& fault) {
    uintptr_t const start = reinterpret_cast<uintptr_t>(fault.block);
    out.decimal(reinterpret_cast<uintptr_t>(fault.address) - start).text(" bytes into ");
    block(out, fault);
}

void body(Writer& out, slab_fault const& fault) {
    uintptr_t const address = reinterpret_cast<uintptr_t>(fault.address);
    switch (fault.kind) {
        case SLAB_FAULT_DOUBLE_FREE:
            out.text("double free of ").address(address).text(": ");
            block(out, fault);
            out.text(" is free already; expected a live one; likely two owners, or a pointer kept after its free");
            return;
        case SLAB_FAULT_INTERIOR:
            out.text("interior pointer ").address(address).text(": ");
            offset(out, fault);
            out.text("; expected its start; likely a pointer moved since the allocation");
            return;
        case SLAB_FAULT_MISALIGNED:
            out.text("misaligned pointer ").address(address).text(": not a multiple of 16, as every block is");
            if (fault.block != nullptr) {
                out.text(", but ");
                offset(out, fault);
            }
            out.text("; likely a pointer moved or overwritten since the allocation");
            return;
        case SLAB_FAULT_FOREIGN:
            out.text("foreign pointer ").address(address).text(": not in memory that this heap hands out; expected ");
            out.text("a block of this heap; likely static or stack memory, another allocator's, or a heap not yet initialised");
            return;
        case SLAB_FAULT_WRONG_SIZE:
            out.text("wrong size for ").address(address).text(": ").decimal(fault.size);
            out.text(" bytes aligned to ").decimal(fault.align).text(" cannot have been given ");
            block(out, fault);
            out.text("; expected what it was allocated with; likely another type or length");
            return;
        case SLAB_FAULT_NEVER_ALLOCATED:
            out.text("never allocated: ").address(address).text(" is in the heap, but no block was handed out there; expected a live one");
            if (fault.block != nullptr) {
                out.text("; it is ");
                offset(out, fault);
                out.text(", which is free");
            }
            out.text("; likely a computed or uninitialised pointer");
            return;
        case SLAB_FAULT_CORRUPT:
            out.text("page map corrupt at ").address(address);
            out.text("; likely a stray write below a region's first page");
            return;
    }
    out.text("unknown fault at ").address(address);
}

}  // namespace

static size_t describe(slab_fault const& fault, char* out, size_t size) {
    Writer writer(out, size);
    writer.text(fault.call != nullptr ? fault.call : "slabheap").text(": ");
    body(writer, fault);
    writer.text(" (called from ").address(reinterpret_cast<uintptr_t>(fault.caller)).text(")");
    return writer.finish();
}

}  // namespace slabheap

extern "C" {

size_t slab_fault_describe(const struct slab_fault* fault, char* out, size_t size) {
    return slabheap::describe(*fault, out, size);
}

const char* slab_status_string(int status) {
    switch (status) {
        case SLAB_OK: return "success";
        case SLAB_ERR_ALIGN: return "start or size is not a multiple of the page size (4096 bytes)";
        case SLAB_ERR_TOO_SMALL: return "the range is too small (init: at least 32 KiB; a region: a page beside its map)";
        case SLAB_ERR_NOT_MULTIPLE: return "size is not a multiple of 32 KiB";
        case SLAB_ERR_RANGE: return "the range is null, wraps, or is not the heap's to use";
        case SLAB_ERR_OVERLAP: return "the range overlaps a region that the heap already has";
        case SLAB_ERR_ALREADY_INITIALISED: return "the heap is initialised already";
        case SLAB_ERR_NOT_INITIALISED: return "the heap is not initialised yet";
        case SLAB_ERR_TOO_MANY_REGIONS: return "the heap has as many regions as it can have (64)";
        case SLAB_ERR_IN_USE: return "not every page of the range is free";
        case SLAB_ERR_CORRUPT: return "an invariant of the heap does not hold";
        default: return "unknown status";
    }
}

}  // extern "C"
