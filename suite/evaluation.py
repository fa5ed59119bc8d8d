"""``evaluate``: from names to a finished run on disk. The command line and Python both come through here."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .agents.base import Agent
from .agents.making import agent_factory
from .backends.asked_once import AskedOnceBackend
from .backends.base import Backend
from .backends.cached import CachedBackend
from .backends.none import NoBackend
from .backends.response_cache import ResponseCache
from .canonical import content_hash
from .engine import Engine, Watcher
from .environment import describe_environment, version
from .errors import UsageError
from .executors.base import Executor
from .executors.local import LocalExecutor
from .executors.options import RayOptions
from .executors.ray_executor import RayExecutor
from .frame import TAKEN
from .plan import Plan
from .player import Player
from .private_items import commitment, private_seed, read_secret
from .records import (
    REPLAYED,
    STOPPED_EARLY,
    AgentChoice,
    BackendChoice,
    ItemsChoice,
    Key,
    Level,
    Limits,
    Manifest,
    RunSpec,
    Sampling,
    SandboxChoice,
    TaskChoice,
    Thinking,
)
from .registry import BACKENDS, TASKS, include_file
from .sandbox.shared import chosen_python
from .sealing import SealedTask
from .session import Session
from .store import LEARNING_SEAT, RunWriter, StoredRun
from .streams import Stream, StreamTask, check_arms, default_streams, stream_items, stream_sheet
from .task import EpisodeResult, Estimate, Item, Task

__all__ = ["SAMPLES", "Prepared", "check_sandbox", "evaluate", "make_backend", "prepare", "run_prepared"]

SAMPLES = 4
"""Samples an item where nothing is said."""


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start: nothing has been spent yet."""

    spec: RunSpec
    plans: tuple[Plan, ...]
    backend: Backend
    manifest: Manifest
    make_agent: Callable[[], Agent]
    cache: ResponseCache | None = None
    sandbox_python: str | None = None
    made: tuple[str, Mapping[str, Any]] | None = None
    """Name and arguments of the backend, for other processes that make one of their own; None: it came as an object."""
    include: tuple[Path, ...] = ()
    """Where tasks, backends and agents of others are from."""

    @property
    def expected(self) -> int:
        """How many samples the run has."""
        return sum(plan.expected(self.spec.samples) for plan in self.plans)

    def estimates(self) -> dict[str, Estimate]:
        """Upper bounds on calls and tokens, by task."""
        found: dict[str, Estimate] = {}
        spec = self.spec
        system = len(spec.system_prompt or "") // 2
        asked = self.make_agent().calls_a_turn
        for plan in self.plans:
            # What the run allows counts, not what the tier would: a higher cap, and thinking on top of it.
            cap = (spec.sampling.max_tokens or plan.tier.max_tokens) + (spec.thinking.budget or 0)
            tier = replace(plan.tier, max_tokens=cap)
            plays = plan.plays(self.spec.samples)
            each = [
                (plays.get(item.id, 0), plan.task.estimate(item, arm, tier)) for item in plan.items for arm in plan.arms
            ]
            each = [(n, replace(e, prompt_tokens=e.prompt_tokens + system * e.calls)) for n, e in each]
            found[plan.task.name] = Estimate(
                *(asked * sum(n * getattr(e, f) for n, e in each) for f in Estimate.__dataclass_fields__)
            )
        return found

    def default_out(self) -> Path:
        """The folder of a run that was given none; the same specification always gets the same."""
        names = "+".join(p.task.name.replace("/", "-") for p in self.plans[:2])
        more = f"+{len(self.plans) - 2}" if len(self.plans) > 2 else ""
        label = re.sub(r"[^A-Za-z0-9._-]+", "-", self.manifest.label).strip("-")[-40:]
        return Path("runs") / f"{names}{more}-{self.spec.tier}-{label}-{self.spec.hash[:8]}"


def make_backend(text: str, args: Mapping[str, Any] | None = None) -> tuple[BackendChoice, Backend]:
    """Make a backend from what people type.

    Args:
        text: ``NAME`` or ``NAME:MODEL``, such as ``hf:smollm2``.
        args: Its further arguments.

    Raises:
        UnknownName: There is no such backend.
        UsageError: It refuses an argument.
    """
    name, _, model = text.partition(":")
    cls = BACKENDS.load(name)
    given = dict(args or {})
    # Where and how fast is not part of a specification: another port, or a higher limit on costs, is the same run.
    choice = BackendChoice(
        name=name, model=model, args={key: value for key, value in given.items() if key not in cls.placement}
    )
    try:
        return choice, cls(**({"model": model} if model else {}), **given)
    except TypeError as error:
        raise UsageError(f"The backend {text!r} cannot be made: {error}.") from error


def _check_task(task: Task, items: Sequence[Item]) -> None:
    """Refuse a task whose samples could not be told apart or scored, before anything is spent."""
    names = [metric.name for metric in task.metrics]
    taken = sorted({n for n in names if n in TAKEN or names.count(n) > 1})
    if taken:
        raise UsageError(f"The task {task.name} declares the metric {taken[0]!r}, a name that is taken. Rename it.")
    if sum(metric.primary for metric in task.metrics) != 1:
        raise UsageError(f"The task {task.name} must have exactly one primary metric: the one that decides.")
    for grouping in task.groupings(items):
        if grouping.name in TAKEN or grouping.name in names:
            raise UsageError(f"The task {task.name} has a grouping {grouping.name!r}, a name that is taken. Rename it.")
    if isinstance(task, StreamTask) and LEARNING_SEAT in task.seats:
        raise UsageError(f"The task {task.name} has a seat {LEARNING_SEAT!r}, a name that is taken. Rename it.")
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise UsageError(f"The task {task.name} has two items of the id {item.id!r}.")
        seen.add(item.id)


def _no_reference(wanted: str, name: str, tasks: Sequence[str]) -> str:
    """What a task plays instead of a reference that it lacks, and what all tasks of the run play."""
    classes = {task: TASKS.load(task) for task in tasks}

    def known(task: str) -> list[str]:
        return [*classes[task].references, *classes[task].aliases, "canned", "nonsense"]

    text = f"The task {name} has no reference {wanted!r}; scripted: plays {', '.join(known(name))} there."
    if len(tasks) > 1:
        common = [each for each in known(name) if all(each in known(task) for task in tasks)]
        text += f" All {len(tasks)} tasks of this run play: {', '.join(common)}."
    return text


def prepare(
    tasks: str | Sequence[str],
    backend: str | Backend,
    *,
    arms: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    tier: str = "smoke",
    samples: int | None = None,
    streams: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    items_seed: int = 0,
    items_secret: str | Path | None = None,
    data: str | Path | None = None,
    model_args: Mapping[str, Any] | None = None,
    agent: str | None = None,
    agent_args: Mapping[str, Any] | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    think_budget: int | None = None,
    keep_thinking: bool = False,
    system_prompt: str | None = None,
    time_limit: float | None = None,
    token_limit: int | None = None,
    include: Sequence[str | Path] = (),
    label: str | None = None,
    cache: str | Path | None = None,
    cache_size: int | None = None,
    sandbox_python: str | Path | None = None,
) -> Prepared:
    """Turn names into a run: find tasks, make items, backend and agent. Spends nothing and writes nothing.

    The arguments are those of :func:`evaluate`.

    Raises:
        UsageError: Something does not exist or does not fit; the message says what, and what there is.
    """
    for file in include:
        include_file(Path(file))
    selectors = [tasks] if isinstance(tasks, str) else list(tasks)
    if not selectors:
        raise UsageError("No task was named. `finchmark list tasks` shows them.")
    for flag, number in {
        "samples": samples,
        "streams": streams,
        "limit": limit,
        "max_tokens": max_tokens,
    }.items():
        if number is not None and number < 1:
            raise UsageError(f"{flag.replace('_', '-')} must be at least 1, not {number}.")
    if isinstance(backend, Backend):
        name = getattr(backend, "name", type(backend).__name__)
        choice, engine = BackendChoice(name=name, model=str(getattr(backend, "model", "")), args={}), backend
    else:
        choice, engine = make_backend(backend, model_args)

    if items_seed < 0:
        raise UsageError(f"items-seed must be at least 0, not {items_seed}.")
    if items_secret is not None and items_seed:
        raise UsageError("--items-seed and --items-secret exclude each other: items are regenerated or private.")
    if data is not None and (items_secret is not None or items_seed):
        raise UsageError("--data brings items of its own; it excludes --items-seed and --items-secret.")
    secret = None if items_secret is None else read_secret(Path(items_secret))
    if data is not None:
        kind = ItemsChoice(kind="data")
    elif secret is not None:
        kind = ItemsChoice(kind="private", commitment=commitment(secret))
    else:
        kind = ItemsChoice(kind="regenerated", seed=items_seed) if items_seed else ItemsChoice()

    plans: list[Plan] = []
    choices: list[TaskChoice] = []
    for name in TASKS.select(selectors):
        task = TASKS.load(name)()
        if tier not in task.tiers:
            raise UsageError(f"The task {name} has no tier {tier!r}; it has {', '.join(map(repr, task.tiers))}.")
        chosen = task.tiers[tier]
        wanted = arms.get(name) if isinstance(arms, Mapping) else arms
        usual = [arm for arm in task.arms if task.default_arms is None or arm.name in task.default_arms]
        picked = tuple(task.arm(a) for a in dict.fromkeys(wanted)) if wanted else tuple(usual)
        if engine.reference and task.reference_called(engine.reference) is None:
            raise UsageError(_no_reference(engine.reference, name, TASKS.select(selectors)))
        drawn_from = items_seed if secret is None else private_seed(secret, task.name, task.version)
        lived: tuple[Stream, ...] = ()
        if isinstance(task, StreamTask):
            if data is not None:
                raise UsageError(f"The task {name} has streams of its own; it reads no --data {data}.")
            shorter = replace(chosen, items=min(chosen.items, limit or chosen.items))
            lived = tuple(task.streams(shorter, drawn_from, streams or default_streams(chosen)))
            check_arms(name, picked, len(lived), limited=time_limit is not None or token_limit is not None)
            items = tuple(stream_items(lived))
        elif data is not None:
            items = tuple(task.read_items(Path(data), chosen))[:limit]
        else:
            items = tuple(task.items(chosen, drawn_from))[: min(chosen.items, limit or chosen.items)]
        if not items:
            raise UsageError(f"The task {name} has no items in tier {tier!r}.")
        _check_task(task, items)
        plans.append(Plan(task, chosen, picked, items, lived))
        shape = [[s.id, [i.id for i in s.episodes], s.checkpoints, [p.name for p in s.probes]] for s in lived]
        choices.append(
            TaskChoice(
                name=name,
                version=task.version,
                arms=tuple(a.name for a in picked),
                items=len(items),
                items_hash=content_hash([*([i.id, i.hash] for i in items), *shape], digits=16),
                streams=len(lived),
            )
        )

    if streams is not None and not any(plan.streams for plan in plans):
        raise UsageError(f"--streams {streams}: none of the tasks has streams; `finchmark list tasks` says which have.")
    if samples is None:
        # A probe is repeated by the streams already, and beside streams everything else costs little only once.
        samples = 1 if any(plan.streams for plan in plans) else SAMPLES
    if agent is None:
        # An agent that takes nothing from one episode to the next gains and loses nothing in a stream.
        agent = "episodes" if any(plan.streams for plan in plans) else "history"
    agent_choice = AgentChoice(name=agent, args=dict(agent_args or {}))
    drawing = {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens}
    try:
        spec = RunSpec(
            tasks=tuple(choices),
            tier=tier,
            limit=limit,
            samples=samples,
            seed=seed,
            items=kind,
            backend=choice,
            agent=agent_choice,
            sampling=Sampling(**{k: v for k, v in drawing.items() if v is not None}),
            thinking=Thinking(budget=think_budget, keep=keep_thinking),
            limits=Limits(seconds=time_limit, tokens=token_limit),
            system_prompt=system_prompt,
            sandbox=_sandbox_choice(sandbox_python),
        )
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"]))
        raise UsageError(f"{place} = {wrong['input']!r} cannot be: {wrong['msg'].lower()}.") from error
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    sheets = {}
    for plan in plans:
        levels: dict[str, dict[str, Level]] = {
            arm.name: plan.task.levels(plan.decisive, arm, plan.tier, samples) for arm in plan.arms
        }
        sheet = plan.task.sheet(levels).model_copy(update={"groupings": plan.task.groupings(plan.items)})
        if plan.streams:
            sheet = sheet.model_copy(update={"streams": stream_sheet(plan.task.name, plan.streams)})
        sheets[plan.task.name] = sheet
    manifest = Manifest(
        finchmark=version(),
        label=label or str(choice),
        created=now,
        updated=now,
        spec=spec,
        spec_hash=spec.hash,
        tasks=sheets,
        expected=sum(plan.expected(samples) for plan in plans),
    )
    kept = _response_cache(cache, cache_size, time_limit)
    sealed = [plan.task.name for plan in plans if isinstance(plan.task, SealedTask)]
    if kept is not None and sealed:
        raise UsageError(f"--cache keeps replies, and those of {sealed[0]} are not to be kept.")
    make_agent = agent_factory(agent_choice.name, agent_choice.args)
    if isinstance(engine, NoBackend) and make_agent().asks_model:
        raise UsageError(
            f"The agent {agent!r} asks a model, and --backend none has none. Name a model's backend, or an agent that "
            "asks none (tabular, bandit, least-squares)."
        )
    python = None if sandbox_python is None else str(sandbox_python)
    made = None
    if isinstance(backend, str):
        name, _, model = backend.partition(":")
        made = (name, {**({"model": model} if model else {}), **(model_args or {})})
    files = tuple(Path(file) for file in include)
    return Prepared(spec, tuple(plans), engine, manifest, make_agent, kept, python, made, files)


def _sandbox_choice(python: str | Path | None) -> SandboxChoice | None:
    """What is recorded of an interpreter that was named: where it lies is not part of it."""
    if python is None:
        return None
    from .sandbox.interpreter import inventory

    try:
        found = inventory(str(python))
    except UsageError as error:
        raise UsageError(f"--sandbox-python: {error}") from None
    return SandboxChoice(python=found.python, packages=dict(found.packages))


def check_sandbox(run: Path, then: RunSpec, now: RunSpec) -> None:
    """Make sure that code runs on the interpreter that it ran on before.

    Args:
        run: The run of before, for messages.
        then: Its specification.
        now: What is prepared.

    Raises:
        UsageError: It is another interpreter.
    """
    if then.sandbox == now.sandbox:
        return
    if then.sandbox is None:
        raise UsageError(f"{run} ran its code on Finchmark's own interpreter: leave out --sandbox-python.")
    other = (
        then.sandbox.packages
        if now.sandbox is None
        else dict(then.sandbox.packages.items() - now.sandbox.packages.items())
    )
    needs = ", ".join(f"{name} {version}" for name, version in sorted(other.items())[:8])
    raise UsageError(
        f"{run} ran its code on {then.sandbox.python} with {needs or 'no other packages'}: "
        "name such an interpreter by --sandbox-python."
    )


def _response_cache(place: str | Path | None, mebibytes: int | None, time_limit: float | None) -> ResponseCache | None:
    """Name the cache that was asked for; nothing is opened yet."""
    if place is None:
        if mebibytes is not None:
            raise UsageError(f"--cache-size {mebibytes}: it is the size of a response cache; name one by --cache.")
        return None
    if time_limit is not None:
        raise UsageError(
            "--cache and --time-limit exclude each other: an answer of before takes no time, so that a sample could be "
            "played to its end whose time was up."
        )
    if mebibytes is not None and mebibytes < 1:
        raise UsageError(f"cache-size must be at least 1 (MiB), not {mebibytes}.")
    return ResponseCache(place, **({} if mebibytes is None else {"most_bytes": mebibytes * 2**20}))


def _replay_note(writer: RunWriter) -> list[str]:
    replayed, calls = writer.replayed()
    if not replayed:
        return []
    return [
        f"{replayed:,} of {calls:,} {REPLAYED}: as far as they go this is the run that they are from, and no "
        "independent repeat of it"
    ]


async def _run(
    prepared: Prepared,
    out: Path,
    concurrency: int | None,
    retries: int,
    watcher: Watcher | None,
    amend: Callable[[Task, str, EpisodeResult], EpisodeResult] | None,
    wanted: Callable[[Key, Item], bool] | None,
    ray: RayOptions | None,
) -> StoredRun:
    backend: Backend = AskedOnceBackend(prepared.backend)
    if prepared.cache is not None:
        backend = CachedBackend(backend, prepared.cache, choice=prepared.spec.backend.model_dump(mode="json"))
    executor: Executor
    if ray is None:
        executor = LocalExecutor(Player(prepared.spec, prepared.make_agent, amend), backend, prepared.plans)
    else:
        executor = _on_ray(prepared, ray, concurrency)
    try:
        return await _run_on(executor, prepared, out, concurrency, retries, watcher, wanted)
    finally:
        await executor.aclose()


def _on_ray(prepared: Prepared, options: RayOptions, concurrency: int | None) -> RayExecutor:
    """Make the executor, where a run may be spread over workers.

    Raises:
        UsageError: It may not.
    """
    if prepared.cache is not None:
        raise UsageError(
            "--cache and --executor ray exclude each other: a response cache is one file of one process. A run that "
            "was stopped goes on from its folder without one."
        )
    if prepared.made is not None and prepared.made[1].get("max_cost") is not None:
        raise UsageError(
            "--max-cost and --executor ray exclude each other: each worker would count for itself. One process bears "
            "thousands of requests to a server; leave out --executor ray."
        )
    return RayExecutor(
        prepared.spec,
        prepared.plans,
        prepared.backend,
        options,
        made=prepared.made,
        include=prepared.include,
        sandbox_python=prepared.sandbox_python,
        concurrency=concurrency,
    )


async def _run_on(
    executor: Executor,
    prepared: Prepared,
    out: Path,
    concurrency: int | None,
    retries: int,
    watcher: Watcher | None,
    wanted: Callable[[Key, Item], bool] | None,
) -> StoredRun:
    # The weights are found before the folder is made: their hash is part of what the folder is a run of.
    identity = await executor.locate()
    environment = describe_environment()
    spec = prepared.spec.model_copy(update={"model_identity": content_hash(identity, digits=16)})
    manifest = prepared.manifest.model_copy(
        update={
            "spec": spec,
            "spec_hash": spec.hash,
            "model": identity,
            "environment": environment,
            "sessions": ({"at": prepared.manifest.created, "finchmark": version(), **environment},),
        }
    )
    with RunWriter(out, manifest) as writer:
        engine = Engine(
            spec,
            prepared.plans,
            executor,
            writer,
            concurrency=concurrency,
            retries=retries,
            watcher=watcher,
            wanted=wanted,
        )
        session = Session(writer, executor)
        ended = False
        try:
            with session.watched(), chosen_python(prepared.sandbox_python):
                await engine.run()
            ended = True
        finally:
            counts = writer.counts()
            complete = sum(counts.values()) == engine.expected
            notes = [note for note in writer.manifest.notes if note != STOPPED_EARLY]
            if prepared.cache is not None:
                notes = [*(note for note in notes if REPLAYED not in note), *_replay_note(writer)]
            session.save(
                ended=True,
                counts=counts,
                complete=complete,
                notes=(*notes, STOPPED_EARLY) if wanted is not None and ended and not complete else tuple(notes),
                environment={**manifest.environment, "backend": executor.describe()},
            )
    return StoredRun(out)


def run_prepared(
    prepared: Prepared,
    out: str | Path | None = None,
    *,
    concurrency: int | None = None,
    retries: int = 0,
    watcher: Watcher | None = None,
    amend: Callable[[Task, str, EpisodeResult], EpisodeResult] | None = None,
    wanted: Callable[[Key, Item], bool] | None = None,
    ray: RayOptions | None = None,
) -> StoredRun:
    """Play a prepared run, also where an event loop already runs (a notebook).

    Args:
        prepared: From :func:`prepare`.
        out: The run folder; None: :meth:`Prepared.default_out`. What is there already is not played again.
        concurrency: Episodes open at once; None: what the backend makes good use of.
        retries: How often an errored sample is tried again within this run.
        watcher: Is told what happens.
        amend: May change a result before it is stored; see :class:`.Player`.
        wanted: Whether a sample is still to be played; see :class:`.Engine`.
        ray: Play on a Ray cluster; None: in this process.

    Raises:
        UsageError: A number is out of range, or the run cannot be spread over a cluster.
    """
    if retries < 0:
        raise UsageError(f"retry-errors must be at least 0, not {retries}.")
    if ray is not None and amend is not None:
        raise UsageError("--executor ray: results cannot be changed on their way; play them in this process.")
    if concurrency is not None and concurrency < 1:
        raise UsageError(f"concurrency must be at least 1, not {concurrency}.")
    folder = Path(out) if out is not None else prepared.default_out()

    playing: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def main() -> StoredRun:
        task = asyncio.current_task()
        assert task is not None
        playing.append((asyncio.get_running_loop(), task))
        return await _run(prepared, folder, concurrency, retries, watcher, amend, wanted, ray)

    def go() -> StoredRun:
        return asyncio.run(main())

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return go()
    # A loop runs in this thread already; a second one needs a thread of its own.
    result: list[StoredRun] = []
    failure: list[BaseException] = []

    def in_thread() -> None:
        try:
            result.append(go())
        except BaseException as error:  # noqa: BLE001 - handed over to the caller's thread
            failure.append(error)

    thread = threading.Thread(target=in_thread, name="finchmark-evaluate")
    thread.start()
    try:
        thread.join()
    except BaseException:
        # Interrupted here (a notebook's stop button), the thread would play on and hold the folder.
        for loop, task in playing:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    if failure:
        raise failure[0]
    return result[0]


def evaluate(
    tasks: str | Sequence[str],
    backend: str | Backend,
    *,
    out: str | Path | None = None,
    concurrency: int | None = None,
    retries: int = 0,
    watcher: Watcher | None = None,
    ray: RayOptions | None = None,
    **options: Any,
) -> StoredRun:
    """Evaluate one model on some tasks, and return the run.

    The same call again goes on where the last one stopped, and plays errored samples again.

    Args:
        tasks: Task names or selectors: ``"odyssey/lights"``, ``["odyssey"]``.
        backend: ``"hf:smollm2"``, ``"scripted:random"`` …, or a :class:`Backend`.
        out: The run folder; by default one below ``runs/`` named after the specification.
        concurrency: Episodes open at once; None: what the backend makes good use of.
        retries: How often an errored sample is tried again within this call.
        watcher: Is told what happens, such as :class:`finchmark.suite.progress.LiveProgress`.
        ray: Play on a Ray cluster (``finchmark.suite.executors.options.RayOptions``); None: in this process.
        **options: As for :func:`prepare`: ``arms`` (names, or names by task; default all), ``tier`` (``"smoke"``),
            ``samples`` (4; 1 if a task has streams), ``streams`` (an arm; by the tier), ``limit`` (first items only; of
            streams the first episodes), ``seed`` (0), ``items_seed`` (0: the public items), ``items_secret`` (a file:
            private items), ``data`` (files with others' items), ``model_args``, ``agent``
            (``"history"``; ``"episodes"`` if a task has streams), ``agent_args``, ``temperature`` (0.7; 0 is greedy),
            ``top_p`` (1), ``max_tokens``, ``think_budget``, ``keep_thinking``, ``system_prompt``, ``time_limit``
            (seconds a sample), ``token_limit`` (generated tokens a sample), ``include`` (Python files with tasks),
            ``label`` (the model's name in tables),
            ``cache`` (a file or folder: a response cache, see :class:`.CachedBackend`), ``cache_size`` (MiB, 1024),
            ``sandbox_python`` (an interpreter or its virtual environment, for code that the model wrote; this one).

    Returns:
        The run: ``.frame()`` has one row a sample, ``.manifest`` what was run where, ``.samples()`` the transcripts.

    Raises:
        UsageError: A name or value does not fit.
        SpecMismatch: ``out`` holds another run.
    """
    return run_prepared(
        prepare(tasks, backend, **options), out, concurrency=concurrency, retries=retries, watcher=watcher, ray=ray
    )


def parse_pairs(pairs: Sequence[str], flag: str) -> dict[str, Any]:
    """Read ``key=value`` arguments; a value that is JSON is taken as such, anything else as text.

    Args:
        pairs: Such as ``["dtype=float32", "batch_size=8"]``; commas separate further pairs, except inside JSON.
        flag: The flag's name, for messages.

    Raises:
        UsageError: A part has no ``=``.
    """
    found: dict[str, Any] = {}
    for text in pairs:
        rest = text.strip()
        while rest:
            key, equals, rest = rest.partition("=")
            if not equals or not key.strip().isidentifier():
                raise UsageError(f"{flag} {text!r}: write key=value pairs, separated by commas.")
            try:
                value, end = json.JSONDecoder().raw_decode(rest)
                if rest[end : end + 1] not in ("", ","):
                    raise ValueError
                rest = rest[end + 1 :]
            except ValueError:
                value, _, rest = rest.partition(",")
                value = {"true": True, "false": False, "none": None}.get(value.strip().lower(), value)
            found[key.strip()] = value
    return found
