"""The three novelties that CreativeBench's own sources define, for comparison with published numbers only.

They differ from one another and from ours, and none of their numbers stands in a column with another's:

- ``paper``: ``[1 - cos(e_u, e_v)] + [1 - J4(u, v)]``, e an embedding of unit length, J4 the Jaccard index of the
  sets of character 4-grams; in [0, 3]. Explore: to the model's unconstrained program; Combo: mean over both parents.
- ``released``: ``1 - J4`` on the stripped texts, in [0, 1]; as the released evaluators compute it. Explore: to the
  model's own level-0 program, else the reference; level 0 itself has 0. Combo: to the fused reference.
- ``generation``: ``100 * sqrt(1 - clip(cos, 0, 1))``, in [0, 100]; the score that its generation pipeline logs.

Renaming, comments and layout count in all of them: deleting docstrings and comments alone earned .507 of ``released``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Embedder", "Released", "generation", "paper", "released", "released_explore"]

Embedder = Callable[[str], Sequence[float]]


def _grams(text: str) -> set[str]:
    return {text[k : k + 4] for k in range(len(text) - 3)}


def released(one: str, two: str) -> float:
    """Jaccard distance of the sets of character 4-grams of two stripped texts.

    Two empty texts are at 0, an empty and another one at 1, two texts without any 4-gram at 0.
    """
    one, two = one.strip(), two.strip()
    if not one or not two:
        return float(one != two)
    first, second = _grams(one), _grams(two)
    if not first and not second:
        return 0.0
    return 1.0 - len(first & second) / len(first | second)


def _cosine(one: str, two: str, embed: Embedder) -> float:
    first, second = embed(one), embed(two)
    size = math.hypot(*first) * math.hypot(*second)
    if not size:
        raise ValueError("an embedding of length 0 has no direction; give another embedder")
    return sum(a * b for a, b in zip(first, second, strict=True)) / size


def paper(code: str, sources: Sequence[str], embed: Embedder) -> float:
    """The paper's novelty: the mean over ``sources`` of embedding distance plus 4-gram distance, in [0, 3].

    Args:
        code: The program.
        sources: Explore: the unconstrained baseline alone. Combo: the parents' solutions.
        embed: The paper's is SFR-Embedding-Code-2B_R; numbers of another embedder are comparable with its own only.

    Raises:
        ValueError: There is no source.
    """
    if not sources:
        raise ValueError("the paper's novelty needs at least one source solution")
    parts = [1.0 - _cosine(code, source, embed) + released(code, source) for source in sources]
    return sum(parts) / len(parts)


def generation(code: str, base: str, embed: Embedder) -> float:
    """The generation pipeline's score of a solution against the level-0 solution, in [0, 100]."""
    return 100.0 * math.sqrt(1.0 - min(1.0, max(0.0, _cosine(code, base, embed))))


@dataclass(frozen=True, slots=True)
class Released:
    """What the released evaluator gives for one record.

    Args:
        id: The row's.
        level: Its level.
        success: Whether the sandbox passed it.
        novelty: Distance to the baseline; 0 at level 0.
        creativity: Novelty where it passed, else 0.
    """

    id: str
    level: int
    success: bool
    novelty: float
    creativity: float


def released_explore(
    outputs: Mapping[str, str],
    passed: Mapping[str, bool],
    rows: Sequence[tuple[str, str, int, str]],
) -> list[Released]:
    """The released Explore evaluator on a model's outputs, its rules kept: missing outputs cost nothing.

    Args:
        outputs: Program by row id.
        passed: Whether it passed, by row id.
        rows: ``(id, problem, level, reference)`` of the data set, in its order.
    """
    base = {problem: outputs[name] for name, problem, level, _ in rows if level == 0 and name in outputs}
    made = []
    for name, problem, level, reference in rows:
        if name not in outputs:
            continue
        distance = 0.0 if level == 0 else released(outputs[name], base.get(problem, reference))
        success = passed.get(name, False)
        made.append(Released(name, level, success, distance, distance if success else 0.0))
    return made
