// SPDX-License-Identifier: MIT
//
// The fault handler: the default one traps, another takes its place and sees the record, and a call whose
// handler returns has done nothing. Also what every call does before init, when nothing is the heap's.
#include "test_heap.hpp"

#include <string>

namespace slabheap::test {
namespace {

struct Call {
    const char* name;
    void (*make)(Heap& heap, void* ptr);
};

const Call calls[] = {
    {"slab_free", [](Heap& heap, void* ptr) { heap.deallocate(ptr); }},
    {"slab_free_sized",
     [](Heap& heap, void* ptr) {
         heap.deallocate(ptr, {8, 8});
     }},
    {"slab_realloc",
     [](Heap& heap, void* ptr) {
         heap.reallocate(ptr, {8, 8});
     }},
    {"slab_usable_size", [](Heap& heap, void* ptr) { heap.usable_size(ptr); }},
    {"slab_free_pages", [](Heap& heap, void* ptr) { heap.deallocate_pages(ptr, 1); }},
};

void PrintTo(const Call& call, std::ostream* out) {
    *out << call.name;
}

std::string name_of(const ::testing::TestParamInfo<Call>& param) {
    return param.param.name;
}

class DefaultHandlerDeathTest : public ::testing::TestWithParam<Call> {};

TEST_P(DefaultHandlerDeathTest, Traps) {
    TestMemory memory(SLAB_MIN_HEAP_SIZE);
    Heap heap;
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), memory.size()));
    void* block = heap.allocate({8, 8});
    heap.deallocate(block);
    EXPECT_DEATH(GetParam().make(heap, block), "");
}

TEST_P(DefaultHandlerDeathTest, IsBackAfterNullIsSet) {
    TestMemory memory(SLAB_MIN_HEAP_SIZE);
    Heap heap;
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), memory.size()));
    heap.set_fault_handler(FaultRecorder::handler);
    heap.set_fault_handler(nullptr);
    EXPECT_DEATH(GetParam().make(heap, &memory), "");
}

INSTANTIATE_TEST_SUITE_P(Of, DefaultHandlerDeathTest, ::testing::ValuesIn(calls), name_of);

class BeforeInit : public ::testing::TestWithParam<Call> {};

TEST_P(BeforeInit, EveryAddressIsForeign) {
    FaultRecorder faults;
    Heap heap;
    heap.set_fault_handler(FaultRecorder::handler);
    int object = 0;
    GetParam().make(heap, &object);
    const RecordedFault fault = faults.take();
    EXPECT_EQ(SLAB_FAULT_FOREIGN, fault.record.kind) << fault.sentence;
    EXPECT_EQ(&object, fault.record.address);
    EXPECT_STREQ(GetParam().name, fault.record.call);
    EXPECT_TRUE(tells_all(fault));
}

INSTANTIATE_TEST_SUITE_P(Of, BeforeInit, ::testing::ValuesIn(calls), name_of);

TEST(BeforeInitAlso, AllocationsGiveNullAndFiguresAreZero) {
    Heap heap;
    EXPECT_EQ(nullptr, heap.allocate({8, 8}));
    EXPECT_EQ(nullptr, heap.allocate({pages(2), 8}));
    EXPECT_EQ(nullptr, heap.allocate_zeroed({8, 8}));
    EXPECT_EQ(nullptr, heap.allocate_pages(1));
    EXPECT_EQ(nullptr, heap.reallocate(nullptr, {8, 8}));
    EXPECT_FALSE(heap.owns(&heap));
    EXPECT_FALSE(heap.owns(nullptr));
    EXPECT_EQ(0u, heap.total_bytes());
    EXPECT_EQ(0u, heap.used_bytes());
    EXPECT_EQ(0u, heap.available_bytes());
    heap.deallocate(nullptr);
    heap.walk([](void*, size_t, void*) { ADD_FAILURE() << "there is no block"; }, nullptr);
}

TEST(FaultHandler, SettingOneReturnsThePreviousOne) {
    const slab_fault_handler first = [](const slab_fault*) {};
    const slab_fault_handler second = [](const slab_fault* fault) { ADD_FAILURE() << describe(*fault); };
    Heap heap;
    EXPECT_EQ(nullptr, heap.set_fault_handler(first)) << "the default is shown as null";
    EXPECT_EQ(first, heap.set_fault_handler(second));
    EXPECT_EQ(second, heap.set_fault_handler(nullptr));
    EXPECT_EQ(nullptr, heap.set_fault_handler(nullptr));
}

TEST(FaultHandler, SetBeforeInitItStays) {
    TestMemory memory(SLAB_MIN_HEAP_SIZE);
    FaultRecorder faults;
    Heap heap;
    heap.set_fault_handler(FaultRecorder::handler);
    ASSERT_EQ(SLAB_OK, heap.init(memory.start(), memory.size()));
    heap.deallocate(&memory);
    EXPECT_EQ(SLAB_FAULT_FOREIGN, faults.take().record.kind);
}

TEST(FaultHandler, EachHeapHasItsOwn) {
    static int reports;
    reports = 0;
    TestHeap other(SLAB_MIN_HEAP_SIZE);
    TestHeap test(SLAB_MIN_HEAP_SIZE);
    other.heap.set_fault_handler([](const slab_fault*) { ++reports; });
    void* block = test.heap.allocate({8, 8});
    other.heap.deallocate(block);
    EXPECT_EQ(1, reports) << "a block of one heap is foreign to another";
    EXPECT_EQ(0u, test.stats().faults);
    test.heap.deallocate(block);
    test.heap.deallocate(block);
    EXPECT_EQ(1, reports);
    EXPECT_EQ(SLAB_FAULT_DOUBLE_FREE, test.faults.take().record.kind);
}

TEST(FaultHandler, TheRecordCarriesWhatTheCallerPassed) {
    TestHeap test(64 * KiB);
    void* block = test.heap.allocate({8, 8});
    test.heap.deallocate(block);

    test.heap.deallocate(block, {40, 32});
    slab_fault fault = test.faults.take().record;
    EXPECT_EQ(40u, fault.size);
    EXPECT_EQ(32u, fault.align);

    test.heap.reallocate(block, {500, 16});
    fault = test.faults.take().record;
    EXPECT_EQ(500u, fault.size);
    EXPECT_EQ(16u, fault.align);

    test.heap.deallocate(block);
    fault = test.faults.take().record;
    EXPECT_EQ(0u, fault.size) << "slab_free is not told a size";
    EXPECT_EQ(0u, fault.align);
}

// The caller's address is that of the code behind the call.
[[gnu::noinline]] void free_from_here(Heap& heap, void* ptr, volatile int& done) {
    heap.deallocate(ptr);
    done = 1;
}

TEST(FaultHandler, TheCallerIsTheCodeThatMadeTheCall) {
    TestHeap test(SLAB_MIN_HEAP_SIZE);
    volatile int done = 0;
    free_from_here(test.heap, &test, done);
    EXPECT_EQ(1, done) << "the call returned";
    const uintptr_t caller = address_of(test.faults.take().record.caller);
    const uintptr_t function = reinterpret_cast<uintptr_t>(&free_from_here);
    EXPECT_GT(caller, function);
    EXPECT_LT(caller, function + 512);
}

}  // namespace
}  // namespace slabheap::test
