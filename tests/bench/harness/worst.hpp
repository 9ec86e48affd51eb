// SPDX-License-Identifier: MIT
//
// The worst single call, in instructions: over the workloads, and for peers with a region over the
// sequences built for it. A worker whose peer counts blocks prints the suspects of each sequence, on a line
// of their own: how many, and their numbers. Fed with these lines, the ordinary worker prints the longest
// call of each sequence and kind, tab-separated:
//     worst  heap-bytes  kind  alloc|free  instructions  request-bytes  sequence
// Where it is fed nothing, it steps through every call.
#ifndef SLABHEAP_BENCH_WORST_HPP
#define SLABHEAP_BENCH_WORST_HPP

#include <cstdio>

#include "process.hpp"
#include "round.hpp"
#include "sequences.hpp"

namespace slabheap::bench {

// Takes every page once, section by section, so that the whole page map is in use; twice, so that frees
// know it too.
template <RegionPeer P>
void open_map(P& peer) {
    constexpr size_t section = 64 * page_size;
    for (int pass = 0; pass < 2; ++pass) {
        for (size_t size : {section, 2 * page_size}) {
            Array<void*> runs;
            while (void* const run = peer.alloc(size, 16)) runs.push_back(run);
            for (void* const run : runs) release<FreeForm::by_size>(peer, run, size);
        }
    }
}
template <class P>
concept HasPageMap = requires(P peer) { peer.stats().metadata_bytes; };

constexpr char const* name_of(Call call) { return call == Call::alloc ? "alloc" : "free"; }
constexpr char const* name_of(Kind kind) {
    switch (kind) {
        case Kind::small: return "small";
        case Kind::page: return "page";
        case Kind::first_use: return "first use";
        case Kind::emptying: return "emptying";
        case Kind::searching: return "searching";
        case Kind::failing: break;
    }
    return "failing";
}

struct WorstRequest {
    size_t heap_bytes;  // 0: the peer manages its own memory
    uint32_t pairs;     // of the workloads
    bool finds_suspects;
    bool exhausts;      // with the calls whose length grows with the heap
};

template <Peer P, FreeForm form>
class WorstCalls {
public:
    using M = Meter<P, form>;

    WorstCalls(P& peer, WorstRequest const& request)
        : peer_(peer), request_(request), heap_bytes_(request.heap_bytes) {}

    void over_workloads() {
        for (Workload const& workload : workloads) {
            uint32_t const live = live_blocks(workload);
            Trace const trace(workload, live, std::max(request_.pairs, live));
            auto const smaller = [](Step const& a, Step const& b) { return a.size < b.size; };
            size_t const largest = std::max_element(trace.steps.begin(), trace.steps.end(), smaller)->size;
            if (heap_bytes_ != 0 && largest > heap_bytes_ / 16) continue;
            over(workload.name, [&](M& meter) { Round<M, form>(meter, trace).run(); });
        }
    }

    // In a heap just initialised.
    void over_first_use() {
        new_heap_ = true;
        over("first steps", first_steps<M>);
        over("lone slabs, 64 pages apart", lone_slabs<M, 64>);
        over("page tides", page_tides<M>);
        new_heap_ = false;
    }

    // In a heap whose map is in use.
    void over_sequences() {
        over("set-up and release", set_up_and_release<M>);
        over("lone slabs, 2 pages apart", lone_slabs<M, 2>);
        over("lone slabs, 64 pages apart", lone_slabs<M, 64>);
        over("lone slabs, 4096 pages apart", lone_slabs<M, 4096>);
        over("ragged runs", ragged_runs<M>);
        over("page tides", page_tides<M>);
        over("few runs", few_runs<M>);
        over("mixed tides", mixed_tides<M>);
        over("board", board<M>);
        over("small tides", small_tides<M>);
    }

    // In a heap without a free page.
    void over_exhaustion() {
        over("full of 64 B blocks", full_heap<M, smallest_block>);
        over("full of 4096 B blocks", full_heap<M, page_size>);
        over("a run across blocks", run_across_blocks<M>);
    }

private:
    template <class Code>
    void over(std::string_view name, Code code) {
        if (request_.finds_suspects) {
            recorder_.start(Pass::count_blocks);
        } else {
            recorder_.start(read_suspects() ? Pass::step_suspects : Pass::step_all);
        }
        in_child([&] {
            M meter(peer_, recorder_, heap_bytes_, new_heap_);
            code(meter);
        });
        request_.finds_suspects ? print_suspects() : print_worst(name);
        std::fflush(stdout);
    }

    void print_suspects() const {
        Array<size_t> const suspects = recorder_.suspects(request_.exhausts);
        std::printf("%zu", suspects.size());
        for (size_t number : suspects) std::printf(" %zu", number);
        std::printf("\n");
    }

    bool read_suspects() {
        size_t count = 0;
        if (std::scanf("%zu", &count) != 1) return false;
        Array<size_t> numbers(count);
        for (size_t& number : numbers) {
            if (std::scanf("%zu", &number) != 1) std::exit(1);
        }
        recorder_.accuse(numbers);
        return true;
    }

    void print_worst(std::string_view name) const {
        for (Kind const kind : kinds) {
            for (Call const call : calls) {
                Record worst = {};
                for (Record const& record : recorder_.records()) {
                    if (record.is(kind, call) && record.instructions > worst.instructions) worst = record;
                }
                if (worst.instructions == 0) continue;
                std::printf("worst\t%zu\t%s\t%s\t%zu\t%zu\t%s\n", heap_bytes_, name_of(kind), name_of(call),
                            size_t{worst.instructions}, worst.size, name.data());
            }
        }
    }

    // As many as the workload wants, but no more than take a sixteenth of the heap, or than there are pairs.
    uint32_t live_blocks(Workload const& workload) const {
        constexpr unsigned samples = 4096;
        if (heap_bytes_ == 0) return std::min(workload.live, request_.pairs);
        Random random(1);
        size_t sum = 0;
        for (unsigned i = 0; i < samples; ++i) sum += workload.size(random);
        size_t const fitting = heap_bytes_ / 16 / (sum / samples);
        return static_cast<uint32_t>(std::clamp<size_t>(fitting, 1, workload.live));
    }

    P& peer_;
    Recorder recorder_;
    WorstRequest request_;
    size_t heap_bytes_;
    bool new_heap_ = false;
};

// The memory of a new machine, as far as a page map may reach: noise.
inline void make_dirty(Arena& arena) { arena.fill_with_noise(std::max(arena.size() / 64, 64 * MiB)); }

template <FreeForm form, Peer P>
void worst_calls(P& peer, WorstRequest const& request) {
    WorstCalls<P, form> worst(peer, request);
    if constexpr (RegionPeer<P>) {
        Arena arena(request.heap_bytes);
        make_dirty(arena);
        if (!peer.init(arena.start(), request.heap_bytes)) std::exit(1);
        if constexpr (HasPageMap<P>) {
            worst.over_first_use();
            open_map(peer);
        }
        worst.over_workloads();
        worst.over_sequences();
        if (request.exhausts && HasPageMap<P>) worst.over_exhaustion();
    } else {
        worst.over_workloads();
    }
}

}  // namespace slabheap::bench

#endif
