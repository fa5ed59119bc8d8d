"""Searches in words and figures: curves of the best so far, pairs over seeds, and what is left of it elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .candidate import Candidate
from .regret import Rule
from .searches import Searches

__all__ = ["searches_text"]

_BARS = "▁▂▃▄▅▆▇█"
_POINTS = (0.1, 0.25, 0.5, 1.0)


def searches_text(found: Searches, *, confidence: float = 0.95) -> str:
    """Tables and curves of searches.

    Args:
        found: The searches, complete or not.
        confidence: Of the interval of the paired difference between the arms.
    """
    plan = found.plan
    what = {"rule": "rules of three formulas", "regret": "regret updates", "meta": "meta-strategy solvers"}[plan.kind]
    lines = [
        f"Search for {what} on {', '.join(plan.games)}; mutator {_mutator(found)}.",
        "Numbers: mean log10 of exploitability over that of uniform play, along the iterations; less is better.",
        "",
        *_curves(found),
        "",
        *_pairs(found, confidence),
        *_spent(found),
        "",
        *_held_out(found),
    ]
    best = min((b for place in found.attempts if (b := found.best(*place))), key=lambda c: c.fitness, default=None)
    if best is not None:
        lines += ["", "Best of all, on the games of the search:", _shown(best)]
    return "\n".join(lines)


def _mutator(found: Searches) -> str:
    return str(found.mutator.get("backend", found.mutator)["name"])


def _curves(found: Searches) -> list[str]:
    plan = found.plan
    places = list(dict.fromkeys((1, *(max(1, math.ceil(share * plan.budget)) for share in _POINTS))))
    head = f"{'arm':7} {'seed':>4}  {'best so far':24}" + "".join(f"{f'after {n}':>11}" for n in places)
    curves = {place: found.curve(*place) for place in sorted(found.attempts, key=lambda p: (p[1], p[0] != "select"))}
    flat = [value for curve in curves.values() for value in curve if math.isfinite(value)]
    lines = [head]
    for (arm, seed), curve in curves.items():
        cells = "".join(f"{curve[n - 1]:11.3f}" if len(curve) >= n else f"{'-':>11}" for n in places)
        lines.append(f"{arm:7} {seed:4}  {_bars(curve, min(flat), max(flat), plan.budget):24}{cells}")
    for arm in plan.arms:
        whole = [curve for (name, _), curve in curves.items() if name == arm and len(curve) == plan.budget]
        if len(whole) > 1:
            means = [sum(curve[n - 1] for curve in whole) / len(whole) for n in places]
            lines.append(f"{arm:7} mean  {f'of {len(whole)} searches':24}" + "".join(f"{m:11.3f}" for m in means))
    return lines


def _bars(curve: Sequence[float], low: float, high: float, budget: int) -> str:
    """A curve in 24 characters at most, one scale for all."""
    wide = min(24, budget)
    picked = [curve[at] for at in (i * budget // wide for i in range(wide)) if at < len(curve)]
    span = high - low or 1.0
    return "".join(_BARS[round((min(value, high) - low) / span * (len(_BARS) - 1))] for value in picked)


def _pairs(found: Searches, confidence: float) -> list[str]:
    plan = found.plan
    ends = {place: curve[-1] for place in found.attempts if len(curve := found.curve(*place)) == plan.budget}
    seeds = [s for s in range(1, plan.seeds + 1) if all((arm, s) in ends for arm in plan.arms)]
    if not plan.blind or len(seeds) < 2:
        return []
    from ...suite.stats.intervals import t_interval

    gap = t_interval([ends["select", s] - ends["blind", s] for s in seeds], confidence=confidence)
    few = " Under 6 seeds: these searches only." if len(seeds) < 6 else ""
    return [
        f"Selection less blind choice, paired over {len(seeds)} seeds: {gap.estimate:+.3f} "
        f"[{gap.low:+.3f}, {gap.high:+.3f}] ({confidence:.0%}, t).{few}"
    ]


def _spent(found: Searches) -> list[str]:
    attempts = [attempt for each in found.attempts.values() for attempt in each]
    none = sum(attempt.candidate is None for attempt in attempts)
    failed = sum(attempt.candidate is not None and bool(attempt.candidate.fault) for attempt in attempts)
    expected = found.plan.budget * found.plan.seeds * len(found.plan.arms)
    lines = [f"{len(attempts)} of {expected} evaluations; {none} held nothing to run, {failed} failed when run."]
    read = sum(attempt.proposal.prompt_tokens for attempt in attempts)
    written = sum(attempt.proposal.completion_tokens for attempt in attempts)
    if read or written:
        cost = sum(attempt.proposal.cost for attempt in attempts)
        lines.append(f"The model read {read:,} and wrote {written:,} tokens" + (f", ${cost:.4f}." if cost else "."))
    return lines


def _held_out(found: Searches) -> list[str]:
    plan = found.plan
    names = [*plan.games, *plan.held_out]
    lines = [
        f"{'':22}{'seen':>9}{'held out':>10}   after the last iteration: " + "  ".join(names),
    ]
    rows: list[tuple[str, Candidate, Candidate]] = [(name, *pair) for name, pair in found.known.items()]
    for (arm, seed), other in sorted(found.held_out.items()):
        best = found.best(arm, seed)
        if best is not None:
            rows.append((f"search, {arm} {seed}", best, other))
    for name, seen, other in rows:
        ends = {**dict(seen.games), **dict(other.games)}
        cells = "  ".join(f"{ends.get(game, math.nan):{len(game)}.2f}" for game in names)
        lines.append(f"{name:22}{seen.fitness:9.3f}{other.fitness:10.3f}{'':29}{cells}")
    lines.append("A claim rests on the held-out games: the search chose its best by what it saw.")
    return lines


def _shown(best: Candidate) -> str:
    genome = best.genome
    if isinstance(genome, Rule):
        return f"regret: {genome.regret}\nweight: {genome.weight}\naverage: {genome.average}"
    return genome.source.rstrip()
