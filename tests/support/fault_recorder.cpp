// SPDX-License-Identifier: MIT
//
// See fault_recorder.hpp.
#include "fault_recorder.hpp"

#include <cstdint>
#include <cstdio>
#include <regex>

namespace slabheap::test {
namespace {

std::string hex(const void* address) {
    char text[32];
    std::snprintf(text, sizeof text, "0x0*%jx", static_cast<uintmax_t>(reinterpret_cast<uintptr_t>(address)));
    return text;
}

bool says(const std::string& sentence, const std::string& pattern) {
    return std::regex_search(sentence, std::regex(pattern, std::regex::icase));
}

}  // namespace

void FaultRecorder::handler(const slab_fault* fault) {
    if (current_ == nullptr) {
        ADD_FAILURE() << "a fault without a recorder: " << describe(*fault);
        return;
    }
    current_->faults_.push_back({*fault, describe(*fault)});
}

FaultRecorder::~FaultRecorder() {
    for (const RecordedFault& fault : faults_) {
        ADD_FAILURE() << "a fault that the test did not expect: " << fault.sentence;
    }
    current_ = previous_;
}

RecordedFault FaultRecorder::take() {
    RecordedFault fault;
    EXPECT_EQ(1u, faults_.size()) << "exactly one fault must be reported";
    if (faults_.size() == 1) {
        fault = faults_.front();
    }
    faults_.clear();
    return fault;
}

std::string describe(const slab_fault& fault) {
    std::string text(slab_fault_describe(&fault, nullptr, 0) + 1, '?');
    const size_t length = slab_fault_describe(&fault, text.data(), text.size());
    text.resize(length);
    return text;
}

const char* words_for(slab_fault_kind kind) {
    switch (kind) {
        case SLAB_FAULT_DOUBLE_FREE:
            return "double free|free already|already free|freed already";
        case SLAB_FAULT_INTERIOR:
            return "interior|inside|not its start";
        case SLAB_FAULT_MISALIGNED:
            return "misaligned|multiple of 16";
        case SLAB_FAULT_FOREIGN:
            return "foreign|not in memory|outside|does not hand out";
        case SLAB_FAULT_WRONG_SIZE:
            return "wrong size|do(es)? not fit";
        case SLAB_FAULT_NEVER_ALLOCATED:
            return "never (allocated|handed out)";
        case SLAB_FAULT_CORRUPT:
            return "corrupt|contradict";
        case SLAB_FAULT_OVERFLOW:
            return "overflow";
        case SLAB_FAULT_WRITE_AFTER_FREE:
            return "write after free";
    }
    return "no such kind";
}

::testing::AssertionResult tells_all(const RecordedFault& fault) {
    const slab_fault& record = fault.record;
    std::vector<std::string> wanted = {record.call == nullptr ? "a call's name" : record.call,
                                       hex(record.address), words_for(record.kind)};
    if (record.block != nullptr) {
        wanted.push_back(hex(record.block));
        wanted.push_back("\\b" + std::to_string(record.block_size) + "\\b");
    }
    for (const std::string& pattern : wanted) {
        if (!says(fault.sentence, pattern)) {
            return ::testing::AssertionFailure() << '"' << fault.sentence << "\" lacks /" << pattern << '/';
        }
    }
    return ::testing::AssertionSuccess();
}

}  // namespace slabheap::test
