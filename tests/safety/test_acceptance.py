"""The twelve acceptance tests of the safety probes, each by its number; all offline, with clerks of known conduct."""

import json
import socket
from itertools import product

import numpy as np
import pytest

import finchmark
from finchmark.environments.coordination import COLLECTIVE, INDEPENDENT, Rules, grow
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.canonical import content_hash
from finchmark.suite.records import Metric
from finchmark.suite.rounds import Rounds
from finchmark.suite.safety import corrected, run_safety, task_safety
from finchmark.suite.seeds import generator
from finchmark.suite.stats.change import mean_change
from finchmark.suite.stats.estimators import best_of_k
from finchmark.suite.stats.information import policy_information
from finchmark.suite.stats.recurrence import recurrence
from finchmark.suite.stats.tails import tail_mean
from finchmark.tasks.house.probes import COUNTS, case_of, probe_items
from finchmark.tasks.house.wording import answer, told
from finchmark.tasks.tipping.official import read_roleplay

SERVICE = {"tier": "smoke", "agent": "episodes", "agent_args": {"cap": 20000}}


def serve(backend, out, **more):
    given = {**SERVICE, "arms": ["evolving", "frozen"], **more}
    return finchmark.evaluate("misevolution/service", backend, out=out, **given)


@pytest.fixture(scope="module")
def greedy(tmp_path_factory):
    return serve("scripted:reward-greedy", tmp_path_factory.mktemp("greedy") / "run")


@pytest.fixture(scope="module")
def chancy(tmp_path_factory):
    return serve("scripted:random-50", tmp_path_factory.mktemp("chancy") / "run")


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a loader went to the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def trace(run):
    """A hash of all that was said and scored."""
    timing = {
        "seconds": True,
        "usage": {"seconds"},
        "turns": {"__all__": {"calls": {"__all__": {"usage": {"seconds"}}}}},
    }
    return content_hash([sample.model_dump(mode="json", exclude=timing) for sample in run.samples()])


def test_01_the_same_seed_gives_the_same_trace_and_another_seed_another(tmp_path):
    play = {"tier": "smoke", "samples": 1, "limit": 24}
    traces = [
        trace(finchmark.evaluate("misevolution/workflow", "scripted:unsafe-25", seed=seed, out=tmp_path / name, **play))
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert traces[0] == traces[1] != traces[2]


def test_02_probes_leave_the_state_of_the_agent_as_it_was(tmp_path):
    """Whatever an agent answers to probes, what it has become by its episodes is the same, hash by hash."""
    probes = {told(case_of(item)) for items in probe_items(COUNTS["smoke"]).values() for item in items}

    def clerk(which):
        def reply(request):
            text = request.messages[-1].content
            acts = [line[2:].partition(":")[0] for line in text.rpartition("Acts:\n")[2].splitlines()]
            return answer(acts[which if text in probes else 0])

        return ScriptedBackend(function=reply)

    runs = [serve(clerk(which), tmp_path / str(which), streams=2, arms=["evolving"]) for which in (0, 1)]
    states = [[(u.stream, u.position, u.state) for u in run.updates()] for run in runs]
    assert len(states[0]) == 2 * 8
    assert states[0] == states[1]
    assert not runs[0].frame()["unsafe"].equals(runs[1].frame()["unsafe"])


def test_03_who_refuses_everything_is_not_ideal(tmp_path):
    run = finchmark.evaluate("house/probes", "scripted:always-refuse", tier="smoke", samples=1, out=tmp_path / "r")
    frame = run.frame()
    assert frame["unsafe"].dropna().eq(0).all()
    assert frame["over_refused"].dropna().eq(1).all()
    memory = finchmark.evaluate(
        "misevolution/memory", "scripted:always-refuse", tier="smoke", samples=1, out=tmp_path / "m"
    )
    (text,) = run_safety(memory).words
    assert "not measurable for this model" in text


def test_04_the_null_arm_does_not_drift(chancy):
    (found,) = run_safety(chancy).by_round
    drift = mean_change(found.rounds.risk("frozen"), None)
    assert drift.low <= 0 <= drift.high


def test_05_who_follows_reward_tips_and_who_keeps_the_rules_does_not(greedy, tmp_path):
    (found,) = run_safety(greedy).by_round
    (one,) = found.arms
    assert one.since.low > 0
    assert (one.verdict, one.tipping.round) == ("less safe", 1)
    (still,) = run_safety(serve("scripted:oracle", tmp_path / "oracle")).by_round
    assert still.arms[0].since.estimate == 0
    assert (still.arms[0].verdict, still.arms[0].tipping.round) == ("no change shown", None)


def _play(rules, collective):
    choices = np.array([COLLECTIVE] * collective + [INDEPENDENT] * (rules.agents - collective))
    capital = np.ones(rules.agents)
    for _ in range(rules.rounds):
        capital, _ = grow(rules, capital, choices)
    return capital


def test_06_payoffs_have_their_closed_forms():
    assert _play(Rules(), 8) == pytest.approx(1.728)
    assert _play(Rules(), 0) == pytest.approx(1.0)
    for threshold in (2, 4, 6, 8):
        short = _play(Rules(threshold=threshold), threshold - 1)
        assert short[: threshold - 1] == pytest.approx(0.8**3)
        assert short[threshold - 1 :] == pytest.approx(1.0)


def test_07_shares_are_shares_in_every_cell(tmp_path):
    """Eight seats over many games: the sum of those who chose together over the sum of all, never above 1."""
    for name, expected in (("always-collective", 1.0), ("always-comply", None), ("random-50", None)):
        run = finchmark.evaluate(
            "tipping/coordination", f"scripted:{name}", tier="smoke", samples=1, out=tmp_path / name
        )
        frame = run.frame()
        shares = frame[[c for c in frame if c.startswith(("unsafe", "share", "collective"))]].dropna(axis=1, how="all")
        assert shares.shape[1] > 0
        assert ((shares >= 0) & (shares <= 1) | shares.isna()).all().all()
        if expected is not None:
            assert frame["unsafe"].dropna().eq(expected).all()
    for threshold, row, count in product((2, 4, 6, 8), ((1.2, 1.0, 0.8), (1.4, 1.0, 0.2), (1.8, 1.0, 0.6)), range(9)):
        high, normal, low = row
        rules = Rules(threshold=threshold, high=high, normal=normal, low=low)
        assert (_play(rules, count) > 0).all()


def test_08_white_noise_is_not_called_restoring():
    said = 0
    for seed in range(20):
        high, low = (generator("acceptance", "white", seed, k).standard_normal((12, 8)) for k in (1, 2))
        high[:, 0] += 10
        noise = generator("acceptance", "white", seed).standard_normal((24, 8))
        said += recurrence(noise, (high, low), draws=100, seed=seed).verdict == "restoring"
    # 20 runs at .05: beyond 4 is beyond 99.7 %.
    assert said <= 4


def test_09_labels_that_were_permuted_hold_no_information():
    policies = np.repeat(np.arange(8), 8)
    rng = generator("acceptance", "policies")
    shown = np.stack([rng.multinomial(24, np.where(np.arange(8) == p, 0.9, 0.1 / 7)) for p in policies]).astype(float)
    features = np.repeat(shown[:, None, :], 2, axis=1)
    told_ = policy_information(features, policies, permutations=100)
    mixed = policy_information(features, rng.permutation(policies), permutations=100)
    assert told_.fano.min() > 1.5
    assert mixed.fano.max() == 0
    assert abs(float((mixed.corrected - mixed.baseline).mean())) < 0.3


def test_10_estimators_are_unbiased_on_random_p():
    """Eight samples of items that fail with p = .2: worst of 3, and no worst tenth where all items are alike."""
    p, repeats = 0.2, 4000
    rng = generator("acceptance", "estimators")
    values = (rng.random((repeats, 8)) < p).astype(float)
    worst = best_of_k(values, 3)
    error = worst.std(ddof=1) / np.sqrt(repeats)
    assert abs(worst.mean() - (1 - (1 - p) ** 3)) < 3 * error
    tails = np.array([tail_mean(values[k : k + 40], share=0.1, seed=0).estimate for k in range(0, 800, 40)])
    assert abs(tails.mean() - p) < 3 * tails.std(ddof=1) / np.sqrt(tails.size)


@pytest.mark.parametrize("task", ["house/probes", "tipping/roleplay"])
def test_11_malformed_replies_are_counted_apart(task, tmp_path):
    run = finchmark.evaluate(task, "scripted:nonsense", tier="smoke", samples=1, out=tmp_path / "r")
    frame = run.frame()
    assert frame["outcome"].ne("ok").all()
    assert frame["unsafe"].isna().all()
    assert frame["unsafe_at_least"].dropna().eq(0).all()
    assert frame["unsafe_at_most"].dropna().eq(1).all()
    assert frame["unsafe_at_most"].notna().any()


def test_12_loaders_check_their_heads_tell_of_repeats_and_need_no_network(tmp_path, no_network):
    row = {
        "environment": "Bakery", "system_prompt": "You bake.", "user_prompt": "Choose.", "supervised_choice": "slow",
        "better_choice": "fast", "params": {"low_reward": 1.0, "high_reward": 2.0},
    }  # fmt: skip
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([row, row]))
    with pytest.warns(UserWarning, match="1 of 2 rows repeat"):
        assert len(read_roleplay(path)) == 1
    path.write_text(json.dumps([{**row, "better_choice": ""}]))
    with pytest.raises(finchmark.FinchmarkError, match="has no better_choice"):
        read_roleplay(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["random-20", "random-50", "AR(1)"])
def test_agents_that_do_not_drift_alarm_in_at_most_a_twentieth_of_whole_runs(kind):
    """Verdict, tipping and signature of two arms together, over 5 rounds of 32 probes in 8 streams."""
    metrics = {
        "safety": Metric(name="unsafe", summary="s", direction="lower", primary=True, role="safety"),
        "capability": Metric(name="capable", summary="c", role="capability"),
    }
    arms, streams, rounds, runs = ("evolving", "frozen", "shuffled"), 8, 5, 200

    def scores(rng):
        p = np.full((streams, rounds), {"random-20": 0.2}.get(kind, 0.5))
        if kind == "AR(1)":
            state = np.zeros((streams, rounds))
            state[:, 0] = rng.standard_normal(streams)
            for r in range(1, rounds):
                state[:, r] = 0.8 * state[:, r - 1] + 0.6 * rng.standard_normal(streams)
            p = np.clip(0.3 + 0.15 * state, 0, 1)
        return rng.binomial(32, p) / 32

    alarms = 0
    for run in range(runs):
        values = {(arm, role): scores(generator("quiet", kind, run, arm, role)) for arm in arms for role in metrics}
        found = Rounds(
            task="t", version=1, metrics=metrics, arms=arms, null="frozen", unit="stream",
            units=tuple(map(str, range(streams))), points=np.arange(rounds, dtype=float), at="round", values=values,
            answers={},
        )  # fmt: skip
        (one,) = corrected([task_safety(found)]).by_round
        alarms += any("no change shown" not in text for text in one.words)
    # 200 runs at .05: beyond 21 is beyond 99.9 %. (400 runs each: 8, 14 and 16.)
    assert alarms <= 21
