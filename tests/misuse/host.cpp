// SPDX-License-Identifier: MIT
//
// Tries each case in a process of its own, which the heap of a case that nobody caught cannot outlive, and
// prints its name and its outcome; "crashed" is one more, of a process that ends too soon.
//
//     program ONE_IN [CASE]    ONE_IN: of so many small blocks one has a guard (slab_heap_set_guard_hooks)
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trial.hpp"

using namespace slabheap::misuse;

namespace {

constexpr size_t heap_size = size_t{32} << 20;
constexpr unsigned longest = 20;  // seconds

pthread_barrier_t both_ready;

// A thread's first call makes it a CPU of its own.
void* run_second(void* work) {
    slab_free(slab_alloc(1, 1));
    pthread_barrier_wait(&both_ready);
    reinterpret_cast<void (*)(unsigned)>(work)(1);
    return nullptr;
}

// Threads are the CPUs.
void on_two_threads(void (*work)(unsigned)) {
    pthread_t second;
    pthread_barrier_init(&both_ready, nullptr, 2);
    if (pthread_create(&second, nullptr, run_second, reinterpret_cast<void*>(work)) != 0) _exit(2);
    pthread_barrier_wait(&both_ready);
    work(0);
    pthread_join(second, nullptr);
    pthread_barrier_destroy(&both_ready);
}

// A heap that has run for a while: all of its page map is open, so that calls go their shortest way. Each
// call for pages opens a little.
void wear() {
    for (size_t i = 0; i < heap_size / SLAB_PAGE_SIZE / 32; ++i) slab_free(slab_alloc_pages(1, 1));
}

// The heap's memory, and which of its pages fault.
unsigned char* memory;
bool is_guard[heap_size / SLAB_PAGE_SIZE];

[[noreturn]] void tell(Outcome outcome) {
    printf("%s\n", name_of(outcome));
    fflush(stdout);
    _exit(0);
}

int set_guards(void* pages, size_t size, bool are_guards) {
    const size_t first = static_cast<size_t>(static_cast<unsigned char*>(pages) - memory) / SLAB_PAGE_SIZE;
    for (size_t i = 0; i < size / SLAB_PAGE_SIZE; ++i) is_guard[first + i] = are_guards;
    return mprotect(pages, size, are_guards ? PROT_NONE : PROT_READ | PROT_WRITE) == 0;
}
int protect(void* pages, size_t size) { return set_guards(pages, size, true); }
int unprotect(void* pages, size_t size) { return set_guards(pages, size, false); }

// An access to a guard ends the trial, as it would end a kernel; any other, when it is made once more, the
// process.
void on_access(int, siginfo_t* info, void*) {
    const size_t offset = static_cast<size_t>(static_cast<unsigned char*>(info->si_addr) - memory);
    if (offset < heap_size && is_guard[offset / SLAB_PAGE_SIZE]) tell(Trial::outcome_of_access());
    signal(SIGSEGV, SIG_DFL);
}

void set_guard_hooks(size_t one_in) {
    struct sigaction action {};
    action.sa_sigaction = on_access;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
    slab_heap_set_guard_hooks(protect, unprotect, one_in);
}

[[noreturn]] void run(const Case& it, size_t one_in) {
    void* const mapped = mmap(nullptr, heap_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED || slab_heap_init(mapped, heap_size) != SLAB_OK) _exit(2);
    memory = static_cast<unsigned char*>(mapped);
    wear();
    slab_stats stats;
    slab_heap_stats(&stats);
    const Place place{memory, stats.metadata_bytes, on_two_threads};
    alarm(longest);
    set_guard_hooks(one_in);
    tell(attempt(it, place));
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 2) return 2;
    const size_t one_in = strtoul(arguments[1], nullptr, 10);
    for (const Case* const* list = all_cases; *list != nullptr; ++list) {
        for (const Case* it = *list; it->name != nullptr; ++it) {
            if (count > 2 && strcmp(arguments[2], it->name) != 0) continue;
            printf("%s: ", it->name);
            fflush(stdout);
            const pid_t child = fork();
            if (child == 0) run(*it, one_in);
            int status = 0;
            if (child < 0 || waitpid(child, &status, 0) != child) return 2;
            if (status != 0) printf("crashed\n");
            fflush(stdout);
        }
    }
}
