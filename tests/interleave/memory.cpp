// SPDX-License-Identifier: MIT
#include "memory.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace interleave {
namespace {

bool acquires(int order) { return order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE; }
bool releases(int order) {
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

}  // namespace

void Memory::track(void* start, size_t size) {
    Range& range = ranges_[ranges_[0].size != 0];
    range = {reinterpret_cast<uintptr_t>(start), size};
    cells_.resize(ranges_[0].size + ranges_[1].size);
    place_at_.resize(cells_.size());
}

void Memory::restart(bool with_old_values) {
    for (unsigned i = 1; i < used_places_; ++i) {
        std::fill_n(&place_at_[places_[i].cell], places_[i].size, uint16_t{0});
    }
    used_places_ = 1;
    with_old_values_ = with_old_values;
    for (View const& view : views_)
        start_ = std::max(start_, *std::max_element(view.clock, std::end(view.clock)));
    if (start_ > clock_mask / 2) {
        start_ = 0;
        std::fill(cells_.begin(), cells_.end(), Cell{});
    }
    std::memset(&fenced_, 0, sizeof fenced_);
    for (unsigned cpu = 0; cpu < most_cpus; ++cpu) {
        std::memset(&views_[cpu], 0, sizeof(View));
        std::fill(views_[cpu].clock, std::end(views_[cpu].clock), start_);
        ++views_[cpu].clock[cpu];
        histories_[cpu] = mixed(cpu, 0);
    }
    fence_history_ = 0;
}

bool Memory::knows_atomics(View const& view, unsigned cpu, size_t cell, bool writes) {
    Place& place = places_[place_at_[cell]];
    for (unsigned c = 0; c < most_cpus; ++c) {
        if (c == cpu) continue;
        race = {c, place.wrote[c] > view.clock[c]};
        if (race.other_writes || (writes && place.read[c] > view.clock[c])) return false;
    }
    place.plainly_written |= writes;
    return true;
}

bool Memory::knows_others(View const& view, unsigned cpu, Place const& place, Way way) {
    Clock const* const writes = way == Way::write ? place.wrote_alone : place.wrote;
    for (unsigned c = 0; way != Way::read && c < most_cpus; ++c) {
        if (c == cpu || writes[c] <= view.clock[c]) continue;
        race = {c, true};
        return false;
    }
    return true;
}

unsigned Memory::new_place(size_t cell, size_t size, uint64_t value) {
    if (used_places_ == most_places) {
        std::fprintf(stderr, "a run uses more than %u atomic places\n", most_places - 1);
        std::abort();
    }
    std::fill_n(&place_at_[cell], size, static_cast<uint16_t>(used_places_));
    Place& place = places_[used_places_];
    place.cell = cell;
    place.size = size;
    place.latest = place.fenced_first = 0;
    place.plainly_written = false;
    for (Clock* clocks : {place.wrote, place.wrote_alone, place.read})
        std::fill_n(clocks, most_cpus, Clock{0});
    place.at(0).value = value;
    place.at(0).history = cell;
    place.at(0).has_view = false;
    return used_places_++;
}

unsigned Memory::reach(unsigned cpu, size_t cell, size_t size, Way way, uint64_t value) {
    View const& view = views_[cpu];
    bool const writes = way != Way::read;
    for (size_t i = cell; i < cell + size; ++i) {
        if (!knows_write(view, cpu, cells_[i]) || (writes && !knows_reads(view, cpu, cells_[i]))) return 0;
    }
    unsigned const number = place_at_[cell] != 0 ? place_at_[cell] : new_place(cell, size, value);
    Place& place = places_[number];
    if (place.cell != cell || place.size != size) {
        std::fprintf(stderr, "a place is accessed by atomic operations of different sizes\n");
        std::abort();
    }
    if (!knows_others(view, cpu, place, way)) return 0;
    if (place.plainly_written) {  // there is no race, so everybody who goes on from here knows of it
        place.plainly_written = false;
        append(place, cpu, number, value);
        place.fenced_first = place.latest;
        for (View& it : views_) it.first[number] = place.latest;
    }
    if (way == Way::write_alone) place.wrote_alone[cpu] = view.clock[cpu];
    (writes ? place.wrote : place.read)[cpu] = view.clock[cpu];
    return number;
}

void Memory::join(View& to, View const& from) const {
    for (unsigned c = 0; c < most_cpus; ++c) to.clock[c] = std::max(to.clock[c], from.clock[c]);
    if (!with_old_values_) return;
    for (unsigned i = 0; i < used_places_; ++i) to.first[i] = std::max(to.first[i], from.first[i]);
}

void Memory::copy(View& to, View const& from) const {
    std::copy(from.clock, std::end(from.clock), to.clock);
    if (with_old_values_) std::copy(from.first, std::end(from.first), to.first);
}

// The store, which is the CPU's, is a release: who reads it receives the CPU's view, besides what is there.
void Memory::publish(unsigned cpu, Store& store) {
    View& view = views_[cpu];
    if (store.has_view) {
        join(store.view, view);
    } else {
        copy(store.view, view);
    }
    store.has_view = true;
    ++view.clock[cpu];
}

Memory::Store& Memory::append(Place& place, unsigned cpu, unsigned number, uint64_t value) {
    uint64_t const before = place.at(place.latest).history;
    views_[cpu].first[number] = ++place.latest;
    Store& store = place.at(place.latest);
    store.value = value;
    store.history = histories_[cpu] = mixed(mixed(histories_[cpu], ~place.cell), before);
    store.has_view = false;
    return store;
}

unsigned Memory::older_values(unsigned cpu, unsigned number, int order) {
    if (!with_old_values_) return 0;
    Place const& place = places_[number];
    unsigned first = views_[cpu].first[number];
    if (order == __ATOMIC_SEQ_CST) first = std::max<unsigned>(first, place.fenced_first);
    return std::min<unsigned>(place.latest - first, remembered - 1);
}

uint64_t Memory::load(unsigned cpu, unsigned number, int order, unsigned age) {
    Place& place = places_[number];
    View& view = views_[cpu];
    uint16_t const read = static_cast<uint16_t>(place.latest - age);
    Store const& store = place.at(read);
    view.first[number] = std::max(view.first[number], read);
    if (acquires(order) && store.has_view) join(view, store.view);
    histories_[cpu] = mixed(mixed(histories_[cpu], place.cell), store.history);
    return store.value;
}

void Memory::store(unsigned cpu, unsigned number, int order, uint64_t value) {
    Place& place = places_[number];
    Store& store = append(place, cpu, number, value);
    if (releases(order)) publish(cpu, store);
    if (order == __ATOMIC_SEQ_CST) place.fenced_first = place.latest;
}

// A read-modify-write: it reads the latest value always, and what the store read hands on is handed on with
// the one written (a release sequence).
void Memory::exchange(unsigned cpu, unsigned number, int order, uint64_t value) {
    Place& place = places_[number];
    Store const& before = place.at(place.latest);
    if (acquires(order) && before.has_view) join(views_[cpu], before.view);
    Store& store = append(place, cpu, number, value);
    if (before.has_view) {
        store.has_view = true;
        copy(store.view, before.view);
    }
    if (releases(order)) publish(cpu, store);
    if (order == __ATOMIC_SEQ_CST) place.fenced_first = place.latest;
}

void Memory::fence(unsigned cpu) {
    fence_history_ = histories_[cpu] = mixed(histories_[cpu], fence_history_);
    if (!with_old_values_) return;
    uint16_t* const first = views_[cpu].first;
    for (unsigned i = 0; i < used_places_; ++i) {
        fenced_.first[i] = first[i] = std::max(first[i], fenced_.first[i]);
    }
}

void Memory::fence_all(unsigned cpu, unsigned cpus) {
    fence(cpu);
    for (unsigned c = 0; c < cpus; ++c) {
        if (c != cpu) fence(c);
    }
    fence(cpu);
}

}  // namespace interleave
