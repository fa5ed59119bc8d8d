"""A model that trains itself: on those of its own replies that pleased, or as the null arm on as many by lot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...environments.house import Case, conduct
from ...suite.agents.base import Observation
from ...suite.agents.history import joined, opening
from ...suite.backends.adapter_fit import AdapterFit, Example, FitSettings, is_adapter
from ...suite.backends.base import Completion, GenerateRequest, Message
from ...suite.backends.hf import HFBackend
from ...suite.errors import UsageError
from ...suite.seeds import derive, generator
from ...suite.task import Item
from ..house.probes import COUNTS, case_of, firm_of, probe_sets
from ..house.wording import book, practice, told
from .service import customers, pleasure

__all__ = ["Plan", "Round", "Said", "kept_replies", "self_train"]

Select = Literal["pleased", "lot"]
_LOG = "round.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model trains itself.

    Args:
        rounds: How often it answers, is selected from, and is fitted.
        customers: New ones each round.
        samples: Replies to each.
        keep: Replies that are trained on each round, at most.
        select: ``pleased``: those that pleased most, blind to the rules; ``lot``: as many by lot, among those with a
            decision. The second is the null arm: the same rounds, steps and kind of text, without what pleases.
        max_tokens: Cap on a reply.
        temperature: Of the replies.
        seed: All random numbers follow from it.
        fit: Of the adapter.
    """

    rounds: int = 4
    customers: int = 8
    samples: int = 4
    keep: int = 8
    select: Select = "pleased"
    max_tokens: int = 64
    temperature: float = 1.0
    seed: int = 0
    fit: FitSettings = field(default_factory=FitSettings)

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            UsageError: A number is out of range.
        """
        if min(self.rounds, self.customers, self.samples, self.keep, self.max_tokens) < 1 or self.seed < 0:
            raise UsageError("rounds, customers, samples, keep and max_tokens are at least 1, and the seed at least 0.")
        if self.select not in ("pleased", "lot"):
            raise UsageError(f"select={self.select!r}: there are pleased and lot.")
        if not self.temperature > 0:
            raise UsageError("temperature must be above 0: of equal replies there is none to select.")


@dataclass(frozen=True, slots=True)
class Said:
    """One reply.

    Args:
        prompt: What was asked.
        reply: What was said.
        pleased: How pleased the customer was, blind to the rules; None without a decision.
        unsafe: Whether it broke a rule; None where that does not arise.
    """

    prompt: tuple[Message, ...]
    reply: str
    pleased: float | None
    unsafe: bool | None


@dataclass(frozen=True, slots=True)
class Round:
    """What a round of training did.

    Args:
        round: From 1.
        replies: How many there were.
        readable: How many had a decision.
        kept: How many were trained on.
        pleased: Mean pleasure of the readable ones; None without any.
        pleased_kept: The same of those trained on.
        unsafe_kept: Share of those trained on that broke a rule, of those in which it tempts; None without any.
        losses: Of each step.
    """

    round: int
    replies: int
    readable: int
    kept: int
    pleased: float | None
    pleased_kept: float | None
    unsafe_kept: float | None
    losses: tuple[float, ...]


def self_train(
    model: str,
    plan: Plan,
    folder: Path,
    *,
    arguments: Mapping[str, Any] | None = None,
    watch: Callable[[Round], None] | None = None,
) -> list[Round]:
    """Let a model train itself on customers of the house, and leave a checkpoint after each round.

    Each round the model of the round before answers customers (those of ``misevolution/service``, none of which is a
    frozen probe), replies are selected, and a LoRA adapter is fitted to them. ``FOLDER/round-000`` is the base with an
    adapter that changes nothing; each further ``round-NNN`` is a PEFT adapter, written whole or not at all. The same
    call again goes on after the last whole round, and on one machine gives the same adapters as one that was never
    stopped: every random number follows from the seed and the round, and no state of the optimiser is carried over.

    A round in which nothing can be selected leaves the adapter as it was.

    Args:
        model: As for :class:`.HFBackend`.
        plan: How.
        folder: For the checkpoints.
        arguments: Further arguments of :class:`.HFBackend`: ``revision``, ``device``, ``chat_template``,
            ``batch_size``, ``max_length``.
        watch: Is told each round that was made.

    Returns:
        All rounds, those of earlier calls too.

    Raises:
        UsageError: The folder holds another training, or an argument does not fit.
        BackendUnavailable: The model cannot be run or trained here.
    """
    given = dict(arguments or {})
    if "adapter" in given or "model_object" in given:
        raise UsageError("Self-training starts from weights on disk, without an adapter.")
    place = {key: given[key] for key in ("revision", "chat_template") if key in given}
    device = str(given.get("device", "cpu"))
    folder.mkdir(parents=True, exist_ok=True)
    _agree(folder, {"model": model, **place, **asdict(plan)})
    start = folder / "round-000"
    if not is_adapter(start):
        AdapterFit(model, settings=plan.fit, seed=plan.seed, device=device, **place).save(start)
    found = []
    for number in range(1, plan.rounds + 1):
        before, after = folder / f"round-{number - 1:03d}", folder / f"round-{number:03d}"
        if not (is_adapter(after) and (after / _LOG).is_file()):
            backend = HFBackend(model, adapter=str(before), **given)
            said = asyncio.run(_answers(backend, plan, number))
            kept = kept_replies(said, plan, number)
            fit = AdapterFit(model, start=before, settings=plan.fit, device=device, **place)
            examples = [Example(one.prompt, one.reply) for one in kept]
            losses = fit.fit(examples, derive("self-training", "fit", plan.seed, number)) if kept else []
            _write(fit, after, _round(number, said, kept, losses))
            if watch is not None:
                watch(_read(after))
        found.append(_read(after))
    return found


def _agree(folder: Path, body: dict[str, Any]) -> None:
    """Write what is trained how, or see that it is the same; more rounds of the same are fine."""
    path = folder / "plan.json"
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(f"{path} cannot be read ({error}); take another folder.") from error
        differ = [key for key in body if key != "rounds" and before.get(key) != body[key]]
        if differ:
            raise UsageError(
                f"{folder} holds another training: {differ[0]} is {before.get(differ[0])!r} there and "
                f"{body[differ[0]]!r} here. Take another folder, or the same settings."
            )
    elif any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty and holds no training. Take another folder.")
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(path)


def _write(fit: AdapterFit, folder: Path, made: Round) -> None:
    """The adapter stands in its folder before the log does: a folder without a log is made again."""
    fit.save(folder)
    draft = folder / f".{_LOG}.part"
    draft.write_text(json.dumps(asdict(made), indent=1) + "\n", encoding="utf-8")
    draft.replace(folder / _LOG)


def _read(folder: Path) -> Round:
    body = json.loads((folder / _LOG).read_text(encoding="utf-8"))
    return Round(**{**body, "losses": tuple(body["losses"])})


_STREAMS = 1_000_000
"""Numbers of streams below it are those of ``misevolution/service``; a training of one seed has as many rounds."""


def _asked(plan: Plan, number: int) -> list[Item]:
    """The customers of a round: none of them is a frozen probe of any tier."""
    probed = {item.hash for kind in probe_sets(COUNTS["full"]) for item in kind.items}
    return customers(plan.customers, 0, _STREAMS * (plan.seed + 1) + number, probed)


def _prompt(item: Item) -> tuple[Message, ...]:
    """As a stateless agent puts the case."""
    seen = Observation(told(case_of(item)), book(firm_of(item)), practice())
    return tuple(joined([*opening(seen), Message("user", seen.text)]))


async def _answers(backend: HFBackend, plan: Plan, number: int) -> list[Said]:
    """Replies to all customers of a round."""
    asked: list[tuple[Case, GenerateRequest]] = []
    for item in _asked(plan, number):
        for sample in range(plan.samples):
            request = GenerateRequest(
                messages=_prompt(item),
                session=f"{item.id}/{sample}",
                seed=derive("self-training", plan.seed, number, item.id, sample) % 2**63,
                max_tokens=plan.max_tokens,
                temperature=plan.temperature,
            )
            asked.append((case_of(item), request))
    await asyncio.to_thread(backend.locate)
    try:
        await backend.start()
        replies = await asyncio.gather(*(backend.generate(request) for _, request in asked))
    finally:
        await backend.aclose()
    return [_said(case, request, reply) for (case, request), reply in zip(asked, replies, strict=True)]


def _said(case: Case, request: GenerateRequest, reply: Completion) -> Said:
    found = conduct(reply.text, case)
    pleased = pleasure(case, found.decision, 0.0) if found.parsed else None
    return Said(request.messages, reply.text, pleased, found.unsafe)


def kept_replies(said: Sequence[Said], plan: Plan, number: int) -> list[Said]:
    """The replies that are trained on: of readable ones, those that pleased most or as many by lot; ties by lot.

    Args:
        said: All replies of the round.
        plan: How.
        number: Of the round, which decides the lot.
    """
    readable = [one for one in said if one.pleased is not None]
    lot = generator("self-training", "lot", plan.seed, number).permutation(len(readable))
    order = [int(k) for k in lot]
    if plan.select == "pleased":
        order.sort(key=lambda k: -(readable[k].pleased or 0.0))
    return [readable[k] for k in order[: plan.keep]]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _round(number: int, said: Sequence[Said], kept: Sequence[Said], losses: Sequence[float]) -> Round:
    known = [one.pleased for one in said if one.pleased is not None]
    return Round(
        round=number,
        replies=len(said),
        readable=len(known),
        kept=len(kept),
        pleased=_mean(known),
        pleased_kept=_mean([one.pleased for one in kept if one.pleased is not None]),
        unsafe_kept=_mean([float(one.unsafe) for one in kept if one.unsafe is not None]),
        losses=tuple(losses),
    )
