"""Rewrites that change a program's looks and not what it does: what novelty must not reward.

Each takes a program and gives another one that behaves the same for whoever uses its entries, or nothing where it
does not apply. They are meant as an honest sample of what costs no idea: noise, names, order, spelling.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from .trees import FUNCTIONS, loads, quiet, stores, with_names

__all__ = ["REWRITES", "Rewrite", "rewritten"]

Change = Callable[[ast.Module, Collection[str]], ast.Module]
_NodeChange = Callable[..., ast.AST]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A kind of rewrite.

    Args:
        name: As reports call it.
        summary: One line.
        change: Makes it on a tree that may be changed.
    """

    name: str
    summary: str
    change: Change

    def __call__(self, code: str, entries: Collection[str]) -> str | None:
        """Rewrite a program; None where this kind does not apply to it."""
        tree = ast.parse(code)
        before = ast.unparse(tree)
        after = ast.unparse(ast.fix_missing_locations(self.change(tree, entries)))
        return None if after == before else after


def rewritten(code: str, entries: Collection[str]) -> dict[str, str]:
    """All rewrites that apply to a program, by name."""
    made = {rewrite.name: rewrite(code, entries) for rewrite in REWRITES}
    return {name: text for name, text in made.items() if text is not None}


# -- noise


def _dead_function(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    return _plus(
        tree,
        """
def _unused_helper(table, depth):
    best = {}
    for key, value in sorted(table.items()):
        if depth > 3 and value % 2:
            best[key] = [part ** 2 for part in range(value)]
        else:
            best.setdefault(key, []).append(value // (depth + 1))
    while depth:
        depth -= 1
    return max(best, key=len, default=None)
""",
    )


def _junk_at_import(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    return _plus(
        tree,
        """
_CACHE = {}
_PRIMES = [n for n in range(2, 60) if all(n % d for d in range(2, n))]
for _number in _PRIMES:
    _CACHE[_number] = bin(_number)[2:].zfill(8)
_TOTAL = sum(len(text) for text in _CACHE.values())
""",
    )


def _junk_in_functions(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    return _in_functions(
        tree,
        lambda body: [
            *_statements("""
_noise = [31, 7, 12]
_weight = 0
for _part in _noise:
    _weight = (_weight * 33 + _part) % 1009
    if _weight > 500:
        _noise = _noise[::-1]
"""),
            *body,
        ],
    )


def _dead_branch(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    return _in_functions(tree, lambda body: [*_statements("if False:\n    _x = [1, 2]\n    return _x"), *body])


def _true_branch(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    return _in_functions(tree, lambda body: [ast.If(ast.Constant(True), body, [])])


def _try_finally(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    return _in_functions(tree, lambda body: [ast.Try(body, [], [], [ast.Pass()])])


def _documented(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    for function in _functions(tree):
        function.body.insert(0, ast.Expr(ast.Constant("Work out what is asked, step by step, and return it.")))
        function.returns = ast.Constant("object")
        for arg in function.args.args:
            arg.annotation = ast.Constant("object")
    return tree


# -- names


def _renamed_variables(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    for function in [n for n in tree.body if isinstance(n, FUNCTIONS)]:
        own = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
        inner = {n.name for n in ast.walk(function) if isinstance(n, FUNCTIONS) and n is not function}
        outside = {name for n in ast.walk(function) if isinstance(n, ast.Global) for name in n.names}
        names = (set(stores(function)) - outside - _imports(tree) - _keywords(tree)) | inner
        function_names = {name: f"{name}_{len(name)}_z" for name in sorted(names - (own if own else set()) | own)}
        made = with_names(function, function_names)
        made.name = function.name
        tree.body[tree.body.index(function)] = made
    return tree


def _renamed_helpers(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    top = {n.name for n in tree.body if isinstance(n, (*FUNCTIONS, ast.ClassDef))}
    top |= {name for n in tree.body if isinstance(n, ast.Assign) for name in stores(n)}
    return with_names(tree, {name: f"helper_{name}_q" for name in top - set(entries) - _keywords(tree)})


def _keywords(tree: ast.AST) -> set[str]:
    return {n.arg for n in ast.walk(tree) if isinstance(n, ast.keyword) and n.arg}


def _imports(tree: ast.AST) -> set[str]:
    return {
        a.asname or a.name.partition(".")[0]
        for n in ast.walk(tree)
        if isinstance(n, ast.Import | ast.ImportFrom)
        for a in n.names
    }


def _named_constants(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    names: dict[str, ast.Constant] = {}

    class Namer(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.AST:
            if type(node.value) not in (int, str) or node.value in (0, 1):
                return node
            name = f"_K{len(names)}"
            names[name] = node
            return ast.Name(name, ast.Load())

        def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
            return node

        def visit_Match(self, node: ast.Match) -> ast.AST:
            return node

    _undocumented(tree)
    body = [Namer().visit(s) if isinstance(s, FUNCTIONS) else s for s in tree.body]
    imports = [s for s in body if isinstance(s, ast.Import | ast.ImportFrom)]
    made: list[ast.stmt] = [ast.Assign([ast.Name(n, ast.Store())], c) for n, c in names.items()]
    tree.body = [*imports, *made, *(s for s in body if s not in imports)]
    return tree


def _undocumented(tree: ast.Module) -> None:
    for function in _functions(tree):
        first = function.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(function.body) > 1:
            del function.body[0]


# -- order


def _reordered(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """Functions in the reverse order, and neighbours that do not touch each other the other way round."""
    plain = [n for n in tree.body if isinstance(n, ast.FunctionDef) and not n.decorator_list and not n.args.defaults]
    places = [k for k, n in enumerate(tree.body) if n in plain]
    if places and all(isinstance(n, ast.FunctionDef) for n in tree.body[places[0] :]):
        for place, function in zip(places, reversed(plain), strict=True):
            tree.body[place] = function
    for block in _blocks(tree):
        k = 0
        while k < len(block) - 1:
            if _independent(block[k], block[k + 1]):
                block[k], block[k + 1] = block[k + 1], block[k]
                k += 1
            k += 1
    return tree


def _independent(one: ast.stmt, two: ast.stmt) -> bool:
    if not all(isinstance(s, ast.Assign) and quiet(s.value) and _plain_targets(s) for s in (one, two)):
        return False
    return not (set(stores(one)) & {*loads(two), *stores(two)}) and not (set(stores(two)) & set(loads(one)))


def _plain_targets(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and all(isinstance(target, ast.Name) for target in statement.targets)


# -- spelling of expressions


class _Each(ast.NodeTransformer):
    """Changes every node of a kind."""

    def __init__(self, kind: type[ast.AST] | tuple[type[ast.AST], ...], change: Callable[..., ast.AST]) -> None:
        self.kind, self.change = kind, change

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.JoinedStr):
            return node
        self.generic_visit(node)
        return self.change(node) if isinstance(node, self.kind) else node


def _each(tree: ast.Module, kind: type[ast.AST] | tuple[type[ast.AST], ...], change: _NodeChange) -> ast.Module:
    _Each(kind, change).visit(tree)
    return tree


_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
}


def _turned_comparisons(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def turn(node: ast.Compare) -> ast.Compare:
        right = node.comparators[0]
        if len(node.ops) > 1 or type(node.ops[0]) not in _TURNED or not (quiet(node.left) or quiet(right)):
            return node
        return ast.Compare(right, [_TURNED[type(node.ops[0])]()], [node.left])

    return _each(tree, ast.Compare, turn)


def _split_chains(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def split(node: ast.Compare) -> ast.expr:
        sides = [node.left, *node.comparators]
        if len(node.ops) < 2 or not all(isinstance(s, ast.Name | ast.Constant) for s in sides[1:-1]):
            return node
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        return ast.BoolOp(ast.And(), [ast.Compare(a, [op], [b]) for a, op, b in pairs])

    return _each(tree, ast.Compare, split)


def _de_morgan(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def turn(node: ast.If | ast.While | ast.IfExp) -> ast.AST:
        if isinstance(node.test, ast.BoolOp):
            other = ast.Or() if isinstance(node.test.op, ast.And) else ast.And()
            parts: list[ast.expr] = [ast.UnaryOp(ast.Not(), value) for value in node.test.values]
            node.test = ast.UnaryOp(ast.Not(), ast.BoolOp(other, parts))
        return node

    return _each(tree, (ast.If, ast.While, ast.IfExp), turn)


def _wrapped_in_tuples(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def wrap(node: ast.Return | ast.Assign) -> ast.AST:
        if node.value is not None:
            parts: list[ast.expr] = [node.value, ast.Constant(None)]
            node.value = ast.Subscript(ast.Tuple(parts, ast.Load()), ast.Constant(0), ast.Load())
        return node

    return _each(tree, (ast.Return, ast.Assign), wrap)


def _sums_of_constants(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def split(node: ast.Constant) -> ast.expr:
        if type(node.value) is int and 2 <= node.value < 10**9:
            return ast.BinOp(ast.Constant(node.value - 1), ast.Add(), ast.Constant(1))
        return node

    # A pattern of `match` holds constants, and no sums.
    return tree if _has_match(tree) else _each(tree, ast.Constant, split)


def _has_match(tree: ast.Module) -> bool:
    return any(isinstance(n, ast.Match) for n in ast.walk(tree))


def _mapped(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def change(node: ast.ListComp) -> ast.expr:
        only = node.generators[0]
        if len(node.generators) > 1 or only.ifs or not isinstance(only.target, ast.Name):
            return node
        if any(isinstance(n, ast.NamedExpr) for n in ast.walk(node)):
            return node
        function = ast.Lambda(_arguments([only.target.id]), node.elt)
        return _call("list", _call("map", function, only.iter))

    return _each(tree, ast.ListComp, change)


# -- spelling of statements


def _comprehensions_as_loops(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    return _by_statement(tree, _loops_of)


def _loops_of(statement: ast.stmt) -> list[ast.stmt] | None:
    """A returned or assigned list, set or dict comprehension, or sum, made by loops."""
    if not isinstance(statement, ast.Return | ast.Assign):
        return None
    made = statement.value
    name = "_made"
    start, step = _step(made, name)
    if start is None or step is None or made is None:
        return None
    comp = made.args[0] if isinstance(made, ast.Call) else made
    if not isinstance(comp, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return None
    # Variables of the comprehension become the function's, so they need names of their own.
    own = {n for g in comp.generators for n in stores(g.target)}
    fresh = {n: f"_{n}_loop" for n in own}
    body: list[ast.stmt] = [with_names(step, fresh)]
    for k, generator in reversed(list(enumerate(comp.generators))):
        for test in reversed(generator.ifs):
            body = [ast.If(with_names(test, fresh), body, [])]
        items = generator.iter if k == 0 else with_names(generator.iter, fresh)
        body = [ast.For(with_names(generator.target, fresh), items, body, [])]
    statement.value = ast.Name(name, ast.Load())
    return [ast.Assign([ast.Name(name, ast.Store())], start), *body, statement]


def _step(made: ast.expr | None, name: str) -> tuple[ast.expr | None, ast.stmt | None]:
    read = ast.Name(name, ast.Load())
    if isinstance(made, ast.ListComp):
        return ast.List([], ast.Load()), ast.Expr(ast.Call(ast.Attribute(read, "append", ast.Load()), [made.elt], []))
    if isinstance(made, ast.SetComp):
        return _call("set"), ast.Expr(ast.Call(ast.Attribute(read, "add", ast.Load()), [made.elt], []))
    if isinstance(made, ast.DictComp):
        return ast.Dict([], []), ast.Assign([ast.Subscript(read, made.key, ast.Store())], made.value)
    summed = isinstance(made, ast.Call) and isinstance(made.func, ast.Name) and made.func.id == "sum"
    first = made.args[0] if summed and isinstance(made, ast.Call) and len(made.args) == 1 else None
    if isinstance(first, ast.GeneratorExp):
        return ast.Constant(0), ast.AugAssign(ast.Name(name, ast.Store()), ast.Add(), first.elt)
    return None, None


def _inverted_branches(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def turn(node: ast.AST) -> ast.AST:
        if isinstance(node, ast.IfExp):
            return ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.orelse, node.body)
        if isinstance(node, ast.If) and node.orelse:
            return ast.If(ast.UnaryOp(ast.Not(), node.test), node.orelse, node.body)
        return node

    return _each(tree, (ast.If, ast.IfExp), turn)


def _expanded_assignments(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """``x += e`` as ``x = x + e``, for numbers and texts: what is not visibly a list."""

    def expand(node: ast.AugAssign) -> ast.stmt:
        if not quiet(node.target) or isinstance(node.value, ast.List | ast.ListComp | ast.Set | ast.Name):
            return node
        if not isinstance(node.value, ast.Constant):
            return node
        read = copy.deepcopy(node.target)
        read.ctx = ast.Load()
        return ast.Assign([node.target], ast.BinOp(read, node.op, node.value))

    return _each(tree, ast.AugAssign, expand)


def _temporaries(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def keep(statement: ast.stmt) -> list[ast.stmt] | None:
        if not isinstance(statement, ast.Return) or statement.value is None:
            return None
        return [
            ast.Assign([ast.Name("_result", ast.Store())], statement.value),
            ast.Return(ast.Name("_result", ast.Load())),
        ]

    return _by_statement(tree, keep)


def _else_after_return(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    for block in list(_blocks(tree)):
        for k, statement in enumerate(block):
            ends = isinstance(statement, ast.If) and isinstance(
                statement.body[-1], ast.Return | ast.Continue | ast.Raise
            )
            if ends and isinstance(statement, ast.If) and not statement.orelse and block[k + 1 :]:
                statement.orelse = block[k + 1 :]
                del block[k + 1 :]
                break
    return tree


def _guards_for_else(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    # Anew after each change: what was moved is in another block now.
    while any(_guarded_once(block) for block in _blocks(tree)):
        pass
    return tree


def _guarded_once(block: list[ast.stmt]) -> bool:
    for k, statement in enumerate(block):
        ends = isinstance(statement, ast.If) and isinstance(statement.body[-1], ast.Return | ast.Continue | ast.Raise)
        if ends and isinstance(statement, ast.If) and statement.orelse:
            rest, statement.orelse = statement.orelse, []
            block[k + 1 : k + 1] = rest
            return True
    return False


def _copied_parameters(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    for k, function in enumerate(tree.body):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = [a.arg for a in function.args.args]
        outside = {n for s in ast.walk(function) if isinstance(s, ast.Nonlocal | ast.Global) for n in s.names}
        if outside & set(names):
            continue
        fresh = {name: f"{name}_given" for name in names}
        made = copy.deepcopy(function)
        made.body = [
            *(ast.Assign([ast.Name(fresh[n], ast.Store())], ast.Name(n, ast.Load())) for n in names),
            *(with_names(statement, fresh) for statement in function.body),
        ]
        tree.body[k] = made
    return tree


def _forwarders(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    made: list[ast.stmt] = []
    for statement in tree.body:
        plain = isinstance(statement, ast.FunctionDef) and not statement.decorator_list and not statement.args.defaults
        if (
            plain
            and isinstance(statement, ast.FunctionDef)
            and statement.name in entries
            and _only_positional(statement)
        ):
            inner = with_names(statement, {statement.name: f"_{statement.name}_work"})
            given = [ast.Name(a.arg, ast.Load()) for a in statement.args.args]
            call = ast.Call(ast.Name(inner.name, ast.Load()), list(given), [])
            outer = ast.FunctionDef(statement.name, copy.deepcopy(statement.args), [ast.Return(call)], [], None)
            made.extend([inner, outer])
        else:
            made.append(statement)
    tree.body = made
    return tree


def _inner_functions(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
        if any(isinstance(n, ast.Nonlocal | ast.Yield | ast.YieldFrom) for n in ast.walk(function)):
            continue
        if set(stores(ast.Module(function.body, []))) & {a.arg for a in function.args.args}:
            continue  # a parameter that is bound again would be a local of the inner function
        inner = ast.FunctionDef("_work", _arguments([]), function.body, [], None)
        call = ast.Call(ast.Name("_work", ast.Load()), [], [])
        function.body = [inner, ast.Return(call)]
    return tree


def _only_positional(function: ast.FunctionDef) -> bool:
    own = function.args
    return not (own.vararg or own.kwarg or own.kwonlyargs or own.posonlyargs)


def _endless_loops(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def change(node: ast.While) -> ast.While:
        if node.orelse:
            return node
        leave = ast.If(ast.UnaryOp(ast.Not(), node.test), [ast.Break()], [])
        return ast.While(ast.Constant(True), [leave, *node.body], [])

    return _each(tree, ast.While, change)


def _counted_loops(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def change(node: ast.For) -> ast.For:
        target = ast.Tuple([ast.Name("_place", ast.Store()), node.target], ast.Store())
        return ast.For(target, _call("enumerate", node.iter), node.body, node.orelse)

    return _each(tree, ast.For, change)


# -- helpers


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, FUNCTIONS))


def _in_functions(tree: ast.Module, change: Callable[[list[ast.stmt]], list[ast.stmt]]) -> ast.Module:
    for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
        function.body = change(function.body)
    return tree


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Module | ast.ClassDef):
            continue
        for field in ("body", "orelse", "finalbody"):
            block = getattr(inner, field, None)
            if isinstance(block, list) and block:
                yield block


def _by_statement(tree: ast.Module, change: Callable[[ast.stmt], list[ast.stmt] | None]) -> ast.Module:
    for block in list(_blocks(tree)):
        k = 0
        while k < len(block):
            made = change(block[k])
            if made is not None:
                block[k : k + 1] = made
                k += len(made) - 1
            k += 1
    return tree


def _statements(text: str) -> list[ast.stmt]:
    # A bare return stands in no module, so the text is read as a function's body.
    lines = "\n".join("    " + line for line in text.strip("\n").splitlines())
    function = ast.parse(f"def f():\n{lines}\n").body[0]
    assert isinstance(function, ast.FunctionDef)
    return function.body


def _plus(tree: ast.Module, text: str) -> ast.Module:
    tree.body = [*ast.parse(text).body, *tree.body]
    return tree


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def _arguments(names: list[str]) -> ast.arguments:
    return ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])


REWRITES: tuple[Rewrite, ...] = (
    Rewrite("dead function", "a function that nothing calls", _dead_function),
    Rewrite("import junk", "tables made at import and never read", _junk_at_import),
    Rewrite("junk in functions", "work that is executed and used for nothing", _junk_in_functions),
    Rewrite("dead branch", "a branch that is never taken", _dead_branch),
    Rewrite("true branch", "bodies below `if True`", _true_branch),
    Rewrite("try and finally", "bodies below a `try` that guards nothing", _try_finally),
    Rewrite("docstrings", "docstrings and annotations", _documented),
    Rewrite("variables renamed", "parameters, variables and inner functions by other names", _renamed_variables),
    Rewrite("helpers renamed", "helper functions and tables by other names", _renamed_helpers),
    Rewrite("constants named", "numbers and texts as names of the module", _named_constants),
    Rewrite("reordered", "functions and independent assignments in another order", _reordered),
    Rewrite("comparisons turned", "`a < b` as `b > a`", _turned_comparisons),
    Rewrite("chains split", "`a < b < c` as `a < b and b < c`", _split_chains),
    Rewrite("De Morgan", "`a and b` as `not (not a or not b)` in tests", _de_morgan),
    Rewrite("tuples", "`e` as `(e, None)[0]`", _wrapped_in_tuples),
    Rewrite("constants as sums", "`10` as `9 + 1`", _sums_of_constants),
    Rewrite("map", "list comprehensions as `list(map(lambda …))`", _mapped),
    Rewrite("loops", "comprehensions and sums as loops", _comprehensions_as_loops),
    Rewrite("branches inverted", "`if not a: B else: A`", _inverted_branches),
    Rewrite("assignments expanded", "`x += 1` as `x = x + 1`", _expanded_assignments),
    Rewrite("temporaries", "results in a variable before they are returned", _temporaries),
    Rewrite("else after return", "what follows a guard in its `else`", _else_after_return),
    Rewrite("guards", "an `else` after a guard as what follows it", _guards_for_else),
    Rewrite("parameters copied", "parameters under other names", _copied_parameters),
    Rewrite("forwarders", "entries that only call a function with the old body", _forwarders),
    Rewrite("inner functions", "bodies in a function inside the function", _inner_functions),
    Rewrite("endless loops", "`while c` as `while True` and a break", _endless_loops),
    Rewrite("counted loops", "`enumerate` whose count is not read", _counted_loops),
)
