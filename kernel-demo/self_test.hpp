// SPDX-License-Identifier: MIT
//
// The self-test: what slabheap.h promises, tried on this machine's memory. Each test leaves the heap as it
// found it.
#ifndef KERNEL_DEMO_SELF_TEST_HPP
#define KERNEL_DEMO_SELF_TEST_HPP

namespace demo {

// Blocks of the size classes: test_blocks.cpp
void test_size_classes();
void test_calloc();
void test_arguments();
void test_realloc();

// Whole pages: test_pages.cpp
void test_large_blocks();
void test_page_runs();
void test_reserve();

// The end of memory, and back: test_exhaustion.cpp
void test_exhaustion();
void test_out_of_memory_hook();

// Several CPUs, whose clocks have been measured: test_cpus.cpp
void test_racing_frees();

// Broken contracts: test_misuse.cpp
void test_misuse();

}  // namespace demo

#endif
