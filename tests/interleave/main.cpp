// SPDX-License-Identifier: MIT
//
// Runs scenarios under every schedule within their bounds, and says "ok" with their number, or "not ok" with
// the shortest schedule that failed, as a list of what happened in it and as a text for --replay.
#include "report.hpp"
#include "world.hpp"

#include <sys/time.h>

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

using namespace interleave;

namespace {

struct Options {
    bool deep = false;
    bool every = false;
    const char* scenario = nullptr;
    const char* replay = nullptr;
};

std::vector<Scenario> all_scenarios() {
    std::vector<Scenario> all;
    for (auto const& some : {free_scenarios(), pool_scenarios(), reclaim_scenarios(), handler_scenarios()})
        all.insert(all.end(), some.begin(), some.end());
    return all;
}

size_t runs;
bool is_concluding;
sigjmp_buf conclusion;

// The heap may be in any state when a schedule has gone wrong: it may crash, or never end.
[[noreturn]] void stop(const char* why) {
    if (machine.running()) machine.fail("%s", why);
    if (is_concluding) siglongjmp(conclusion, 1);
    std::fprintf(stderr, "%s outside of a schedule\n", why);
    std::_Exit(1);
}

void on_crash(int signal) { stop(strsignal(signal)); }

void on_tick(int) {
    static size_t runs_before;
    if (runs != 0 && runs == runs_before) stop("no end after seconds");
    runs_before = runs;
}

void catch_signals() {
    static std::byte stack[1 << 16];
    stack_t const alternate = {stack, 0, sizeof stack};
    sigaltstack(&alternate, nullptr);
    struct sigaction action {};
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    action.sa_handler = on_crash;
    for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP}) sigaction(signal, &action, nullptr);
    action.sa_handler = on_tick;
    sigaction(SIGVTALRM, &action, nullptr);
    itimerval const seconds = {{5, 0}, {5, 0}};
    setitimer(ITIMER_VIRTUAL, &seconds, nullptr);
}

// One schedule, and what must be true after it.
Machine::Outcome const& run(Scenario const& scenario, Bounds const& bounds, Chooser& chooser,
                            bool with_events) {
    ++runs;
    restore();
    Machine::Outcome& outcome = machine.run(scenario.program, bounds, chooser, with_events);
    if (!outcome.passed || outcome.known) return outcome;
    is_concluding = true;
    if (sigsetjmp(conclusion, 0) == 0) {
        outcome.failure = conclude();
    } else {
        outcome.failure = "when all CPUs have ended, a call of the heap crashes, or does not end";
    }
    is_concluding = false;
    outcome.passed = outcome.failure.empty();
    return outcome;
}

// All schedules within the bounds, with ever more preemptions, so that the first to fail has the fewest.
class Exploration {
public:
    Exploration(Scenario const& scenario, Bounds const& bounds, bool every)
        : scenario_(scenario), bounds_(bounds), enumeration_(every) {
        machine.forget(every);
    }

    bool run_all() {
        Bounds bounds = bounds_;
        for (bounds.preemptions = 0; bounds.preemptions <= bounds_.preemptions; ++bounds.preemptions) {
            while (run_with(bounds)) {
                enumeration_.forget();
                schedules = known = 0;
                bounds.preemptions = 0;
            }
            if (!failed.passed) return false;
        }
        return true;
    }

    size_t schedules = 0;  // run to their end
    size_t known = 0;      // not, because an earlier one went on from the same state
    size_t most_steps = 0;
    Machine::Outcome failed{true, false, {}, {}, {}};

private:
    // True: all has to be done again, because addresses were found over which CPUs conflict.
    bool run_with(Bounds const& bounds) {
        enumeration_.restart();
        do {
            Machine::Outcome const& outcome = run(scenario_, bounds, enumeration_, false);
            ++(outcome.known ? known : schedules);
            most_steps = std::max(most_steps, machine.steps());
            if (!outcome.passed) {
                failed = outcome;
                return false;
            }
            if (machine.learnt()) return true;
        } while (enumeration_.next());
        return false;
    }

    Scenario const& scenario_;
    Bounds bounds_;
    Enumeration enumeration_;
};

void print_failure(Scenario const& scenario, Bounds const& bounds, std::vector<Deviation> const& deviations) {
    Script script(deviations);
    Machine::Outcome const& outcome = run(scenario, bounds, script, true);
    print_events(outcome.events);
    std::printf("    %s\n", outcome.passed ? "(this time it passed)" : outcome.failure.c_str());
    std::printf("    to run it again: --scenario %s --replay '%s'\n", scenario.name,
                Script::text(deviations).c_str());
}

std::string text(Bounds const& bounds) {
    std::string result;
    auto const add = [&](unsigned count, const char* what) {
        if (count == 0) return;
        if (!result.empty()) result += ", ";
        result += std::to_string(count) + what + (count == 1 ? "" : "s");
    };
    add(bounds.preemptions, " preemption");
    add(bounds.interruptions, " interruption");
    if (bounds.at_any_access) result += " at any access";
    add(bounds.old_values, " old value");
    return result;
}

bool explore(Scenario const& scenario, Bounds const& bounds, bool every) {
    Exploration exploration(scenario, bounds, every);
    std::timespec start, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    bool const passed = exploration.run_all();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    double const seconds = static_cast<double>(end.tv_sec - start.tv_sec) +
                           1e-9 * static_cast<double>(end.tv_nsec - start.tv_nsec);
    if (!passed) {
        std::printf("not ok %s: %s\n", scenario.name, scenario.shows);
        std::printf("    after %zu schedules: %s\n", exploration.schedules,
                    exploration.failed.failure.c_str());
        print_failure(scenario, bounds, exploration.failed.deviations);
        return false;
    }
    std::printf("ok %s: %zu schedules, and %zu cut short; of up to %zu steps, up to %s (%.1f s)\n",
                scenario.name, exploration.schedules, exploration.known, exploration.most_steps,
                text(bounds).c_str(), seconds);
    return true;
}

[[noreturn]] void usage(int status) {
    std::fprintf(status == 0 ? stdout : stderr,
                 "usage: interleave --list | --scenario NAME [--deep] [--every] [--replay SCHEDULE]\n");
    std::exit(status);
}

Options parse(int count, char** words) {
    Options options;
    for (int i = 1; i < count; ++i) {
        std::string const word = words[i];
        if (word == "--list") {
            for (Scenario const& it : all_scenarios()) std::printf("%-28s %s\n", it.name, it.shows);
            std::exit(0);
        }
        if (word == "--deep") {
            options.deep = true;
        } else if (word == "--every") {
            options.every = true;
        } else if (word == "--scenario" && i + 1 < count) {
            options.scenario = words[++i];
        } else if (word == "--replay" && i + 1 < count) {
            options.replay = words[++i];
        } else {
            usage(word == "--help" ? 0 : 2);
        }
    }
    if (options.scenario == nullptr) usage(2);
    return options;
}

}  // namespace

int main(int count, char** words) {
    Options const options = parse(count, words);
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    catch_signals();
    for (Scenario const& scenario : all_scenarios()) {
        if (std::strcmp(scenario.name, options.scenario) != 0) continue;
        prepare(scenario);
        Bounds const& bounds = options.deep ? scenario.deep : scenario.bounds;
        if (options.replay == nullptr) return explore(scenario, bounds, options.every) ? 0 : 1;
        machine.forget(true);
        print_failure(scenario, bounds, Script::parse(options.replay));
        return 0;
    }
    std::fprintf(stderr, "there is no scenario '%s'; see --list\n", options.scenario);
    return 2;
}
