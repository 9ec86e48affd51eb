// SPDX-License-Identifier: MIT
//
// Meter: a peer that looks at each call it passes on. To step through every call of a long sequence takes
// too long, so it is run twice, each time from the same state, so that call number n is the same call:
// first by a worker whose peer is compiled to count the basic blocks that it executes, which costs next to
// nothing and tells the suspects; then by the ordinary worker, which steps through those.
#ifndef SLABHEAP_BENCH_METER_HPP
#define SLABHEAP_BENCH_METER_HPP

#include <algorithm>
#include <bit>
#include <span>

#include "memory.hpp"
#include "peer.hpp"
#include "step.hpp"

namespace slabheap::bench {

enum class Call : uint8_t { alloc, free };
constexpr Call calls[] = {Call::alloc, Call::free};

// What bounds a call's length. Judged before it, from the heap's statistics; failing, when it is over.
enum class Kind : uint8_t {
    small,      // at most a page, and a page is free
    page,       // pages, and a block of them is free
    first_use,  // as both, in a heap whose map is not in use yet
    emptying,   // at most a page, and none is free: caches are emptied before NULL
    searching,  // pages, and no block of them is free: a run is searched across blocks
    failing,    // and there is none either: caches are emptied, it is searched again, and NULL returned
};
constexpr Kind kinds[] = {Kind::small,    Kind::page,      Kind::first_use,
                          Kind::emptying, Kind::searching, Kind::failing};

// The length of these grows with the heap.
constexpr bool is_unbounded(Kind kind) { return kind >= Kind::emptying; }

struct Record {
    uint64_t blocks;
    uint64_t instructions;
    size_t size;
    Call call;
    Kind kind;
    bool suspect;

    bool is(Kind of_kind, Call of_call) const { return kind == of_kind && call == of_call; }
};

enum class Pass { count_blocks, step_suspects, step_all };

class Recorder {
public:
    static constexpr size_t capacity = 500'000;

    Recorder() : records_(capacity), used_(1) {}

    void start(Pass pass) {
        pass_ = pass;
        used_[0] = 0;
    }
    uintptr_t measure(Function function, void* peer, uintptr_t first, uintptr_t second, Record const& about);

    // After a pass that counted blocks: the numbers of the calls that may be the longest of their kind.
    Array<size_t> suspects(bool with_unbounded) const;
    // Before one that steps: the suspects of a worker that counted.
    void accuse(std::span<size_t const> numbers);

    std::span<Record const> records() const { return std::span(records_).first(used_[0]); }

private:
    SharedArray<Record> records_;
    SharedArray<size_t> used_;
    Pass pass_ = Pass::step_all;
};

// The basic blocks that a peer compiled with -fsanitize-coverage=trace-pc has executed.
extern uint64_t executed_blocks;

// What a call is about.
struct Request {
    size_t size;
    size_t align = 16;
    bool run = false;  // asked for as a run of pages, even if it is only one

    bool is_small() const { return !run && size <= page_size && align <= page_size; }
    // The block that it takes out of the buddy allocator, if it does not find a slot.
    size_t buddy_block() const {
        return std::bit_ceil(std::max((size + page_size - 1) / page_size, align / page_size)) * page_size;
    }
};

struct Block {
    void* start;
    Request request;
};

template <Peer P, FreeForm form>
class Meter {
public:
    Meter(P& peer, Recorder& recorder, size_t heap_bytes, bool new_heap)
        : peer_(peer), recorder_(recorder), heap_bytes_(heap_bytes), new_heap_(new_heap) {}

    size_t heap_bytes() const { return heap_bytes_; }
    size_t heap_pages() const { return heap_bytes_ / page_size; }

    // Is there a block of so many pages, so that no search is needed? (Of a peer that cannot tell: yes.)
    bool has_block(size_t pages) const {
        return kind_of(Call::alloc, {.size = pages * page_size, .run = true}) != Kind::searching;
    }

    Block take(size_t size, size_t align = 16) {
        Request const request = {size, align};
        return {as_pointer(measure(enter_alloc, size, align, Call::alloc, request)), request};
    }

    // Any number of pages, also one.
    Block take_pages(size_t count) {
        if constexpr (requires { peer_.alloc_pages(count); }) {
            Request const request = {count * page_size, page_size, true};
            return {as_pointer(measure(enter_alloc_pages, count, 0, Call::alloc, request)), request};
        } else {
            return take(count * page_size, page_size);
        }
    }

    // A block that could not be had is none.
    void give(Block const& block) {
        if (block.start == nullptr) return;
        Function const function = block.request.run ? enter_free<FreeForm::by_address> : enter_free<form>;
        uintptr_t const start = reinterpret_cast<uintptr_t>(block.start);
        measure(function, start, block.request.size, Call::free, block.request);
    }

    // As a workload sees a peer.
    void* alloc(size_t size) { return take(size).start; }
    void free_sized(void* start, size_t size) { give({start, {size}}); }

    // Calls that only prepare what is measured.
    template <class Code>
    void quietly(Code code) {
        quiet_ = true;
        code();
        quiet_ = false;
    }

private:
    static void* as_pointer(uintptr_t address) { return reinterpret_cast<void*>(address); }

    static uintptr_t enter_alloc(void* peer, uintptr_t size, uintptr_t align) {
        P& to = *static_cast<P*>(peer);
        if constexpr (RegionPeer<P>) {
            return reinterpret_cast<uintptr_t>(to.alloc(size, align));
        } else {
            return reinterpret_cast<uintptr_t>(to.alloc(size));
        }
    }
    static uintptr_t enter_alloc_pages(void* peer, uintptr_t count, uintptr_t) {
        return reinterpret_cast<uintptr_t>(static_cast<P*>(peer)->alloc_pages(count));
    }
    template <FreeForm as>
    static uintptr_t enter_free(void* peer, uintptr_t start, uintptr_t size) {
        release<as>(*static_cast<P*>(peer), as_pointer(start), size);
        return 0;
    }

    uintptr_t measure(Function function, uintptr_t first, uintptr_t second, Call call,
                      Request const& request) {
        if (quiet_) return function(&peer_, first, second);
        Record const about = {0, 0, request.size, call, kind_of(call, request), false};
        return recorder_.measure(function, &peer_, first, second, about);
    }

    Kind kind_of(Call call, Request const& request) const {
        if constexpr (requires { peer_.stats(); }) {
            bool const takes = call == Call::alloc;
            if (takes && peer_.stats().largest_free_bytes < request.buddy_block()) {
                return request.is_small() ? Kind::emptying : Kind::searching;
            }
        }
        return new_heap_ ? Kind::first_use : request.is_small() ? Kind::small : Kind::page;
    }

    P& peer_;
    Recorder& recorder_;
    size_t heap_bytes_;
    bool new_heap_;
    bool quiet_ = false;
};

}  // namespace slabheap::bench

#endif
