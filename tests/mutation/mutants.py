# SPDX-License-Identifier: MIT
"""Which changes are made: each mutant is one, of one operator, constant, condition or statement.

    relation    <  becomes <= >=, == becomes !=  (and likewise the others)
    arithmetic  + -  * /  % *  += -=  ++ --
    bits        & |  ^ |  ~x x  << >>  &= |=
    logic       a && b  becomes  a || b, a, b;   !x  becomes  x
    condition   of if, while, do, for and ?:, where it is no relation: negated
    constant    n becomes n + 1, n - 1;   true becomes false
    result      of a function that returns bool: true, false, negated
    statement   a call whose value is not used, an assignment, ++: left out
    exit        break becomes continue, and the other way

What has to be known when the library is compiled cannot be switched when it runs: constants, array sizes,
template arguments, static_assert, case labels. Its mutants are counted, and left out.
"""

import collections
import re

RELATIONS = {"<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"],
             "==": ["!="], "!=": ["=="]}
OTHERS = {"+": ("arithmetic", "-"), "-": ("arithmetic", "+"), "*": ("arithmetic", "/"),
          "/": ("arithmetic", "*"), "%": ("arithmetic", "*"),
          "+=": ("arithmetic", "-="), "-=": ("arithmetic", "+="), "*=": ("arithmetic", "/="),
          "/=": ("arithmetic", "*="), "%=": ("arithmetic", "*="),
          "&": ("bits", "|"), "|": ("bits", "&"), "^": ("bits", "|"),
          "<<": ("bits", ">>"), ">>": ("bits", "<<"), "&=": ("bits", "|="), "|=": ("bits", "&="),
          "^=": ("bits", "|="), "<<=": ("bits", ">>="), ">>=": ("bits", "<<=")}
TRUTHS = {"relation", "logic", "condition", "result"}
FUNCTIONS = {"FunctionDecl", "CXXMethodDecl", "CXXConstructorDecl", "CXXDestructorDecl", "CXXConversionDecl"}
RECORDS = {"CXXRecordDecl", "ClassTemplateDecl", "ClassTemplateSpecializationDecl",
           "ClassTemplatePartialSpecializationDecl"}
LOOPS = {"ForStmt", "WhileStmt", "DoStmt", "CXXForRangeStmt"}
CALLS = {"CallExpr", "CXXMemberCallExpr", "CXXOperatorCallExpr"}
OBJECTS = {"CXXFunctionalCastExpr", "CXXTemporaryObjectExpr", "CXXUnresolvedConstructExpr"}
# What these contain is needed by the compiler.
FIXED = {"ConstantExpr", "StaticAssertDecl", "TemplateArgument", "EnumConstantDecl", "ConceptDecl",
         "NonTypeTemplateParmDecl", "TemplateTypeParmDecl", "RequiresExpr", "ConceptSpecializationExpr",
         "UnaryExprOrTypeTraitExpr", "AlignedAttr", "GCCAsmStmt"}
NUMBER = re.compile(r"(0[xXbB])?([0-9a-fA-F']+?)([uUlLzZ]*)$")
WORD = re.compile(r"[\w:.]+(->\w+)*$|[\w:.>-]+\([^()]*\)$")


class Mutant:
    """A change of the text file[begin:end]. `shape` says how it is switched: as a value, as a truth
    ("bool"), as a statement whose value nobody wants ("void"), or as a jump."""

    def __init__(self, place, shape, kind, before, after):
        self.place = place  # file, begin, end
        self.shape, self.kind, self.before, self.after = shape, kind, before, after
        self.function = self.inside = self.line = self.source = None
        self.number = None


def in_parentheses(text, node=None):
    return text if WORD.match(text) or node is not None and node.kind == "ParenExpr" else f"({text})"


class Finder:
    """Walks the tree, and collects mutants by place and change: what a header has is met again and again."""

    def __init__(self, texts):
        self.texts = texts  # file -> bytes
        self.found = {}
        self.fixed = {}     # the same, of what is needed by the compiler
        self.not_bool = set()  # functions, by place, that return something else than bool somewhere
        self.records = {}   # id -> name
        self.constexprs = set()  # functions, by place
        self.places = {}    # id of a function -> its place
        self.constructors = collections.defaultdict(set)  # name of a class -> places
        self.calls = collections.defaultdict(set)  # function, by place -> those that it calls when it runs

    def find(self, root):
        for node in root.below():
            if node.kind in FUNCTIONS and not node.type().startswith("bool ("):
                self.not_bool.add((node.file, node.begin))
            if node.kind in FUNCTIONS:
                self.places[node.data["id"]] = node.file, node.begin
                if node.kind == "CXXConstructorDecl":
                    self.constructors[node.data["name"]].add((node.file, node.begin))
                if node.data.get("constexpr") and not self.is_of_template(node):
                    self.constexprs.add((node.file, node.begin))
            if node.kind in RECORDS:
                self.records[node.data["id"]] = self.record_name(node)
        self.visit(root, None, "", False)
        self.leave_to_the_compiler()
        for it in self.found:
            self.fixed.pop(it, None)
        return list(self.found.values()), list(self.fixed.values())

    def leave_to_the_compiler(self):
        """Mutants of functions that are called only where the compiler needs the value."""
        called = set()  # constexpr functions that are called when the library runs
        todo = [by for by in self.calls if by not in self.constexprs]
        while todo:
            for callee in self.calls.pop(todo.pop(), ()):
                if callee in self.constexprs and callee not in called:
                    called.add(callee)
                    todo.append(callee)
        for key, it in list(self.found.items()):
            if it.inside in self.constexprs and it.inside not in called:
                self.fixed[key] = self.found.pop(key)

    @staticmethod
    def is_of_template(node):
        """Then who calls it is not known."""
        while node is not None and node.kind not in ("ClassTemplateDecl", "FunctionTemplateDecl"):
            node = node.parent
        return node is not None

    def record_name(self, node):
        names = [node.data.get("name", "")]
        while node.parent is not None and node.parent.kind in RECORDS:
            node = node.parent
            if node.data.get("name", "") != names[-1]:
                names.append(node.data.get("name", ""))
        return "::".join(reversed(names))

    def function_name(self, node):
        parent = self.records.get(node.data.get("parentDeclContextId"))
        while parent is None and node.parent is not None:
            node_parent = node.parent
            if node_parent.kind in RECORDS:
                parent = self.record_name(node_parent)
            node = node_parent
        return parent

    def text(self, node):
        return self.texts[node.file][node.begin:node.end].decode()

    def visit(self, node, inside, function, fixed):
        """inside: the place of the function that the node is in, whose name is `function`."""
        if node.kind in FUNCTIONS:
            scope = self.function_name(node)
            name = node.data.get("name", "")
            if name != "operator()" or not function:  # a lambda belongs to its function
                function = f"{scope}::{name}" if scope else name
                inside = node.file, node.begin
        if node.kind in FIXED or self.is_fixed_variable(node):
            fixed = True
        if not fixed:
            for callee in self.called_by(node):
                self.calls[inside].add(callee)
        if node.file in self.texts and not node.in_macro:
            for mutant in self.mutants_at(node):
                mutant.function, mutant.inside = function, inside
                key = (mutant.place, mutant.shape == "jump", mutant.after)
                (self.fixed if fixed else self.found).setdefault(key, mutant)
        children = node.children
        if node.data.get("isImplicit") or node.data.get("explicitlyDefaulted"):  # the compiler's own
            children = []
        elif node.kind == "SubstNonTypeTemplateParmExpr":  # their place is the parameter's
            children = []
        elif node.kind == "CXXForRangeStmt":  # all but the body is the compiler's
            children = children[-1:]
        elif node.data.get("isConstexpr"):
            children = self.kept_branches(node)
        for child in children:
            self.visit(child, inside, function, fixed)

    @staticmethod
    def kept_branches(node):
        """What there is of an `if constexpr`."""
        first = bool(node.data.get("hasInit")) + bool(node.data.get("hasVar"))
        value = node.children[first].data.get("value")
        left_out = {"false": first + 1, "true": first + 2}.get(value)
        return [it for index, it in enumerate(node.children) if index != left_out]

    def called_by(self, node):
        data = node.data
        it = data.get("referencedDecl", {}).get("id") or data.get("referencedMemberDecl")
        if it in self.places:
            yield self.places[it]
        if node.kind in ("CXXConstructExpr", "CXXTemporaryObjectExpr"):
            yield from self.constructors[node.type().split("::")[-1]]

    @staticmethod
    def is_fixed_variable(node):
        if node.kind != "VarDecl":
            return False
        is_static = node.data.get("storageClass") == "static" or node.parent.kind not in ("DeclStmt",)
        return node.data.get("constexpr", False) or is_static

    def mutants_at(self, node):
        make = getattr(self, "at_" + node.kind, None)
        if make is not None:
            yield from make(node)
        if self.is_statement(node):
            yield from self.left_out(node)
        if self.is_condition(node) and node.written().kind not in ("BinaryOperator", "UnaryOperator"):
            yield self.change(node, "condition", f"!{in_parentheses(self.text(node))}")

    def change(self, node, kind, after, shape=None):
        shape = shape or ("bool" if kind in TRUTHS else "value")
        return Mutant((node.file, node.begin, node.end), shape, kind, self.text(node), after)

    # --- operators ------------------------------------------------------------------------------------------

    def at_BinaryOperator(self, node):
        operator = node.data["opcode"]
        left, right = (it.written() for it in node.children)
        if left.file != node.file or right.file != node.file or not left.end <= right.begin:
            return
        between = self.texts[node.file][left.end:right.begin].decode()
        if operator not in between:
            return

        def with_operator(other):
            a, b = (in_parentheses(self.text(it), it) for it in (left, right))
            return a + between.replace(operator, other, 1) + b

        if operator in RELATIONS:
            for other in RELATIONS[operator]:
                yield self.change(node, "relation", with_operator(other))
        elif operator in ("&&", "||"):
            yield self.change(node, "logic", with_operator("||" if operator == "&&" else "&&"))
            yield self.change(node, "logic", self.text(left))
            yield self.change(node, "logic", self.text(right))
        elif operator in OTHERS and "*" not in (node.type() + left.type() + right.type()):
            kind, other = OTHERS[operator]
            yield self.change(node, kind, with_operator(other))

    at_CompoundAssignOperator = at_BinaryOperator

    def at_UnaryOperator(self, node):
        operator, operand = node.data["opcode"], node.children[0].written()
        if operator in ("!", "~", "-") and operand.file == node.file:
            kind = {"!": "logic", "~": "bits", "-": "arithmetic"}[operator]
            yield self.change(node, kind, self.text(operand))
        if operator in ("++", "--") and "*" not in node.type():
            other = "--" if operator == "++" else "++"
            yield self.change(node, "arithmetic", self.text(node).replace(operator, other))

    # --- constants ------------------------------------------------------------------------------------------

    def at_IntegerLiteral(self, node):
        parent = node.parent
        while parent.kind in UNWRITTEN_CASTS and parent.data.get("castKind") != "NullToPointer":
            parent = parent.parent
        if parent.data.get("castKind") == "NullToPointer" or self.is_for_builtin(node):
            return
        prefix, _, suffix = NUMBER.match(self.text(node)).groups()
        value = int(node.data["value"])
        for other in (value + 1, value - 1):
            if other >= 0:
                number = f"{other:#x}" if prefix else str(other)
                yield self.change(node, "constant", number + suffix)

    def at_CXXBoolLiteralExpr(self, node):
        if not self.is_for_builtin(node):
            yield self.change(node, "constant", "false" if node.data["value"] else "true")

    def is_for_builtin(self, node):
        """Many of the compiler's own functions take constants only."""
        parent = node.parent
        while parent.kind in UNWRITTEN_CASTS:
            parent = parent.parent
        return parent.kind in CALLS and self.text(parent).startswith("__")

    # --- conditions and results -----------------------------------------------------------------------------

    @staticmethod
    def is_condition(node):
        parent = node.parent
        if parent is None or node.kind == "DeclStmt" or "Stmt" in node.kind:
            return False
        children = [it for it in parent.children if it.kind != ""]
        if parent.kind == "IfStmt":
            if parent.data.get("isConstexpr"):
                return False
            index = bool(parent.data.get("hasInit")) + bool(parent.data.get("hasVar"))
            return not parent.data.get("hasVar") and children[index] is node
        if parent.kind == "WhileStmt":
            return not parent.data.get("hasVar") and children[0] is node
        if parent.kind == "DoStmt":
            return parent.children[1] is node
        if parent.kind == "ForStmt":
            return parent.children[2] is node
        return parent.kind == "ConditionalOperator" and parent.children[0] is node

    def at_ReturnStmt(self, node):
        function = node.parent
        while function is not None and function.kind not in FUNCTIONS and function.kind != "LambdaExpr":
            function = function.parent
        if function is None or not node.children or function.kind == "LambdaExpr":
            return
        if (function.file, function.begin) in self.not_bool:
            return
        value = node.children[0].written()
        if value.file != node.file or value.in_macro:
            return
        for after in ("true", "false"):
            if self.text(value) not in ("true", "false"):
                yield self.change(value, "result", after)
        if value.kind not in ("BinaryOperator", "UnaryOperator", "CXXBoolLiteralExpr"):
            yield self.change(value, "result", f"!{in_parentheses(self.text(value))}")

    # --- statements -----------------------------------------------------------------------------------------

    @staticmethod
    def is_statement(node):
        """Is it an expression in the place of a statement?"""
        parent = node.parent
        if parent is None or "Stmt" in node.kind or "Decl" in node.kind or node.kind == "":
            return False
        if parent.kind in ("CompoundStmt", "CaseStmt", "DefaultStmt", "LabelStmt"):
            return node.kind != "ConstantExpr"
        if parent.kind == "IfStmt":
            return node in parent.children[1:] and not Finder.is_condition(node)
        if parent.kind in ("WhileStmt", "CXXForRangeStmt"):
            return parent.children[-1] is node
        if parent.kind == "DoStmt":
            return parent.children[0] is node
        if parent.kind == "ForStmt":
            return parent.children[4] is node
        if parent.kind == "BinaryOperator" and parent.data["opcode"] == ",":
            return parent.children[0] is node
        return parent.kind == "AttributedStmt"

    def left_out(self, node):
        it = node.written()
        changes = it.kind in CALLS or it.kind in OBJECTS or it.kind == "CompoundAssignOperator" or (
            it.kind == "BinaryOperator" and it.data["opcode"] == "=") or (
            it.kind == "UnaryOperator" and it.data["opcode"] in ("++", "--"))
        if changes and it.file == node.file and not it.in_macro:
            yield self.change(it, "statement", "", "void")

    def at_BreakStmt(self, node):
        around = node.parent
        while around.kind not in LOOPS and around.kind != "SwitchStmt":
            around = around.parent
        if around.kind in LOOPS:
            yield self.change(node, "exit", "continue", "jump")

    def at_ContinueStmt(self, node):
        yield self.change(node, "exit", "break", "jump")


UNWRITTEN_CASTS = {"ImplicitCastExpr", "ConstantExpr", "MaterializeTemporaryExpr", "ExprWithCleanups"}
