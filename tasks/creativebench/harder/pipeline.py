"""From base problems to files of harder ones; every call, verdict and decision in the journal before the next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ....suite.backends.base import Backend
from ....suite.broker import Broker
from ....suite.canonical import content_hash
from ....suite.errors import StoreError, UnknownName, UsageError
from ..banks import stamp
from ..canonical import canonical
from ..combo import Combo, load_combos
from ..novelty import grams, known_form
from ..problem import Problem, load_problems
from ..workshop import workshop
from .desk import Desk, Stopped
from .fusion import fuse
from .guide import guide_hash
from .item_file import write_item
from .journal import Journal
from .levels import explore
from .pairing import drawn_pairs
from .plan import Plan
from .replay import Replay
from .tally import Caught, Event, tally, tally_table

__all__ = ["JOURNAL", "SUMMARY", "Made", "Unit", "make_harder", "read_made", "replay_plan", "run_making"]

JOURNAL = "journal.jsonl"
SUMMARY = "harder.json"
_FORMAT = "finchmark-harder-summary/1"


@dataclass(frozen=True, slots=True)
class Unit:
    """What became of one base problem, or of one pair.

    Attributes:
        name: ``explore/NAME`` or ``combo/NUMBER``.
        parents: The base problems.
        item: The file, below the folder; empty where there is none.
        caught: The filter that caught it; empty where it became an item.
        detail: Why, or the item's name.
        prompt_tokens: Read by the models.
        completion_tokens: Written.
        cost: US dollars.
    """

    name: str
    parents: tuple[str, ...]
    item: str
    caught: str
    detail: str
    prompt_tokens: int
    completion_tokens: int
    cost: float


@dataclass(frozen=True)
class Made:
    """A making that is complete.

    Attributes:
        units: One after another.
        filters: What each filter caught.
        items: Hash of each item's programs and tests, by file.
        digest: Hash of all items: the version of what was made.
    """

    units: tuple[Unit, ...]
    filters: tuple[Caught, ...]
    items: Mapping[str, str]
    digest: str

    def table(self) -> str:
        """What became of each unit, what the filters caught, and what it cost."""
        lines = [
            f"{u.name:<24} {'+'.join(u.parents):<34} {u.caught or 'item':<11} {u.detail[:120]}".rstrip()
            for u in self.units
        ]
        read, written = sum(u.prompt_tokens for u in self.units), sum(u.completion_tokens for u in self.units)
        cost = sum(u.cost for u in self.units)
        return "\n".join(
            [
                *lines,
                "",
                tally_table(self.filters),
                "",
                f"{len(self.items)} items of {len(self.units)} tried, hash {self.digest}; "
                f"tokens: {read} read, {written} written; cost: {cost:.2f} USD",
            ]
        )


async def make_harder(
    plan: Plan,
    backend: Backend,
    out: Path,
    *,
    solver: Backend | None = None,
    bases: Mapping[str, Problem] | None = None,
    combos: Mapping[str, Combo] | None = None,
    watch: Callable[[str], None] = lambda line: None,
) -> Made:
    """Make harder items. The same plan and folder again goes on where it was stopped, or killed.

    Args:
        plan: What.
        backend: The model that proposes; started and closed here.
        out: The folder: ``journal.jsonl`` (all that went in and came out), ``explore/`` and ``combo/`` (the items),
            ``harder.json`` (outcomes and filters). Items and summary hold no times: a replay gives the same bytes.
        solver: The model that solves; None: the same, in conversations of their own.
        bases: The base problems; None: those that are shipped.
        combos: The combos that there are; None: those that are shipped.
        watch: Told of each unit that has ended.

    Returns:
        All outcomes.

    Raises:
        UnknownName: There is no such base problem.
        SpecMismatch: The folder holds a making of other settings.
        RunLocked: Another process works on it.
        BackendError: A model failed: nothing of that unit is decided, and the same command goes on.
        SandboxFailure: The sandbox failed; likewise.
        SandboxUnavailable: There is no sandbox here.
    """
    from ....suite.sandbox.shared import need_sandbox

    need_sandbox("finchmark creative harder")
    bases = load_problems() if bases is None else bases
    combos = load_combos() if combos is None else combos
    for name in plan.explore:
        if name not in bases:
            raise UnknownName("problem", name, list(bases))
    pairs = drawn_pairs(bases, [combo.pair for combo in combos.values()], plan.combos, plan.seed)
    if len(pairs) < plan.combos:
        raise UsageError(f"{plan.combos} pairs were asked for; there are {len(pairs)} that no combo has yet.")
    await asyncio.to_thread(backend.locate)
    if solver is not None:
        await asyncio.to_thread(solver.locate)
    settings = {
        **asdict(plan),
        "backend": backend.identity(),
        "solver": None if solver is None else solver.identity(),
        "guide": guide_hash(),
        "problems": _content(plan, bases, combos),
        "pairs": pairs,
    }
    journal = Journal(out / JOURNAL, settings)
    started: list[Backend] = []
    try:
        try:
            for model in [backend] if solver is None else [backend, solver]:
                started.append(model)
                await model.start()
            shop = await workshop()
            maker = Broker(backend)
            other = maker if solver is None else Broker(solver)
            units = _units(plan, pairs, bases, combos)
            desks = [Desk(name, plan, maker, other, journal, shop) for name, _, _ in units]
            results = await asyncio.gather(
                *(_worked(unit, desk, watch) for unit, desk in zip(units, desks, strict=True)), return_exceptions=True
            )
        finally:
            for model in started:
                await model.aclose()
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, Stopped):
                raise result
        # While the journal is held, nobody else writes here.
        return _conclude(units, desks, results, bases, combos, json.loads(json.dumps(settings)), out)
    finally:
        journal.close()


_Work = Callable[[Desk], Any]
_UnitOf = tuple[str, tuple[str, ...], _Work]


def _content(plan: Plan, bases: Mapping[str, Problem], combos: Mapping[str, Combo]) -> str:
    """Hash of what the making builds on: the problems that it explores, and for pairs all that there are."""
    used = {name: bases[name] for name in bases if plan.combos or name in plan.explore}
    known = [[name, p.statement, stamp(p), [str(r) for r in p.rules(9)]] for name, p in used.items()]
    others = [[name, *combo.pair, stamp(combo)] for name, combo in combos.items() if plan.combos]
    return content_hash([known, others], digits=16)


def _units(
    plan: Plan, pairs: Sequence[tuple[str, str]], bases: Mapping[str, Problem], combos: Mapping[str, Combo]
) -> list[_UnitOf]:
    taken = frozenset((*bases, *combos, *(entry for base in bases.values() for entry in base.entries)))
    units: list[_UnitOf] = []
    for name in plan.explore:
        units.append((f"explore/{name}", (name,), lambda desk, base=bases[name]: explore(base, desk)))
    for number, (one, two) in enumerate(pairs):
        units.append((f"combo/{number}", (one, two), lambda desk, a=bases[one], b=bases[two]: fuse(a, b, desk, taken)))
    return units


async def _worked(unit: _UnitOf, desk: Desk, watch: Callable[[str], None]) -> Problem:
    name, parents, work = unit
    try:
        made = await work(desk)
    except Stopped as stopped:
        watch(f"{name} ({' + '.join(parents)}): {stopped.caught}: {stopped}")
        raise
    watch(f"{name} ({' + '.join(parents)}): made")
    return made


def _conclude(
    units: Sequence[_UnitOf],
    desks: Sequence[Desk],
    results: Sequence[Any],
    bases: Mapping[str, Problem],
    combos: Mapping[str, Combo],
    settings: dict[str, Any],
    out: Path,
) -> Made:
    """Write the items in the order of units, so that nothing depends on what was done first."""
    found, items = [], dict[str, str]()
    seen: dict[str, Combo] = dict(combos)
    for (name, parents, _), desk, result in zip(units, desks, results, strict=True):
        caught, detail, file = "", "", ""
        if isinstance(result, Stopped):
            caught, detail = result.caught, str(result)
        elif isinstance(result, Combo) and (twin := _twin(result, seen)):
            caught, detail = "duplicate", f"the same as {twin}"
        else:
            path = write_item(result, out / name.partition("/")[0], name, bases)
            file = path.relative_to(out).as_posix()
            items[file] = content_hash([stamp(result), result.statement, [str(r) for r in result.rules(9)]], digits=16)
            detail = result.name
            if isinstance(result, Combo):
                seen[result.name] = result
        desk.note("item", 0, caught, detail)
        found.append(Unit(name, parents, file, caught, detail, *desk.spent))  # type: ignore[arg-type]  # two counts and a price
    events: list[Event] = [event for desk in desks for event in desk.events]
    made = Made(tuple(found), tuple(tally(events)), items, content_hash(items, digits=16))
    summary = {
        "format": _FORMAT,
        "settings": settings,
        "units": [asdict(unit) for unit in made.units],
        "filters": [asdict(row) for row in made.filters],
        "items": dict(items),
        "hash": made.digest,
    }
    half = out / f".{SUMMARY}.half"
    half.write_text(json.dumps(summary, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    half.rename(out / SUMMARY)
    return made


def _twin(combo: Combo, seen: Mapping[str, Combo]) -> str:
    """A combo of the same name, or whose program has the same canonical form; empty where there is none."""
    if combo.name in seen:
        return combo.name
    for name, other in seen.items():
        try:
            form = grams(canonical(_renamed(other, combo), (*_parents(combo), combo.name)))
        except RecursionError:
            continue
        if known_form(combo.solution, (*_parents(combo), combo.name), [form]) is not None:
            return name
    return ""


def _parents(combo: Combo) -> tuple[str, ...]:
    return tuple(entry for parent in combo.parents for entry in parent.entries)


def _renamed(other: Combo, combo: Combo) -> str:
    """Another combo's program under this one's name: a name is no difference."""
    import re

    return re.sub(rf"\b{re.escape(other.entry)}\b", combo.name, other.solution) if other.entry else other.solution


def read_made(out: Path) -> Made:
    """Read what a making left.

    Raises:
        StoreError: There is no summary, or it is damaged.
    """
    path = out / SUMMARY
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != _FORMAT:
            raise StoreError(f"{path}: is of the format {data['format']!r}, not {_FORMAT}.")
        units = tuple(Unit(**{**unit, "parents": tuple(unit["parents"])}) for unit in data["units"])
        return Made(units, tuple(Caught(**row) for row in data["filters"]), data["items"], data["hash"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: no making that has ended can be read here ({error}).") from error


def replay_plan(
    recording: Path, *, bases: Mapping[str, Problem] | None = None, combos: Mapping[str, Combo] | None = None
) -> tuple[Plan, Replay, Replay | None]:
    """The plan of a recording, and backends that play it: the model that proposes, and the solver if it was another.

    Args:
        recording: A journal, or the folder that it is in.
        bases: As for :func:`make_harder`.
        combos: Likewise.

    Raises:
        StoreError: It cannot be read.
        UsageError: It was made with other prompts or problems than this version's.
    """
    path = recording / JOURNAL if recording.is_dir() else recording
    backend = Replay(path)
    settings = backend.settings
    fields: dict[str, Any] = {k: settings[k] for k in Plan.__dataclass_fields__}
    plan = Plan(**{**fields, "explore": tuple(fields["explore"])})
    content = _content(plan, load_problems() if bases is None else bases, load_combos() if combos is None else combos)
    if settings["guide"] != guide_hash() or settings["problems"] != content:
        raise UsageError(
            f"The recording {path} was made with other prompts or problems than this version's: replay it with its own."
        )
    return plan, backend, None if settings["solver"] is None else Replay(path, "solver")


def run_making(plan: Plan, backend: Backend, out: Path, **arguments: Any) -> Made:
    """:func:`make_harder` for callers without an event loop; with its further arguments."""
    return asyncio.run(make_harder(plan, backend, out, **arguments))
