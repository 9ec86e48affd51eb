// SPDX-License-Identifier: MIT
//
// Choices: what a schedule is made of, and who makes them. A run is deterministic but for its choices, so
// that the list of them is the schedule.
//
// Enumeration makes every combination, depth first: each run repeats the choices of the run before but for
// the last one that has something left to try (stateless model checking: Godefroid, "VeriSoft", 1997).
// Choosing 0 all the time is the usual course: nobody is interrupted. Where a run comes to a state from which
// an earlier one went on, with as many deviations left, it is not followed further.
//
// Script repeats one schedule, of which it knows only the choices that are not 0.
#ifndef INTERLEAVE_EXPLORER_HPP
#define INTERLEAVE_EXPLORER_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace interleave {

// What can happen at a step.
struct Option {
    enum Kind : uint8_t { go_on, run_cpu, interrupt, nmi, older_value };
    Kind kind;
    uint8_t argument;  // the CPU that runs instead; how much older the value is
    bool operator==(Option const&) const = default;
};

// One that was taken although it is not the usual course.
struct Deviation {
    size_t step;
    Option option;
};

// Where a choice has to be made.
struct Position {
    uint64_t number;       // stands for all that the rest of the run depends on, but for
    unsigned preemptions;  // that are left: at most 3
};

class Chooser {
public:
    static constexpr unsigned known = ~0u;

    virtual ~Chooser() = default;
    // One of `count` options, of which there are two at least; or `known`: no need to go on.
    virtual unsigned choose(size_t step, Position const& position, Option const* options, unsigned count) = 0;
};

class Enumeration : public Chooser {
public:
    // follows_all: whatever state a run comes to.
    explicit Enumeration(bool follows_all) : follows_all_(follows_all) {}
    unsigned choose(size_t step, Position const& position, Option const* options, unsigned count) override;

    // Goes on to the next schedule; false when there is none.
    bool next();
    // Begins again with nothing chosen. The states known remain so, or are forgotten.
    void restart() { choices_.clear(), position_ = 0; }
    void forget();

private:
    struct Choice {
        uint8_t taken;
        uint8_t count;
    };
    bool add(Position const& position);

    bool const follows_all_;
    std::vector<Choice> choices_;
    size_t position_ = 0;
    // Open addressing; 0: nothing. The two lowest bits are the preemptions left.
    std::vector<uint64_t> known_ = std::vector<uint64_t>(1 << 12);
    size_t known_count_ = 0;
};

class Script : public Chooser {
public:
    explicit Script(std::vector<Deviation> deviations) : deviations_(std::move(deviations)) {}
    unsigned choose(size_t step, Position const& position, Option const* options, unsigned count) override;

    // As text, and back: "12:cpu1 30:nmi 41:older1". An empty text is the usual course; what cannot be read
    // ends the program.
    static std::string text(std::vector<Deviation> const& deviations);
    static std::vector<Deviation> parse(std::string const& text);

private:
    std::vector<Deviation> deviations_;
    size_t position_ = 0;
};

}  // namespace interleave

#endif
