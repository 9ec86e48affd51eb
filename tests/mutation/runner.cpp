// SPDX-License-Identifier: MIT
//
// The main program of a unit with mutants. It reads requests, and answers each with a line:
//
//     list                               the names of all tests
//     run MUTANT MILLISECONDS TEST:...   passed, failed, crashed or hung; microseconds of CPU time; the test
//     reach MILLISECONDS TEST            the same, without a mutant; then what places the test came by
//
// Tests run in a process forked from this one, which has run none: so a mutant can break nothing but its own.
// At the first failure that process ends. Memory lies at the same addresses each time, if the system lets it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <iostream>
#include <sstream>
#include <string>

extern "C" {
unsigned slabheap_mutant;
alignas(4096) unsigned char slabheap_reached[SLABHEAP_MUTANTS];  // whole pages
}

namespace {

constexpr int exit_of_failure = 77;

// What a forked process tells this one: the name of the test that it is at.
char* at_test;
constexpr size_t most_name = 4096;

class EndsAtFirstFailure : public testing::EmptyTestEventListener {
    void OnTestStart(const testing::TestInfo& test) override {
        std::snprintf(at_test, most_name, "%s.%s", test.test_suite_name(), test.name());
    }
    void OnTestPartResult(const testing::TestPartResult& result) override {
        if (!result.failed()) return;
        if (is_told) {
            std::cout << result.file_name() << ":" << result.line_number() << ": " << result.message()
                      << std::endl;
        }
        _exit(exit_of_failure);
    }

public:
    bool is_told = false;
};

EndsAtFirstFailure* ending = new EndsAtFirstFailure;

[[noreturn]] void run_tests(const std::string& names) {
    setpgid(0, 0);
    if (!ending->is_told) {
        const int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
    }
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    GTEST_FLAG_SET(filter, names);
    const int status = RUN_ALL_TESTS();
    _exit(status != 0 || testing::UnitTest::GetInstance()->test_to_run_count() == 0 ? exit_of_failure : 0);
}

// Waits for a child; after so long it is ended.
bool ends_in_time(pid_t child, std::chrono::milliseconds limit, int& status, rusage& usage) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + limit;
    for (;;) {
        if (wait4(child, &status, WNOHANG, &usage) == child) return true;
        const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(end - Clock::now()).count();
        if (left <= 0) return false;
        const timespec wait{left / 1'000'000'000, left % 1'000'000'000};
        sigtimedwait(&set, nullptr, &wait);
    }
}

// A machine that is busy with something else takes longer, but no more of the CPU's time. Who uses none waits
// for something, and may do so for longer.
void run(unsigned mutant, unsigned milliseconds, const std::string& tests) {
    at_test[0] = '\0';
    const pid_t child = fork();
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        const itimerval limit{{}, {milliseconds / 1000, milliseconds % 1000 * 1000}};
        setitimer(ITIMER_PROF, &limit, nullptr);  // ends this process
        const rlimit of_forked{milliseconds / 1000 + 1, milliseconds / 1000 + 2};
        setrlimit(RLIMIT_CPU, &of_forked);
        slabheap_mutant = mutant;
        run_tests(tests);
    }
    setpgid(child, child);
    int status = 0;
    rusage usage{};
    const std::chrono::milliseconds patience(3000 + 8 * milliseconds);
    const bool in_time = ends_in_time(child, patience, status, usage);
    kill(-child, SIGKILL);  // and what it has forked
    if (!in_time) wait4(child, &status, 0, &usage);
    const bool ended = WIFEXITED(status);
    const bool out_of_time = !in_time || (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF);
    const char* result = out_of_time                                    ? "hung"
                         : ended && WEXITSTATUS(status) == 0            ? "passed"
                         : ended && WEXITSTATUS(status) == exit_of_failure ? "failed"
                                                                        : "crashed";
    std::cout << result << ' '
              << usage.ru_utime.tv_sec * 1'000'000 + usage.ru_utime.tv_usec +
                     usage.ru_stime.tv_sec * 1'000'000 + usage.ru_stime.tv_usec
              << ' ' << at_test;
}

// Memory that forked processes share with this one, all 0.
void* shared_memory(size_t size, void* place = nullptr) {
    return mmap(place, size, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS | (place != nullptr ? MAP_FIXED : 0), -1, 0);
}

// Starts this program anew, without random addresses.
void fix_addresses(char** arguments) {
    const int now = personality(0xffffffff);
    if (now == -1 || (now & ADDR_NO_RANDOMIZE) != 0) return;
    if (personality(static_cast<unsigned>(now) | ADDR_NO_RANDOMIZE) == -1) return;
    execv("/proc/self/exe", arguments);
}

void list() {
    const auto& all = *testing::UnitTest::GetInstance();
    for (int i = 0; i < all.total_test_suite_count(); ++i) {
        const auto& suite = *all.GetTestSuite(i);
        for (int k = 0; k < suite.total_test_count(); ++k) {
            std::cout << ' ' << suite.name() << '.' << suite.GetTestInfo(k)->name();
        }
    }
}

}  // namespace

int main(int count, char** arguments) {
    fix_addresses(arguments);
    at_test = static_cast<char*>(shared_memory(most_name));
    testing::InitGoogleTest(&count, arguments);
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    ending->is_told = count > 1 && std::strcmp(arguments[1], "--tell") == 0;
    if (!ending->is_told) delete listeners.Release(listeners.default_result_printer());
    listeners.Append(ending);
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, nullptr);

    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream request(line);
        std::string verb, test;
        unsigned mutant = 0, milliseconds = 0;
        request >> verb;
        if (verb == "list") {
            list();
        } else if (verb == "run" && request >> mutant >> milliseconds >> test) {
            run(mutant, milliseconds, test);
        } else if (verb == "reach" && request >> milliseconds >> test) {
            shared_memory(sizeof slabheap_reached, slabheap_reached);
            run(0, milliseconds, test);
            for (size_t i = 0; i < sizeof slabheap_reached; ++i) {
                if (slabheap_reached[i] != 0) std::cout << ' ' << i;
            }
        } else {
            std::cerr << "no request: " << line << '\n';
            return 2;
        }
        std::cout << std::endl;
    }
}
