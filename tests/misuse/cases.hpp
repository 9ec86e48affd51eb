// SPDX-License-Identifier: MIT
//
// The lists of cases, one for each file of them.
#ifndef MISUSE_CASES_HPP
#define MISUSE_CASES_HPP

#include "blocks.hpp"
#include "trial.hpp"

namespace slabheap::misuse {

extern const Case double_frees[];
extern const Case invalid_frees[];
extern const Case wrong_sizes[];
extern const Case overflows[];
extern const Case after_frees[];
extern const Case disclosures[];
extern const Case attacks[];

}  // namespace slabheap::misuse

#endif
