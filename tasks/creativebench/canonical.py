"""One form for programs that differ in looks only.

:func:`canonical` rewrites a program by rules that keep what it does: docstrings, annotations and code that nothing
needs go; comparisons stand one way round, negations inside, guards as branches, comprehensions as loops; values stand
where they are read; functions that only forward are the function that they call. It is run to a fixed point.

:func:`tokens` then reads the tree with all names that the program chose left out, one sequence a statement, so that
neither renaming nor the order of statements and functions shows.

The rules go by the program's text. Python can look at itself (``locals``, operators with side effects), so a rule can
change what a strange program does; who needs the canonical form to *run* tests it first (``slices.reduced`` does).
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterator
from functools import lru_cache

from .canonical_blocks import Blocks
from .canonical_classes import from_imports, is_own, own_attributes, without_stateless
from .canonical_dead import without_dead
from .canonical_expressions import Expressions
from .canonical_functions import inline_called_once, inline_helpers, reachable, without_forwarders
from .canonical_lists import Lists
from .canonical_loops import count_loops, over_items
from .canonical_names import inline_names, separate, turn_flags
from .canonical_texts import Texts
from .trees import FUNCTIONS, loads, replaced, stores, walk, with_names

__all__ = ["canonical", "entries_of", "tokens"]

_ROUNDS = 40
_BUILTINS = frozenset(dir(builtins))
_LOOPS = (ast.For, ast.AsyncFor, ast.While)


def entries_of(code: str, tests: str) -> tuple[str, ...]:
    """Names that a program binds at its top level and its tests use."""
    bound = [name for s in ast.parse(code).body for name in _top_names(s)]
    used = {n.id for n in walk(ast.parse(tests)) if isinstance(n, ast.Name)}
    return tuple(dict.fromkeys(name for name in bound if name in used))


def _top_names(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        yield statement.name
    else:
        yield from stores(statement)


def canonical(code: str, entries: Collection[str]) -> str:
    """A program in its one form.

    Args:
        code: The program.
        entries: Names that its users use; they stay, with their parameters.

    Returns:
        A program that does the same for users of ``entries``.

    Raises:
        SyntaxError: The program cannot be parsed.
        RecursionError: It is nested too deeply.
    """
    return _canonical(code, tuple(entries))


@lru_cache(maxsize=512)  # a program's form is asked for when it is looked up, and again when it is sliced
def _canonical(code: str, entries: tuple[str, ...]) -> str:
    text = ast.unparse(_apart(_bare(ast.parse(code))))
    # First until no list is hidden by another name: `+=` means something else for lists.
    text = _settled(text, entries, expand=False)
    augmented = any(isinstance(n, ast.AugAssign) for n in walk(ast.parse(text)))
    return _settled(text, entries, expand=True) if augmented else text


_SETTLED: dict[tuple[str, tuple[str, ...], bool], str] = {}
_MOST = 4096


def _settled(text: str, entries: tuple[str, ...], *, expand: bool) -> str:
    """A program after as many rounds as change it; what one has come to is kept, for others that come by there."""
    passed: list[str] = []
    for _ in range(_ROUNDS):
        known = _SETTLED.get((text, entries, expand))
        if known is not None or text in passed:
            text = known or text
            break
        passed.append(text)
        text = ast.unparse(_round(ast.parse(text), entries, expand=expand))
    if len(_SETTLED) > _MOST:
        _SETTLED.clear()
    _SETTLED.update({(before, entries, expand): text for before in [*passed, text]})
    return text


def _round(tree: ast.Module, entries: Collection[str], *, expand: bool) -> ast.Module:
    tree.body = reachable(tree, entries)
    from_imports(tree)
    while without_stateless(tree, entries):
        pass
    own = own_attributes(tree)
    calls = [n for n in walk(tree) if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call)]
    tree = Expressions(own, {name for n in calls for name in stores(n)}).visit(tree)
    Lists().visit(tree)
    tree.body = Blocks(set(stores(tree)) | set(loads(tree)), own, expand=expand).block(tree.body)
    for function in [n for n in walk(tree) if isinstance(n, FUNCTIONS)]:
        without_dead(function)
        separate(function)
        while inline_names(function) or count_loops(function):
            pass
        over_items(function)
        turn_flags(function)
    _inline_constants(tree, entries)
    while inline_helpers(tree, entries) or without_forwarders(tree, entries) or inline_called_once(tree, entries):
        pass
    # Last: a value that now stands in an f-string may be one that Python cannot print there.
    return ast.fix_missing_locations(Texts().visit(tree))


def _inline_constants(tree: ast.Module, entries: Collection[str]) -> None:
    """Constants that a module binds once, where they are read."""
    bound = stores(tree)
    values: dict[str, ast.expr] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            once = isinstance(target, ast.Name) and bound[target.id] == 1 and target.id not in entries
            if once and isinstance(target, ast.Name) and isinstance(statement.value, ast.Constant):
                values[target.id] = statement.value
    if values:
        tree.body = [replaced(statement, values) for statement in tree.body]


class _Barer(ast.NodeTransformer):
    """Takes off what no program needs to run: docstrings, annotations, the guard of a script."""

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return ast.Pass() if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        test = node.test
        if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__":
            return ast.Pass()
        return self.generic_visit(node)


def _bare(tree: ast.Module) -> ast.Module:
    tree = _Barer().visit(tree)
    tree.body = [s for s in tree.body if not (isinstance(s, ast.ImportFrom) and s.module == "__future__")]
    return tree


def _apart(tree: ast.Module) -> ast.Module:
    """Give variables of functions inside functions names that nothing else has, so that each name is one variable."""
    taken = {*stores(tree), *loads(tree)}
    keywords = {n.arg for n in walk(tree) if isinstance(n, ast.keyword)}
    outer = [n for n in walk(tree) if isinstance(n, FUNCTIONS)]
    inner = {id(n) for o in outer for n in walk(o) if isinstance(n, FUNCTIONS) and n is not o}
    for function in [n for n in outer if id(n) in inner]:
        shared = {name for n in walk(function) if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names}
        # What is imported keeps its name: it says what it is, and the import would bind the old one.
        for node in walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                shared |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        names: dict[str, str] = {}
        for name in sorted(set(stores(function)) - shared - keywords):
            k = 1
            while f"{name}_{k}" in taken:
                k += 1
            names[name] = f"{name}_{k}"
            taken.add(names[name])
        made = with_names(ast.Module([*function.body, ast.Expr(ast.Lambda(function.args, ast.Constant(0)))], []), names)
        last = made.body.pop()
        function.body = made.body
        if isinstance(last, ast.Expr) and isinstance(last.value, ast.Lambda):
            function.args = last.value.args
    return tree


def tokens(code: str) -> list[tuple[str, ...]]:
    """A program as sequences of labels, one a statement, without the names that it chose.

    Args:
        code: The program, in canonical form where the distance is to be about what it does.

    Returns:
        For each statement the loops and functions around it, then its own nodes in their order: kinds of nodes,
        operators, constants, names of builtins, of what is imported and of attributes; ``v`` for all other names,
        ``.v`` for attributes that are the program's own.
    """
    tree = ast.parse(code)
    imported: dict[str, str] = {}
    for node in walk(tree):
        if isinstance(node, ast.Import):
            imported |= {a.asname or a.name.partition(".")[0]: a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    own, attributes = set(stores(tree)) - set(imported), own_attributes(tree)
    known = {name: name for name in _BUILTINS - own} | imported
    for node in [n for n in walk(tree) if isinstance(n, ast.Attribute)]:
        if is_own(node, attributes):
            node.attr = "v"
    return [made for statement in tree.body for made in _statements(statement, (), known)]


def _statements(statement: ast.stmt, around: tuple[str, ...], known: dict[str, str]) -> Iterator[tuple[str, ...]]:
    if isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass):
        return
    inside = around
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef, *_LOOPS)):
        inside = (*around, type(statement).__name__)[-2:]
    blocks: list[ast.stmt] = []
    own: list[str] = [*around, type(statement).__name__]
    for field, value in ast.iter_fields(statement):
        if field == "annotation":
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.stmt):
                blocks.append(item)
            elif isinstance(item, ast.ExceptHandler | ast.match_case):
                blocks.extend(item.body)
                own.extend(_handled(item, known))
            elif isinstance(item, ast.AST):
                own.extend(_labels(item, known))
            elif field == "orelse" and item is not None:
                own.append("else")
    yield tuple(own)
    for inner in blocks:
        yield from _statements(inner, inside, known)


def _handled(part: ast.ExceptHandler | ast.match_case, known: dict[str, str]) -> Iterator[str]:
    yield type(part).__name__
    for field, value in ast.iter_fields(part):
        if field != "body" and isinstance(value, ast.AST):
            yield from _labels(value, known)


def _labels(node: ast.AST, known: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.expr_context):
        return
    if isinstance(node, ast.Name):
        yield known.get(node.id, "v")
        return
    if isinstance(node, ast.arg):
        yield "arg"
        return
    if isinstance(node, ast.Constant):
        yield f"{type(node.value).__name__}:{node.value!r}"
        return
    if isinstance(node, ast.Attribute):
        yield f".{node.attr}"
        yield from _labels(node.value, known)
        return
    yield type(node).__name__
    for inner in ast.iter_child_nodes(node):
        yield from _labels(inner, known)
