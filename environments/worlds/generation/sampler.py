"""Draws specifications without a model: a grammar over the specification language, filtered by the audit.

A drawn world has a few cells that hold small numbers, keys that change them, things that happen by themselves, and a
goal: bring one cell to its mark. What the keys and the drift do differs from level to level and may be hidden. Words
mean nothing on purpose: a model has nothing to go by but what it tries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....suite.seeds import generator
from ..spec.model import FORMAT, WorldSpec

if TYPE_CHECKING:
    import numpy as np

    from ..audit.run import Report

__all__ = ["Sampled", "draw_spec", "sample"]

_CELLS: tuple[str, ...] = ("a", "b", "c")
_KEYS = ("ka", "ke", "ki", "ko")


@dataclass(frozen=True)
class Sampled:
    """A drawn specification and what became of it.

    Attributes:
        number: Of the draw, from 0; with the seed it gives the specification.
        spec: What was drawn.
        report: Of its audit; None where no audit was made because its levels are too few.
        problem: Why it is no world: the check that failed, with its finding; empty where it is one.
    """

    number: int
    spec: WorldSpec
    report: Report | None
    problem: str

    @property
    def passed(self) -> bool:
        """Whether it is a world."""
        return not self.problem


def _pick(rng: np.random.Generator, options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def _change(rng: np.random.Generator, cell: str, cells: list[str], params: dict[str, Any]) -> str:
    """An expression for a cell's next value."""
    others = [c for c in cells if c != cell]
    kind = _pick(rng, ("step", "step", "param", "other", "mirror", "half"))
    if kind == "param":
        name = f"p{len([p for p in params if p.startswith('p')])}"
        params[name] = {"one_of": _pick(rng, ([1, 2, 3], [-2, -1, 1, 2], [-1, 1], [2, 3]))}
        return f"{cell} + {name}"
    if kind == "other" and others:
        other = _pick(rng, others)
        return _pick(
            rng, (f"{cell} + {other} // 2", f"max({cell}, {other})", f"{cell} + 1 if {other} > 2 else {cell} - 1")
        )
    if kind == "mirror":
        return f"{_pick(rng, (7, 8, 9))} - {cell}"
    if kind == "half":
        return f"{cell} // 2"
    return f"{cell} {_pick(rng, ('+', '-'))} {_pick(rng, (1, 2, 3))}"


def draw_spec(seed: int, number: int = 0) -> WorldSpec:
    """Draw a specification; the same seed and number, the same one.

    Every draw is of the form and compiles: names, kinds and ranges fit by construction. Whether it makes a world (can
    be won, cannot be farmed, shows what it must, tells players of different skill apart) is for the audit to say.

    Args:
        seed: Of the family of draws.
        number: Which of them.
    """
    rng = generator("worlds", "sampler", seed, number)
    cells: list[str] = list(_CELLS[: int(rng.integers(2, 4))])
    tops = {cell: int(rng.integers(5, 10)) for cell in cells}
    target = cells[0]
    parameters: dict[str, Any] = {f"{cell}_first": {"whole": [0, min(4, tops[cell])]} for cell in cells}
    parameters["mark"] = {"whole": [0, tops[target]]}
    actions: dict[str, Any] = {}
    for key in _KEYS[: int(rng.integers(2, 5))]:
        effects = []
        for _ in range(int(rng.integers(1, 3))):
            cell = _pick(rng, cells)
            effect: dict[str, Any] = {"set": cell, "to": _change(rng, cell, cells, parameters)}
            if rng.random() < 0.3:
                effect["when"] = f"{_pick(rng, cells)} {_pick(rng, ('<', '>='))} {_pick(rng, (2, 3, 4))}"
            effects.append(effect)
        actions[key] = {"summary": f"press {{{key}}}", "effects": effects}
    actions["wait"] = {"summary": "{wait}"}
    rules: list[dict[str, Any]] = []
    variables: dict[str, Any] = {
        cell: {"kind": "whole", "low": 0, "high": tops[cell], "start": f"{cell}_first"} for cell in cells
    }
    hidden = [name for name in parameters if name.startswith("p")]
    if rng.random() < 0.6:
        period = int(rng.integers(2, 6))
        cell = _pick(rng, cells)
        parameters["phase_first"] = {"whole": [0, period - 1]}
        hidden.append("phase_first")
        variables["phase"] = {"kind": "whole", "low": 0, "high": period - 1, "start": "phase_first"}
        rules.append({"when": "phase == 0", "effects": [{"set": cell, "to": f"{cell} {_pick(rng, ('+', '-'))} 1"}]})
        rules.append({"effects": [{"set": "phase", "to": f"(phase + 1) % {period}"}]})
    chance: dict[str, Any] = {}
    if rng.random() < 0.25:
        chance["gust"] = {"values": [True, False], "weights": [0.1, 0.9]}
        cell = _pick(rng, cells)
        rules.append({"when": "gust", "effects": [{"set": cell, "to": f"{cell} - 1"}]})
    guard = f"{target} == mark"
    if len(cells) > 1 and rng.random() < 0.5:
        guard += f" and {cells[1]} {_pick(rng, ('>=', '<='))} {_pick(rng, (2, 3))}"
    variables["tries"] = {"kind": "whole", "low": 0, "high": 3, "start": "3"}
    actions["try"] = {
        "summary": "{try} whether it is right",
        "when": "tries > 0",
        "effects": [
            {"emit": "right", "when": guard},
            {"set": "tries", "to": "tries - 1", "when": f"not ({guard})"},
        ],
    }
    seen = [*cells, "mark", "tries"]
    everything = [*seen, *(["phase"] if "phase" in variables else []), *(h for h in hidden if h != "phase_first")]
    partial = len(everything) > len(seen) and rng.random() < 0.6
    words = dict(
        zip([*cells, "mark", "tries"], _pick(rng, (("P", "Q", "R"), ("x", "y", "z")))[: len(cells)], strict=False)
    )
    data = {
        "format": FORMAT,
        "name": f"s{seed}_{number}",
        "summary": f"{len(cells)} cells, {len(actions)} actions, {'partial' if partial else 'full'}; drawn.",
        "levels": {
            "parameters": parameters,
            "hidden": hidden if partial else [],
            "keep": f"{target}_first != mark",
            "solvable": "right",
            "steps": [3, 20],
            "presets": {"drawn": {"summary": "as the parameters say"}},
        },
        "variables": variables,
        "actions": actions,
        "rules": rules,
        "chance": chance,
        "events": {"right": "the cell is at its mark and was tried"},
        "limits": {"right": 1},
        "rewards": {
            "right": {
                "kind": "binary",
                "goal": "Find out when to {try}: when it is right, that pays 1 and ends it. You can {try} three times.",
                "pays": {"right": 1},
                "last": ["right"],
                "potential": f"0.5 + 0.03 * ({max(tops.values())} - abs({target} - mark)) if tries > 0 else 0",
            }
        },
        "observations": {
            "full": {"kind": "full", "shows": everything},
            **({"cells": {"kind": "partial", "shows": seen}} if partial else {}),
        },
        "skins": {"signs": {"kind": "abstract", "setting": "There are a few numbers.", "words": words}},
        "worlds": {
            f"s{seed}-{number}": {
                "reward": "right", "observation": "cells" if partial else "full", "skin": "signs", "preset": "drawn",
                "horizon": 30,
            }
        },
    }  # fmt: skip
    return WorldSpec.model_validate(data)


def sample(seed: int, count: int, first: int = 0) -> Iterator[Sampled]:
    """Draw specifications and audit them, one after another.

    Args:
        seed: Of the family.
        count: How many are drawn; those that fail count.
        first: The number of the first.

    Yields:
        Each draw with its audit. A world that fails a check is no world; :attr:`Sampled.problem` names the first.
    """
    from ..audit.run import audit
    from ..spec.compile import compile_spec, worlds_of

    for number in range(first, first + count):
        spec = draw_spec(seed, number)
        (world,) = worlds_of(compile_spec(spec), spec)
        try:
            world.levels("test")
            world.levels("validation")
        except Exception as error:  # noqa: BLE001  # too few levels that can be won: a draw that fails, not a fault
            yield Sampled(number, spec, None, f"levels: {error}")
            continue
        report = audit(world)
        failed = [f"{f.check}: {f.detail}" for f in report.findings if not f.passed]
        yield Sampled(number, spec, report, failed[0] if failed else "")
