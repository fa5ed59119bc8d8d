"""From themes to packages: design, specification, repair, proofs, package; each step in the journal before the next."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...environments.worlds.spec.model import SpecError
from ..backends.base import Backend, Completion, ContextOverflow, GenerateRequest, Message
from ..backends.recorded import request_hash
from ..broker import Broker
from ..errors import UsageError
from ..records import storable
from ..seeds import derive
from .draft import Draft, read_draft
from .guide import design_prompt, guide_hash, repair_prompt, specification_prompt
from .journal import Journal
from .package import write_package
from .proof import Proved, prove_apart
from .replay import Replay
from .yields import Yield, yield_table, yields

__all__ = ["Generated", "Plan", "Theme", "generate", "replay_plan", "run_generation"]

JOURNAL = "journal.jsonl"
SUMMARY = "generation.json"
PACKAGES = "worlds"

Prove = Callable[[str, float], Awaitable[list[Proved]]]


@dataclass(frozen=True)
class Plan:
    """What is to be generated.

    Args:
        themes: One or more; world i is made of theme i modulo their number.
        count: How many are tried, at least 1.
        seed: Seeds of all calls follow from it.
        repairs: How often a specification may be mended after its first try.
        max_tokens: Cap on a reply.
        temperature: Of all calls.
        time_limit: Seconds of wall-clock time for all proofs of one draft.

    Raises:
        UsageError: A number is out of its range, or there is no theme.
    """

    themes: tuple[str, ...]
    count: int = 1
    seed: int = 0
    repairs: int = 4
    max_tokens: int = 8_192
    temperature: float = 0.7
    time_limit: float = 600.0

    def __post_init__(self) -> None:
        if not self.themes or not all(theme.strip() for theme in self.themes):
            raise UsageError('A generation needs a theme that says something: --theme "a lighthouse in fog".')
        for name, least in (("count", 1), ("repairs", 0), ("max_tokens", 1), ("temperature", 0), ("time_limit", 1)):
            if not getattr(self, name) >= least:
                raise UsageError(f"{name} is {getattr(self, name)!r}: at least {least}.")


@dataclass(frozen=True, slots=True)
class Theme:
    """What became of one theme.

    Attributes:
        number: From 0.
        theme: In words.
        failed_at: The stage that it failed at; None where it became a package.
        detail: Why, in a line, or the package's name.
        repairs: How many its specification took; None where it never was one.
        prompt_tokens: Read by the model.
        completion_tokens: Written.
        cost: US dollars.
    """

    number: int
    theme: str
    failed_at: str | None
    detail: str
    repairs: int | None
    prompt_tokens: int
    completion_tokens: int
    cost: float


@dataclass(frozen=True)
class Generated:
    """A generation that is complete.

    Attributes:
        themes: One after another.
        packages: Folders of those that passed.
        yields: By stage.
    """

    themes: tuple[Theme, ...]
    packages: tuple[Path, ...]
    yields: tuple[Yield, ...]

    def table(self) -> str:
        """What became of each theme, and the yields by stage."""
        lines = [f"{t.number:>3}  {t.failed_at or 'world':<14} {t.detail[:200]}" for t in self.themes]
        read, written = sum(t.prompt_tokens for t in self.themes), sum(t.completion_tokens for t in self.themes)
        cost = sum(t.cost for t in self.themes)
        return "\n".join([*lines, "", yield_table(self.yields, tokens=(read, written), cost=cost)])


class _Stopped(Exception):
    """A theme has failed at a stage."""

    def __init__(self, stage: str, detail: str) -> None:
        super().__init__(detail)
        self.stage = stage


class _Maker:
    """Makes one world; what the journal says already is not asked or computed again."""

    def __init__(
        self, number: int, plan: Plan, broker: Broker, journal: Journal, prove: Prove, slots: asyncio.Semaphore
    ):
        self.number, self.plan, self.broker, self.journal = number, plan, broker, journal
        self.prove, self.slots = prove, slots
        self.theme = plan.themes[number % len(plan.themes)]
        self.spent = [0, 0, 0.0]
        self.repairs: int | None = None
        self.design = ""

    async def run(self) -> tuple[Draft, list[dict[str, Any]]]:
        """:meth:`make`, and then let the backend forget the theme."""
        try:
            return await self.make()
        finally:
            self.broker.backend.release(f"worldsmith/{self.number}")

    async def make(self) -> tuple[Draft, list[dict[str, Any]]]:
        """Take the theme through all stages but the last.

        Raises:
            _Stopped: It failed at one.
        """
        self.design = await self._ask("design", 0, design_prompt(self.theme))
        self._note(
            "design", 0, passed=bool(self.design.strip()), detail="" if self.design.strip() else "an empty design"
        )
        draft = await self._specify()
        place = (self.number, "proof", 0)
        record = self.journal.find("proof", place)
        if record is None:
            async with self.slots:
                begun = time.monotonic()
                proofs = await self.prove(draft.text, self.plan.time_limit)
            seconds = round(time.monotonic() - begun, 3)
            record = self.journal.add("proof", place, proofs=[asdict(p) for p in proofs], seconds=seconds)
        proofs = [Proved(**p) for p in record["proofs"]]
        for proved in proofs:
            self._note(proved.stage, 0, passed=proved.passed, detail=proved.detail)
        return draft, proofs[-1].worlds

    async def _specify(self) -> Draft:
        asked = prompt = specification_prompt(self.design)
        problems: tuple[str, ...] = ("nothing was tried",)
        for attempt in range(self.plan.repairs + 1):
            reply = await self._ask("repair" if attempt else "specification", attempt, prompt)
            try:
                # Where a draft is checked no code runs, but its text is a stranger's: whatever it raises is its fault.
                draft = read_draft(reply)
            except SpecError as error:
                problems = error.problems
            except (UsageError, ValueError, OverflowError, RecursionError, TypeError) as error:
                problems = (f"the whole: {type(error).__name__}: {error}",)
            else:
                self.repairs = attempt
                self._record("specification", attempt, passed=True, detail=draft.core)
                return draft
            self._record("specification", attempt, passed=False, detail="\n".join(problems))
            prompt = repair_prompt(asked, reply, problems)
        raise _Stopped("specification", f"not mended in {self.plan.repairs} repairs: {problems[0]}")

    def _record(self, stage: str, attempt: int, *, passed: bool, detail: str) -> None:
        place = (self.number, stage, attempt)
        if self.journal.find("stage", place) is None:
            self.journal.add("stage", place, passed=passed, detail=detail)

    def _note(self, stage: str, attempt: int, *, passed: bool, detail: str) -> None:
        self._record(stage, attempt, passed=passed, detail=detail)
        if not passed:
            raise _Stopped(stage, detail)

    async def _ask(self, stage: str, attempt: int, messages: tuple[Message, ...]) -> str:
        place = (self.number, stage, attempt)
        request = GenerateRequest(
            messages=messages,
            session=f"worldsmith/{self.number}",
            seed=derive("worldsmith", self.plan.seed, self.number, stage, attempt),
            max_tokens=self.plan.max_tokens,
            temperature=self.plan.temperature,
        )
        digest = request_hash(request)
        record = self.journal.find("call", place)
        if record is None or record["request"] != digest:
            begun = time.monotonic()
            try:
                reply = await self.broker.generate(request)
            except ContextOverflow as error:
                reply = Completion("", "length")
                why = str(error)
            else:
                why = {"length": f"cut off at {self.plan.max_tokens} tokens", "content_filter": "declined"}.get(
                    reply.finish_reason, ""
                )
            record = self.journal.add(
                "call",
                place,
                request=digest,
                messages=[[m.role, storable(m.content)] for m in messages],
                seed=request.seed,
                reply=storable(reply.text),
                finish=reply.finish_reason,
                why=why,
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
                cost=reply.cost,
                seconds=round(time.monotonic() - begun, 3),
            )
        for at, name in enumerate(("prompt_tokens", "completion_tokens", "cost")):
            self.spent[at] += record[name]
        # A reply that was cut off may hold a specification all the same; one that is empty or was declined holds none.
        if record["finish"] == "content_filter" or (record["why"] and not record["reply"].strip()):
            raise _Stopped("design" if stage == "design" else "specification", record["why"])
        return record["reply"]


async def generate(plan: Plan, backend: Backend, out: Path, *, prove: Prove = prove_apart) -> Generated:
    """Generate worlds. The same plan and folder again goes on where it was stopped, or killed.

    Args:
        plan: What.
        backend: The model; it is started and closed here.
        out: The folder: ``journal.jsonl`` (all stages with what went in and came out), ``worlds/`` (a package each),
            ``generation.json`` (outcomes and yields). Packages and summary hold no times: a replay gives the same
            bytes.
        prove: Runs the proofs; given in tests only.

    Returns:
        All outcomes.

    Raises:
        SpecMismatch: The folder holds a generation of other settings.
        RunLocked: Another process works on it.
        BackendError: The model failed: nothing of that theme is decided, and the same command goes on.
    """
    await asyncio.to_thread(backend.locate)
    settings = {**asdict(plan), "backend": backend.identity(), "guide": guide_hash()}
    journal = Journal(out / JOURNAL, settings)
    try:
        try:
            await backend.start()
            broker = Broker(backend)
            slots = asyncio.Semaphore(max(1, (os.cpu_count() or 2) // 2))
            makers = [_Maker(n, plan, broker, journal, prove, slots) for n in range(plan.count)]
            results = await asyncio.gather(*(maker.run() for maker in makers), return_exceptions=True)
        finally:
            await backend.aclose()
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, _Stopped):
                raise result
        # While the journal is held, nobody else writes here.
        return _conclude(plan, makers, results, settings, out)
    finally:
        journal.close()


def _conclude(
    plan: Plan, makers: Sequence[_Maker], results: Sequence[Any], settings: dict[str, Any], out: Path
) -> Generated:
    """Package what has passed, in the order of themes, so that nothing depends on what was done first."""
    themes, packages, seen = [], [], dict[str, int]()
    for maker, result in zip(makers, results, strict=True):
        failed_at, detail = None, ""
        if isinstance(result, _Stopped):
            failed_at, detail = result.stage, str(result)
        else:
            draft, worlds = result
            detail = draft.core
            if draft.digest in seen:
                failed_at, detail = "package", f"the same world as theme {seen[draft.digest]}"
            else:
                seen[draft.digest] = maker.number
                provenance = {
                    "number": maker.number,
                    "design": maker.design,
                    "repairs": maker.repairs,
                    "backend": settings["backend"],
                    "guide": settings["guide"],
                    "seed": plan.seed,
                    "prompt_tokens": maker.spent[0],
                    "completion_tokens": maker.spent[1],
                    "cost": maker.spent[2],
                }
                packages.append(
                    write_package(
                        out / PACKAGES, text=draft.text, core=draft.core, theme=maker.theme, worlds=worlds,
                        provenance=provenance,
                    )
                )  # fmt: skip
        themes.append(
            Theme(maker.number, maker.theme, failed_at, detail, maker.repairs, *maker.spent)  # type: ignore[arg-type]  # two counts and a price
        )
    found = yields([t.failed_at for t in themes], [t.repairs for t in themes])
    summary = {
        "settings": settings,
        "themes": [asdict(t) for t in themes],
        "packages": [path.name for path in packages],
        "yields": [asdict(y) for y in found],
    }
    half = out / f".{SUMMARY}.half"
    half.write_text(json.dumps(summary, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    half.rename(out / SUMMARY)
    return Generated(tuple(themes), tuple(packages), tuple(found))


def replay_plan(recording: Path) -> tuple[Plan, Replay]:
    """The plan of a recording and a backend that plays it.

    Raises:
        StoreError: It cannot be read.
        UsageError: It was made with other prompts than this version's.
    """
    backend = Replay(recording)
    settings = backend.settings
    if settings["guide"] != guide_hash():
        raise UsageError(
            f"The recording {recording} was made with other prompts than this version's: replay it with its own."
        )
    names = Plan.__dataclass_fields__
    plan: dict[str, Any] = {
        name: tuple(value) if name == "themes" else value for name, value in settings.items() if name in names
    }
    return Plan(**plan), backend


def run_generation(plan: Plan, backend: Backend, out: Path) -> Generated:
    """:func:`generate` for callers without an event loop."""
    return asyncio.run(generate(plan, backend, out))
