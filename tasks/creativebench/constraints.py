"""A small language of rules on Python's syntax tree: what a program may not use, and where it uses it.

A rule is one line: ``no call sorted``, ``no method split``, ``no construct for``, ``no structure dict``,
``no operator %``, ``no module re``, ``no literal str``; ``at most 1 construct for``; ``some construct recursion``.
The sentence that a model reads is made from the rule, so that what is asked is what is checked.

A rule sees the program's text only, so a program that reaches names by their spelling (``eval``, ``getattr`` with a
text, ``__builtins__``) could slip by. While any rule holds, such a detour is a breach too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from ...suite.errors import UsageError

__all__ = ["CONSTRUCTS", "KINDS", "OPERATORS", "STRUCTURES", "Breach", "Rule", "breaches", "parse_rule"]

Kind = Literal["call", "method", "construct", "structure", "operator", "module", "literal"]
KINDS: tuple[Kind, ...] = ("call", "method", "construct", "structure", "operator", "module", "literal")

_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_IMPORTS = (ast.Import, ast.ImportFrom)

# Name of a construct: its node types, and how a sentence calls it.
_NODES: dict[str, tuple[tuple[type[ast.AST], ...], str]] = {
    "for": ((ast.For, ast.AsyncFor), "`for` statements"),
    "while": ((ast.While,), "`while` loops"),
    "loop": (_LOOPS, "`for` or `while` statements"),
    "comprehension": (_COMPREHENSIONS, "comprehensions or generator expressions"),
    "iteration": ((*_LOOPS, *_COMPREHENSIONS), "`for`, `while`, comprehensions or generator expressions"),
    "if": ((ast.If,), "`if` statements"),
    "conditional": ((ast.IfExp,), "conditional expressions (`a if b else c`)"),
    "branch": ((ast.If, ast.IfExp, ast.Match), "`if`, `match` or conditional expressions"),
    "match": ((ast.Match,), "`match` statements"),
    "try": ((ast.Try, ast.TryStar), "`try` statements"),
    "raise": ((ast.Raise,), "`raise` statements"),
    "with": ((ast.With, ast.AsyncWith), "`with` statements"),
    "class": ((ast.ClassDef,), "classes"),
    "lambda": ((ast.Lambda,), "`lambda`"),
    "import": (_IMPORTS, "imports"),
    "del": ((ast.Delete,), "`del`"),
    "yield": ((ast.Yield, ast.YieldFrom), "`yield`"),
    "async": ((ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await), "`async` or `await`"),
    "break": ((ast.Break,), "`break`"),
    "continue": ((ast.Continue,), "`continue`"),
    "slice": ((ast.Slice,), "slices (`x[a:b]`)"),
    "subscript": ((ast.Subscript,), "square brackets after a value (`x[i]`, `x[a:b]`)"),
    "fstring": ((ast.JoinedStr,), "f-strings"),
    "walrus": ((ast.NamedExpr,), "`:=`"),
    "augmented": ((ast.AugAssign,), "augmented assignments (`+=` and its kind)"),
    "global": ((ast.Global, ast.Nonlocal), "`global` or `nonlocal`"),
}
CONSTRUCTS: tuple[str, ...] = (*_NODES, "recursion", "nested_loop", "nested_function", "inheritance", "mutation")
_OTHER_CONSTRUCTS = {
    "recursion": "recursion (a function that calls itself, directly or through others)",
    "nested_loop": "a loop inside a loop (comprehensions count as loops)",
    "nested_function": "functions inside functions (`lambda` included)",
    "inheritance": "classes with base classes",
    "mutation": "assignments to items, slices or attributes (`x[i] = …`, `x.a = …`)",
}

# Name of a structure: its displays, and the names that make one.
_STRUCTURES: dict[str, tuple[tuple[type[ast.AST], ...], frozenset[str], str]] = {
    "list": ((ast.List, ast.ListComp), frozenset({"list"}), "lists (displays, comprehensions, `list`)"),
    "tuple": ((ast.Tuple,), frozenset({"tuple", "namedtuple", "NamedTuple"}), "tuples (displays, `tuple`)"),
    "set": ((ast.Set, ast.SetComp), frozenset({"set", "frozenset"}), "sets (displays, comprehensions, `set`)"),
    "dict": (
        (ast.Dict, ast.DictComp),
        frozenset({"dict", "defaultdict", "Counter", "OrderedDict", "ChainMap", "UserDict"}),
        "dictionaries (displays, comprehensions, `dict`, `defaultdict`, `Counter` and their kind)",
    ),
    "queue": ((), frozenset({"deque", "Queue", "SimpleQueue", "LifoQueue", "PriorityQueue"}), "`deque` or queues"),
    "heap": ((), frozenset({"heapq", "heappush", "heappop", "heapify", "PriorityQueue"}), "heaps"),
}
STRUCTURES: tuple[str, ...] = tuple(_STRUCTURES)

_OPERATORS: dict[str, type[ast.AST]] = {
    "+": ast.Add,
    "-": ast.Sub,
    "*": ast.Mult,
    "/": ast.Div,
    "//": ast.FloorDiv,
    "%": ast.Mod,
    "**": ast.Pow,
    "@": ast.MatMult,
    "<<": ast.LShift,
    ">>": ast.RShift,
    "&": ast.BitAnd,
    "|": ast.BitOr,
    "^": ast.BitXor,
    "~": ast.Invert,
    "and": ast.And,
    "or": ast.Or,
    "not": ast.Not,
    "==": ast.Eq,
    "!=": ast.NotEq,
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
    "is": ast.Is,
    "in": ast.In,
}
OPERATORS: tuple[str, ...] = tuple(_OPERATORS)
_SPELT = {  # an operator by another name: as the module operator and special methods call it, and builtins
    "+": ("add", ()),
    "-": ("sub", ()),
    "*": ("mul", ()),
    "/": ("truediv", ()),
    "//": ("floordiv", ("divmod",)),
    "%": ("mod", ("divmod", "math.fmod")),
    "**": ("pow", ("pow", "math.pow")),
    "@": ("matmul", ()),
    "<<": ("lshift", ()),
    ">>": ("rshift", ()),
    "&": ("and_", ()),
    "|": ("or_", ()),
    "^": ("xor", ()),
    "~": ("invert", ()),
    "not": ("not_", ()),
    "==": ("eq", ()),
    "!=": ("ne", ()),
    "<": ("lt", ()),
    "<=": ("le", ()),
    ">": ("gt", ()),
    ">=": ("ge", ()),
    "in": ("contains", ()),
}

_LITERALS: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (float,), "bytes": (bytes,)}
_DETOURS = frozenset(
    {
        *("eval", "exec", "compile", "__import__", "globals", "locals", "vars", "getattr", "setattr", "delattr"),
        *("__builtins__", "builtins", "importlib", "__getattribute__", "__getattr__", "__dict__", "__globals__"),
        *("__subclasses__", "__class__", "__mro__", "__bases__", "f_globals", "f_locals", "f_builtins", "sys"),
        *("inspect", "ctypes", "gc", "attrgetter", "methodcaller", "runpy", "marshal", "pickle"),
    }
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Args:
        mode: ``no`` (never), ``at most`` (up to ``limit`` times) or ``some`` (once at least).
        kind: One of :data:`KINDS`.
        subject: Name of a function, method, construct, structure, operator, module or kind of literal. A call may be
            dotted (``math.gcd``).
        limit: For ``at most``.
    """

    mode: Literal["no", "at most", "some"]
    kind: Kind
    subject: str
    limit: int = 0

    def __str__(self) -> str:
        head = f"at most {self.limit}" if self.mode == "at most" else self.mode
        return f"{head} {self.kind} {self.subject}"

    @property
    def sentence(self) -> str:
        """The rule as a model reads it."""
        what = _named(self.kind, self.subject)
        if self.mode == "some":
            return f"Use {what}."
        if self.mode == "at most":
            return f"Use at most {self.limit} of: {what}."
        return f"Do not use {what}."


@dataclass(frozen=True, slots=True)
class Breach:
    """Where a program breaks a rule.

    Args:
        rule: The rule.
        line: Line in the program, from 1; 0 where it is the program as a whole.
        code: What stands there, cut to 80 characters.
    """

    rule: Rule
    line: int
    code: str

    def __str__(self) -> str:
        where = f"line {self.line}: {self.code}" if self.line else self.code
        return f"{self.rule}: {where}"


def _named(kind: Kind, subject: str) -> str:
    if kind == "construct":
        return _NODES[subject][1] if subject in _NODES else _OTHER_CONSTRUCTS[subject]
    if kind == "structure":
        return _STRUCTURES[subject][2]
    words = {"call": "the function", "method": "the method or attribute", "operator": "the operator"}
    words |= {"module": "the module"}
    return f"literals of type `{subject}`" if kind == "literal" else f"{words[kind]} `{subject}`"


_LINE = re.compile(r"(?:(no|some)|at most (\d{1,3}))\s+(\w+)\s+(\S+)")


def parse_rule(line: str) -> Rule:
    """Read a rule.

    Args:
        line: Such as ``no call sorted``; ``str`` of a rule gives it back.

    Raises:
        UsageError: It is no rule, or its subject is not known.
    """
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise UsageError(f"{line!r} is no rule; one reads 'no KIND NAME', 'at most N KIND NAME' or 'some KIND NAME'.")
    mode, limit, kind, subject = match.groups()
    if kind not in KINDS:
        raise UsageError(f"the rule {line!r} has the kind {kind!r}; there are {', '.join(KINDS)}.")
    known: dict[str, Iterable[str]] = {
        "construct": CONSTRUCTS,
        "structure": STRUCTURES,
        "operator": OPERATORS,
        "literal": _LITERALS,
    }
    if kind in known and subject not in known[kind]:
        raise UsageError(f"the rule {line!r} names no {kind}; there are {', '.join(known[kind])}.")
    if kind in ("call", "method", "module") and not all(part.isidentifier() for part in subject.split(".")):
        raise UsageError(f"the rule {line!r} needs a name, not {subject!r}.")
    if mode:
        return Rule(cast("Literal['no', 'some']", mode), cast("Kind", kind), subject)
    return Rule("at most", cast("Kind", kind), subject, int(limit))


def breaches(code: str, rules: Sequence[Rule]) -> list[Breach]:
    """Find where a program breaks rules.

    Args:
        code: The program.
        rules: All that hold.

    Returns:
        Every breach, by rule and line; empty where the program keeps all rules.

    Raises:
        SyntaxError: The program cannot be parsed.
    """
    tree = ast.parse(code)
    view = _View(tree)
    found: list[Breach] = []
    for rule in rules:
        places = list(_places(view, rule))
        if rule.mode == "some":
            if not places:
                found.append(Breach(rule, 0, "it is not there"))
        elif len(places) > rule.limit:
            found.extend(_breach(rule, node) for node in places[rule.limit :])
    forbids = next((rule for rule in rules if rule.mode != "some"), None)
    if forbids is not None:
        found.extend(
            Breach(forbids, node.lineno, f"a detour round rules: {_code(node)}")
            for node, name in view.names
            if name in _DETOURS and not view.defines(name)
        )
    return found


def _breach(rule: Rule, node: ast.AST) -> Breach:
    return Breach(rule, getattr(node, "lineno", 0), _code(node))


def _code(node: ast.AST) -> str:
    try:
        text = ast.unparse(node)
    except (AttributeError, ValueError):  # a node that is no code of its own, such as an argument
        text = type(node).__name__
    return text.partition("\n")[0][:80]


class _View:
    """A program's nodes, the names that it uses, and what its imports bind."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.nodes = sorted((n for n in ast.walk(tree) if hasattr(n, "lineno")), key=_position)
        self.imported: dict[str, str] = {}
        self.modules: list[tuple[ast.stmt, str]] = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.modules.append((node, alias.name))
                    self.imported[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                self.modules.append((node, module))
                for alias in node.names:
                    self.modules.append((node, f"{module}.{alias.name}"))
                    self.imported[alias.asname or alias.name] = f"{module}.{alias.name}"
        self._defined = {n.name for n in ast.walk(tree) if isinstance(n, (*_FUNCTIONS, ast.ClassDef))}
        self.names: list[tuple[ast.expr, str]] = [
            (node, node.id if isinstance(node, ast.Name) else node.attr)
            for node in self.nodes
            if isinstance(node, ast.Name | ast.Attribute)
        ]
        self.names += [
            (ast.copy_location(ast.Name(name.rpartition(".")[2]), stmt), name.rpartition(".")[2])
            for stmt, name in self.modules
        ]

    def defines(self, name: str) -> bool:
        """Whether the program defines a function or class of this name itself."""
        return name in self._defined

    def spelled(self, node: ast.AST) -> str:
        """A name or dotted name as its imports resolve it: ``g`` of ``from math import gcd as g`` is ``math.gcd``."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            head = self.spelled(node.value)
            return f"{head}.{node.attr}" if head else ""
        return ""


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _places(view: _View, rule: Rule) -> Iterator[ast.AST]:
    """Where a program uses what a rule is about."""
    finders: dict[Kind, Callable[[_View, str], Iterator[ast.AST]]] = {
        "call": _calls,
        "method": _methods,
        "construct": _constructs,
        "structure": _structures,
        "operator": _operators,
        "module": _modules,
        "literal": _literals,
    }
    return finders[rule.kind](view, rule.subject)


def _calls(view: _View, subject: str) -> Iterator[ast.AST]:
    """A name that is only mentioned counts, for it may be called under another one."""
    if view.defines(subject):
        return
    for node in view.nodes:
        if isinstance(node, ast.Name | ast.Attribute):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                continue
            if view.spelled(node) == subject:
                yield node
        elif isinstance(node, ast.ImportFrom) and "." in subject:
            if any(f"{node.module}.{alias.name}" == subject for alias in node.names):
                yield node


def _methods(view: _View, subject: str) -> Iterator[ast.AST]:
    return (node for node in view.nodes if isinstance(node, ast.Attribute) and node.attr == subject)


def _modules(view: _View, subject: str) -> Iterator[ast.AST]:
    return iter({id(s): s for s, m in view.modules if m == subject or m.startswith(subject + ".")}.values())


def _literals(view: _View, subject: str) -> Iterator[ast.AST]:
    wanted = _LITERALS[subject]
    documented = {id(n.body[0].value) for n in ast.walk(view.tree) if _has_docstring(n)}  # type: ignore[attr-defined]  # _has_docstring saw to it
    for node in view.nodes:
        literal = isinstance(node, ast.Constant) and type(node.value) in wanted and id(node) not in documented
        if literal or (subject == "str" and isinstance(node, ast.JoinedStr)):
            yield node


def _has_docstring(node: ast.AST) -> bool:
    if not isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Module)) or not node.body:
        return False
    first = node.body[0]
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _structures(view: _View, subject: str) -> Iterator[ast.AST]:
    displays, makers, _ = _STRUCTURES[subject]
    targets = {id(n) for n in _bare_tuples(view.nodes)}
    for node in view.nodes:
        if isinstance(node, displays):
            # Unpacking (`a, b = …`, `for a, b in …`) makes no tuple.
            if isinstance(node, ast.Tuple | ast.List) and (not isinstance(node.ctx, ast.Load) or id(node) in targets):
                continue
            yield node
        elif isinstance(node, ast.Name | ast.Attribute):
            name = view.spelled(node).rpartition(".")[2]
            if name in makers and isinstance(node.ctx, ast.Load) and not view.defines(name):
                yield node
    if subject in ("tuple", "dict"):
        for function in (n for n in ast.walk(view.tree) if isinstance(n, (*_FUNCTIONS, ast.Lambda))):
            packed = function.args.vararg if subject == "tuple" else function.args.kwarg
            if packed is not None:
                yield packed


def _bare_tuples(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Tuples that only stand on both sides of a swap, or index several axes, or list exceptions."""
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            if all(isinstance(target, ast.Tuple | ast.List) for target in node.targets):
                yield node.value
        elif isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Tuple):
            yield node.type


def _operators(view: _View, subject: str) -> Iterator[ast.AST]:
    wanted = _OPERATORS[subject]
    for node in view.nodes:
        if isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp | ast.AugAssign):
            if isinstance(node.op, wanted):
                yield node
        elif isinstance(node, ast.Compare):
            negated = {ast.In: ast.NotIn, ast.Is: ast.IsNot}.get(wanted, wanted)  # type: ignore[arg-type]  # a table of classes
            if any(isinstance(op, wanted | negated) for op in node.ops):
                yield node
    word, others = _SPELT.get(subject, ("", ()))
    bare = word.rstrip("_")
    spelt = {f"operator.{word}", f"operator.i{bare}", f"operator.__{bare}__", *others} if word else set()
    special = {f"__{bare}__", f"__r{bare}__", f"__i{bare}__"} if word else set()
    for node, name in view.names:
        if (name in special or view.spelled(node) in spelt) and not view.defines(name):
            yield node


def _constructs(view: _View, subject: str) -> Iterator[ast.AST]:
    if subject in _NODES:
        return (node for node in view.nodes if isinstance(node, _NODES[subject][0]))
    special: dict[str, Callable[[_View], Iterator[ast.AST]]] = {
        "recursion": _recursion,
        "nested_loop": _nested_loops,
        "nested_function": _nested_functions,
        "inheritance": lambda v: (n for n in v.nodes if isinstance(n, ast.ClassDef) and n.bases),
        "mutation": lambda v: (
            n for n in v.nodes if isinstance(n, ast.Subscript | ast.Attribute) and not isinstance(n.ctx, ast.Load)
        ),
    }
    return special[subject](view)


def _nested_loops(view: _View) -> Iterator[ast.AST]:
    loops = (*_LOOPS, *_COMPREHENSIONS)
    for node in view.nodes:
        if isinstance(node, loops):
            yield from (inner for inner in ast.walk(node) if inner is not node and isinstance(inner, loops))
            if isinstance(node, _COMPREHENSIONS) and len(node.generators) > 1:
                yield node


def _nested_functions(view: _View) -> Iterator[ast.AST]:
    functions = (*_FUNCTIONS, ast.Lambda)
    for node in view.nodes:
        if isinstance(node, functions):
            yield from (inner for inner in ast.walk(node) if inner is not node and isinstance(inner, functions))


def _recursion(view: _View) -> Iterator[ast.AST]:
    """Functions that reach themselves through the names that their bodies mention."""
    bodies: dict[str, ast.AST] = {n.name: n for n in ast.walk(view.tree) if isinstance(n, _FUNCTIONS)}
    for node in ast.walk(view.tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            bodies |= {t.id: node.value for t in node.targets if isinstance(t, ast.Name)}
    mentions = {name: {w for w in _words(body) if w in bodies} for name, body in bodies.items()}
    for name, body in bodies.items():
        reached: set[str] = set()
        todo = list(mentions[name])
        while todo:
            current = todo.pop()
            if current not in reached:
                reached.add(current)
                todo.extend(mentions[current])
        if name in reached:
            yield body


def _words(body: ast.AST) -> Iterator[str]:
    for node in ast.walk(body):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
