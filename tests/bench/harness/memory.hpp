// SPDX-License-Identifier: MIT
//
// Memory straight from the operating system. The harness takes its own from here, never from malloc,
// because in most workers malloc is what is measured; and the peers that manage a region get it from here.
#ifndef SLABHEAP_BENCH_MEMORY_HPP
#define SLABHEAP_BENCH_MEMORY_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

namespace slabheap::bench {

constexpr size_t KiB = size_t{1} << 10;
constexpr size_t MiB = size_t{1} << 20;
constexpr size_t GiB = size_t{1} << 30;
constexpr size_t page_size = 4 * KiB;

// Private: only this process sees it. Shared: the processes forked from this one see it too.
enum class Mapping { private_pages, shared_pages };
void* map_memory(size_t size, Mapping mapping);
void unmap_memory(void* start, size_t size);

template <class T, Mapping mapping = Mapping::private_pages>
struct MappedAllocator {
    using value_type = T;
    template <class U>
    struct rebind {
        using other = MappedAllocator<U, mapping>;
    };
    T* allocate(size_t count) { return static_cast<T*>(map_memory(count * sizeof(T), mapping)); }
    void deallocate(T* start, size_t count) { unmap_memory(start, count * sizeof(T)); }
    bool operator==(MappedAllocator const&) const = default;
};

template <class T>
using Array = std::vector<T, MappedAllocator<T>>;
template <class T>
using SharedArray = std::vector<T, MappedAllocator<T, Mapping::shared_pages>>;

// A region for a heap, aligned to its size, so that splits and merges are as long as they can be. It may be
// larger than the machine's memory, as long as it is not touched.
class Arena {
public:
    explicit Arena(size_t size);
    ~Arena();
    Arena(Arena const&) = delete;
    Arena& operator=(Arena const&) = delete;

    std::byte* start() const { return start_; }
    size_t size() const { return size_; }

    // Fills the first bytes with noise, as memory is when a machine starts.
    void fill_with_noise(size_t bytes);
    // The pages that the operating system had to provide so far.
    size_t touched_pages() const;

private:
    size_t size_;
    size_t mapping_size_;
    std::byte* mapping_;
    std::byte* start_;
};

}  // namespace slabheap::bench

#endif
