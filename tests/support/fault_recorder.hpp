// SPDX-License-Identifier: MIT
//
// Catches what a heap reports to its fault handler, with the sentence that describes it, so that a test can
// look at it afterwards. A fault that the test never took fails the test: no misuse is overlooked, none is
// invented.
#ifndef SLABHEAP_TESTS_FAULT_RECORDER_HPP
#define SLABHEAP_TESTS_FAULT_RECORDER_HPP

#include <gtest/gtest.h>
#include <slabheap/heap.hpp>

#include <string>
#include <vector>

namespace slabheap::test {

struct RecordedFault {
    slab_fault record{};
    std::string sentence;
};

class FaultRecorder {
public:
    // The handler to set with set_fault_handler. It reports to the recorder that was made last.
    static void handler(const slab_fault* fault);

    FaultRecorder() : previous_(current_) { current_ = this; }
    ~FaultRecorder();
    FaultRecorder(const FaultRecorder&) = delete;
    FaultRecorder& operator=(const FaultRecorder&) = delete;

    size_t count() const { return faults_.size(); }

    // The one fault that was reported since the last call; kind 0 when it was not exactly one.
    RecordedFault take();

private:
    static inline FaultRecorder* current_ = nullptr;

    FaultRecorder* previous_;
    std::vector<RecordedFault> faults_;
};

// The sentence slab_fault_describe writes.
std::string describe(const slab_fault& fault);

// True when a sentence names the call, the address, the kind of fault and, as far as the record knows it, the
// block.
::testing::AssertionResult tells_all(const RecordedFault& fault);

// The words of a fault kind, as an ECMAScript regular expression. The one table that fixes the wording.
const char* words_for(slab_fault_kind kind);

}  // namespace slabheap::test

#endif
