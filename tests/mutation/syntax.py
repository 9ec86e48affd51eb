# SPDX-License-Identifier: MIT
"""The library as Clang understands it: a tree of nodes, each with its place in the text.

Clang's JSON dump names a file only where it differs from the one of the place printed before; so places are
followed in the order of the dump. What a macro expands to is one opaque piece: its nodes have the place of
the macro's name."""

import json
import subprocess

CLANG = ["clang++", "-std=c++20", "-fsyntax-only", "-Xclang", "-ast-dump=json", "-x", "c++"]

# What is there in the tree, but not in the text.
UNWRITTEN = {"ImplicitCastExpr", "ExprWithCleanups", "MaterializeTemporaryExpr", "CXXBindTemporaryExpr",
             "CXXConstructExpr", "ConstantExpr", "SubstNonTypeTemplateParmExpr"}


class Node:
    __slots__ = ("kind", "file", "begin", "end", "in_macro", "children", "data", "parent")

    def type(self):
        """The node's type without its names, or as it is written."""
        it = self.data.get("type", {})
        return it.get("desugaredQualType", it.get("qualType", ""))

    def written(self):
        """The node below that is there in the text."""
        node = self
        while node.kind in UNWRITTEN and len(node.children) == 1:
            node = node.children[0]
        return node

    def below(self):
        """All nodes of this subtree."""
        todo = [self]
        while todo:
            node = todo.pop()
            yield node
            todo.extend(reversed(node.children))


class Reader:
    def __init__(self):
        self.file = None

    def place(self, location):
        """(file, first byte, end, in a macro) of one end of a range; None where there is none."""
        in_macro = "expansionLoc" in location
        for key in ("spellingLoc", "expansionLoc"):
            if key in location:
                self.file = location[key].get("file", self.file)
                bare = location[key]
        if not in_macro:
            self.file = location.get("file", self.file)
            bare = location
        if "offset" not in bare:
            return None
        return self.file, bare["offset"], bare["offset"] + bare["tokLen"], in_macro

    def node(self, data, parent):
        node = Node()
        node.kind, node.parent = data.get("kind", ""), parent
        if "loc" in data:
            self.place(data["loc"])
        ends = [self.place(data["range"][it]) for it in ("begin", "end")] if "range" in data else [None, None]
        node.file = node.begin = node.end = None
        node.in_macro = True
        if None not in ends and ends[0][0] == ends[1][0]:
            node.file, node.begin, node.end = ends[0][0], ends[0][1], ends[1][2]
            node.in_macro = ends[0][3] and ends[1][3]
        node.data = data
        node.children = [self.node(it, node) for it in data.pop("inner", [])]
        return node


def read(source, options):
    """The tree of a source text that includes what is to be read."""
    done = subprocess.run([*CLANG, *options, "-"], input=source, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"clang does not take the library:\n{done.stderr}")
    return Reader().node(json.loads(done.stdout), None)
