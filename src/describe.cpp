// SPDX-License-Identifier: MIT
//
// Sentences for people: what a fault record means and what to look for, and what a status is.
//
// Each fault sentence has the same shape: the call, the kind, what the address is, what was expected, the
// likely cause, and who called. It is written from a pattern in which these stand for what the record says:
//
//     %p  the address          %s  the size passed         %c  the caller's address
//     %b  the block            %a  the alignment passed    %n  the call's name
//     %o  the address's offset into the block              [ ]  only if the record has a block
//     %f  the bytes that were found                        %w  who allocated or freed the block, if that is
//     known
#include "heap_core.hpp"

namespace slabheap {

namespace {

const char* pattern_of(slab_fault_kind kind) {
    switch (kind) {
        case SLAB_FAULT_DOUBLE_FREE:
            return "%n: double free of %p: %b is free already%w; expected a live one; likely two owners, or "
                   "a pointer kept after its free (called from %c)";
        case SLAB_FAULT_INTERIOR:
            return "%n: interior pointer %p: %o bytes into %b%w; expected its start; likely a pointer moved "
                   "since the allocation (called from %c)";
        case SLAB_FAULT_MISALIGNED:
            return "%n: misaligned pointer %p: not a multiple of 16, as every block is[, but %o bytes "
                   "into %b%w]; likely a pointer moved or overwritten since the allocation (called from %c)";
        case SLAB_FAULT_FOREIGN:
            return "%n: foreign pointer %p: not in memory that this heap hands out; expected a block of "
                   "this heap; likely static or stack memory, another allocator's, or a heap not yet "
                   "initialised (called from %c)";
        case SLAB_FAULT_WRONG_SIZE:
            return "%n: wrong size for %p: %s bytes aligned to %a cannot have been given %b%w; expected "
                   "what it was allocated with; likely another type or length (called from %c)";
        case SLAB_FAULT_NEVER_ALLOCATED:
            return "%n: never allocated: %p is in the heap, but no block was handed out there[; it is %o "
                   "bytes into %b, which is free%w]; expected a live block's start; likely a computed or "
                   "uninitialised pointer (called from %c)";
        case SLAB_FAULT_CORRUPT:
            return "%n: page map corrupt at %p; likely a stray write below a region's first page (called "
                   "from %c)";
        case SLAB_FAULT_OVERFLOW:
            return "%n: overflow: %o bytes into %b, of which %s were asked for%w, the bytes from %p on were "
                   "written: %f; expected the canary; likely an index or a length too large (called from "
                   "%c)";
        case SLAB_FAULT_WRITE_AFTER_FREE:
            return "%n: write after free: the bytes from %p on, %o bytes into %b, were written while it was "
                   "free: %f%w; expected poison; likely a pointer used after its free";
    }
    return "%n: unknown fault at %p (called from %c)";
}

// Writes into a buffer of fixed size, and counts what would have been written.
class Writer {
public:
    Writer(slab_fault const& fault, char* out, size_t size) : fault_(fault), out_(out), size_(size) {}

    void sentence(const char* pattern) {
        bool const has_block = fault_.block != nullptr;
        for (; *pattern != '\0'; ++pattern) {
            if (*pattern == '[' && !has_block) {
                while (*pattern != ']') ++pattern;
            } else if (*pattern == '%') {
                value(*++pattern);
            } else if (*pattern != '[' && *pattern != ']') {
                put(*pattern);
            }
        }
    }

    size_t finish() {
        if (size_ != 0) out_[length_ < size_ ? length_ : size_ - 1] = '\0';
        return length_;
    }

private:
    static uintptr_t address(const void* ptr) { return reinterpret_cast<uintptr_t>(ptr); }

    void value(char what) {
        switch (what) {
            case 'n': return text(fault_.call != nullptr ? fault_.call : "slabheap");
            case 'p': return hexadecimal(address(fault_.address));
            case 'c': return hexadecimal(address(fault_.caller));
            case 's': return number(fault_.size, 10);
            case 'a': return number(fault_.align, 10);
            case 'f': return bytes(fault_.found);
            case 'w': return who();
            case 'o': return number(address(fault_.address) - address(fault_.block), 10);
            default: return block();
        }
    }
    // "the 64-byte block at 0x10040 in page 0x10000", "the large block of 20480 bytes at 0x10000"
    void block() {
        bool const large = fault_.block_size > page_size;
        text(large ? "the large block of " : "the ");
        number(fault_.block_size, 10);
        text(large ? " bytes at " : "-byte block at ");
        hexadecimal(address(fault_.block));
        if (large) return;
        text(" in page ");
        hexadecimal(address(fault_.block) & ~(page_size - 1));
    }
    void who() {
        const void* const caller = fault_.allocated_by != nullptr ? fault_.allocated_by : fault_.freed_by;
        if (caller == nullptr) return;
        text(fault_.allocated_by != nullptr ? ", allocated by " : ", freed by ");
        hexadecimal(address(caller));
    }
    void bytes(unsigned char const (&found)[8]) {
        for (unsigned char const byte : found) {
            put("0123456789abcdef"[byte >> 4]);
            put("0123456789abcdef"[byte & 15]);
        }
    }
    void text(const char* words) {
        while (*words != '\0') put(*words++);
    }
    void hexadecimal(uintptr_t value) {
        text("0x");
        number(value, 16);
    }
    void number(uintptr_t value, unsigned base) {
        char digits[20];
        unsigned count = 0;
        do {
            digits[count++] = "0123456789abcdef"[value % base];
            value /= base;
        } while (value != 0);
        while (count != 0) put(digits[--count]);
    }
    void put(char c) {
        if (length_ < size_) out_[length_] = c;
        ++length_;
    }

    slab_fault const& fault_;
    char* out_;
    size_t size_;
    size_t length_ = 0;
};

}  // namespace

}  // namespace slabheap

extern "C" {

size_t slab_fault_describe(const struct slab_fault* fault, char* out, size_t size) {
    slabheap::Writer writer(*fault, out, size);
    writer.sentence(slabheap::pattern_of(fault->kind));
    return writer.finish();
}

const char* slab_status_string(int status) {
    switch (status) {
        case SLAB_OK: return "success";
        case SLAB_ERR_ALIGN: return "start or size is not a multiple of the page size (4096 bytes)";
        case SLAB_ERR_TOO_SMALL:
            return "the range is too small (init: at least 32 KiB; a region: a page beside its map)";
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
