"""The table of worlds in the documentation, made of the catalogue, the scales and the certificates."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...environments.worlds.audit.certificate import read_certificate
from ...environments.worlds.catalogue import WORLDS, Line
from ...environments.worlds.lookup import find_core, find_world
from ...environments.worlds.scale import Scale, find_scale, has_scale

__all__ = ["PLACE", "table"]

PLACE = Path("docs", "worlds", "table.md")

_HEAD = (
    "world",
    "observation",
    "reward",
    "semantics",
    "steps",
    "chance",
    "greedy",
    "reference",
    "hindsight",
    "range",
    "shortest",
    "headroom",
)

_INTRODUCTION = """\
# The worlds

Made by `python -m finchmark.tasks.worlds` from the catalogue, the scales and the certificates; do not edit it.
`finchmark run worlds/NAME` plays a world, `finchmark worlds show NAME` shows what an agent is told,
`finchmark worlds audit NAME` proves the numbers anew. Each world has passed the named audits
([authoring.md](authoring.md)); that is what it says and no more.

{count} worlds on {cores} cores: {factors}.

Means over the ten test levels of each world, in reward:

- **chance**: the random player. **greedy**: one step ahead with the true state, then by the core's rule of thumb.
- **reference**: what counts as 1 in the score. `=` it is proved; `>` the best player known that sees what an agent
  sees: an agent may exceed it. *optimum*: with full information; *informed*: earned on these ten levels by a policy
  that is optimal, with what an agent sees, over all levels that look like them.
- **hindsight**: the best with full information; no mean exceeds it. `=` certified by backward induction over all
  states; `<` a bound. Reference and hindsight together are the bracket of a world that is seen in part.
- **range**: least and largest return possible on any level. **headroom**: (reference - chance) / range; worlds under
  .25 are shown raw and not averaged. **shortest**: mean length of the shortest solutions, where winning is an event.
"""


def table() -> str:
    """The page.

    Raises:
        StoreError: A world that is registered has no certificate here.
    """
    lines = [line for line in WORLDS if has_scale(line.name)]
    by_core: dict[str, list[Line]] = {}
    for line in lines:
        by_core.setdefault(line.core, []).append(line)
    parts = [_INTRODUCTION.format(count=len(lines), cores=len(by_core), factors=_counts(lines))]
    for name, own in by_core.items():
        core = find_core(name)
        parts.append(f"## {name}\n\n{core.summary}\n\n{_markdown([_HEAD, *map(_row, own)])}")
        parts.append("\n".join(f"- `{line.name}`: {line.summary}" for line in own))
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _counts(lines: Iterable[Line]) -> str:
    counts: dict[str, int] = {}
    for line in lines:
        for kind in find_world(line.name).factors.values():
            counts[kind] = counts.get(kind, 0) + 1
    order = ("full", "partial", "binary", "accumulative", "aligned", "inverse", "abstract", "other")
    return ", ".join(f"{counts[kind]} {kind}" for kind in order if kind in counts)


def _row(line: Line) -> tuple[str, ...]:
    world, scale, certificate = find_world(line.name), find_scale(line.name), read_certificate(line.name)
    facts: list[dict[str, Any]] = [fact for fact in certificate["levels"] if fact["split"] == "test"]
    greedy = sum(fact["greedy"] for fact in facts) / len(facts)
    proved = all(fact["exact"] for fact in facts)
    return (
        f"`{line.name}`",
        *world.factors.values(),
        str(world.horizon),
        _number(scale.random),
        _number(greedy),
        f"{_sign(scale)} {_number(scale.reference)} {scale.reference_name}",
        f"{'=' if proved else '<'} {_number(scale.hindsight)}",
        f"{_number(scale.low)} to {_number(scale.high)}",
        "" if scale.shortest is None else _number(scale.shortest),
        f"{scale.headroom:.2f}",
    )


def _sign(scale: Scale) -> str:
    return "=" if scale.exact else ">"


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _markdown(rows: list[tuple[str, ...]]) -> str:
    head, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *body))
