// SPDX-License-Identifier: MIT
//
// Memory: what the simulated CPUs share, with the rules of the C++ memory model instead of those of the
// machine that runs the test.
//
// Plain accesses must be ordered. Each CPU has a vector clock: how far it knows what the others did. A
// release store hands the clock on, an acquire load that reads that store receives it; a plain access that
// does not know of another CPU's access to the same byte, one of the two a write, is a data race and a
// failure (Flanagan and Freund, "FastTrack", 2009). Because no schedule has a race, only atomic operations
// need be scheduled: where plain accesses fall between them makes no difference.
//
// Atomic loads may read old values. A store stays readable for a CPU until it has read or written a later
// value of the same place, or has learnt of one by an acquire load or a fence: its *view* says from which
// store on it may read (Kang et al., "A Promising Semantics", 2017, without the promises). So a store that is
// late in a store buffer, on machines that have one, is a load elsewhere that still reads the value before.
// What the model does not have are loads that read from stores that come later in time.
//
// Each CPU's *history* is a number that stands for all that it has read so far, and thereby for all that it
// has done; the histories of all CPUs together stand for the state that they have reached, in whatever order
// (Mazurkiewicz traces, hashed, as in Musuvathi and Qadeer, "CHESS", 2007).
//
// The tracked memory itself always holds the latest values.
#ifndef INTERLEAVE_MEMORY_HPP
#define INTERLEAVE_MEMORY_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace interleave {

constexpr unsigned most_cpus = 3;

using Clock = uint32_t;

// How the second of two accesses that are not ordered is told from the first.
struct Race {
    unsigned other_cpu;
    bool other_writes;
};

class Memory {
public:
    static constexpr unsigned most_places = 384;  // atomic ones that one run may use
    static constexpr unsigned remembered = 4;     // stores of a place that may still be read
    static constexpr size_t untracked = ~size_t{0};

    // The memory to be tracked: at most two ranges, the same for all runs.
    void track(void* start, size_t size);

    // The number of a tracked byte, or `untracked`.
    size_t cell_of(const void* address) const {
        size_t const first = reinterpret_cast<uintptr_t>(address) - ranges_[0].start;
        if (first < ranges_[0].size) return first;
        size_t const second = reinterpret_cast<uintptr_t>(address) - ranges_[1].start;
        return second < ranges_[1].size ? ranges_[0].size + second : untracked;
    }
    size_t cells() const { return cells_.size(); }

    // All that was done so far is known to every CPU, and every place has the value that it has.
    void restart(bool with_old_values);

    // A plain access. False: it is a race, and `race` says with whom.
    bool plain_read(unsigned cpu, size_t cell, size_t size) {
        View& view = views_[cpu];
        for (size_t i = cell; i < cell + size; ++i) {
            Cell& it = cells_[i];
            if (!knows_write(view, cpu, it)) return false;
            if (place_at_[i] != 0 && !knows_atomics(view, cpu, i, false)) return false;
            it.read[cpu] = view.clock[cpu];
        }
        return true;
    }
    bool plain_write(unsigned cpu, size_t cell, size_t size) {
        View& view = views_[cpu];
        for (size_t i = cell; i < cell + size; ++i) {
            Cell& it = cells_[i];
            if (!knows_write(view, cpu, it) || !knows_reads(view, cpu, it)) return false;
            if (place_at_[i] != 0 && !knows_atomics(view, cpu, i, true)) return false;
            it.write = view.clock[cpu] | cpu << clock_bits;
        }
        return true;
    }
    Race race;

    // An atomic operation is one of the three calls behind this one, which finds its place (never 0), or
    // returns 0: a race with a plain access. value: what is there now.
    enum class Way {
        read,
        write,
        write_alone  // a change in two halves, read and write, between which no other CPU may write
    };
    unsigned reach(unsigned cpu, size_t cell, size_t size, Way way, uint64_t value);
    // How many older values a load may return instead of the latest; and that load, of the age-th older one.
    unsigned older_values(unsigned cpu, unsigned place, int order);
    uint64_t load(unsigned cpu, unsigned place, int order, unsigned age);
    void store(unsigned cpu, unsigned place, int order, uint64_t value);
    void exchange(unsigned cpu, unsigned place, int order, uint64_t value);

    uint64_t history(unsigned cpu) const { return histories_[cpu]; }
    // The CPU does something else that its future depends on.
    void mark(unsigned cpu, uint64_t what) { histories_[cpu] = mixed(histories_[cpu], what); }
    static uint64_t mixed(uint64_t a, uint64_t b) {
        uint64_t const sum = a * 0x9e3779b97f4a7c15 + b + 0xd1b54a32d192ed03;
        uint64_t const product = (sum ^ sum >> 32) * 0xd6e8feb86659fd93;
        return product ^ product >> 29;
    }

    // A sequentially consistent fence: it orders what may be read. It hands on no clock, because plain
    // accesses are ordered by a fence only together with atomic operations around it. And one on this CPU
    // that makes each of `cpus` pass one.
    void fence(unsigned cpu);
    void fence_all(unsigned cpu, unsigned cpus);

private:
    static constexpr unsigned clock_bits = 30;
    static constexpr Clock clock_mask = (Clock{1} << clock_bits) - 1;

    struct Range {
        uintptr_t start;
        size_t size;
    };

    // A byte: when it was last written, and by whom, and when each CPU last read it.
    struct Cell {
        Clock write;
        Clock read[most_cpus];
    };

    // What a CPU knows: the others' deeds up to a time, and for each place the first store that it may read.
    struct View {
        Clock clock[most_cpus];
        uint16_t first[most_places];
    };

    struct Store {
        uint64_t value;
        uint64_t history;  // its writer's, with this store
        bool has_view;     // what an acquire load receives
        View view;
    };

    struct Place {
        size_t cell;
        size_t size;
        uint16_t latest;        // how many stores there were
        bool plainly_written;   // after the latest store: the tracked memory has the value
        uint16_t fenced_first;  // what sequentially consistent loads may read
        Clock wrote[most_cpus];
        Clock wrote_alone[most_cpus];
        Clock read[most_cpus];
        Store stores[remembered];

        Store& at(uint16_t number) { return stores[number % remembered]; }
    };

    bool knows_write(View const& view, unsigned cpu, Cell const& cell) {
        unsigned const writer = cell.write >> clock_bits;
        if (writer == cpu || (cell.write & clock_mask) <= view.clock[writer]) return true;
        race = {writer, true};
        return false;
    }
    bool knows_reads(View const& view, unsigned cpu, Cell const& cell) {
        for (unsigned c = 0; c < most_cpus; ++c) {
            if (c == cpu || cell.read[c] <= view.clock[c]) continue;
            race = {c, false};
            return false;
        }
        return true;
    }
    bool knows_atomics(View const& view, unsigned cpu, size_t cell, bool writes);
    bool knows_others(View const& view, unsigned cpu, Place const& place, Way way);
    unsigned new_place(size_t cell, size_t size, uint64_t value);
    void join(View& to, View const& from) const;
    void copy(View& to, View const& from) const;
    void publish(unsigned cpu, Store& store);
    Store& append(Place& place, unsigned cpu, unsigned number, uint64_t value);

    std::array<Range, 2> ranges_{};
    std::vector<Cell> cells_;
    std::vector<uint16_t> place_at_;  // by cell; 0: no place yet
    std::unique_ptr<Place[]> places_ = std::make_unique<Place[]>(most_places);
    unsigned used_places_ = 1;  // place 0 is none
    View views_[most_cpus];
    uint64_t histories_[most_cpus];
    View fenced_;  // what fences handed on
    uint64_t fence_history_ = 0;
    bool with_old_values_ = false;
    Clock start_ = 0;
};

}  // namespace interleave

#endif
