// SPDX-License-Identifier: MIT
#include "explorer.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

namespace interleave {
namespace {

constexpr const char* names[] = {"stay", "cpu", "interrupt", "nmi", "older"};

bool has_argument(Option::Kind kind) { return kind == Option::run_cpu || kind == Option::older_value; }

}  // namespace

unsigned Enumeration::choose(size_t, Position const& position, Option const*, unsigned count) {
    if (position_ == choices_.size()) {
        if (!follows_all_ && !add(position)) return known;
        choices_.push_back({0, static_cast<uint8_t>(count)});
    }
    Choice const& choice = choices_[position_++];
    if (choice.count != count) {
        std::fprintf(stderr, "a run does not repeat itself: something depends on more than the schedule\n");
        std::abort();
    }
    return choice.taken;
}

void Enumeration::forget() {
    std::fill(known_.begin(), known_.end(), uint64_t{0});
    known_count_ = 0;
}

// False: it is known, with as many preemptions left or more.
bool Enumeration::add(Position const& position) {
    if (known_count_ * 2 > known_.size()) {
        std::vector<uint64_t> const before = std::exchange(known_, std::vector<uint64_t>(known_.size() * 4));
        known_count_ = 0;
        for (uint64_t it : before) {
            if (it != 0) add({it, static_cast<unsigned>(it & 3)});
        }
    }
    uint64_t const key = position.number | 3;  // never 0 with a number of preemptions in it
    for (size_t i = key * 0x9e3779b97f4a7c15 >> 20;; ++i) {
        uint64_t& entry = known_[i & (known_.size() - 1)];
        if (entry != 0 && (entry | 3) != key) continue;
        if (entry != 0 && (entry & 3) >= position.preemptions) return false;
        known_count_ += entry == 0;
        entry = (key ^ 3) | position.preemptions;
        return true;
    }
}

bool Enumeration::next() {
    position_ = 0;
    while (!choices_.empty()) {
        Choice& last = choices_.back();
        if (++last.taken < last.count) return true;
        choices_.pop_back();
    }
    return false;
}

unsigned Script::choose(size_t step, Position const&, Option const* options, unsigned count) {
    if (position_ == deviations_.size() || deviations_[position_].step != step) return 0;
    for (unsigned i = 1; i < count; ++i) {
        if (options[i] != deviations_[position_].option) continue;
        ++position_;
        return i;
    }
    return 0;
}

std::string Script::text(std::vector<Deviation> const& deviations) {
    std::string result;
    for (Deviation const& it : deviations) {
        if (!result.empty()) result += ' ';
        result += std::to_string(it.step) + ':' + names[it.option.kind];
        if (has_argument(it.option.kind)) result += std::to_string(it.option.argument);
    }
    return result;
}

std::vector<Deviation> Script::parse(std::string const& text) {
    std::vector<Deviation> result;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        unsigned long step = 0;
        char name[16] = "";
        unsigned argument = 0;
        bool known = std::sscanf(word.c_str(), "%lu:%15[a-z]%u", &step, name, &argument) >= 2;
        for (uint8_t kind = Option::go_on; known && kind <= Option::older_value; ++kind) {
            if (std::strcmp(name, names[kind]) != 0) continue;
            result.push_back({step, {static_cast<Option::Kind>(kind), static_cast<uint8_t>(argument)}});
            known = false;
        }
        if (known || result.empty() || result.back().step != step) {
            std::fprintf(stderr, "'%s' is no part of a schedule\n", word.c_str());
            std::exit(2);
        }
    }
    return result;
}

}  // namespace interleave
