// SPDX-License-Identifier: MIT
//
// Damage to page maps: bits that flip, alone or in pairs, and words that become garbage. What the audit says
// is counted by the kind of the byte; where one bit flipped, it is foretold (map_bytes.hpp).
#ifndef SLABHEAP_TESTS_CORRUPTION_HPP
#define SLABHEAP_TESTS_CORRUPTION_HPP

#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "map_bytes.hpp"
#include "worn_heap.hpp"

namespace slabheap::test {

class Corruption {
public:
    struct Tally {
        size_t done = 0;
        size_t noticed = 0;
        size_t expected = 0;  // of single flips: how many had to be noticed
    };
    struct Surprise {
        MapByte kind;
        size_t byte;
        unsigned bit;
        bool noticed;
    };

    explicit Corruption(unsigned seed) : random_(seed) {}

    // Every bit of every page map of the heap, but where nothing is only one of each byte; or that many at
    // random.
    void flip_every_bit(WornHeap& worn) {
        for_each_map(worn, [&](MapBytes const& map) {
            for (size_t byte = 0; byte < map.size(); ++byte) {
                bool const empty = map.kind(byte) == MapByte::between;
                for (unsigned bit = 0; bit < 8; ++bit) {
                    if (!empty || bit == byte % 8) flip(worn.heap(), map, byte, bit);
                }
            }
        });
    }
    void flip_bits(WornHeap& worn, size_t count) {
        for_each_map(worn, [&](MapBytes const& map) {
            for (size_t i = 0; i < count; ++i)
                flip(worn.heap(), map, any_byte(map), static_cast<unsigned>(below(8)));
        });
    }

    // Two bits of one map flip; a word of it becomes anything.
    void flip_pairs(WornHeap& worn, size_t count) {
        for_each_map(worn, [&](MapBytes const& map) {
            for (size_t i = 0; i < count; ++i) {
                size_t const bytes[] = {any_byte(map), any_byte(map)};
                uint8_t const before[] = {map[bytes[0]], map[bytes[1]]};
                for (size_t byte : bytes) map[byte] = flipped(map[byte], static_cast<unsigned>(below(8)));
                count_one(pairs, worn.heap());
                map[bytes[1]] = before[1];
                map[bytes[0]] = before[0];
            }
        });
    }
    void overwrite_words(WornHeap& worn, size_t count) {
        for_each_map(worn, [&](MapBytes const& map) {
            for (size_t i = 0; i < count; ++i) {
                size_t const byte = any_byte(map) / sizeof(Word) * sizeof(Word);
                Word before, garbage = any_garbage();
                std::memcpy(&before, &map[byte], sizeof before);
                std::memcpy(&map[byte], &garbage, sizeof garbage);
                count_one(words, worn.heap());
                std::memcpy(&map[byte], &before, sizeof before);
            }
        });
    }

    Tally bits[map_byte_kinds];
    Tally pairs;
    Tally words;
    std::vector<Surprise> surprises;  // the first of each kind

    void print() const {
        std::printf("    %-42s %9s %9s\n", "one bit flips in", "flips", "noticed");
        for (size_t i = 0; i < map_byte_kinds; ++i) print_row(map_byte_names[i], bits[i]);
        print_row("two bits flip, anywhere", pairs);
        print_row("a word becomes garbage, anywhere", words);
    }

private:
    static void print_row(const char* name, Tally const& tally) {
        if (tally.done == 0) return;
        std::printf("    %-42s %9zu %9zu %7.2f %%\n", name, tally.done, tally.noticed,
                    100.0 * static_cast<double>(tally.noticed) / static_cast<double>(tally.done));
    }

    template <class Do>
    static void for_each_map(WornHeap& worn, Do const& act) {
        for (unsigned i = 0; i < worn.heap().region_count(); ++i)
            act(MapBytes(worn.heap(), worn.heap().region(i)));
    }

    size_t below(size_t bound) { return static_cast<size_t>(random_() % bound); }
    // Half of them where the header and the first nodes are, because the rest is so much more.
    size_t any_byte(MapBytes const& map) {
        return below(below(2) == 0 && map.size() > 2048 ? 2048 : map.size());
    }
    // Anything, or what is likely to be taken for something.
    Word any_garbage() {
        switch (below(4)) {
            case 0: return below(2) == 0 ? 0 : all_ones;
            case 1: return static_cast<Word>(below(256));
            default: return static_cast<Word>((random_() << 16 << 16) ^ random_());
        }
    }
    static uint8_t flipped(uint8_t byte, unsigned bit) { return static_cast<uint8_t>(byte ^ (1u << bit)); }

    static bool count_one(Tally& tally, HeapCore& heap) {
        slab_audit found;
        bool const noticed = heap.audit(&found) == SLAB_ERR_CORRUPT && found.invariant != nullptr;
        ++tally.done;
        tally.noticed += noticed;
        return noticed;
    }

    void flip(HeapCore& heap, MapBytes const& map, size_t byte, unsigned bit) {
        uint8_t const before = map[byte];
        uint8_t const after = flipped(before, bit);
        bool const expected = map.must_be_noticed(byte, after);
        Tally& tally = bits[static_cast<size_t>(map.kind(byte))];
        tally.expected += expected;
        map[byte] = after;
        bool const noticed = count_one(tally, heap);
        map[byte] = before;
        if (noticed == expected) return;
        for (Surprise const& it : surprises) {
            if (it.kind == map.kind(byte) && it.noticed == noticed) return;
        }
        surprises.push_back({map.kind(byte), byte, bit, noticed});
    }

    std::mt19937_64 random_;
};

}  // namespace slabheap::test

#endif
