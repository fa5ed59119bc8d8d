"""Small parts: candidates, selections, costs, rules, the follower, the search, prompts, the journal."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finchmark.environments.worlds.lookup import find_world
from finchmark.suite.agents.history import HistoryAgent
from finchmark.suite.backends.base import GenerateRequest, Message
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.suite.broker import Broker
from finchmark.suite.errors import StoreError, UsageError
from finchmark.suite.seeds import generator
from finchmark.tasks.learning.methods.arena import WorldArena, advised, check_split
from finchmark.tasks.learning.methods.candidate import Candidate, lineage
from finchmark.tasks.learning.methods.cost import Budget, Cost, total
from finchmark.tasks.learning.methods.evaluation import Evaluation, Move, Trajectory
from finchmark.tasks.learning.methods.follower import Follower
from finchmark.tasks.learning.methods.journal import Journal, read_journal
from finchmark.tasks.learning.methods.method import METHODS, find_methods
from finchmark.tasks.learning.methods.optimiser import Case
from finchmark.tasks.learning.methods.rules import Rules
from finchmark.tasks.learning.methods.search import SearchOptimiser
from finchmark.tasks.learning.methods.selection import Rated, best, pareto
from finchmark.tasks.learning.methods.signals import find_advice, signal_prompt

# Candidates


def test_equal_contents_are_one_candidate():
    first = Candidate({"prompt": "go north"})
    assert first.id == Candidate({"prompt": "go north", "agent": ""}, "abc", 3, "words").id
    assert first.id != first.edited("prompt", "go south", iteration=1, change="turned").id


def test_a_candidate_goes_through_plain_data_and_notices_changes():
    made = Candidate({"prompt": "go"}, "abc", 2, "why")
    assert Candidate.from_data(made.data()) == made
    with pytest.raises(StoreError, match="was changed"):
        Candidate.from_data({**made.data(), "values": {"prompt": "stay"}})


def test_a_broken_lineage_is_told():
    with pytest.raises(StoreError, match="lineage is broken"):
        lineage([Candidate({"prompt": "a"}, "gone", 1)], Candidate({"prompt": "a"}).id)


# Selections


def test_the_best_is_the_cheapest_of_equals():
    assert best([Rated("a", 1, 5), Rated("b", 2, 9), Rated("c", 2, 3)]) == ("c",)


def test_the_front_holds_all_that_nothing_dominates():
    pool = [Rated("dear", 0.9, 9), Rated("cheap", 0.1, 1), Rated("worse", 0.5, 9), Rated("middle", 0.5, 4)]
    assert pareto(pool) == ("dear", "middle", "cheap")
    assert pareto(pool, 2) == ("dear", "middle")


def test_equal_points_are_one_point_of_the_front():
    assert pareto([Rated("old", 1, 1), Rated("new", 1, 1)]) == ("old",)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_the_front_is_exactly_what_is_not_dominated(points):
    pool = [Rated(str(n), score, cost) for n, (score, cost) in enumerate(points)]

    def dominated(a: Rated) -> bool:
        return any(b.score >= a.score and b.cost <= a.cost and (b.score, b.cost) != (a.score, a.cost) for b in pool)

    kept = {pool[int(id)][1:] for id in pareto(pool)}
    assert kept == {rated[1:] for rated in pool if not dominated(rated)}
    assert best(pool)[0] in {r.id for r in pool if r[1:] == max(kept)}


def test_there_are_eight_methods_and_four_without_code():
    assert len(METHODS) == 8
    assert len(find_methods(["*-prompt"])) == 4
    assert [m.name for m in find_methods(["*-dynamics-prompt"])] == ["best-dynamics-prompt", "pareto-dynamics-prompt"]


def test_scores_that_are_equal_but_for_the_last_bits_are_equal():
    """Of equals the oldest is chosen: the rounding of a sum must not say otherwise. These are from a run."""
    won, drawn, lost = 0.9914570161476063, 0.30801830795611496, -0.3754204002353762

    def score(*values: float) -> float:
        return Evaluation("train", tuple(Trajectory(str(n), 0, value, 0.0) for n, value in enumerate(values))).score

    assert fmean((won, lost, lost)) != fmean((drawn, drawn, lost))
    assert score(won, lost, lost) == score(drawn, drawn, lost)


# Costs


def test_costs_add_up():
    assert total([Cost(1, 2, 3, 0.1), Cost(1, 0, 0, 0.2)]) == Cost(2, 2, 3, 0.3)
    assert Cost(1, 2, 3).tokens == 5


def test_a_budget_names_what_is_used_up():
    assert Budget().used_up(Cost(10**9)) == ""
    assert "100 calls" in Budget(calls=100).used_up(Cost(100))
    assert "0.5 usd" in Budget(usd=0.5).used_up(Cost(usd=0.6))
    with pytest.raises(UsageError, match="tokens"):
        Budget(tokens=0)


# Rules


def test_rules_are_read_as_they_are_written():
    rules = Rules(("move north", "wait"), (("door", "pull a"),), {"eat": 2.5, "wait": 0.0})
    assert Rules.read(rules.text()) == rules


def test_other_lines_are_left_alone():
    assert Rules.read("Think first.\nAvoid wait.\nBe kind.") == Rules(weights={"wait": 0.0})


def _request(advice: str, seed: int = 0, shown: str = "") -> GenerateRequest:
    return GenerateRequest((Message("user", advised("Play.", advice)), Message("user", shown)), "s", seed, 10)


def _replies(advice: str, count: int = 200, shown: str = "") -> list[str]:
    player = Follower(find_world("foraging-open"))
    found = [player.reply(_request(advice, seed, shown)) for seed in range(count)]
    return [reply.removeprefix("<action>").removesuffix("</action>") for reply in found]


def test_the_follower_plays_at_random_without_rules():
    assert len(set(_replies(""))) > 3


def test_the_follower_begins_as_told_and_avoids_what_it_should():
    actions = sorted(set(_replies("")))
    replies = _replies(Rules((actions[1], actions[0]), (), {actions[0]: 0.0}).text())
    assert replies[:2] == [actions[1], actions[0]]
    assert actions[0] not in replies[2:]


def test_the_follower_does_what_it_reads_of():
    actions = sorted(set(_replies("")))
    rules = Rules((), (("ripe", actions[0]),)).text()
    assert set(_replies(rules, 20, "The fruit is ripe.")) == {actions[0]}
    assert len(set(_replies(rules, 200, "Nothing grows."))) > 1


def test_the_follower_draws_by_weight():
    actions = sorted(set(_replies("")))
    replies = _replies(Rules((), (), {actions[0]: 8.0}).text(), 600)
    expected = 8 / (8 + len(actions) - 1)
    assert replies.count(actions[0]) / 600 == pytest.approx(expected, abs=0.07)


# The search


def _case(signal: str, trajectories: list[Trajectory], current: str = "") -> Case:
    return Case("w", "Play.", signal, "prompt", current, Evaluation("train", tuple(trajectories)), 1)  # type: ignore[arg-type]  # a test's text


def _episode(score: float = 1.0) -> Trajectory:
    """Eating pays and shows, waiting does neither, singing is no action of this world."""
    moves, eaten = [], 0
    for n in range(12):
        action = ("eat", "wait", "sing")[n % 3]
        moves.append(Move(f"Step {n} of 12.\neaten {eaten}", action, action != "sing", float(action == "eat")))
        eaten += action == "eat"
    return Trajectory("l", 0, score, score, moves=tuple(moves), after=f"Step 12 of 12.\neaten {eaten}")


async def _none(messages):
    raise AssertionError("an offline optimiser asks nobody")


def _proposed(signal: str, seed: int = 0) -> Rules:
    edit = asyncio.run(SearchOptimiser().propose(_case(signal, [_episode(), _episode(0)]), _none, generator("s", seed)))
    assert edit.text is not None
    return Rules.read(edit.text)


def test_dynamics_prefer_what_was_followed_by_reward():
    found = [_proposed("dynamics", seed) for seed in range(10)]
    assert all(rules.weights.get("eat", 2) > 1 for rules in found)
    assert any(rules.weights.get("sing") == 0 for rules in found)


def test_instructions_turn_unusable_actions_into_guardrails():
    found = [_proposed("instruction", seed) for seed in range(10)]
    assert any(rules.weights.get("sing") == 0 for rules in found)
    assert all(rules.weights.get("eat", 1) > 0 for rules in found)
    assert any(rules.opening[:1] == ("eat",) for rules in found)


def test_where_episodes_tell_nothing_one_weight_is_tried():
    still = tuple(Move(f"Step {n} of 4.\nfog {n}", ("a", "b")[n % 2], True, 0.0) for n in range(4))
    case = _case("dynamics", [Trajectory("l", 0, 0.0, 0.0, moves=still, after="Step 4 of 4.\nfog 4")])
    found = {asyncio.run(SearchOptimiser().propose(case, _none, generator("s", seed))).text for seed in range(20)}
    assert None not in found
    assert len(found) > 4


def test_where_nothing_changes_anything_there_is_no_edit():
    idle = tuple(Move(f"Step {n} of 4.\nfog", "a", True, 0.0) for n in range(4))
    case = _case("dynamics", [Trajectory("l", 0, 0.0, 0.0, moves=idle, after="Step 4 of 4.\nfog")])
    assert asyncio.run(SearchOptimiser().propose(case, _none, generator("s", 0))).text is None


def test_the_same_seed_proposes_the_same_and_another_something_else():
    assert _proposed("dynamics", 1) == _proposed("dynamics", 1)
    assert len({_proposed("instruction", seed).text() for seed in range(8)}) > 1


# Prompts


def test_a_prompt_holds_the_world_the_advice_and_the_episodes_and_asks_by_signal():
    texts = {s: signal_prompt(s, _case(s, [_episode()], "Wait.")) for s in ("dynamics", "instruction")}  # type: ignore[arg-type]  # both are signals
    for text in texts.values():
        assert "Play." in text
        assert "Wait." in text
        assert "> eat" in text
        assert "[could not be used]" in text
    assert "Doubts" in texts["dynamics"]
    assert "Guardrails" in texts["instruction"]


def test_episodes_share_the_space_of_a_prompt():
    case = _case("dynamics", [_episode()] * 40)
    short = Case(**{**{f: getattr(case, f) for f in case.__dataclass_fields__}, "most_read": 4_000})
    assert all(len(text) < 520 for text in short.episodes())


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("<advice>go</advice>", "go"),
        ("<advice>a</advice> no: <ADVICE>\nb\n</ADVICE>", "b"),
        ("<advice>cut off", None),
        ("go", None),
    ],
)
def test_advice_is_found_in_a_reply(reply, found):
    assert find_advice(reply) == found


def test_no_advice_leaves_the_instructions_as_they_are():
    assert advised("Play.", "") == "Play."


# The arena


def _arena(name: str, player: str = "random") -> WorldArena:
    return WorldArena(name, Broker(ScriptedBackend(player)), HistoryAgent)


@pytest.mark.parametrize(
    "name", ["foraging-open", "wind-gather", "cards-open", "bargain-market", "vault-ship", "kiln-open"]
)
def test_rewards_of_moves_add_up_to_what_the_episode_earned(name):
    arena = _arena(name)
    for level in arena.levels("train", 2, 0):
        played = asyncio.run(arena.play(Candidate(), level, 0, seed=1))
        earned = [move.reward for move in played.trajectory.moves]
        assert None not in earned
        assert sum(earned) == pytest.approx(played.trajectory.reward, abs=1e-4)  # type: ignore[arg-type]  # none is None
        assert played.trajectory.cost.calls == len(earned)


def test_the_oracle_reaches_the_reference_on_the_worlds_own_test_levels():
    arena = _arena("pushing-yard", "oracle")
    scores = [
        asyncio.run(arena.play(Candidate(), level, 0, seed=1)).trajectory.score for level in arena.levels("test", 10, 0)
    ]
    assert sum(scores) / 10 == pytest.approx(1, abs=0.05)


def test_an_agent_that_makes_nothing_usable_fails_and_scores_no_more_than_chance():
    arena = WorldArena("foraging-open", Broker(ScriptedBackend("canned", replies=["I do not know."])), HistoryAgent)
    level = arena.levels("train", 1, 0)[0]
    found = asyncio.run(arena.play(Candidate(), level, 0, seed=1)).trajectory
    assert found.outcome == "invalid"
    assert found.score <= 0


def test_levels_of_another_split_are_refused():
    levels = find_world("wind-reach").levels("test", 1)
    check_split(levels, "test")
    with pytest.raises(UsageError, match="drawn for train"):
        check_split(levels, "train")


# The journal


def test_a_journal_is_written_by_one_process(tmp_path):
    journal = Journal(tmp_path / "j", {})
    code = (
        "import sys; from pathlib import Path; from finchmark.tasks.learning.methods.journal import Journal\n"
        "Journal(Path(sys.argv[1]), {})"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "j"], capture_output=True, timeout=60)
    journal.close()
    assert b"RunLocked" in done.stderr


def test_half_a_line_is_taken_off(tmp_path):
    journal = Journal(tmp_path / "j", {"a": 1})
    journal.add("x", "here", n=1)
    journal.close()
    with (tmp_path / "j").open("ab") as file:
        file.write(b'{"kind": "x", "pla')
    journal = Journal(tmp_path / "j", {"a": 1})
    assert journal.find("x", "here") == {"kind": "x", "place": ["here"], "n": 1}
    journal.add("x", "there", n=2)
    journal.close()
    assert [record["n"] for record in read_journal(tmp_path / "j")[1]] == [1, 2]


def test_another_format_is_refused(tmp_path):
    (tmp_path / "j").write_text('{"kind": "header", "format": "other/1", "settings": {}}\n')
    with pytest.raises(StoreError, match="other/1"):
        read_journal(tmp_path / "j")
