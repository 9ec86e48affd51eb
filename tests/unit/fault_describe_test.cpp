// SPDX-License-Identifier: MIT
//
// slab_fault_describe: one sentence for every kind and call, counted and cut as snprintf does.
#include "fault_recorder.hpp"

#include <cctype>
#include <cstdint>
#include <cstring>
#include <set>

namespace slabheap::test {
namespace {

const void* at(uintptr_t address) {
    return reinterpret_cast<const void*>(address);
}

// A record as full as its kind can be: what is foreign, or a page map that is corrupt, has no block.
slab_fault fault_of(int kind) {
    slab_fault fault{};
    fault.kind = static_cast<slab_fault_kind>(kind);
    fault.address = at(0x123450);
    if (kind != SLAB_FAULT_FOREIGN && kind != SLAB_FAULT_CORRUPT) {
        fault.block = at(0x123400);
        fault.block_size = 256;
    }
    fault.size = 300;
    fault.align = 32;
    fault.caller = at(0xabcdef);
    fault.call = "slab_free_sized";
    return fault;
}

TEST(FaultDescribe, EveryKindHasItsOwnSentenceWithAllFacts) {
    std::set<std::string> sentences;
    for (int kind = SLAB_FAULT_DOUBLE_FREE; kind <= SLAB_FAULT_WRITE_AFTER_FREE; ++kind) {
        const slab_fault fault = fault_of(kind);
        const std::string sentence = describe(fault);
        EXPECT_TRUE(tells_all({fault, sentence})) << kind;
        EXPECT_TRUE(sentences.insert(sentence).second) << sentence;
    }
}

TEST(FaultDescribe, TheBytesThatWereFoundAreWrittenInTheirOrder) {
    for (int kind : {SLAB_FAULT_OVERFLOW, SLAB_FAULT_WRITE_AFTER_FREE}) {
        slab_fault fault = fault_of(kind);
        const unsigned char found[8] = {0x00, 0x01, 0x0f, 0x10, 0x7e, 0x89, 0xf0, 0xff};
        std::memcpy(fault.found, found, sizeof found);
        EXPECT_NE(std::string::npos, describe(fault).find("00010f107e89f0ff")) << describe(fault);
    }
}

TEST(FaultDescribe, ABlockIsSaidToLieInThePageWhereItStarts) {
    slab_fault fault = fault_of(SLAB_FAULT_INTERIOR);
    for (const uintptr_t block : {0x5000u, 0x5001u, 0x5fffu}) {
        fault.block = at(block);
        EXPECT_NE(std::string::npos, describe(fault).find("in page 0x5000")) << describe(fault);
    }
}

TEST(FaultDescribe, WorksForEveryCall) {
    for (const char* call :
         {"slab_free", "slab_free_sized", "slab_realloc", "slab_usable_size", "slab_free_pages"}) {
        slab_fault fault = fault_of(SLAB_FAULT_INTERIOR);
        fault.call = call;
        EXPECT_EQ(0u, describe(fault).find(call)) << describe(fault);
    }
}

TEST(FaultDescribe, IsOnePrintableLine) {
    for (int kind = SLAB_FAULT_DOUBLE_FREE; kind <= SLAB_FAULT_WRITE_AFTER_FREE; ++kind) {
        for (const char c : describe(fault_of(kind))) {
            EXPECT_TRUE(std::isprint(static_cast<unsigned char>(c))) << static_cast<int>(c);
        }
    }
}

TEST(FaultDescribe, CountsAndCutsAsSnprintfDoes) {
    const slab_fault fault = fault_of(SLAB_FAULT_WRONG_SIZE);
    const std::string whole = describe(fault);
    ASSERT_EQ(whole.size(), std::strlen(whole.c_str()));
    EXPECT_EQ(whole.size(), slab_fault_describe(&fault, nullptr, 0));
    for (size_t size = 0; size <= whole.size() + 2; ++size) {
        std::string out(whole.size() + 8, '#');
        EXPECT_EQ(whole.size(), slab_fault_describe(&fault, out.data(), size));
        const size_t written = size < whole.size() + 1 ? size : whole.size() + 1;
        if (written > 0) {
            EXPECT_EQ(whole.substr(0, written - 1), out.substr(0, written - 1));
            EXPECT_EQ('\0', out[written - 1]);
        }
        EXPECT_EQ(std::string(out.size() - written, '#'), out.substr(written)) << "wrote behind " << size;
    }
}

TEST(FaultDescribe, TheLongestSentencesFitIn384Bytes) {
    for (int kind = SLAB_FAULT_DOUBLE_FREE; kind <= SLAB_FAULT_WRITE_AFTER_FREE; ++kind) {
        slab_fault fault = fault_of(kind);
        fault.address = fault.caller = at(UINTPTR_MAX);
        fault.size = fault.align = SIZE_MAX;
        if (fault.block != nullptr) {
            fault.block = at(UINTPTR_MAX - 1);
            fault.block_size = SIZE_MAX;
            fault.allocated_by = at(UINTPTR_MAX);
        }
        fault.call = "slab_usable_size";
        EXPECT_LT(slab_fault_describe(&fault, nullptr, 0), 384u) << describe(fault);
    }
}

TEST(FaultDescribe, FieldsThatDoNotApplyAreNotInvented) {
    slab_fault fault{};
    fault.kind = SLAB_FAULT_FOREIGN;
    fault.address = at(0x1000);
    fault.call = "slab_free";
    const std::string sentence = describe(fault);
    EXPECT_TRUE(tells_all({fault, sentence}));
    EXPECT_EQ(std::string::npos, sentence.find("0x0 ")) << sentence;
}

TEST(FaultDescribe, AddressesAtBothEndsAreWritten) {
    slab_fault fault = fault_of(SLAB_FAULT_FOREIGN);
    for (const uintptr_t address : {uintptr_t{0}, uintptr_t{1}, UINTPTR_MAX}) {
        fault.address = at(address);
        EXPECT_TRUE(tells_all({fault, describe(fault)})) << describe(fault);
    }
}

TEST(FaultDescribe, ARecordWithoutAKindIsStillASentence) {
    EXPECT_NE(0u, describe(fault_of(0)).size());
}

}  // namespace
}  // namespace slabheap::test
