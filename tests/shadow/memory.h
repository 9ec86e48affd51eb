/* SPDX-License-Identifier: MIT */
/*
 * Memory for the heaps of the programs here, mapped for them alone: within a block of malloc's a tool would
 * name that block instead of the heap's. On AArch64 it has tags, and a touch whose tag does not fit is told.
 */
#ifndef TESTS_SHADOW_MEMORY_H
#define TESTS_SHADOW_MEMORY_H

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>

/* For who tells of a fault. */
static volatile char *last_object;

#ifdef __aarch64__

/* The smallest piece of memory that is told from its neighbours. */
enum { GRANULE = 16 };

/* The address without its tag. */
static inline char *plain(volatile void *pointer) { return (char *)((unsigned long)pointer << 8 >> 8); }

static void on_tag_fault(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    printf("%s, %td bytes from the start of the last object\n",
           info->si_code == SEGV_MTESERR ? "tag fault" : "another fault",
           plain(info->si_addr) - plain(last_object));
    fflush(stdout);
    _Exit(1);
}

static inline int ask_for_tags(void) {
    const unsigned long any_but_0 = 0xfffe;
    static struct sigaction action;
    action.sa_sigaction = on_tag_fault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, NULL);
    if (prctl(PR_SET_TAGGED_ADDR_CTRL,
              PR_TAGGED_ADDR_ENABLE | PR_MTE_TCF_SYNC | any_but_0 << PR_MTE_TAG_SHIFT, 0, 0, 0) != 0) {
        perror("no tags");
        exit(2);
    }
    return PROT_MTE;
}

#else

enum { GRANULE = 1 };
static inline int ask_for_tags(void) { return 0; }

#endif

static inline void *heap_memory(size_t size) {
    int access = PROT_READ | PROT_WRITE | ask_for_tags();
    void *memory = mmap(NULL, size, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) return memory;
    perror("no memory");
    exit(2);
}

#endif
