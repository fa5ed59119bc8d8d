"""Generated trade worlds: fixed by their seed, with something to gain; the oracle against brute force and bounds."""

import dataclasses
import itertools
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest, spearmanr, ttest_1samp

from finchmark.environments.odyssey.trade import TradeEnv
from finchmark.environments.odyssey.trade_orders import Order
from finchmark.environments.odyssey.trade_rules import TradeRules, describe_rules, signed
from finchmark.environments.odyssey.trade_solver import (
    best_order,
    expected_growth,
    hindsight_bound,
    informed_bound,
    plan,
    random_level,
)
from finchmark.environments.odyssey.trade_worlds import TRADE_PRESETS, TradeDifficulty, TradeWorld, generate
from finchmark.suite.canonical import content_hash
from finchmark.suite.errors import UsageError
from finchmark.suite.seeds import generator

PRESETS = list(TRADE_PRESETS)
QUICK = ["smoke", "gate", "lite"]
SILENT = {name: dataclasses.replace(d, min_noise=0.0, max_noise=0.0) for name, d in TRADE_PRESETS.items()}


def replay(world: TradeWorld) -> float:
    """The return of a world's plan in the environment; every order must be usable."""
    env = TradeEnv(world.config, max_steps=world.horizon)
    env.reset()
    answers = [env.step(order) for order in world.plan]
    assert all(answer[4]["usable"] for answer in answers)
    assert answers[-1][3] is True
    return sum(answer[1] for answer in answers)


@pytest.fixture(scope="module")
def gate():
    return [generate("gate", "statistics", seed) for seed in range(400)]


class TestGenerate:
    @pytest.mark.parametrize("name", PRESETS)
    def test_the_same_path_gives_the_same_world(self, name):
        assert generate(name, "a", 1) == generate(name, "a", 1)

    @pytest.mark.parametrize("name", PRESETS)
    def test_other_paths_give_other_worlds(self, name):
        assert len({content_hash(generate(name, seed).config) for seed in range(8)}) == 8

    def test_worlds_stay_the_same_across_versions(self):
        # A change here changes every item: raise the task's version with it.
        assert content_hash([generate(name, "golden").config for name in PRESETS]) == "6c2a309ebf1729879958bb6590a3559f"

    @settings(max_examples=30)
    @given(
        name=st.sampled_from(QUICK), path=st.lists(st.integers(0, 10**9) | st.text(max_size=5), min_size=1, max_size=3)
    )
    def test_a_world_keeps_what_its_difficulty_asks(self, name, path):
        difficulty, world = TRADE_PRESETS[name], generate(name, *path)
        rules = TradeRules.from_config(world.config)
        assert difficulty.min_stocks <= len(rules.stocks) <= difficulty.max_stocks
        assert difficulty.min_factors <= len(rules.factors) <= difficulty.max_factors
        assert rules.days == difficulty.horizon + 1 == world.horizon + 1 == len(world.plan) + 1
        prices = np.array(rules.price_path(world.horizon))
        assert (prices >= difficulty.min_left * prices[0]).all()
        assert difficulty.min_price <= prices[0].min() <= prices[0].max() <= difficulty.max_price
        assert world.oracle - world.random >= difficulty.min_edge * world.horizon
        signal = np.linalg.norm(rules.matrix, axis=1).mean() * 0.1
        assert difficulty.min_noise * 0.9 <= rules.noise / signal <= difficulty.max_noise * 1.1

    @pytest.mark.parametrize("name", PRESETS)
    def test_the_plan_replays_to_what_the_world_promises(self, name):
        for seed in range(2):
            world = generate(name, "replay", seed)
            assert replay(world) == pytest.approx(world.oracle, abs=1e-9)
            assert world.random < world.oracle <= world.hindsight

    @settings(max_examples=20)
    @given(name=st.sampled_from(QUICK), seed=st.integers(0, 10**9))
    def test_all_prices_can_be_shown_in_full(self, name, seed):
        world = generate(name, seed)
        ticks = np.array(TradeRules.from_config(world.config).price_path(world.horizon)) * 10**4
        assert np.abs(ticks - np.round(ticks)).max() < 1e-5

    def test_all_sizes_of_a_range_occur(self):
        worlds = [generate("lite", seed).config for seed in range(60)]
        assert {len(config["stocks"]) for config in worlds} == {5, 6, 7, 8, 9}
        assert {len(config["variables"]) for config in worlds} == {4, 5, 6}

    def test_a_world_is_plain_data(self):
        world = generate("lite", 1)
        assert json.loads(json.dumps(world.config)) == world.config
        assert pickle.loads(pickle.dumps(world)) == world

    def test_a_difficulty_that_cannot_be_met_raises_and_says_what_to_do(self):
        hopeless = dataclasses.replace(TRADE_PRESETS["smoke"], min_edge=0.5, attempts=20)
        with pytest.raises(UsageError, match=r"after 20 attempts.*Lower"):
            generate(hopeless, 0)

    def test_more_attempts_do_not_change_a_world_that_was_found(self):
        more = dataclasses.replace(TRADE_PRESETS["smoke"], attempts=900)
        assert generate("smoke", 3) == generate(more, 3)

    def test_an_empty_path_is_refused(self):
        with pytest.raises(UsageError, match="seed path"):
            generate("smoke")

    @pytest.mark.parametrize(
        "bad",
        [
            {"min_stocks": 1},
            {"max_stocks": 21},
            {"max_stocks": 2},
            {"min_factors": 1},
            {"horizon": 0},
            {"horizon": 10_000},
            {"min_noise": -0.1},
            {"min_noise": 0.6, "max_noise": 0.5},
            {"volatility": 0.0},
            {"max_price": 39.0},
            {"min_edge": 0.0},
            {"max_alike": 1.5},
            {"attempts": 0},
        ],
    )
    def test_an_impossible_difficulty_is_refused(self, bad):
        good = dataclasses.asdict(TRADE_PRESETS["smoke"])
        with pytest.raises(UsageError, match="TradeDifficulty"):
            TradeDifficulty(**(good | bad))


def first(config: dict[str, Any], key: str) -> float:
    """One number that stands for a part of a config."""
    rows = np.array(config["dependency_matrix"])
    sizes = np.linalg.norm(rows, axis=1)
    if key == "direction":
        return rows[0, 0] / sizes[0]
    if key == "relative noise":
        return config["price_noise_scale"] / sizes.mean()
    if key == "news":
        return config["timeline"]["day_1"]["variable_changes"][0]
    return config[key][0] if isinstance(config[key], list) else config[key]


class TestIndependence:
    def test_no_two_worlds_share_a_stream_of_news(self, gate):
        streams = {tuple(e["variable_changes"][0] for e in world.config["timeline"].values()) for world in gate}
        assert len(streams) == len(gate)

    @pytest.mark.parametrize(
        ("one", "other"),
        list(itertools.combinations(["news", "direction", "initial_prices", "relative noise", "noise_seed"], 2)),
    )
    def test_no_part_of_a_world_foretells_another(self, gate, one, other):
        parts = [[first(world.config, key) for world in gate] for key in (one, other)]
        assert spearmanr(*parts).pvalue > 0.0005

    def test_the_best_stock_of_a_day_has_any_number(self, gate):
        counts = np.zeros(4)
        for world in gate:
            prices = np.array(TradeRules.from_config(world.config).price_path(1))
            counts[(prices[1] / prices[0]).argmax()] += 1
        assert chisquare(counts).pvalue > 0.001

    def test_cheap_stocks_are_moved_by_news_as_much_as_dear_ones(self, gate):
        rows = []
        for world in gate:
            rules = TradeRules.from_config(world.config)
            moves = np.linalg.norm(rules.matrix, axis=1) / np.array(rules.prices)
            rows += list(zip(rules.prices, moves, strict=True))
        assert spearmanr(*zip(*rows, strict=True)).pvalue > 0.001

    def test_news_are_as_often_good_as_bad_and_do_not_repeat(self, gate):
        news = np.array([[e["variable_changes"][0] for e in w.config["timeline"].values()] for w in gate])
        assert ttest_1samp(news.mean(axis=1), 0).pvalue > 0.001
        assert ttest_1samp((news[:, 1:] * news[:, :-1]).mean(axis=1), 0).pvalue > 0.001
        assert news.std() == pytest.approx(0.1, rel=0.03)

    def test_noise_is_normal_and_not_correlated_with_the_news(self, gate):
        shares, products = [], []
        for world in gate[:100]:
            rules = TradeRules.from_config(world.config)
            path = np.array(rules.price_path(world.horizon))
            moves = rules.expected_moves(world.horizon)
            noise = np.diff(path, axis=0) - moves
            shares += list((noise / rules.noise).ravel())
            products.append((noise * moves).mean())
        assert kstest(shares, "norm").pvalue > 0.001
        assert ttest_1samp(products, 0).pvalue > 0.001

    def test_the_random_trader_gains_nothing_on_average(self, gate):
        assert ttest_1samp([world.random for world in gate], 0).pvalue > 0.001


def all_portfolios(config: dict[str, Any]) -> float:
    """The best log growth over all whole-share strategies of one day, by trying all of them."""
    rules = TradeRules.from_config(config)
    today, tomorrow = rules.price_path(1)
    best = 0.0
    for shares in itertools.product(*(range(int(rules.cash // price) + 1) for price in today)):
        cost = sum(q * p for q, p in zip(shares, today, strict=True))
        if cost <= rules.cash + 1e-9:
            value = rules.cash - cost + sum(q * p for q, p in zip(shares, tomorrow, strict=True))
            best = max(best, math.log(value / rules.cash))
    return best


class TestOracle:
    @settings(max_examples=40)
    @given(seed=st.integers(0, 10**9))
    def test_one_day_is_played_as_well_as_any_portfolio_up_to_a_share(self, seed):
        config = generate(SILENT["smoke"], seed).config
        config["initial_cash"] = 1000.0
        best = all_portfolios(config)
        found = plan(config, 1).log_growth
        rules = TradeRules.from_config(config)
        today, tomorrow = rules.price_path(1)
        # Less than one share of the best stock stays idle.
        slack = max(0.0, *((b - a) / rules.cash for a, b in zip(today, tomorrow, strict=True)))
        assert best - slack - 1e-12 <= found <= best + 1e-12
        assert best <= hindsight_bound(config, 1) + 1e-12

    @pytest.mark.parametrize("name", PRESETS)
    def test_without_noise_it_reaches_the_hindsight_bound_up_to_whole_shares(self, name):
        for seed in range(5):
            world = generate(SILENT[name], seed)
            assert 0.998 * world.hindsight < world.oracle <= world.hindsight

    def test_with_noise_it_is_within_a_hundredth_of_what_information_allows(self):
        worlds = [generate("lite", "bound", seed) for seed in range(60)]
        bounds = np.array([informed_bound(world.config, world.horizon) for world in worlds])
        oracles = np.array([world.oracle for world in worlds])
        loss = bounds - oracles
        error = loss.std(ddof=1) / math.sqrt(len(loss))
        assert -3.3 * error < loss.mean() < 0.01 * bounds.mean() + 3.3 * error

    @settings(max_examples=25)
    @given(seed=st.integers(0, 10**9), name=st.sampled_from(["smoke", "gate"]))
    def test_no_random_strategy_exceeds_the_hindsight_bound(self, seed, name):
        world = generate(name, seed)
        env = TradeEnv(world.config)
        state = env.reset()[1]["state"]
        stocks = world.config["stocks"]
        rng = generator("any strategy", seed)
        grown = 0.0
        for _ in range(world.horizon):
            prices, held = state["prices"], {s: int(q) for s, q in zip(stocks, state["positions"], strict=True)}
            cash = state["cash"] + sum(p * q for p, q in zip(prices, held.values(), strict=True))
            split = rng.dirichlet(np.ones(len(stocks) + 1))[:-1]
            buy = {s: int(cash * w * 0.999 // p) for s, w, p in zip(stocks, split, prices, strict=True)}
            _, reward, _, _, info = env.step(str(Order({s: q for s, q in held.items() if q}, buy)))
            assert info["usable"], info["feedback"]
            state = info["state"]
            grown += reward
        assert grown <= world.hindsight

    def test_all_in_one_stock_and_the_rest_in_the_next(self):
        order = best_order(
            {"A": 30.0, "B": 7.0, "C": 1.0}, 100.0, {"A": 0, "B": 0, "C": 5}, {"A": 0.3, "B": 0.2, "C": -0.1}
        )
        assert order == Order(sell={"C": 5}, buy={"A": 3, "B": 2})

    def test_what_is_wanted_already_is_kept(self):
        order = best_order({"A": 30.0, "B": 7.0}, 5.0, {"A": 2, "B": 5}, {"A": 0.3, "B": 0.2})
        assert order == Order(sell={"B": 4}, buy={"A": 1})

    def test_where_nothing_grows_all_is_sold(self):
        assert best_order({"A": 30.0}, 5.0, {"A": 2}, {"A": 0.0}) == Order(sell={"A": 2})

    @pytest.mark.parametrize(("price", "expected", "noise"), [(50.0, 50.5, 0.5), (20.0, 19.5, 1.0), (80.0, 80.0, 2.0)])
    def test_expected_growth_agrees_with_simulation(self, price, expected, noise):
        draws = np.log((expected + noise * generator("growth").normal(size=400_000)) / price)
        assert expected_growth(price, expected, noise) == pytest.approx(draws.mean(), abs=5 * draws.std() / 632)


class TestChance:
    @pytest.mark.parametrize("name", ["smoke", "gate"])
    def test_the_random_level_agrees_with_simulation(self, name):
        world = generate(name, "chance")
        path = np.array(TradeRules.from_config(world.config).price_path(world.horizon))
        ratios = np.column_stack([path[1:] / path[:-1], np.ones(world.horizon)])
        picks = generator("picks", name).integers(ratios.shape[1], size=(20_000, world.horizon))
        grown = np.log(ratios[np.arange(world.horizon), picks]).sum(axis=1)
        level = random_level(world.config, world.horizon)
        assert level.log_growth == world.random
        assert level.log_growth == pytest.approx(grown.mean(), abs=3.5 * grown.std() / math.sqrt(len(grown)))
        values = np.exp(grown) - 1
        assert level.final_return == pytest.approx(values.mean(), abs=3.5 * values.std() / math.sqrt(len(values)))

    def test_by_hand(self):
        config = {
            "num_days": 2,
            "stocks": ["A"],
            "variables": ["X"],
            "dependency_matrix": [[1.0]],
            "initial_prices": [1.0],
            "initial_cash": 10.0,
            "timeline": {"day_1": {"variable_changes": [1.0]}, "day_2": {"variable_changes": [1.0]}},
        }
        assert random_level(config, 1).log_growth == pytest.approx(math.log(2) / 2)
        assert random_level(config, 1).final_return == pytest.approx(0.5)
        # The closing day moves nothing.
        assert random_level(config, 2).final_return == pytest.approx(0.5)
        assert hindsight_bound(config, 2) == informed_bound(config, 2) == pytest.approx(math.log(2))


class TestRules:
    def test_every_weight_and_the_noise_are_told(self):
        config = generate("lite", 2).config
        text = describe_rules(config)
        for stock, row in zip(config["stocks"], config["dependency_matrix"], strict=True):
            terms = ", ".join(f"{w:+.2f} x {f}" for f, w in zip(config["variables"], row, strict=True))
            assert f"{stock}: {terms}".replace("-0.00", "+0.00") in text
        assert f"standard deviation {config['price_noise_scale']:g}" in text

    def test_no_news_of_the_future_are_told(self):
        config = generate("lite", 2).config
        later = json.loads(json.dumps(config))
        for day in later["timeline"].values():
            day["variable_changes"] = [0.0] * len(config["variables"])
        assert describe_rules(config) == describe_rules(later)
        assert describe_rules({**config, "noise_seed": 1}) == describe_rules(config)

    def test_a_world_without_noise_says_so(self):
        assert "no chance" in describe_rules(generate(SILENT["smoke"], 0).config)

    @pytest.mark.parametrize(
        ("number", "text"), [(0.5, "+0.50"), (-0.25, "-0.25"), (0.1234, "+0.1234"), (0.0, "+0.00"), (-1e-9, "+0.00")]
    )
    def test_changes_are_written_in_full_and_no_longer(self, number, text):
        assert signed(number) == text
