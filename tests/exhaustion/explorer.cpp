// SPDX-License-Identifier: MIT
#include "explorer.hpp"

#include <algorithm>
#include <sstream>

namespace exhaustion {

namespace {

using State = uint32_t;  // states are numbered as they are found

// Which state has a key: open addressing, linear probing.
class Index {
public:
    // The state with the key, or the new one, which then has it.
    State find_or_enter(Player::Key const& key, State next) {
        if (2 * count_ >= slots_.size()) grow();
        Slot& slot = slot_of(key);
        if (slot.state == none) {
            slot = {key, next};
            ++count_;
        }
        return slot.state;
    }

private:
    static constexpr State none = ~State{0};
    struct Slot {
        Player::Key key{};
        State state = none;
    };

    Slot& slot_of(Player::Key const& key) {
        size_t at = key.words[0] & (slots_.size() - 1);
        while (slots_[at].state != none && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
        return slots_[at];
    }
    void grow() {
        std::vector<Slot> old(std::max<size_t>(1024, 2 * slots_.size()));
        old.swap(slots_);
        for (Slot const& slot : old) {
            if (slot.state != none) slot_of(slot.key) = slot;
        }
    }

    std::vector<Slot> slots_;
    size_t count_ = 0;
};

class Explorer {
public:
    Explorer(World const& world, size_t depth) : player_(world), depth_(depth) {}

    Result run() {
        try {
            std::vector<uint64_t> scratch;
            enter(player_.pack(scratch), scratch, 0, {});
            while (level_ < depth_ && first_of_level_ < found_by_.size()) expand_level();
        } catch (Mismatch const& mismatch) {
            return {false, false, level_, found_by_.size(), calls_made_, 0, mismatch.what + sequence()};
        }
        bool const complete = first_of_level_ == found_by_.size();
        return {true, complete, level_, found_by_.size(), calls_made_, count_sequences(), ""};
    }

private:
    struct Step {
        State from;
        Call call;
    };

    // Makes every call from every state that was found last.
    void expand_level() {
        std::vector<uint64_t> level;
        level.swap(stored_);
        size_t at = 0;
        std::vector<Call> calls;
        std::vector<uint64_t> scratch;
        State const end = static_cast<State>(found_by_.size());
        for (State state = first_of_level_; state < end; ++state) {
            uint64_t const* const packed = &level[at + 1];
            at += level[at];
            player_.restore(packed);
            player_.list_calls(calls);
            State last = state;
            for (Call const call : calls) {
                now_ = {state, call};
                player_.restore(packed);
                player_.make(call);
                ++calls_made_;
                scratch.clear();
                State const to = enter(player_.pack(scratch), scratch, state, call);
                if (call.kind == Call::free_sized && to != last)
                    throw Mismatch{"freed with its size it is another heap"};
                if (call.kind == Call::free) player_.check_last_freed();
                leads_to_.push_back(last = to);
            }
            now_ = {state, {}};
            edges_end_.push_back(leads_to_.size());
        }
        first_of_level_ = end;
        ++level_;
    }

    // The state with this key; if it is new, it is checked, and stored while it is to be expanded.
    State enter(Player::Key const& key, std::vector<uint64_t> const& packed, State from, Call call) {
        State const next = static_cast<State>(found_by_.size());
        State const state = index_.find_or_enter(key, next);
        if (state != next) return state;
        found_by_.push_back({from, call});
        is_new_ = true;
        misuses_.push_back(static_cast<uint16_t>(player_.check()));
        is_new_ = false;
        if (level_ + 1 < depth_ || next == 0) {
            stored_.push_back(packed.size() + 1);
            stored_.insert(stored_.end(), packed.begin(), packed.end());
        }
        return state;
    }

    // How many sequences of so many calls there are, calls that are misuse and change nothing among them.
    double count_sequences() const {
        std::vector<double> paths(found_by_.size(), 0), next;
        paths[0] = 1;
        for (size_t i = 0; i < level_; ++i) {
            next.assign(paths.size(), 0);
            for (State state = 0; state < edges_end_.size(); ++state) {
                if (paths[state] == 0) continue;
                next[state] += paths[state] * misuses_[state];
                for (size_t edge = state == 0 ? 0 : edges_end_[state - 1]; edge < edges_end_[state]; ++edge)
                    next[leads_to_[edge]] += paths[state];
            }
            paths.swap(next);
        }
        double sum = 0;
        for (double count : paths) sum += count;
        return sum;
    }

    // The calls that lead to the mismatch.
    std::string sequence() const {
        std::vector<std::string> lines;
        State state = now_.from;
        lines.push_back(player_.describe(now_.call));
        for (; state != 0; state = found_by_[state].from)
            lines.push_back(player_.describe(found_by_[state].call));
        std::ostringstream out;
        for (auto line = lines.rbegin(); line != lines.rend(); ++line) out << "\n        " << *line;
        return out.str();
    }

    Player player_;
    size_t depth_;
    size_t level_ = 0;
    size_t calls_made_ = 0;
    Index index_;
    std::vector<Step> found_by_;     // of each state
    std::vector<uint16_t> misuses_;  // calls that are misuse, of each state
    State first_of_level_ = 0;       // states that are not expanded yet
    std::vector<uint64_t> stored_;   // these, packed, each behind its length
    std::vector<State> leads_to_;    // where each call from each expanded state leads
    std::vector<size_t> edges_end_;
    Step now_{};
    bool is_new_ = false;
};

}  // namespace

Result explore(World const& world, size_t depth) {
    try {
        return Explorer(world, depth).run();
    } catch (Mismatch const& mismatch) {
        return {false, false, 0, 0, 0, 0, "while it is prepared: " + mismatch.what};
    }
}

}  // namespace exhaustion
