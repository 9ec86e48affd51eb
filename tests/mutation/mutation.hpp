// SPDX-License-Identifier: MIT
//
// The switch of the mutants. Every file of the library that has places is compiled with this before it.
#ifdef __cplusplus

extern "C" {
extern unsigned slabheap_mutant;             // the one that is made; 0: none
extern unsigned char slabheap_reached[];     // by the first mutant of a place: 1 where a test has come by
}

namespace mutation {

// Is one of the mutants first ... first + count - 1 made? What is computed when the library is compiled stays
// as it is.
[[gnu::always_inline]] constexpr bool at(unsigned first, unsigned count) {
    if (__builtin_is_constant_evaluated()) return false;
    slabheap_reached[first] = 1;
    return slabheap_mutant - first < count;
}

[[gnu::always_inline]] constexpr bool is(unsigned number) { return at(number, 1); }

}  // namespace mutation

#endif
