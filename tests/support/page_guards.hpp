// SPDX-License-Identifier: MIT
//
// Guard hooks of a process, by mprotect, which keep a book of what is closed; and what an access to closed
// memory comes to: a signal, with the address, instead of the end of the test.
#ifndef SLABHEAP_TESTS_PAGE_GUARDS_HPP
#define SLABHEAP_TESTS_PAGE_GUARDS_HPP

#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include <functional>
#include <set>

#include "test_memory.hpp"

namespace slabheap::test {

// While there is one, its static hooks work on it. For one thread.
class PageGuards {
public:
    PageGuards() { current_ = this; }
    ~PageGuards() {
        current_ = nullptr;
        for (const uintptr_t page : closed)
            set(reinterpret_cast<void*>(page), page_size, PROT_READ | PROT_WRITE);
    }
    PageGuards(const PageGuards&) = delete;
    PageGuards& operator=(const PageGuards&) = delete;

    static int protect(void* start, size_t size) { return current_->call(start, size, true); }
    static int unprotect(void* start, size_t size) { return current_->call(start, size, false); }

    bool is_closed(const void* address) const {
        return closed.count(address_of(address) / page_size * page_size) != 0;
    }

    std::set<uintptr_t> closed;  // pages
    size_t calls = 0;
    bool protects = true, unprotects = true;  // or refuses to
    std::function<void()> meanwhile;          // in each call

private:
    static void set(void* start, size_t size, int access) { EXPECT_EQ(0, mprotect(start, size, access)); }

    int call(void* start, size_t size, bool close) {
        ++calls;
        EXPECT_EQ(0u, address_of(start) % page_size);
        EXPECT_EQ(0u, size % page_size);
        EXPECT_NE(0u, size);
        if (meanwhile) meanwhile();
        if (!(close ? protects : unprotects)) return 0;
        set(start, size, close ? PROT_NONE : PROT_READ | PROT_WRITE);
        for (uintptr_t page = address_of(start); page < address_of(start) + size; page += page_size) {
            if (close) {
                EXPECT_TRUE(closed.insert(page).second) << "closed twice";
            } else {
                closed.erase(page);
            }
        }
        return 1;
    }

    static inline PageGuards* current_ = nullptr;
};

// Where the access to a byte faults; null: it does not.
class Access {
public:
    static void* read(const void* address) { return attempt(address, false); }
    static void* write(void* address) { return attempt(address, true); }

private:
    static void* attempt(const void* address, bool writes) {
        struct sigaction act = {}, before;
        act.sa_sigaction = [](int, siginfo_t* info, void*) {
            at_ = info->si_addr;
            siglongjmp(back_, 1);
        };
        act.sa_flags = SA_SIGINFO;
        EXPECT_EQ(0, sigaction(SIGSEGV, &act, &before));
        at_ = nullptr;
        if (sigsetjmp(back_, 1) == 0) {
            auto* const byte = static_cast<volatile unsigned char*>(const_cast<void*>(address));
            const unsigned char value = *byte;
            if (writes) *byte = value;
        }
        EXPECT_EQ(0, sigaction(SIGSEGV, &before, nullptr));
        return at_;
    }

    static inline sigjmp_buf back_;
    static inline void* at_;
};

}  // namespace slabheap::test

#endif
