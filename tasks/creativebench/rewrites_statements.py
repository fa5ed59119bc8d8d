"""Rewrites that put statements in another order, or spell them in another way."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection

from .rewriting import Rewrite, blocks, by_statement, each, fresh
from .trees import is_terminal, loads, quiet, stores, walk

__all__ = ["STATEMENTS"]


def _reordered(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """Functions in the reverse order, and neighbours that do not touch each other the other way round."""
    plain = [n for n in tree.body if isinstance(n, ast.FunctionDef) and not n.decorator_list and not n.args.defaults]
    places = [k for k, n in enumerate(tree.body) if n in plain]
    if places and all(isinstance(n, ast.FunctionDef) for n in tree.body[places[0] :]):
        for place, function in zip(places, reversed(plain), strict=True):
            tree.body[place] = function
    for block in blocks(tree):
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


def _inverted_branches(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    def turn(node: ast.AST) -> ast.AST:
        if isinstance(node, ast.IfExp):
            return ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.orelse, node.body)
        if isinstance(node, ast.If) and node.orelse:
            return ast.If(ast.UnaryOp(ast.Not(), node.test), node.orelse, node.body)
        return node

    return each(tree, (ast.If, ast.IfExp), turn)


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

    return each(tree, ast.AugAssign, expand)


def _temporaries(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    name = fresh(tree, "_result")

    def keep(statement: ast.stmt) -> list[ast.stmt] | None:
        if not isinstance(statement, ast.Return) or statement.value is None:
            return None
        return [
            ast.Assign([ast.Name(name, ast.Store())], statement.value),
            ast.Return(ast.Name(name, ast.Load())),
        ]

    return by_statement(tree, keep)


def _else_after_return(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    for block in list(blocks(tree)):
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
    while any(_guarded_once(block) for block in blocks(tree)):
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


def _assigned_together(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """``a = 1; b = 2`` as ``a, b = 1, 2``."""
    for block in list(blocks(tree)):
        k = 0
        while k < len(block) - 1:
            one, two = block[k], block[k + 1]
            single = all(isinstance(s, ast.Assign) and len(s.targets) == 1 for s in (one, two))
            if single and _independent(one, two) and isinstance(one, ast.Assign) and isinstance(two, ast.Assign):
                target = ast.Tuple([one.targets[0], two.targets[0]], ast.Store())
                block[k : k + 2] = [ast.Assign([target], ast.Tuple([one.value, two.value], ast.Load()))]
            k += 1
    return tree


def _tests_nested(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """``if a and b: …`` as ``if a:`` and in it ``if b: …``."""

    def nest(node: ast.If) -> ast.If:
        if node.orelse or not isinstance(node.test, ast.BoolOp) or not isinstance(node.test.op, ast.And):
            return node
        first, *others = node.test.values
        rest = others[0] if len(others) == 1 else ast.BoolOp(ast.And(), others)
        return ast.If(first, [ast.If(rest, node.body, [])], [])

    return each(tree, ast.If, nest)


def _conditional_expressions(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """``if c: x = a else: x = b`` as ``x = a if c else b``; two returns likewise."""

    def choose(node: ast.If) -> ast.AST:
        if len(node.body) != 1 or len(node.orelse) != 1:
            return node
        match node.body[0], node.orelse[0]:
            case ast.Return(ast.expr() as yes), ast.Return(ast.expr() as no):
                return ast.Return(ast.IfExp(node.test, yes, no))
            case ast.Assign([ast.Name(id=one)], yes), ast.Assign([ast.Name(id=two)], no) if one == two:
                return ast.Assign([ast.Name(one, ast.Store())], ast.IfExp(node.test, yes, no))
        return node

    return each(tree, ast.If, choose)


def _appends_as_sums(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """``xs.append(a)`` as ``xs += [a]``, for lists that a function makes itself."""
    for function in [n for n in walk(tree) if isinstance(n, ast.FunctionDef)]:
        made = [n for n in walk(function) if isinstance(n, ast.Assign) and isinstance(n.value, ast.List)]
        names = [t.id for n in made for t in n.targets if isinstance(t, ast.Name) and len(n.targets) == 1]
        lists = {name for name in names if stores(function)[name] == names.count(name)}
        inner = [n for n in walk(function) if n is not function and isinstance(n, ast.FunctionDef | ast.Lambda)]
        lists -= {name for n in inner for name in (*stores(n), *loads(n))}
        for block in list(blocks(function)):
            for k, statement in enumerate(block):
                match statement:
                    case ast.Expr(ast.Call(ast.Attribute(ast.Name(id=name), "append"), [value], [])) if name in lists:
                        added = ast.List([value], ast.Load())
                        block[k] = ast.AugAssign(ast.Name(name, ast.Store()), ast.Add(), added)
    return tree


def _one_exit(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """Functions whose last branches return, as branches that set what is returned at the end."""
    for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
        last = function.body[-1]
        if isinstance(last, ast.If) and is_terminal([last]) and _only_returns(last):
            name = fresh(tree, "_answer")
            _set(last, name)
            function.body.append(ast.Return(ast.Name(name, ast.Load())))
    return tree


def _only_returns(choice: ast.If) -> bool:
    for body in (choice.body, choice.orelse):
        last = body[-1]
        fine = _only_returns(last) if isinstance(last, ast.If) else isinstance(last, ast.Return) and last.value
        if not fine:
            return False
    return True


def _set(choice: ast.If, name: str) -> None:
    for body in (choice.body, choice.orelse):
        last = body[-1]
        if isinstance(last, ast.If):
            _set(last, name)
        elif isinstance(last, ast.Return) and last.value is not None:
            body[-1] = ast.Assign([ast.Name(name, ast.Store())], last.value)


def _returns_repeated(tree: ast.Module, entries: Collection[str]) -> ast.Module:
    """``if c: …`` before a return of a name, with that return in the branch too."""
    for block in list(blocks(tree)):
        if len(block) < 2:
            continue
        choice, end = block[-2], block[-1]
        short = isinstance(end, ast.Return) and isinstance(end.value, ast.Name)
        if short and isinstance(choice, ast.If) and not choice.orelse and not is_terminal(choice.body):
            choice.body.append(copy.deepcopy(end))
    return tree


STATEMENTS: tuple[Rewrite, ...] = (
    Rewrite("reordered", "functions and independent assignments in another order", _reordered),
    Rewrite("branches inverted", "`if not a: B else: A`", _inverted_branches),
    Rewrite("assignments expanded", "`x += 1` as `x = x + 1`", _expanded_assignments),
    Rewrite("temporaries", "results in a variable before they are returned", _temporaries),
    Rewrite("else after return", "what follows a guard in its `else`", _else_after_return),
    Rewrite("guards", "an `else` after a guard as what follows it", _guards_for_else),
    Rewrite("assigned together", "two assignments as one of a tuple", _assigned_together),
    Rewrite("tests nested", "`if a and b` as `if a` and in it `if b`", _tests_nested),
    Rewrite("conditional expressions", "branches that assign or return as one expression", _conditional_expressions),
    Rewrite("appends as sums", "`xs.append(a)` as `xs += [a]`", _appends_as_sums),
    Rewrite("one exit", "branches that set a result, and one return", _one_exit),
    Rewrite("returns repeated", "the return at the end said in a branch too", _returns_repeated),
)
