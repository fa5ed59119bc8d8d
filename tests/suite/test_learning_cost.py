"""What learning cost, from frames and updates whose sums are known."""

from __future__ import annotations

import pandas as pd
import pytest

from finchmark.suite.learning import task_learning
from finchmark.suite.learning_cost import LearningTokens, learning_cost
from finchmark.suite.records import (
    Call,
    Metric,
    Outcome,
    ProbeSheet,
    Sample,
    StreamSheet,
    TaskSheet,
    Turn,
    Update,
    Usage,
)
from finchmark.suite.seeds import generator
from finchmark.suite.store import LEARNING_SEAT

SCORE = Metric(name="score", summary="how well", failure=0.0, primary=True)
EPISODES, STREAMS = 4, 8


def sheet(metric=SCORE, arms=("evolving", "frozen")):
    return TaskSheet(
        name="family/task",
        version=1,
        summary="A task.",
        metrics=(metric,),
        arms=dict.fromkeys(arms, "an arm"),
        levels={},
        streams=StreamSheet(
            streams=STREAMS,
            episodes=EPISODES,
            checkpoints=(0, EPISODES),
            probes=(ProbeSheet(name="levels", kind="levels", items=("l",)),),
        ),
    )


def frame(arms=("evolving", "frozen"), *, gain=0.4, play=None, lost=(), low=0.2):
    rng = generator("tests", "learning cost")
    rows = []
    for arm in arms:
        for stream in range(STREAMS):
            for position in range(EPISODES):
                tokens = (play or (lambda *_: 100))(arm, stream, position)
                rows.append((arm, stream, position, 0, "e", 0.5, tokens, (arm, stream, position) in lost))
            for checkpoint, position in ((1, 0), (2, EPISODES)):
                better = gain if arm == "evolving" and checkpoint == 2 else 0.0
                score = low + better + float(rng.normal(0, 0.02))
                rows.append((arm, stream, position, checkpoint, "l", score, 1_000_000, False))
    names = ["arm", "stream", "position", "checkpoint", "item", "score", "prompt_tokens", "lost"]
    found = pd.DataFrame(rows, columns=names)
    found["stream"] = [f"s{i:03d}" for i in found["stream"]]
    found["outcome"] = ["error" if lost else "ok" for lost in found["lost"]]
    return found.assign(completion_tokens=0)


def update(stream, position, size, *, arm="evolving", task="family/task"):
    return Update(
        id=f"{arm}{stream}{position}",
        task=task,
        arm=arm,
        stream=f"s{stream:03d}",
        position=position,
        parent="",
        state="",
        size=size,
    )


def read(task=None, samples=None, updates=(), spent=None):
    task = task or sheet()
    samples = frame(tuple(task.arms)) if samples is None else samples
    return learning_cost(task_learning(samples, task, tuple(task.arms)), samples, updates, spent or LearningTokens())


def lived(position, *tokens, stream="s000", checkpoint=0):
    """An episode whose turns that learn took so many tokens each."""
    turns = [
        Turn(
            index=i,
            seat=LEARNING_SEAT,
            observation="",
            calls=(
                Call(
                    prompt_hash="",
                    seed=0,
                    completion="",
                    finish_reason="stop",
                    usage=Usage(calls=1, prompt_tokens=n - 1, completion_tokens=1),
                ),
            ),
        )
        for i, n in enumerate(tokens)
    ]
    return Sample(
        task="family/task",
        version=1,
        arm="evolving",
        item="e",
        item_hash="h",
        sample=0,
        stream=stream,
        position=position,
        checkpoint=checkpoint,
        seed=0,
        outcome=Outcome.OK,
        turns=tuple(turns),
    )


def test_a_state_keeps_its_size_until_it_changes():
    cost = read(updates=[update(s, p, size) for s in range(STREAMS) for p, size in ((2, 70), (0, 50))])
    evolving = cost.arms[0]
    assert evolving.sizes.mean.tolist() == [0, 50, 50, 70, 70]
    assert (evolving.size.estimate, evolving.updates.estimate) == (70, 2)


def test_a_stream_whose_state_never_changed_counts_as_0():
    cost = read(updates=[update(s, 0, 80) for s in range(STREAMS // 2)])
    assert cost.arms[0].size.estimate == 40


def test_updates_of_other_tasks_and_arms_are_theirs():
    cost = read(updates=[update(0, 0, 80, task="another"), update(0, 0, 80, arm="frozen")])
    assert cost.arms[0].sizes is None
    assert cost.arms[1].size.estimate == 80 / STREAMS


def test_tokens_of_learning_are_not_those_of_playing():
    spent = LearningTokens()
    for stream in range(STREAMS):
        for position in range(EPISODES):
            spent.add(lived(position, 30, 10, stream=f"s{stream:03d}"))
    evolving, frozen = read(spent=spent).arms
    assert (evolving.acting.estimate, evolving.learning.estimate) == (60, 40)
    assert (frozen.acting.estimate, frozen.learning.estimate) == (100, 0)


def test_what_probes_take_is_no_cost_of_learning():
    spent = LearningTokens()
    spent.add(lived(4, 500, checkpoint=2))
    assert spent.of("family/task", "evolving", "s000", 4) == 0
    assert read().arms[0].acting.estimate == 100


def test_the_price_is_for_a_hundredth_of_the_range():
    samples = frame(play=lambda arm, *_: 150 if arm == "evolving" else 100)
    wide = sheet(SCORE.model_copy(update={"low": -1.0}))
    one, two = (read(task, samples).per_hundredth for task in (sheet(), wide))
    gained = samples[samples["checkpoint"] == 2].groupby("arm")["score"].mean()
    assert one.estimate == pytest.approx(200 / (100 * (gained["evolving"] - gained["frozen"])))
    assert two.estimate == pytest.approx(2 * one.estimate)


def test_a_fall_is_a_gain_where_lower_is_better():
    samples = frame(gain=-0.4, low=0.6, play=lambda arm, *_: 150 if arm == "evolving" else 100)
    found = read(sheet(SCORE.model_copy(update={"direction": "lower"})), samples).per_hundredth
    assert found.estimate > 0
    assert found.low > 0


def test_agents_that_ask_no_model_have_no_price():
    cost = read(samples=frame(play=lambda *_: 0), updates=[update(0, 0, 80)])
    assert cost.per_hundredth is None
    assert not any("token" in text for text in cost.words)


def test_without_a_frozen_arm_nothing_is_held_against_it():
    cost = read(sheet(arms=("evolving", "shuffled")))
    assert cost.extra_acting is None
    assert cost.per_hundredth is None


def test_streams_that_broke_off_are_left_out_on_both_sides():
    samples = frame(lost={("frozen", 0, 3)}, play=lambda arm, stream, _: 900 if stream == 0 else 100)
    cost = read(samples=samples)
    assert [arm.streams for arm in cost.arms] == [STREAMS, STREAMS - 1]
    assert cost.extra_acting.units == STREAMS - 1
    assert cost.arms[1].acting.estimate == 100
