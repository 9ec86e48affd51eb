// SPDX-License-Identifier: MIT
#include "report.hpp"

#include "world.hpp"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

namespace interleave {
namespace {

std::string line_of(std::string const& path, unsigned number) {
    std::ifstream file(path);
    std::string line;
    while (number-- != 0 && std::getline(file, line)) {
    }
    size_t const start = line.find_first_not_of(' ');
    return start == std::string::npos ? "" : line.substr(start);
}

// Frames that say only how an access is made.
bool is_wrapper(std::string const& path) {
    return path.find("atomic.hpp") != std::string::npos || path.find("bits.hpp") != std::string::npos;
}

// Where in the source a return address is, and the line itself: of the innermost inlined frame that is no
// wrapper.
std::string place_of(const void* code) {
    char command[200];
    std::snprintf(command, sizeof command, "addr2line -i -e /proc/%d/exe %#lx 2>/dev/null", getpid(),
                  reinterpret_cast<unsigned long>(code) - 1);
    FILE* const output = popen(command, "r");
    if (output == nullptr) return {};
    std::string place;
    char line[1000];
    while (std::fgets(line, sizeof line, output) != nullptr) {
        std::string const frame(line);
        size_t const colon = frame.find(':');
        if (!place.empty() || colon == std::string::npos || is_wrapper(frame)) continue;
        std::string const path = frame.substr(0, colon);
        unsigned const number = static_cast<unsigned>(std::strtoul(frame.c_str() + colon + 1, nullptr, 10));
        place =
            path.substr(path.rfind('/') + 1) + ":" + std::to_string(number) + "  " + line_of(path, number);
    }
    pclose(output);
    return place;
}

std::string operation(Event const& event) {
    static constexpr const char* orders[] = {"relaxed", "consume", "acquire",
                                             "release", "acq_rel", "seq_cst"};
    std::ostringstream text;
    text << std::hex << std::showbase;
    std::string const place = described(event.access.address);
    switch (event.kind) {
        case Event::load:
            text << "load " << place << ": " << event.after;
            if (event.age != 0) text << ", an older value,";
            break;
        case Event::store: text << "store " << place << " = " << event.after; break;
        case Event::exchange:
            text << "change " << place << ": " << event.before << " -> " << event.after;
            break;
        case Event::failed_exchange: text << "leave " << place << ": " << event.before; break;
        case Event::fence: text << "fence"; break;
        case Event::hook:
        case Event::note: return event.text;
    }
    return text.str() + " " + orders[event.access.order];
}

}  // namespace

void print_events(std::vector<Event> const& events) {
    static constexpr const char* contexts[] = {"thread", "interrupt", "NMI"};
    std::map<const void*, std::string> places;
    for (Event const& event : events) {
        std::string place;
        if (event.access.code != nullptr) {
            auto const [found, fresh] = places.try_emplace(event.access.code);
            if (fresh) found->second = place_of(event.access.code);
            if (found->second.empty() && event.caller != nullptr) found->second = place_of(event.caller);
            place = found->second;
        }
        std::string const what = (event.kind == Event::note ? "--- " : "") + operation(event);
        std::printf("    %4zu  CPU %u %-9s  %-52s  %s\n", event.step, event.cpu, contexts[event.context],
                    what.c_str(), place.c_str());
    }
}

}  // namespace interleave
