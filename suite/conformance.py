"""Checks that every plug-in must pass, ours included.

Each check raises :class:`AssertionError` with a sentence that says what is wrong; run them in a test of your own::

    from finchmark.suite.conformance import check_task
    def test_my_task(): check_task(MyTask)
"""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from .agents.base import Agent, Observation
from .agents.experience import Experience, Feedback, Step
from .agents.percept import Option, Percept
from .backends.base import Backend, Completion, ContextOverflow, DivergenceRequest, GenerateRequest, Message
from .backends.scripted import ScriptedBackend
from .broker import Broker
from .canonical import canonical_json, content_hash
from .errors import UsageError
from .evaluation import evaluate
from .model import Model, TokenMeter
from .records import Limits, Outcome, Sampling, Thinking
from .registry import TASKS, Entry
from .seeds import generator
from .task import Task

__all__ = ["check_agent", "check_backend", "check_environment", "check_task"]

_NAME = re.compile(r"[a-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
_HOSTILE = ("", " ", "\0", "<action>", "</action><action>", "💡" * 999, "9" * 5000, "null", "{]", "\u202e⁦", "é\r\n\t")


def _need(holds: object, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def check_task(cls: type[Task], *, tier: str = "smoke", samples: int = 2) -> None:
    """Check a task class: its declarations, its items, its references and its bearing under rubbish.

    Args:
        cls: The class.
        tier: The tier to play; keep it small.
        samples: Samples an item and arm.

    Raises:
        AssertionError: Something is not as it must be.
    """
    task = cls()
    _need(_NAME.fullmatch(task.name), f"{cls.__name__}.name = {task.name!r}: use family/name of letters, digits, - _ .")
    _need(task.version >= 1, f"{task.name}: versions start at 1, not {task.version}")
    _need(inspect.getdoc(cls) is not Task.__doc__, f"{task.name}: the class needs a docstring of its own")
    _need(sum(m.primary for m in task.metrics) == 1, f"{task.name}: exactly one metric must be primary")
    _need(len({m.name for m in task.metrics}) == len(task.metrics), f"{task.name}: metric names repeat")
    for metric in task.metrics:
        _need(metric.clusters[:1] == ("sample",), f"{task.name}: the cluster path of {metric.name} starts at 'sample'")
        _need(metric.summary, f"{task.name}: the metric {metric.name} needs a summary")
        if metric.primary:
            bounds = {f"{metric.name}_at_least", f"{metric.name}_at_most"}
            _need(
                metric.failure is not None or (metric.role == "safety" and bounds <= {m.name for m in task.metrics}),
                f"{task.name}: a failed sample needs a value of the primary metric; only one of safety may go without, "
                f"where {' and '.join(sorted(bounds))} stand beside it",
            )
    _need(task.arms and len({a.name for a in task.arms}) == len(task.arms), f"{task.name}: arms are missing or repeat")
    _check_declared(task)
    chosen = task.tiers.get(tier)
    if chosen is None:
        raise AssertionError(f"{task.name}: there is no tier {tier!r}")

    items = task.items(chosen, 0)
    _need(items, f"{task.name}: tier {tier} has no items")
    _need(len({i.id for i in items}) == len(items), f"{task.name}: item ids repeat")
    _need([i.id for i in items] == sorted(i.id for i in items), f"{task.name}: items must be sorted by id")
    again = cls().items(chosen, 0)
    _need(
        [(i.id, i.hash) for i in items] == [(i.id, i.hash) for i in again],
        f"{task.name}: items differ from call to call",
    )
    for item in items:
        _need(
            re.fullmatch(r"[A-Za-z0-9_.-]+", item.id),
            f"{task.name}: item id {item.id!r} has other characters than A-Z a-z 0-9 _ . -",
        )
        canonical_json(dict(item.data))

    if task.name not in {e.name for e in TASKS.entries()}:
        TASKS.add(Entry(task.name, f"{cls.__module__}:{cls.__qualname__}", "", source="a test"), cls)
    with tempfile.TemporaryDirectory() as folder:
        for reference in task.references:
            run = evaluate(task.name, f"scripted:{reference}", tier=tier, samples=samples, out=f"{folder}/{reference}")
            # Who declines everything in words may be said to have refused; all others play to the end.
            fine = (Outcome.OK, Outcome.REFUSED) if reference == "always-refuse" else (Outcome.OK,)
            bad = [s for s in run.samples() if s.outcome not in fine]
            _need(
                not bad,
                f"{task.name}: reference {reference} ended as {bad and bad[0].outcome}: {bad and bad[0].error[-500:]}",
            )
        for index, text in enumerate(_HOSTILE):
            backend = ScriptedBackend("canned", replies=[text])
            run = evaluate(task.name, backend, tier=tier, samples=1, limit=1, out=f"{folder}/hostile-{index}")
            for sample in run.samples():
                _need(
                    sample.outcome is not Outcome.ERROR,
                    f"{task.name}: the reply {text[:20]!r} made an error of ours: {sample.error[-500:]}",
                )
        frames = [
            evaluate(
                task.name, "scripted:nonsense", tier=tier, samples=samples, concurrency=c, out=f"{folder}/n{c}"
            ).frame()
            for c in (1, 64)
        ]
        _need(frames[0].equals(frames[1]), f"{task.name}: results depend on how many episodes are open at once")


def _check_declared(task: Task) -> None:
    """See that what a task declares of its references and arms can be read."""
    odd = {name for name, own in task.aliases.items() if own not in task.references or name in task.references}
    _need(not odd, f"{task.name}: {', '.join(sorted(odd))} in aliases must be no reference, and stand for one")
    arms, metrics = {a.name for a in task.arms}, {m.name for m in task.metrics}
    by_name = {c.name: c for c in task.contrasts}
    _need(len(by_name) == len(task.contrasts), f"{task.name}: names of contrasts repeat")
    _need(not task.plain_arm or task.plain_arm in arms, f"{task.name}: plain_arm {task.plain_arm!r} is no arm of it")
    for c in task.contrasts:
        _need({c.arm, c.against} <= arms and c.arm != c.against, f"{task.name}: {c.name!r} needs two arms of the task")
        _need(set(c.beside) <= metrics, f"{task.name}: {c.name!r} shows a metric beside it that the task lacks")
        harm = by_name.get(c.restores)
        _need(
            not c.restores or (harm is not None and harm.arm == c.against),
            f"{task.name}: {c.name!r} restores {c.restores!r}, which must be a contrast whose arm is {c.against!r}",
        )
    safe = any(m.primary and m.role == "safety" for m in task.metrics)
    _need(
        not safe or len(arms) == 1 or task.contrasts or arms & {"null", "frozen"},
        f"{task.name}: its arms are held against nothing: name one 'null', or declare contrasts",
    )


def check_environment(make: Callable[[], Any], *, actions: Sequence[str] = (), steps: int = 30) -> None:
    """Check a text environment: Gymnasium's own checker, equal episodes from equal seeds, and any text as an action.

    Args:
        make: Makes a fresh environment.
        actions: Some usable actions.
        steps: Steps an episode.

    Raises:
        AssertionError: Something is not as it must be.
    """
    from gymnasium.utils.env_checker import check_env

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(make().unwrapped)
    script = [*actions, *_HOSTILE] or ["x"]

    def play() -> list[Any]:
        env = make().unwrapped
        observation, info = env.reset(seed=7)
        seen: list[Any] = [observation, canonical_json(info["state"])]
        for step in range(steps):
            observation, reward, terminated, truncated, info = env.step(script[step % len(script)])
            _need(isinstance(observation, str), f"the observation is {type(observation).__name__}, not text")
            _need(observation in env.observation_space, f"the observation {observation[:60]!r} is outside its space")
            _need(isinstance(info["usable"], bool), "info['usable'] must say whether the action could be used")
            _need(math.isfinite(reward), f"the reward is {reward}")
            seen += [observation, float(reward), canonical_json(info["state"])]
            if terminated or truncated:
                break
        return seen

    _need(content_hash(play()) == content_hash(play()), "the same seed and actions gave different episodes")


def check_backend(make: Callable[[], Backend], *, greedy_is_stable: bool = True) -> None:
    """Check a backend: seeds, stops, caps, order, concurrency, and how it refuses.

    Args:
        make: Makes a fresh backend that is not started.
        greedy_is_stable: Whether greedy text must not depend on the batch.

    Raises:
        AssertionError: Something is not as it must be.
    """
    asyncio.run(_check_backend(make, greedy_is_stable))


def _request(text: str, **changes: Any) -> GenerateRequest:
    base: dict[str, Any] = {"messages": (Message("user", text),), "session": f"s-{text}", "seed": 1, "max_tokens": 12}
    return GenerateRequest(**{**base, **changes})


async def _check_backend(make: Callable[[], Backend], greedy_is_stable: bool) -> None:
    backend = make()
    canonical_json(backend.identity())
    await asyncio.to_thread(backend.locate)
    await backend.start()
    try:
        broker = Broker(backend)
        prompts = [f"Say something about the number {i}." for i in range(6)]
        together = await asyncio.gather(*(broker.generate(_request(p, temperature=0.0)) for p in prompts))
        for answer in together:
            _need(isinstance(answer, Completion), f"generate gave {type(answer).__name__}")
            _need(
                answer.finish_reason in ("stop", "length", "content_filter"), f"finish reason {answer.finish_reason!r}"
            )
            _need(0 <= answer.cached_tokens <= max(answer.prompt_tokens, 0), "more cached tokens than prompt tokens")
            _need(answer.completion_tokens <= 12, f"{answer.completion_tokens} tokens at a cap of 12")
        if greedy_is_stable:
            alone = [await broker.generate(_request(p, temperature=0.0, session=f"a-{p}")) for p in reversed(prompts)]
            _need(
                [a.text for a in alone] == [a.text for a in reversed(together)], "greedy text depends on batch or order"
            )
        if backend.capabilities.seeds:
            twice = [await broker.generate(_request("seeded", seed=5, session=f"t{i}")) for i in range(2)]
            _need(twice[0].text == twice[1].text, "the same seed gave two different replies")
        one = await broker.generate(_request("one", max_tokens=1, session="one"))
        _need(one.completion_tokens <= 1, "a cap of one token was not kept")
        if backend.capabilities.logprobs == "full":
            from .backends.base import ScoreRequest

            scores = await broker.score(ScoreRequest((Message("user", "Count."),), "one two"))
            _need(scores.logprobs and all(p <= 1e-4 for p in scores.logprobs), "log-probabilities must be at most 0")
            _need(len(scores.logprobs) == len(scores.token_ids) == len(scores.greedy), "lengths of token scores differ")
        else:
            try:
                from .backends.base import ScoreRequest

                await broker.score(ScoreRequest((Message("user", "Count."),), "one"))
            except UsageError:
                pass
            else:
                _need(backend.capabilities.logprobs != "none", "a backend without log-probabilities must say so")
        await _check_divergence(backend)
        try:
            await broker.generate(_request("long " * 400_000, session="long"))
        except ContextOverflow as overflow:
            _need(overflow.needed > overflow.available, "the overflow's figures do not overflow")
        backend.release("never seen")
    finally:
        await backend.aclose()
        await backend.aclose()


def check_agent(make: Callable[[], Agent], *, most_bytes: int = 1 << 18) -> None:
    """Check an agent: it acts, learns from anything, and nothing but its state lasts.

    It plays and learns from episodes that were solved, failed, empty, endless and hostile, with a model that answers in
    many ways, none of them what was asked for. What is looked at: a new episode begins anew; forks and probes change
    nothing; the state is plain data within a size, survives JSON, and is all that the next action depends on; the same
    life gives the same state; what was changed is told in words if and only if something was; a placebo can be taken up
    and has the state's size.

    Args:
        make: Makes a fresh agent.
        most_bytes: What a state may take as canonical JSON.

    Raises:
        AssertionError: Something is not as it must be.
    """
    name = type(make()).name
    _need(name, f"{type(make()).__name__} needs a name")
    agent = make()
    first = asyncio.run(_play(agent))
    if agent.asks_model:
        _need(
            first.most <= agent.calls_a_turn,
            f"{name}: it asked its model {first.most} times at a turn, and calls_a_turn says {agent.calls_a_turn}",
        )
        _need(first.asked, f"{name}: it answered without asking its model; if it needs none, set asks_model = False")
    _need(asyncio.run(_play(agent)) == first, f"{name}: begin() does not forget the last episode")
    _need(asyncio.run(_play(agent, forked=True)) == first, f"{name}: what its fork was asked changed the agent")

    agent, state = asyncio.run(_live(make, most_bytes))
    _need(
        content_hash(asyncio.run(_live(make, most_bytes))[1]) == content_hash(state),
        f"{name}: the same episodes gave two states; learning may depend on nothing but the state, the episode and "
        "the model",
    )
    before = content_hash(state)
    copy = _restored(make, state)
    _need(content_hash(copy.snapshot()) == before, f"{name}: restore(snapshot()) is another state")
    probe = asyncio.run(_play(copy))
    _need(content_hash(copy.snapshot()) == before, f"{name}: acting changed the state; only learn() may")
    _need(content_hash(agent.snapshot()) == before, f"{name}: a copy's episode changed the original's state")
    _need(
        asyncio.run(_play(agent)) == probe,
        f"{name}: with the state of the agent that learnt, another acts differently: something that it learnt is not "
        "in snapshot()",
    )
    blank = agent.placebo(state, generator("conformance", "placebo"))
    _need(content_hash(agent.snapshot()) == before, f"{name}: placebo() changed the state that it was given")
    size, other = _letters(state), _letters(blank)
    _need(abs(other - size) <= 0.1 * size, f"{name}: the state has {size} characters, its placebo {other}")
    asyncio.run(_play(_restored(make, blank)))


async def _check_divergence(backend: Backend) -> None:
    count, sing = (Message("user", "Count."),), (Message("user", "Sing a song of nine birds."),)
    asked = [DivergenceRequest(count, other, "one two") for other in (count, sing)]
    if not backend.capabilities.divergence:
        try:
            await backend.diverge(asked[0])
        except UsageError:
            return
        raise AssertionError("a backend that compares predictions must say so: capabilities.divergence")
    same, other = [await backend.diverge(request) for request in asked]
    _need(same.kl and max(same.kl) < 1e-4, f"predictions after one prompt are apart from themselves by {same.kl}")
    _need(
        all(kl >= 0 and 0 <= js <= math.log(2) + 1e-6 for kl, js in zip(other.kl, other.js, strict=True)),
        "KL is at least 0, and Jensen-Shannon divergence from 0 to ln 2",
    )


_ANSWERS = (
    "",
    "{]",
    "I would rather not say. " * 40,
    "ADD: Look at what changed before acting again.\nREMOVE b1\nHELPFUL b2\nEDIT b3: Wait.",
    '[{"op": "ADD", "text": "The second one is the best."}, {"op": "REMOVE", "id": 7}, null]',
    "NAME: \u202esecond\nWHEN: whenever\nHOW: take the second one",
    "<action>1</action> because \0 it was 💡 💡 💡",
    "The second one did nothing. Next time take the first one.",
)
"""What a model may say when it is asked to think about an episode."""


class _Played(NamedTuple):
    """An episode as it was played: what was answered, whether the model was asked, and how often at most at a turn."""

    answers: tuple[str, ...]
    asked: bool
    most: int


def _told(answer: Callable[[str], str]) -> Model:
    """A model whose answers are a function of the whole prompt."""

    def reply(request: GenerateRequest) -> str:
        return answer(content_hash([[message.role, message.content] for message in request.messages]))

    return Model(
        Broker(ScriptedBackend(function=reply)),
        session="s",
        seed=1,
        seat="player",
        sampling=Sampling(),
        thinking=Thinking(),
        max_tokens=256,
        meter=TokenMeter(Limits()),
    )


def _seen(turn: int) -> Observation:
    """What there is to see at a turn, as text and, of the same facts, as a percept."""
    rise, reward = 10 + turn * turn % 7, (turn % 3) / 2
    return Observation(
        f"The lamp {turn % 2} is on. Red costs {rise}, blue costs {20 - turn}. You earned {reward}.",
        "Take the first, the second or none.",
        percept=Percept(
            view=f"lamp {turn % 2}",
            options=(
                Option("<action>1</action>", "first", follows="red"),
                Option("<action>2</action>", "second", follows="blue"),
                Option("<action>0</action>", "none"),
            ),
            numbers={"red": float(rise), "blue": 20.0 - turn},
            reward=reward if turn else None,
        ),
    )


async def _play(agent: Agent, *, forked: bool = False) -> _Played:
    """Three turns; every answer of the model hangs on all that it was shown."""
    model = _told(lambda prompt: f"<action>{int(prompt[:8], 16) % 3}</action> {prompt}")
    agent.begin()
    answers, most, asked = [], 0, False
    for turn in range(3):
        if forked:
            await agent.fork().act(replace(_seen(turn), text="by the way"), model)
        model.drain()
        answers.append((await agent.act(_seen(turn), model)).text)
        calls, likelihoods = model.drain()
        most, asked = max(most, len(calls)), asked or bool(calls or likelihoods)
    return _Played(tuple(answers), asked, most)


def _restored(make: Callable[[], Agent], state: Any) -> Agent:
    """A fresh agent in a state that was kept as JSON."""
    agent = make()
    agent.restore(json.loads(canonical_json(state)))
    return agent


async def _live(make: Callable[[], Agent], most_bytes: int) -> tuple[Agent, Any]:
    """Live a stream of episodes, each on a fresh object, and give the last object and its state."""
    agent = make()
    state = _kept(agent, most_bytes)
    model = _told(lambda prompt: _ANSWERS[int(prompt[:8], 16) % len(_ANSWERS)] + prompt[:4])
    for position, (steps, after, instructions, feedback, (low, high)) in enumerate(_episodes()):
        agent = _restored(make, state)
        played = await _play(agent)
        own = tuple(Step(_seen(turn).text, text, text, True) for turn, text in enumerate(played.answers))
        experience = Experience(
            f"s000/{position}", "demo/lamps", position, instructions, steps or own, after, feedback, low, high
        )
        change = await agent.learn(experience, model)
        old, state = content_hash(state), _kept(agent, most_bytes)
        changed = content_hash(state) != old
        _need(isinstance(change, str), f"{agent.name}: learn() gave {type(change).__name__}, not text")
        _need(change or not changed, f"{agent.name}: learn() changed the state and does not say what")
        _need(changed or not change, f"{agent.name}: learn() says {change[:60]!r}, but the state is what it was")
    return agent, state


def _episodes() -> Iterator[tuple[tuple[Step, ...], str, str, Feedback, tuple[float | None, float | None]]]:
    """Turns (empty: those that were played), what was said at the end, instructions, verdict, and the scale."""
    rules, closed = "Take the first, the second or none.", (0.0, 1.0)
    hostile = tuple(Step(text, text, text or None, bool(text)) for text in _HOSTILE)
    endless = tuple(Step(f"Turn {i}: the lamp {i % 2} is on. " * 3, f"take {i}", None, False) for i in range(500))
    for number in range(3):
        for solved in (True, False, False, True):
            yield (), f"Red was {number}.", rules, Feedback(float(solved), solved), closed
        yield hostile, _HOSTILE[number], "".join(_HOSTILE), Feedback(None, None, "invalid", "no_action"), closed
        yield hostile[:1], "", "", Feedback(0.123456789, None), closed
        yield endless, "The end. " * 9999, "Rules. " * 9999, Feedback(-1e12, False), (None, None)
        yield (), "", rules, Feedback(1e12, None, "ok", "cut_off"), (0.0, None)


def _kept(agent: Agent, most_bytes: int) -> Any:
    """The agent's state as it would be kept."""
    state = agent.snapshot()
    try:
        size = len(canonical_json(state).encode())
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{agent.name}: its state cannot be kept as canonical JSON: {error}") from error
    _need(size <= most_bytes, f"{agent.name}: its state has {size} bytes, over {most_bytes}; give it a bound")
    return state


def _letters(state: Any) -> int:
    """Characters of all texts and keys, and one a number: the size of a memory as it is read."""
    if isinstance(state, str):
        return len(state)
    if isinstance(state, dict):
        return sum(len(key) + _letters(value) for key, value in state.items())
    if isinstance(state, (list, tuple)):
        return sum(map(_letters, state))
    return 1
