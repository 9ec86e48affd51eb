// SPDX-License-Identifier: MIT
//
// Which sanitizer a test is built with: what follows every access makes all slower, and needs fewer of them.
#ifndef SLABHEAP_TESTS_SANITIZERS_HPP
#define SLABHEAP_TESTS_SANITIZERS_HPP

namespace slabheap::test {

#ifndef __has_feature  // GCC
#define __has_feature(feature) 0
#endif

#ifdef __SANITIZE_THREAD__
inline constexpr bool under_thread_sanitizer = true;
#else
inline constexpr bool under_thread_sanitizer = __has_feature(thread_sanitizer);
#endif

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool under_address_sanitizer = true;
#else
inline constexpr bool under_address_sanitizer = __has_feature(address_sanitizer);
#endif

}  // namespace slabheap::test

#endif
