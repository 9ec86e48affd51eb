# SPDX-License-Identifier: MIT
"""What a kernel pays besides time: the code that it links, and the stack that the calls need below its own.
Of the x86_64 kernel archive; a kernel's that only initialises the heap, allocates and frees, and of one that
makes every call. The checks on archives know how to tell."""

import sys

import build
from workers import MeasurementFailed

sys.path.append(str(build.ROOT / "tests" / "abi"))
import common
import size
import stack


def basic_code(kernel):
    """What a kernel's image grows by that initialises the heap, allocates and frees."""
    return size.image_bytes(size.sizes(kernel / "libslabheap.a", size.BASIC_CALLS))


def measure():
    """{"basic": {"code", "constants", "data", "zeroed data", "image", "stack"}, "all": {...}}"""
    print("footprint", file=sys.stderr)
    kernel = build.build_kernel()
    graph = stack.compile_again(kernel)
    results = {}
    for name, calls in (("basic", size.BASIC_CALLS), ("all", common.public_calls())):
        found = size.sizes(kernel / "libslabheap.a", calls)
        deepest = max(graph.deepest(call)[0] for call in calls)
        results[name] = {**found, "image": size.image_bytes(found), "stack": deepest}
    if graph.failures:
        raise MeasurementFailed(f"no depth of the stack can be told: {graph.failures[0]}")
    return results
