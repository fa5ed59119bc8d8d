"""Names in one form: what is bound once and read once stands where it is read; what is never read is gone."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .effects import leaves
from .trees import (
    FUNCTIONS,
    evaluated,
    function_blocks,
    headers,
    loads,
    mentions,
    quiet,
    replaced,
    stores,
    walk,
    with_names,
)

__all__ = ["inline_names", "separate", "turn_flags"]


def inline_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Put constants, copies of parameters and single-use values where they are read; drop what is never read.

    Returns:
        Whether anything changed.
    """
    bound, read = stores(function), loads(function)
    parameters = {a.arg for a in walk(function.args) if isinstance(a, ast.arg)}
    nested = {n for inner in _nested(function) for n in (*stores(inner), *loads(inner))}
    # What an augmented target reads is read twice once the assignment is written out.
    twice = {n for node in walk(function) if isinstance(node, ast.AugAssign) for n in loads(node.target)}
    for block in function_blocks(function):
        for k, statement in enumerate(block):
            if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1):
                continue
            target, value = statement.targets[0], statement.value
            if not isinstance(target, ast.Name) or target.id in parameters:
                continue
            name = target.id
            alone = name not in nested and not (isinstance(value, ast.Name) and value.id in nested)
            if alone and _merge_alias(function, block, k):
                return True
            if read.get(name, 0) == 0 and name not in nested:
                # It may be bound many times: no binding of it is read.
                block[k : k + 1] = [] if quiet(value) else [ast.Expr(value)]
                _fill(block)
                return True
            if bound.get(name) != 1:
                continue
            copied = isinstance(value, ast.Name) and value.id in parameters and bound.get(value.id) == 1
            if (isinstance(value, ast.Constant) and name not in nested) or copied:
                del block[k]
                _fill(block)
                _replace_in(function, name, value)
                return True
            once = read.get(name) == 1 and name not in nested and name not in twice
            if once and _inline_once(block, k, name, value):
                return True
    return False


def _fill(block: list[ast.stmt]) -> None:
    if not block:
        block.append(ast.Pass())


def _nested(function: ast.AST) -> Iterator[ast.AST]:
    for inner in walk(function):
        if inner is not function and isinstance(inner, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            yield inner


def _replace_in(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str, value: ast.expr) -> None:
    function.body = [replaced(statement, {name: value}) for statement in function.body]


def _inline_once(block: list[ast.stmt], k: int, name: str, value: ast.expr) -> bool:
    """Move a value into the one later statement of its block that reads it, where nothing between can change it."""
    for later in range(k + 1, len(block)):
        statement = block[later]
        if name in loads(statement):
            heads = [] if isinstance(statement, (*FUNCTIONS, ast.While)) else list(headers(statement))
            if not any(name in loads(head) for head in heads):
                return False
            if not _evaluated_once(heads, name) or not _first_enough(heads, name, value):
                return False
            block[later] = replaced(statement, {name: value})
            del block[k]
            return True
        inert = isinstance(statement, ast.Assign) and quiet(statement.value) and set(loads(statement)) <= {"set"}
        if not (inert or quiet(value)) or not leaves(statement, set(loads(value))):
            return False
    return False


def _evaluated_once(heads: list[ast.expr], name: str) -> bool:
    """Whether the read is where it is evaluated just once: in no lambda and no comprehension's inside."""
    inside = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    for head in heads:
        for node in walk(head):
            if isinstance(node, inside) and name in loads(node):
                first = None if isinstance(node, ast.Lambda) else node.generators[0].iter
                if first is None or name not in loads(first):
                    return False
    return True


def _first_enough(heads: list[ast.expr], name: str, value: ast.expr) -> bool:
    """Whether a value that does something can stand where it is read: for certain, and before anything is called."""
    if quiet(value):
        return True
    for head in heads:
        for node, certain in evaluated(head):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                return certain
            if isinstance(node, ast.Call) and not quiet(ast.Call(node.func, [], [])):
                return False
    return False


def _merge_alias(function: ast.FunctionDef | ast.AsyncFunctionDef, block: list[ast.stmt], k: int) -> bool:
    """``a = …; b = a`` with one name for both, where one of them is not used beyond that."""
    statement = block[k]
    if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1):
        return False
    target, value = statement.targets[0], statement.value
    if not (isinstance(target, ast.Name) and isinstance(value, ast.Name)) or target.id == value.id:
        return False
    new, old = target.id, value.id
    bound = stores(function)
    if old not in bound:
        return False
    whole, before = ast.Module(function.body, []), ast.Module(block[:k], [])
    after = ast.Module(block[k + 1 :], [])
    # The old name ends here, and the new one begins.
    ends = mentions(whole, old) == mentions(before, old) + 1
    starts = mentions(whole, new) == mentions(after, new) + 1
    if ends and starts:
        given = bound[old] > stores(before).get(old, 0)  # a parameter keeps its name
        names = {new: old} if given else {old: new}
        del block[k]
        _fill(block)
        function.body = [with_names(s, names) for s in function.body]
        return True
    # The new name is only another one for what does not change any more.
    changed = next((j for j in range(k + 1, len(block)) if stores(block[j]).get(old)), len(block))
    rest = ast.Module(block[changed + 1 :], [])
    over = changed == len(block) or (isinstance(block[changed], ast.Assign) and not mentions(rest, new))
    if starts and bound[new] == 1 and over:
        del block[k]
        _fill(block)
        function.body = [with_names(s, {new: old}) for s in function.body]
        return True
    # The old name is made only to become the new one, whose old value is not needed meanwhile.
    first = next((j for j in range(k) if mentions(block[j], old)), k)
    span = ast.Module(block[first:k], [])
    made = ends and isinstance(block[first], ast.Assign) and mentions(whole, old) == mentions(span, old) + 1
    leaving = any(isinstance(n, ast.Break | ast.Continue | ast.Return | ast.Raise) for n in walk(span))
    if made and first < k and not leaving and not mentions(span, new) and not loads(block[first]).get(old):
        block[first : k + 1] = [with_names(s, {old: new}) for s in block[first:k]]
        return True
    return False


def separate(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Give a variable that is bound anew another name from there on, where nothing comes after the block."""
    inner = {n for scope in _nested(function) for n in (*stores(scope), *loads(scope))}
    taken = {*stores(function), *loads(function)}
    outside = {name for n in walk(function) if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names}
    _separate(function.body, {a.arg for a in walk(function.args) if isinstance(a, ast.arg)}, inner | outside, taken)


def _separate(block: list[ast.stmt], seen: set[str], left: set[str], taken: set[str]) -> None:
    for k, statement in enumerate(block):
        target = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
        again = isinstance(target, ast.Name) and target.id in seen and target.id not in left
        if again and isinstance(target, ast.Name) and target.id not in loads(statement):
            old, n = target.id, 2
            while f"{old}_{n}" in taken:
                n += 1
            taken.add(f"{old}_{n}")
            target.id = f"{old}_{n}"
            block[k + 1 :] = [with_names(s, {old: target.id}) for s in block[k + 1 :]]
        if k < len(block) - 1:
            seen |= set(stores(statement))
    last = block[-1]
    if isinstance(last, ast.If):
        for branch in (last.body, last.orelse):
            if branch:
                bound = set(seen)
                _separate(branch, bound, left, taken)


def turn_flags(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Let variables that are only ever True or False begin with False."""
    while _turn_flag(function):
        pass


def _turn_flag(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Turn the first that begins with True; the body is another one afterwards, so that the next is looked for anew."""
    inner = {n for scope in _nested(function) for n in (*stores(scope), *loads(scope))}
    values: dict[str, list[ast.Constant]] = {}
    for node in _in_order(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Constant) and isinstance(value.value, bool):
                values.setdefault(node.targets[0].id, []).append(value)
    for name, made in values.items():
        if name in inner or len(made) < 2 or stores(function)[name] != len(made) or not made[0].value:
            continue
        for value in made:
            value.value = not value.value
        turned = ast.UnaryOp(ast.Not(), ast.Name(name, ast.Load()))
        function.body = [replaced(statement, {name: turned}) for statement in function.body]
        return True
    return False


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for inner in ast.iter_child_nodes(node):
        yield from _in_order(inner)
