// SPDX-License-Identifier: MIT
//
// A peer is an allocator behind the few functions that the workloads need. Peers that lack one form of free
// are measured with the other.
#ifndef SLABHEAP_BENCH_PEER_HPP
#define SLABHEAP_BENCH_PEER_HPP

#include <concepts>
#include <cstddef>

namespace slabheap::bench {

template <class T>
concept FreesBySize = requires(T peer, void* block, size_t size) { peer.free_sized(block, size); };
template <class T>
concept FreesByAddress = requires(T peer, void* block) { peer.free(block); };

template <class T>
concept Peer = (FreesBySize<T> || FreesByAddress<T>) && requires(T peer, size_t size) {
    { peer.alloc(size) } -> std::same_as<void*>;
};

// A peer that manages a region which it is given, so that it can be started anew, in any size, and fail.
template <class T>
concept RegionPeer = Peer<T> && requires(T peer, void* start, size_t size, size_t align) {
    { peer.init(start, size) } -> std::same_as<bool>;
    { peer.alloc(size, align) } -> std::same_as<void*>;
};

enum class FreeForm { by_address, by_size };
constexpr char const* form_name(FreeForm form) { return form == FreeForm::by_size ? "free_sized" : "free"; }

template <FreeForm form, Peer P>
inline void release(P& peer, void* block, size_t size) {
    constexpr bool by_size = form == FreeForm::by_size ? FreesBySize<P> : !FreesByAddress<P>;
    if constexpr (by_size) {
        peer.free_sized(block, size);
    } else {
        peer.free(block);
    }
}

}  // namespace slabheap::bench

#endif
