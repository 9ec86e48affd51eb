#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How deep the stack gets under each public call, from the compiler's own figures.

GCC writes the frame of each function and all its calls (-fcallgraph-info=su). The library's sources are
compiled once more with exactly the commands of a kernel build, the graphs of all files are joined, and the
deepest path below each call of the C ABI is summed up. A call that is a jump in the machine code (a tail
call) has given its caller's frame back.

Recursion, a frame of unknown size and a call of something that the library does not define are failures. So
is an indirect call, unless it is one of those that the contract has: the fault handler, the out-of-memory
hook, the visitor; what these use is their own.
"""

import argparse
import collections
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import common

INDIRECT = "__indirect_call"
CONTRACT_HOOKS = re.compile(r"\b(\w*handler_?|\w*hook_?|visit)\s*\(")


class CallGraph:
    def __init__(self):
        self.frames = {}  # function: bytes, its return address included
        self.calls = collections.defaultdict(set)
        self.tail_calls = set()  # (function, function)
        self.indirect = set()  # (function, place of the call)
        self.failures = []
        self.word_bytes = 8

    def read(self, text):
        """Adds the graph of one file."""
        for title, label in re.findall(r'^node: \{ title: "([^"]*)" label: "([^"]*)"', text, flags=re.M):
            size = re.search(r"\\n(\d+) bytes \(([^)]*)\)", label)
            if size is None:
                continue  # declared here, defined elsewhere
            self.frames[title] = max(int(size[1]), self.frames.get(title, 0))
            if size[2] not in ("static", "dynamic,bounded"):
                self.failures.append(f"the frame of {title} is {size[2]}")
        edge = r'^edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"(?: label: "([^"]*)")?'
        for caller, callee, place in re.findall(edge, text, flags=re.M):
            if callee == INDIRECT:
                self.indirect.add((caller, place))
            else:
                self.calls[caller].add(callee)

    def read_jumps(self, text):
        """Adds which calls of one object file are jumps, from its disassembly with relocations."""
        ways = collections.defaultdict(set)
        function = instruction = ""
        for line in text.splitlines():
            if label := re.match(r"[0-9a-f]+ <(.*)>:", line):
                function = label[1].removesuffix(".cold")
            elif relocation := re.search(r"\bR_\w+\s+(?:\.text\.(?:unlikely\.)?)?([\w.$]+)", line):
                ways[function, relocation[1]].add(instruction)
            elif code := re.match(r"\s*[0-9a-f]+:\s+(\w+)", line):
                instruction = code[1]
        self.tail_calls |= {call for call, found in ways.items() if found and found <= {"jmp"}}

    def is_tail_call(self, caller, callee):
        return (caller.split(":")[-1], callee.split(":")[-1]) in self.tail_calls

    def deepest(self, function, path=()):
        """The most bytes of stack from this function down, and the path that takes them."""
        if function in path:
            self.failures.append(f"recursion: {' > '.join((*path, function))}")
            return 0, ()
        if function not in self.frames:
            caller = path[-1] if path else "the ABI"
            self.failures.append(f"{caller} calls {function}, which is not the library's")
            return 0, ()
        deepest = self.frames[function], (function,)
        for callee in sorted(self.calls[function]):
            size, below = self.deepest(callee, (*path, function))
            if not self.is_tail_call(function, callee):
                size += self.frames[function]
            deepest = max(deepest, (size, (function, *below)))
        return deepest

    def check_indirect(self, directory):
        for caller, place in sorted(self.indirect):
            file, line = re.match(r"(.*?):(\d+)", place).groups()
            code = (directory / file).read_text().splitlines()[int(line) - 1].strip()
            if CONTRACT_HOOKS.search(code) is None:
                self.failures.append(f"{caller} makes an indirect call at {place}: {code}")


def compile_again(build):
    """Compiles the library of a build directory once more; gives the graph of all its files."""
    graph = CallGraph()
    commands = json.loads((build / "compile_commands.json").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        target = pathlib.Path(scratch) / "unit.o"
        for entry in commands:
            if not entry["output"].startswith(("libslabheap.a.p/", "libslabheap_rare.a.p/")):
                continue
            words = shlex.split(entry["command"])
            command = [str(target) if word == entry["output"] else word for word in words]
            subprocess.run([*command, "-fcallgraph-info=su"], cwd=entry["directory"], check=True)
            graph.read(target.with_suffix(".ci").read_text())
            if "elf32" in common.output_of("objdump", "-f", target): graph.word_bytes = 4
            graph.read_jumps(common.output_of("objdump", "-dr", "--no-show-raw-insn", target))
    return graph


def demangled(path):
    names = common.output_of("c++filt", "--no-params", *path).split("\n")
    return " > ".join(name.replace("slabheap::", "") for name in names if name)


def check(graph, calls, limit):
    """Prints the table and gives the failures."""
    print(f"{'bytes':>6}  call")
    for call in calls:
        size, path = graph.deepest(call)
        print(f"{size:>6}  {call}" + (f": {demangled(path[1:])}" if len(path) > 1 else ""))
        if size > limit:
            graph.failures.append(f"{call} may need {size} bytes of stack, more than {limit}")
    return list(dict.fromkeys(graph.failures))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path, help="a Meson build directory set up with GCC")
    parser.add_argument("--limit", type=int, help="bytes that a call may need (512; 32-bit machines: 640, because"
                        " arguments lie on the stack)")
    arguments = parser.parse_args()
    graph = compile_again(arguments.build)
    graph.check_indirect(arguments.build)
    limit = arguments.limit or (640 if graph.word_bytes == 4 else 512)
    return common.conclude(check(graph, common.public_calls(), limit))


if __name__ == "__main__":
    sys.exit(main())
