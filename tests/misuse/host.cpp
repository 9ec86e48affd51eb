// SPDX-License-Identifier: MIT
//
// Tries each case in a process of its own, which the heap of a case that nobody caught cannot outlive, and
// prints its name and its outcome; "crashed" is one more, of a process that ends too soon.
#include <pthread.h>
#include <stdio.h>
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

void run(const Case& it) {
    void* const memory = mmap(nullptr, heap_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || slab_heap_init(memory, heap_size) != SLAB_OK) _exit(2);
    wear();
    slab_stats stats;
    slab_heap_stats(&stats);
    const Place place{static_cast<unsigned char*>(memory), stats.metadata_bytes, on_two_threads};
    alarm(longest);
    printf("%s: %s\n", it.name, name_of(attempt(it, place)));
    fflush(stdout);
    _exit(0);
}

}  // namespace

int main(int count, char** arguments) {
    for (const Case* const* list = all_cases; *list != nullptr; ++list) {
        for (const Case* it = *list; it->name != nullptr; ++it) {
            if (count > 1 && strcmp(arguments[1], it->name) != 0) continue;
            const pid_t child = fork();
            if (child == 0) run(*it);
            int status = 0;
            if (child < 0 || waitpid(child, &status, 0) != child) return 2;
            if (status != 0) printf("%s: crashed\n", it->name);
            fflush(stdout);
        }
    }
}
