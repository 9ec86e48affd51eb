// SPDX-License-Identifier: MIT
//
// The C ABI has one heap for the whole life of a program, and a fuzzer wants a new one for each input. In one
// file with the C ABI that heap has a name, by which it can be made as it was at the start.
#include "c_abi.cpp"

#include <memory>

namespace slabheap::fuzz {

void forget_c_heap() { std::construct_at(&heap); }

}  // namespace slabheap::fuzz
