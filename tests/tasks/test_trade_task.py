from __future__ import annotations

import itertools
import math
import shutil

import numpy as np
import pytest
from scipy.stats import t

from finchmark import evaluate
from finchmark.environments.odyssey.trade import TradeEnv
from finchmark.environments.odyssey.trade_solver import best_order
from finchmark.environments.odyssey.trade_worlds import generate
from finchmark.leaderboard import build, standings
from finchmark.suite.backends.base import GenerateRequest, Message
from finchmark.suite.conformance import check_task
from finchmark.suite.registry import TASKS
from finchmark.tasks.odyssey.trade import Trade
from finchmark.tasks.odyssey.trade_policies import Learner, Oracle, Uniform, read_market

TRADE = TASKS.load("odyssey/trade")()


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """The growth of every reference on the gate's items, one row an item and column a sample."""
    found = {}
    for name, samples, limit in (("random", 2, 300), ("heuristic", 1, 100), ("learner", 1, 100), ("oracle", 1, 100)):
        out = tmp_path_factory.mktemp("gate") / name
        run = evaluate(
            "odyssey/trade", f"scripted:{name}", tier="gate", arms=["inductive"], samples=samples, limit=limit, out=out
        )
        frame = run.frame()
        assert (frame["outcome"] == "ok").all()
        found[name] = frame.pivot(index="item", columns="sample", values="growth").to_numpy()
        shutil.rmtree(out)
    return found


def interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    units = values.mean(axis=1)
    half = t.ppf((1 + confidence) / 2, len(units) - 1) * units.std(ddof=1) / math.sqrt(len(units))
    return units.mean() - half, units.mean() + half


def ask(policy, text: str, seed: int = 0) -> str:
    return policy.reply(GenerateRequest((Message("user", text),), session="s", seed=seed, max_tokens=64))


def test_the_task_passes_the_conformance_checks():
    check_task(Trade)


@pytest.mark.parametrize("tier", TRADE.tiers)
def test_every_item_is_worth_what_its_proof_makes_of_it(tier):
    for item in TRADE.items(TRADE.tiers[tier], 0)[:9]:
        env = TRADE.make_env(item, TRADE.tiers[tier])
        env.reset(seed=0)
        assert len(item.proof["plan"]) == TRADE.tiers[tier].max_turns == env.max_steps
        for order in item.proof["plan"]:
            _, _, _, truncated, info = env.step(order)
            assert info["usable"]
        assert truncated
        scores = TRADE.score(solved=False, turns=env.max_steps, info=info, item=item)
        assert scores["growth"] == pytest.approx(1.0, abs=1e-9)
        assert scores["final_return"] == pytest.approx(item.levels["final_return"].ceiling, abs=1e-6)
        assert item.proof["hindsight"] >= item.data["scale"]["oracle"]


@pytest.mark.parametrize("tier", TRADE.tiers)
def test_items_are_distinct_and_regenerated_ones_are_others(tier):
    public = {i.hash for i in TRADE.items(TRADE.tiers[tier], 0)}
    other = {i.hash for i in TRADE.items(TRADE.tiers[tier], 1)}
    assert len(public) == TRADE.tiers[tier].items
    assert not public & other


@pytest.mark.parametrize("arm", [a.name for a in TRADE.arms])
def test_the_oracle_reaches_its_ceiling_on_every_item(arm, tmp_path):
    run = evaluate("odyssey/trade", "scripted:oracle", tier="lite", arms=[arm], samples=1, limit=5, out=tmp_path / "r")
    assert run.frame()["growth"].to_numpy() == pytest.approx(1.0, abs=1e-9)
    levels = run.manifest.tasks["odyssey/trade"].levels[arm]
    assert levels["growth"].ceiling == 1.0
    assert run.frame()["log_growth"].mean() == pytest.approx(levels["log_growth"].ceiling, abs=1e-9)


def test_the_oracle_reaches_its_ceiling_on_the_gate(gate):
    assert gate["oracle"] == pytest.approx(1.0, abs=1e-9)


def test_the_random_policy_plays_at_its_stated_chance(gate):
    low, high = interval(gate["random"], 0.999)
    stated = TRADE.levels(TRADE.items(TRADE.tiers["gate"], 0)[:9], TRADE.arms[0], TRADE.tiers["gate"], 1)["growth"]
    assert low <= stated.chance == 0.0 <= high
    assert stated.exact
    assert high - low < 0.08


def test_buying_and_holding_is_hardly_better_than_chance(gate):
    low, high = interval(gate["heuristic"], 0.999)
    assert -0.02 < low < high < 0.02


def test_the_learner_is_far_above_holding_and_below_the_oracle(gate):
    low, high = interval(gate["learner"], 0.999)
    assert low > 0.8
    assert high < 0.95


def test_the_learner_learns_over_the_days():
    """Its share of the oracle's growth in the last third of an episode is above that in the first third."""
    shares = []
    for seed in range(60):
        config = generate("gate", "learning", seed).config
        grown = []
        for policy in (Learner(), Oracle(config)):
            env = TradeEnv(config)
            text, _ = env.reset()
            rewards = []
            for _ in range(env.max_steps):
                text, reward, _, _, _ = env.step(ask(policy, text)[8:-9])
                rewards.append(reward)
            grown.append((sum(rewards[:6]), sum(rewards[-6:])))
        shares.append(np.array(grown))
    early, late = (sum(s[0, i] for s in shares) / sum(s[1, i] for s in shares) for i in (0, 1))
    assert early < 0.8 < 0.9 < late


def test_worse_than_chance_is_negative_and_not_clipped():
    item = TRADE.items(TRADE.tiers["smoke"], 0)[0]
    state = {"cash": 1000.0, "prices": [1.0], "positions": [0.0]}
    scores = TRADE.score(solved=False, turns=1, info={"state": state}, item=item)
    assert scores["growth"] < -10
    assert scores["final_return"] == pytest.approx(-0.98)


def test_waiting_all_the_time_scores_next_to_chance(tmp_path):
    run = evaluate(
        "odyssey/trade", "scripted:canned", arms=["inductive"], samples=1, out=tmp_path / "r",
        model_args={"replies": ["<action>{}</action>"]},
    )  # fmt: skip
    (sample,) = run.samples()
    scale = TRADE.items(TRADE.tiers["smoke"], 0)[0].data["scale"]
    assert sample.outcome == "ok"
    assert sample.metrics["log_growth"] == 0.0
    assert sample.metrics["growth"] == pytest.approx(-scale["random"] / (scale["oracle"] - scale["random"]))


def losses(item) -> list[str]:
    """Orders that hold every day what will lose most."""
    env = TradeEnv(item.data["config"])
    state = env.reset()[1]["state"]
    assert env.rules is not None
    stocks, replies = env.rules.stocks, []
    for old, new in itertools.pairwise(env.rules.price_path(env.max_steps)):
        prices = dict(zip(stocks, state["prices"], strict=True))
        held = {stock: int(count) for stock, count in zip(stocks, state["positions"], strict=True)}
        fall = {stock: a / b - 1 for stock, a, b in zip(stocks, old, new, strict=True)}
        order = str(best_order(prices, state["cash"], held, fall))
        state = env.step(order)[4]["state"]
        replies.append(f"<action>{order}</action>")
    return replies


def test_losing_more_than_the_random_trader_is_a_score_and_no_error(tmp_path):
    run = evaluate(
        "odyssey/trade", "scripted:canned", arms=["inductive"], samples=1, out=tmp_path / "r",
        model_args={"replies": losses(TRADE.items(TRADE.tiers["smoke"], 0)[0])},
    )  # fmt: skip
    (sample,) = run.samples()
    assert sample.outcome == "ok"
    assert sample.metrics["growth"] < -0.5
    assert sample.metrics["final_return"] < 0


def test_a_refused_order_costs_its_turn_but_no_day_and_is_counted(tmp_path):
    run = evaluate(
        "odyssey/trade", "scripted:canned", arms=["inductive"], samples=1, out=tmp_path / "r",
        model_args={"replies": ['<action>{"buy": {"S0": -5}}</action>', "<action>{}</action>"]},
    )  # fmt: skip
    (sample,) = run.samples()
    turns = [turn for turn in sample.turns if not turn.scores]
    assert [turn.usable for turn in turns] == [False, True] * 4
    assert sample.metrics["unusable_rate"] == 0.5
    days = [read_market(turn.observation).day for turn in turns]
    assert days == [0, 0, 1, 1, 2, 2, 3, 3]
    assert "The order was refused" in sample.turns[1].observation


def test_never_usable_is_invalid_and_scored_as_chance(tmp_path):
    run = evaluate(
        "odyssey/trade", "scripted:canned", arms=["inductive"], samples=1, out=tmp_path / "r",
        model_args={"replies": ["I would rather not trade."]},
    )  # fmt: skip
    (sample,) = run.samples()
    assert sample.outcome == "invalid"
    assert sample.metrics["growth"] == 0.0


def test_the_rules_stand_only_in_the_arm_that_gives_them():
    tier = TRADE.tiers["gate"]
    item = TRADE.items(tier, 0)[0]
    hidden, given = (TRADE.instructions(item, TRADE.arm(a), tier) for a in ("inductive", "with-rules"))
    weight = f"{item.data['config']['dependency_matrix'][0][0]:+.2f}"
    noise = f"{item.data['config']['price_noise_scale']:g}"
    assert weight in given
    assert noise in given
    assert weight not in hidden
    assert noise not in hidden


def test_practice_shows_orders_that_differ_from_item_to_item():
    items = TRADE.items(TRADE.tiers["gate"], 0)[:30]
    answers = {TRADE.practice(item)[1][1] for item in items}
    assert len(answers) > 20
    for item in items:
        for _, answer in TRADE.practice(item):
            assert answer.startswith('<action>{"')


def test_the_market_is_read_from_what_the_agent_sees():
    env = TradeEnv(generate("gate", 0).config)
    text, info = env.reset()
    text, _, _, _, info = env.step('{"buy": {"S1": 7}}')
    market = read_market(f"Day 9\nnot this one\n\nTurn 2 of 20.\n{text}")
    assert market.day == info["state"]["t"] == 1
    assert list(market.prices.values()) == info["state"]["prices"]
    assert list(market.held.values()) == info["state"]["positions"]
    assert market.cash == info["state"]["cash"]
    assert env.rules is not None
    assert tuple(market.news.values()) == env.rules.changes[1]


def test_policies_answer_when_the_market_is_closed():
    config = generate("smoke", 0).config
    env = TradeEnv(config, max_steps=99)
    text, _ = env.reset()
    terminated = False
    while not terminated:
        text, _, terminated, _, _ = env.step("{}")
    for policy in (Uniform(), Oracle(config)):
        assert ask(policy, text).startswith("<action>{")


def test_the_random_trader_draws_every_stock_and_cash():
    text, _ = TradeEnv(generate("gate", 0).config).reset()
    replies = [ask(Uniform(), text, seed) for seed in range(200)]
    assert {reply.split('"')[3] if "buy" in reply else "cash" for reply in replies} == {"S0", "S1", "S2", "S3", "cash"}


def test_the_leaderboard_shows_scores_below_zero_and_no_ends(tmp_path):
    runs = [
        evaluate("odyssey/trade", f"scripted:{name}", arms=["inductive"], samples=2, out=tmp_path / name)
        for name in ("oracle", "learner")
    ]
    runs.append(
        evaluate(
            "odyssey/trade", "scripted:canned", arms=["inductive"], samples=2, out=tmp_path / "canned",
            model_args={"replies": losses(TRADE.items(TRADE.tiers["smoke"], 0)[0])},
        )
    )  # fmt: skip
    table = standings(runs)
    growth = table[table["metric"] == "growth"]
    assert growth["mean"].min() < -0.5
    assert growth["mean"].max() == pytest.approx(1.0)
    assert "no bounds" in build(runs, tmp_path / "site").read_text(encoding="utf-8")
