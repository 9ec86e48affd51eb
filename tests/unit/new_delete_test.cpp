// SPDX-License-Identifier: MIT
//
// The global operator new and delete: every form, in a program that has no others. Static objects allocate
// before main (the tests register themselves), so the heap is made before them.
#include <slabheap/fault_injection.h>
#include <slabheap/new_delete.hpp>
#include <slabheap/slabheap.h>

#include "class_set.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <new>
#include <sstream>
#include <string>

namespace slabheap::test {
namespace {

constexpr size_t heap_size = 16 * 1024 * 1024;
alignas(SLAB_PAGE_SIZE) unsigned char memory[heap_size];

// The last fault, and how many there were. The record is kept as it is: nothing is allocated for it.
slab_fault last_fault;
size_t fault_count;

void record_fault(const slab_fault* fault) {
    last_fault = *fault;
    ++fault_count;
}

[[gnu::constructor(101)]] void make_heap() {
    if (slab_heap_init(memory, sizeof memory) != SLAB_OK) std::abort();
    slab_heap_set_fault_handler(record_fault);
}

const std::string* const made_before_main = new std::string(1000, 'x');

// The pointer, of which the compiler does not know where it comes from: it warns of misuse that it sees.
void* opaque(void* ptr) {
    asm volatile("" : "+r"(ptr));
    return ptr;
}

constexpr size_t size = 300;
constexpr std::align_val_t align{1024};

class NewDelete : public ::testing::Test {
protected:
    NewDelete() { fault_count = 0; }
    ~NewDelete() override { EXPECT_EQ(SLAB_OK, slab_heap_check()); }

    // True when the pointer is a live block for a request of `asked`, of this real size.
    static bool is_block(const void* ptr, size_t asked, size_t real_size) {
        return slab_owns(ptr) == 1 && slab_usable_size(ptr) == usable(asked, real_size);
    }
    // True when the block is live no more, and nothing was reported.
    static bool is_freed(const void* ptr) { return slab_owns(ptr) == 0 && fault_count == 0; }
};

TEST_F(NewDelete, ObjectsMadeBeforeMainLieInTheHeap) {
    EXPECT_TRUE(is_block(made_before_main, sizeof(std::string), class_for(sizeof(std::string))));
    EXPECT_TRUE(is_block(made_before_main->data(), 1001, class_for(1001)));
}

TEST_F(NewDelete, EveryFormOfNewGivesABlock) {
    void* const blocks[] = {
        operator new(size),
        operator new[](size),
        operator new(size, std::nothrow),
        operator new[](size, std::nothrow),
    };
    for (void* block : blocks) {
        EXPECT_TRUE(is_block(block, size, class_for(size)));
        slab_free(block);
    }
    void* const aligned_blocks[] = {
        operator new(size, align),
        operator new[](size, align),
        operator new(size, align, std::nothrow),
        operator new[](size, align, std::nothrow),
    };
    for (void* block : aligned_blocks) {
        EXPECT_TRUE(is_block(block, size, class_for(size, static_cast<size_t>(align))));
        slab_free(block);
    }
}

TEST_F(NewDelete, EveryFormOfDeleteTakesItBack) {
    using Delete = void (*)(void*);
    const Delete forms[] = {
        [](void* block) { operator delete(block); },
        [](void* block) { operator delete[](block); },
        [](void* block) { operator delete(block, size); },
        [](void* block) { operator delete[](block, size); },
        [](void* block) { operator delete(block, align); },
        [](void* block) { operator delete[](block, align); },
        [](void* block) { operator delete(block, size, align); },
        [](void* block) { operator delete[](block, size, align); },
        [](void* block) { operator delete(block, std::nothrow); },
        [](void* block) { operator delete[](block, std::nothrow); },
        [](void* block) { operator delete(block, align, std::nothrow); },
        [](void* block) { operator delete[](block, align, std::nothrow); },
    };
    for (const Delete form : forms) {
        void* const block = slab_alloc(size, static_cast<size_t>(align));
        form(block);
        EXPECT_TRUE(is_freed(block));
        form(nullptr);
        EXPECT_EQ(0u, fault_count);
    }
}

TEST_F(NewDelete, NothingIsABlockOfItsOwn) {
    const std::unique_ptr<char[]> one(new char[0]);
    const std::unique_ptr<char[]> other(new char[0]);
    EXPECT_TRUE(is_block(one.get(), 0, class_for(1)));
    EXPECT_NE(one.get(), other.get());
}

TEST_F(NewDelete, SizedFormsCheckTheSize) {
    void* const block = opaque(operator new(size));
    operator delete(opaque(block), 10 * size);
    EXPECT_EQ(1u, fault_count);
    EXPECT_EQ(SLAB_FAULT_WRONG_SIZE, last_fault.kind);
    operator delete[](opaque(block), 10 * size, align);
    EXPECT_EQ(2u, fault_count);
    EXPECT_TRUE(is_block(block, size, class_for(size)));
    operator delete(opaque(block), size);
    EXPECT_EQ(2u, fault_count);
}

TEST_F(NewDelete, ADoubleDeleteIsReported) {
    void* const block = opaque(operator new(size));
    operator delete(opaque(block));
    operator delete(opaque(block));
    EXPECT_EQ(1u, fault_count);
    EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, last_fault.kind);
}

TEST_F(NewDelete, NothrowFormsReturnNullWhenThereIsNoMemory) {
    EXPECT_EQ(nullptr, operator new(2 * heap_size, std::nothrow));
    EXPECT_EQ(nullptr, operator new[](2 * heap_size, std::nothrow));
    EXPECT_EQ(nullptr, operator new(2 * heap_size, align, std::nothrow));
    EXPECT_EQ(nullptr, operator new[](2 * heap_size, align, std::nothrow));
}

// By an invalid instruction, a breakpoint, or a condition that traps: as the compiler does it on this CPU.
bool trapped(int status) {
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return signal == SIGILL || signal == SIGTRAP || signal == SIGFPE;
}

TEST_F(NewDelete, TheOthersTrapWhenThereIsNoMemory) {
    EXPECT_EXIT(static_cast<void>(operator new(2 * heap_size)), trapped, "");
    EXPECT_EXIT(static_cast<void>(operator new[](2 * heap_size)), trapped, "");
    EXPECT_EXIT(static_cast<void>(operator new(2 * heap_size, align)), trapped, "");
    EXPECT_EXIT(static_cast<void>(operator new[](2 * heap_size, align)), trapped, "");
}

#ifdef SLABHEAP_FAULT_INJECTION
// The walk of fault_injection_test, through what new does. Nobody else allocates meanwhile.
TEST_F(NewDelete, NothrowFormsReturnNullWherePagesAreRefused) {
    const auto used_bytes = [] {
        slab_stats stats;
        slab_heap_stats(&stats);
        return stats.used_bytes;
    };
    size_t n = 0, requests = 1;
    for (; requests > n; ++n) {
        const size_t used = used_bytes();
        const slab_injection plan{n, SIZE_MAX, 100, 0};
        slab_heap_inject_failures(&plan);
        void* const blocks[] = {
            operator new(5000, std::nothrow),
            operator new[](5000, std::nothrow),
            operator new(5000, align, std::nothrow),
            operator new[](5000, align, std::nothrow),
        };
        requests = slab_heap_inject_failures(nullptr);
        const bool is_served = blocks[0] != nullptr;
        for (void* block : blocks) operator delete(block);
        EXPECT_EQ(used, used_bytes());
        EXPECT_EQ(SLAB_OK, slab_heap_check());
        EXPECT_EQ(n != 0, is_served);
    }
    EXPECT_GT(n, 4u);
    EXPECT_EQ(0u, fault_count);
}

TEST_F(NewDelete, TheOthersTrapWherePagesAreRefused) {
    const slab_injection all{0, SIZE_MAX, 100, 0};
    const auto new_without_pages = [&] {
        slab_heap_inject_failures(&all);
        opaque(operator new(5000));
    };
    EXPECT_EXIT(new_without_pages(), trapped, "");
}
#endif

// What the shared C++ library allocates for a stream is freed here: both have the same operators.
TEST_F(NewDelete, TheSharedLibraryUsesThemToo) {
    std::string word;
    {
        std::istringstream stream(std::string(5000, 'x'));
        stream >> word;
    }
    EXPECT_EQ(1, slab_owns(word.data()));
    EXPECT_EQ(5000u, word.size());
    EXPECT_EQ(0u, fault_count);
}

}  // namespace
}  // namespace slabheap::test
