// SPDX-License-Identifier: MIT
//
// The words of the kernel's command line, which are separated by spaces.
#ifndef KERNEL_DEMO_COMMAND_LINE_HPP
#define KERNEL_DEMO_COMMAND_LINE_HPP

#include "boot_info.h"

namespace demo {

// Whether the command line has this word.
inline bool told_to(const boot_info& boot, const char* word) {
    for (const char* at = boot.command_line; *at != '\0';) {
        size_t length = 0;
        while (word[length] != '\0' && at[length] == word[length]) length++;
        if (word[length] == '\0' && (at[length] == ' ' || at[length] == '\0')) return true;
        while (*at != ' ' && *at != '\0') at++;
        while (*at == ' ') at++;
    }
    return false;
}

}  // namespace demo

#endif
