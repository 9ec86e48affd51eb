// SPDX-License-Identifier: MIT
#include "cases.hpp"

namespace slabheap::misuse {

const Case* const all_cases[] = {double_frees, invalid_frees, wrong_sizes, overflows,
                                 after_frees,  disclosures,   attacks,     nullptr};

}  // namespace slabheap::misuse
