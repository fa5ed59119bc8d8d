"""Rewrites that add what nobody needs, or call things by other names."""

from __future__ import annotations

import ast
from collections.abc import Collection

from .rewriting import Rewrite, fresh, functions, in_functions, statements
from .trees import FUNCTIONS, stores, walk, with_names

__all__ = ["NAMES", "NOISE"]


def _dead_function(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    return _plus_fresh(
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
    return _plus_fresh(
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
    text = """
_noise = [31, 7, 12]
_weight = 0
for _part in _noise:
    _weight = (_weight * 33 + _part) % 1009
    if _weight > 500:
        _noise = _noise[::-1]
"""
    return in_functions(tree, lambda body: [*_with_fresh(tree, statements(text)), *body])


def _with_fresh(tree: ast.Module, made: list[ast.stmt]) -> list[ast.stmt]:
    """Statements whose variables have names that a program does not have."""
    names = {name: fresh(tree, name) for name in stores(ast.Module(made, []))}
    return [with_names(statement, names) for statement in made]


def _dead_branch(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    return in_functions(
        tree, lambda body: [*_with_fresh(tree, statements("if False:\n    _x = [1, 2]\n    return _x")), *body]
    )


def _true_branch(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    return in_functions(tree, lambda body: [ast.If(ast.Constant(True), body, [])])


def _try_finally(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    return in_functions(tree, lambda body: [ast.Try(body, [], [], [ast.Pass()])])


def _documented(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    for function in functions(tree):
        function.body.insert(0, ast.Expr(ast.Constant("Work out what is asked, step by step, and return it.")))
        function.returns = ast.Constant("object")
        for arg in function.args.args:
            arg.annotation = ast.Constant("object")
    return tree


def _plus_fresh(tree: ast.Module, text: str) -> ast.Module:
    tree.body = [*_with_fresh(tree, ast.parse(text).body), *tree.body]
    return tree


# -- names


def _renamed_variables(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    for function in [n for n in tree.body if isinstance(n, FUNCTIONS)]:
        own = {a.arg for a in walk(function.args) if isinstance(a, ast.arg)}
        inner = {n.name for n in walk(function) if isinstance(n, FUNCTIONS) and n is not function}
        outside = {name for n in walk(function) if isinstance(n, ast.Global) for name in n.names}
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
    return {n.arg for n in walk(tree) if isinstance(n, ast.keyword) and n.arg}


def _imports(tree: ast.AST) -> set[str]:
    return {
        a.asname or a.name.partition(".")[0]
        for n in walk(tree)
        if isinstance(n, ast.Import | ast.ImportFrom)
        for a in n.names
    }


def _named_constants(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    names: dict[str, ast.Constant] = {}

    class Namer(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.AST:
            if type(node.value) not in (int, str) or node.value in (0, 1):
                return node
            name = fresh(tree, f"_K{len(names)}")
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
    for function in functions(tree):
        first = function.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(function.body) > 1:
            del function.body[0]


def _renamed_attributes(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """Fields of objects; the names of methods may be their users'."""
    own = {n.attr for n in walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    own -= _keywords(tree) | {name for n in walk(tree) if isinstance(n, ast.ClassDef) for name in _bound_in(n)}
    texts = {n.value for n in walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    for node in walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in own - texts and not node.attr.startswith("__"):
            node.attr = f"{node.attr}_field"
    return tree


def _bound_in(node: ast.ClassDef) -> set[str]:
    return {name for s in node.body for name in ([s.name] if isinstance(s, FUNCTIONS) else stores(s))}


def _whole_modules(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """``from m import a`` as ``import m`` and ``m.a``."""
    body: list[ast.stmt] = []
    for statement in tree.body:
        plain = isinstance(statement, ast.ImportFrom) and statement.module and "." not in statement.module
        if not plain or not isinstance(statement, ast.ImportFrom) or statement.module == "__future__":
            body.append(statement)
            continue
        names = {a.asname or a.name: a.name for a in statement.names}
        if any(stores(tree).get(name) != 1 for name in names):
            body.append(statement)
            continue
        module = fresh(tree, str(statement.module))
        body.append(ast.Import([ast.alias(str(statement.module), None if module == statement.module else module)]))
        tree = _Qualified(module, names).visit(tree)
    tree.body = body
    return tree


class _Qualified(ast.NodeTransformer):
    def __init__(self, module: str, names: dict[str, str]) -> None:
        self.module, self.names = module, names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.names:
            return node
        return ast.Attribute(ast.Name(self.module, ast.Load()), self.names[node.id], node.ctx)


NOISE: tuple[Rewrite, ...] = (
    Rewrite("dead function", "a function that nothing calls", _dead_function),
    Rewrite("import junk", "tables made at import and never read", _junk_at_import),
    Rewrite("junk in functions", "work that is executed and used for nothing", _junk_in_functions),
    Rewrite("dead branch", "a branch that is never taken", _dead_branch),
    Rewrite("true branch", "bodies below `if True`", _true_branch),
    Rewrite("try and finally", "bodies below a `try` that guards nothing", _try_finally),
    Rewrite("docstrings", "docstrings and annotations", _documented),
)

NAMES: tuple[Rewrite, ...] = (
    Rewrite("variables renamed", "parameters, variables and inner functions by other names", _renamed_variables),
    Rewrite("helpers renamed", "helper functions and tables by other names", _renamed_helpers),
    Rewrite("attributes renamed", "fields of objects by other names", _renamed_attributes),
    Rewrite("constants named", "numbers and texts as names of the module", _named_constants),
    Rewrite("whole modules", "`from m import a` as `import m` and `m.a`", _whole_modules),
)
