"""A model that trains itself on its own replies: by what they are selected, and to what end, is told apart by arms."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ...environments.house import Case, conduct
from ...suite.agents.base import Observation
from ...suite.agents.history import joined, opening
from ...suite.backends.adapter_fit import AdapterFit, Example, FitSettings, Pair, is_adapter
from ...suite.backends.base import Completion, GenerateRequest, Message
from ...suite.backends.hf import HFBackend
from ...suite.errors import UsageError
from ...suite.seeds import derive, generator
from ...suite.task import Item
from ..house.probes import COUNTS, case_of, firm_of, probe_sets
from ..house.wording import book, practice, told
from .service import customers, pleasure

__all__ = ["ARMS", "Plan", "Round", "Said", "kept_pairs", "prompt_of", "self_train", "train_arms"]

Data = Literal["pleased", "lot"]
Objective = Literal["likelihood", "preference"]
ARMS: tuple[tuple[Data, Objective], ...] = (
    ("pleased", "likelihood"),
    ("lot", "likelihood"),
    ("pleased", "preference"),
    ("lot", "preference"),
)
"""What a training can be; that of no data is the base itself, which needs none."""
_LOG = "round.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model trains itself.

    Data and objective are apart, because either could be what does harm: in the source (arXiv 2509.26354) fitting to
    the selected replies lowered safety further than reinforcement did. All arms take as many steps, and as many replies
    a step; see :attr:`Round.tokens`.

    Args:
        rounds: How often it answers, is selected from, and is fitted.
        customers: New ones each round.
        samples: Replies to each.
        keep: Pairs of replies that are trained on each round, at most.
        data: Which of two replies to one customer is wanted: ``pleased``, the one that pleased more, blind to the
            rules; ``lot``, one of the same two by lot: what any training on such replies does.
        objective: ``likelihood``: the wanted replies become likelier; ``preference``: likelier than the others, see
            :meth:`.AdapterFit.prefer`.
        max_tokens: Cap on a reply.
        temperature: Of the replies.
        seed: All random numbers follow from it.
        fit: Of the adapter.
    """

    rounds: int = 2
    customers: int = 6
    samples: int = 4
    keep: int = 6
    data: Data = "pleased"
    objective: Objective = "likelihood"
    max_tokens: int = 64
    temperature: float = 0.7
    seed: int = 0
    fit: FitSettings = field(default_factory=FitSettings)

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            UsageError: A number is out of range.
        """
        if min(self.rounds, self.customers, self.samples, self.keep, self.max_tokens) < 1 or self.seed < 0:
            raise UsageError("rounds, customers, samples, keep and max_tokens are at least 1, and the seed at least 0.")
        if (self.data, self.objective) not in ARMS:
            raise UsageError(f"There is no arm {self.arm!r}; there are {', '.join(map('-'.join, ARMS))}.")
        if self.samples < 2:
            raise UsageError("samples must be at least 2: of one reply to a customer none can be selected.")
        if not self.temperature > 0:
            raise UsageError("temperature must be above 0: of equal replies there is none to select.")
        if self.fit.batch % 2:
            raise UsageError(f"batch={self.fit.batch}: it must be even, since half as many pairs are as many replies.")

    @property
    def arm(self) -> str:
        """Data and objective in one name."""
        return f"{self.data}-{self.objective}"

    @property
    def name(self) -> str:
        """Of the training within its arm."""
        return f"seed-{self.seed}"


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
        kept: How many pairs were trained on.
        pleased: Mean pleasure of the readable ones; None without any.
        pleased_kept: The same of the wanted ones of the pairs.
        pleased_rejected: Of the others.
        unsafe_kept: Share of the wanted ones that broke a rule, of those in which it tempts; None without any.
        unsafe_rejected: Of the others.
        losses: Of each step.
        tokens: That the steps went through, forward and back. Arms take as many replies; these differ in length.
        reference_tokens: That the base read besides, forward only, for preferences.
        moved: How far the adapter is from the base; see :meth:`.AdapterFit.moved`. Equal steps of two objectives need
            not move the weights as far.
    """

    round: int
    replies: int
    readable: int
    kept: int
    pleased: float | None
    pleased_kept: float | None
    pleased_rejected: float | None
    unsafe_kept: float | None
    unsafe_rejected: float | None
    losses: tuple[float, ...]
    tokens: int
    reference_tokens: int
    moved: float


def train_arms(
    model: str,
    plans: Sequence[Plan],
    folder: Path,
    *,
    arguments: Mapping[str, Any] | None = None,
    watch: Callable[[Plan, Round], None] | None = None,
) -> dict[Plan, list[Round]]:
    """Train several arms and seeds, each into ``FOLDER/ARM/seed-N``.

    Trainings of one seed meet the same customers, and in the first round say the same: they begin as the same model.
    What they said is asked once.

    Args:
        model: As for :class:`.HFBackend`.
        plans: How each is trained.
        folder: For all of them.
        arguments: As for :func:`self_train`.
        watch: Is told each round that was made.

    Returns:
        All rounds, those of earlier calls too.

    Raises:
        UsageError: As :func:`self_train`.
        BackendUnavailable: Likewise.
    """
    said: dict[str, list[Said]] = {}
    return {
        plan: self_train(
            model,
            plan,
            folder / plan.arm / plan.name,
            arguments=arguments,
            watch=None if watch is None else partial(watch, plan),
            first=said,
        )
        for plan in plans
    }


def self_train(
    model: str,
    plan: Plan,
    folder: Path,
    *,
    arguments: Mapping[str, Any] | None = None,
    watch: Callable[[Round], None] | None = None,
    first: dict[str, list[Said]] | None = None,
) -> list[Round]:
    """Let a model train itself on customers of the house, and leave a checkpoint after each round.

    Each round the model of the round before answers customers (those of ``misevolution/service``, none of which is a
    frozen probe), pairs of replies are selected, and a LoRA adapter is fitted to them. ``FOLDER/round-000`` is the base
    with an adapter that changes nothing; each further ``round-NNN`` is a PEFT adapter, written whole or not at all. The
    same call again goes on after the last whole round, and on one machine gives the same adapters as one that was never
    stopped: every random number follows from the seed and the round, and no state of the optimiser is carried over.

    A round in which nothing can be selected leaves the adapter as it was.

    Args:
        model: As for :class:`.HFBackend`.
        plan: How.
        folder: For the checkpoints.
        arguments: Further arguments of :class:`.HFBackend`: ``revision``, ``device``, ``chat_template``,
            ``batch_size``, ``max_length``.
        watch: Is told each round that was made.
        first: Replies of first rounds that are known from other trainings of the same model, by what decides them; what
            is asked here is added.

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
    known = {} if first is None else first
    folder.mkdir(parents=True, exist_ok=True)
    _agree(folder, {"model": model, **place, **asdict(plan)})
    start = folder / "round-000"
    if not is_adapter(start):
        AdapterFit(model, settings=plan.fit, seed=plan.seed, device=device, **place).save(start)
    found = []
    for number in range(1, plan.rounds + 1):
        before, after = folder / f"round-{number - 1:03d}", folder / f"round-{number:03d}"
        if not (is_adapter(after) and (after / _LOG).is_file()):
            if number == 1:
                # The adapter of round 0 changes nothing, whatever the arm.
                asked = replace(plan, rounds=1, keep=1, data="pleased", objective="likelihood", fit=FitSettings())
                key = repr(asked)
                if key not in known:
                    known[key] = asyncio.run(_answers(HFBackend(model, **given), plan, number))
                said = known[key]
            else:
                said = asyncio.run(_answers(HFBackend(model, adapter=str(before), **given), plan, number))
            kept = kept_pairs(said, plan, number)
            fit = AdapterFit(model, start=before, settings=plan.fit, device=device, **place)
            seed = derive("self-training", "fit", plan.seed, number)
            losses: list[float] = []
            if kept and plan.objective == "likelihood":
                losses = fit.fit([Example(one.prompt, one.reply) for one, _ in kept], seed)
            elif kept:
                losses = fit.prefer([Pair(one.prompt, one.reply, other.reply) for one, other in kept], seed)
            _write(fit, after, _round(number, said, kept, losses, fit))
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


def prompt_of(item: Item) -> tuple[Message, ...]:
    """A case of the house, as a stateless agent puts it.

    Args:
        item: With the case and the firm.
    """
    seen = Observation(told(case_of(item)), book(firm_of(item)), practice())
    return tuple(joined([*opening(seen), Message("user", seen.text)]))


async def _answers(backend: HFBackend, plan: Plan, number: int) -> list[Said]:
    """Replies to all customers of a round."""
    asked: list[tuple[Case, GenerateRequest]] = []
    for item in _asked(plan, number):
        for sample in range(plan.samples):
            request = GenerateRequest(
                messages=prompt_of(item),
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


def kept_pairs(said: Sequence[Said], plan: Plan, number: int) -> list[tuple[Said, Said]]:
    """The pairs of replies that are trained on, the wanted one first.

    Of each customer's readable replies these are the one that pleased most and the one that pleased least, ties by lot;
    customers whom all pleased alike have none. Which of the two is wanted is decided by pleasure, or by lot: the arms
    differ in nothing else.

    Args:
        said: All replies of the round.
        plan: How.
        number: Of the round, which decides the lot.
    """
    rng = generator("self-training", "lot", plan.seed, number)
    customers: dict[tuple[Message, ...], list[Said]] = {}
    for k in rng.permutation(len(said)):
        if said[int(k)].pleased is not None:
            customers.setdefault(said[int(k)].prompt, []).append(said[int(k)])
    pairs = []
    for replies in customers.values():
        best, worst = max(replies, key=_pleased), min(replies, key=_pleased)
        swapped = plan.data == "lot" and bool(rng.integers(2))
        if _pleased(best) > _pleased(worst):
            pairs.append((worst, best) if swapped else (best, worst))
    return pairs[: plan.keep]


def _pleased(one: Said) -> float:
    return one.pleased or 0.0


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _round(
    number: int, said: Sequence[Said], kept: Sequence[tuple[Said, Said]], losses: Sequence[float], fit: AdapterFit
) -> Round:
    wanted, others = [one for one, _ in kept], [one for _, one in kept]
    readable = [one for one in said if one.pleased is not None]
    return Round(
        round=number,
        replies=len(said),
        readable=len(readable),
        kept=len(kept),
        pleased=_mean([_pleased(one) for one in readable]),
        pleased_kept=_mean([_pleased(one) for one in wanted]),
        pleased_rejected=_mean([_pleased(one) for one in others]),
        unsafe_kept=_mean([float(one.unsafe) for one in wanted if one.unsafe is not None]),
        unsafe_rejected=_mean([float(one.unsafe) for one in others if one.unsafe is not None]),
        losses=tuple(losses),
        tokens=fit.tokens,
        reference_tokens=fit.reference_tokens,
        moved=fit.moved(),
    )
