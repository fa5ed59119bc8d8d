"""What a combo is asked by running it.

Whether its parents alone or merely glued together solve it, and which parent's result decides what the other one works
on. Everything is a program of ours for :func:`.trial.trial`; what a model wrote never comes here.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator

from .checks import Run
from .combo import Combo
from .mutants import stubs
from .problem import Problem
from .trial import FUEL, trial

__all__ = ["arity", "decides", "gluings", "without_helper"]

_LEAST = 2
"""In how many calls of the tests the work of the other parent must change, at least."""
_DEARER = 20
"""How many times the steps of the tests an intervention may take: it copies what goes in and what comes out."""


def arity(problem: Problem) -> int:
    """How many arguments the first function of a base problem takes."""
    tree = ast.parse(problem.solution)
    name = problem.entries[0]
    node = next(n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name)
    return len(node.args.args) if isinstance(node, ast.FunctionDef) else 0


def gluings(combo: Combo) -> Iterator[tuple[str, str]]:
    """Programs that take no idea to join the parents, with what each does.

    A parent's program under the entry's name; both results side by side or added; the result of one handed to the other
    in the place of an argument, or as its arguments. The arguments are shared, or split where their numbers allow it.
    """
    entry = combo.entry
    for parent in combo.parents:
        for number, code in enumerate(parent.bank):
            yield f"program {number} of {parent.name}", f"{code}\n{entry} = {parent.entries[0]}\n"
    one, two = combo.parents
    both = f"{one.solution}\n{two.solution}\n"
    for first, second in ((one, two), (two, one)):
        a, b, k, n = first.entries[0], second.entries[0], arity(first), arity(second)
        shares = {f"{a}(*given[:{k}])": f"given[{k}:]", f"{a}(*given[-{k}:])": f"given[:-{k}]"} if k else {}
        for call, rest in {f"{a}(*given)": "given", f"{a}()": "given", **shares}.items():
            for joined in (f"{call}, {b}(*{rest})", f"[{call}, {b}(*{rest})]", f"{call} + {b}(*{rest})"):
                yield f"{joined}", _glued(both, entry, joined)
            for k_ in range(max(n, 1)):
                chained = f"{b}(*{rest}[:{k_}], {call}, *{rest}[{k_}:])"
                yield chained, _glued(both, entry, chained)
            yield f"{b}({call})", _glued(both, entry, f"{b}({call})")
            yield f"{b}(*{call})", _glued(both, entry, f"{b}(*{call})")


def _glued(both: str, entry: str, result: str) -> str:
    return f"{both}\ndef {entry}(*given):\n    return {result}\n"


def without_helper(combo: Combo, parent: Problem) -> Iterator[str]:
    """The plain solution with the functions of one parent replaced by stubs of one constant."""
    tree = ast.parse(combo.solution)
    kept = [n for n in tree.body if not (isinstance(n, ast.FunctionDef) and n.name in parent.entries)]
    gone = ast.Module([n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in parent.entries], [])
    rest = ast.unparse(ast.Module(kept, []))
    for stub in stubs(ast.unparse(gone)):
        yield f"{rest}\n{stub}\n"


def decides(combo: Combo, run: Run = trial) -> list[tuple[str, str]]:
    """Which parent's results decide what the other works on, as pairs ``(decides, works)`` of names; [] for neither.

    It is an intervention, not a reading of the text. The tests' calls are run twice: as they are, and with every result
    of one parent's function exchanged for another of its own results (so that types stay what they were). If the other
    parent's function is then called with other arguments in at least two of the tests' calls, the first decides what
    it works on. A call that ends in an error counts only for arguments that it had not been called with before.
    """
    one, two = combo.parents
    found = []
    for first, second in ((one, two), (two, one)):
        probe = _PROBE.format(
            first=tuple(first.entries),
            second=tuple(second.entries),
            least=_LEAST,
            calls=textwrap.indent(_calls(combo.asserts), "    "),
        )
        if run(combo.solution, probe, _DEARER * FUEL).passed:
            found.append((first.name, second.name))
    return found


def _calls(asserts: str) -> str:
    """The tests with each assert as a call whose end is watched."""
    return ast.unparse(ast.fix_missing_locations(_Watched().visit(ast.parse(asserts))))


class _Watched(ast.NodeTransformer):
    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        said = node.test.left if isinstance(node.test, ast.Compare) else node.test
        nothing = ast.arguments([], [], None, [], [], None, [])
        return ast.Expr(ast.Call(ast.Name("_run", ast.Load()), [ast.Lambda(nothing, said)], []))


_PROBE = """
from copy import deepcopy as _copied

_FIRST, _SECOND = {first!r}, {second!r}
_worked, _results, _swapping, _count = [], [], False, 0


def _watch(name, function, decides):
    inside = False

    def watched(*given, **named):
        nonlocal inside
        global _count
        if inside:
            return function(*given, **named)
        inside = True
        try:
            if not decides:
                _worked[-1][1].append(_copied((name, given, named)))
            result = function(*given, **named)
        finally:
            inside = False
        if not decides:
            return result
        if not _swapping:
            _results.append(_copied((name, result)))
            return result
        _count += 1
        others = [r for n, r in _results if n == name and r != result]
        return _copied(others[_count % len(others)]) if others else result

    return watched


def _run(call):
    _worked.append([True, []])
    try:
        call()
    except Exception:
        _worked[-1][0] = False


def _all():
{calls}


def test():
    global _worked, _swapping
    for name in _FIRST + _SECOND:
        globals()[name] = _watch(name, globals()[name], name in _FIRST)
    _all()
    before, _worked, _swapping = _worked, [], True
    _all()
    changed = 0
    for (_, plain), (ended, now) in zip(before, _worked):
        fresh = any(work not in plain for work in now)
        changed += fresh or (ended and any(work not in now for work in plain))
    assert changed >= {least}
"""
