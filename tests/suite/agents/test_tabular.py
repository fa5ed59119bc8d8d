from __future__ import annotations

import asyncio

import pytest

from finchmark import evaluate
from finchmark.suite.agents.experience import Experience, Feedback
from finchmark.suite.agents.percept import Option, Percept
from finchmark.suite.agents.tabular import TabularAgent
from finchmark.suite.agents.wordless import name_of
from finchmark.suite.canonical import content_hash
from finchmark.suite.errors import UsageError
from finchmark.suite.registry import TASKS
from finchmark.suite.seeds import generator
from finchmark.suite.stats.intervals import wilson
from finchmark.suite.task import Tier

OPTIONS = tuple(Option(f"<action>{name}</action>", name) for name in "lrs")


class Corridor:
    """Rooms in a row: l and r walk, s stays; the goal is the last room. Nothing else is to be seen."""

    def __init__(self, length: int = 6, left: str = "l", right: str = "r") -> None:
        self.length, self.left, self.right = length, left, right

    def step(self, room: int, name: str) -> int:
        return min(self.length - 1, max(0, room + (name == self.right) - (name == self.left)))

    def play(self, agent: TabularAgent, turns: int = 60) -> tuple[bool, int]:
        """Whether the goal was reached, and after how many turns."""
        agent.begin()
        room = 0
        for turn in range(turns):
            room = self.step(room, agent.choose(Percept(f"room {room}", OPTIONS)).name)
            if room == self.length - 1:
                return True, turn + 1
        return False, turns


def lived(solved: bool, score: float | None = None, high: float | None = 1.0) -> Experience:
    feedback = Feedback(float(solved) if score is None else score, solved if score is None else None)
    return Experience("s000/0", "demo/corridor", 0, "", (), "", feedback, high=high)


def learn(agent: TabularAgent, experience: Experience) -> str:
    return asyncio.run(agent.learn(experience, None))


def after(agent: TabularAgent) -> TabularAgent:
    """A fresh agent with the state of this one."""
    other = TabularAgent(agent.most)
    other.restore(agent.snapshot())
    return other


def test_every_option_is_tried_once_before_any_twice_in_a_view():
    agent = TabularAgent()
    taken = [agent.choose(Percept("same", OPTIONS)).name for _ in range(3)]
    assert sorted(taken) == ["l", "r", "s"]


def test_it_walks_to_what_it_has_not_tried():
    solved, turns = Corridor().play(TabularAgent())
    assert solved
    # Each room costs its options once, and a way back for each that led back.
    assert turns <= 6 * 3 * 2


def test_the_second_episode_takes_the_shortest_way_that_the_first_has_shown():
    agent = TabularAgent()
    assert Corridor().play(agent)[0]
    assert "of a new world" in learn(agent, lived(True))
    assert Corridor().play(after(agent)) == (True, 5)


def test_without_learning_the_second_episode_knows_nothing():
    agent = TabularAgent()
    first = Corridor().play(agent)
    assert Corridor().play(after(agent)) == first
    assert agent.snapshot() == TabularAgent().snapshot()


def test_acting_changes_no_state():
    agent = TabularAgent()
    Corridor().play(agent)
    learn(agent, lived(True))
    before = content_hash(agent.snapshot())
    Corridor(left="r", right="l").play(agent)
    assert content_hash(agent.snapshot()) == before


def test_a_score_at_the_top_of_its_scale_is_a_success_where_the_task_knows_none():
    agent = TabularAgent()
    Corridor().play(agent)
    learn(agent, lived(True, score=1.0))
    assert Corridor().play(after(agent)) == (True, 5)


@pytest.mark.parametrize(("score", "high"), [(0.5, 1.0), (3.0, None)])
def test_another_score_is_none(score, high):
    agent = TabularAgent()
    Corridor().play(agent)
    learn(agent, lived(True, score=score, high=high))
    rewards = [reward for _, row in agent.snapshot()["worlds"][0] for _, reward in row.values()]
    assert set(rewards) == {0.0}


def test_a_table_of_another_world_is_set_aside_at_its_first_wrong_word():
    agent = TabularAgent()
    Corridor().play(agent)
    learn(agent, lived(True))
    misled = after(agent)
    solved, turns = Corridor(left="r", right="l").play(misled)
    assert solved
    # It goes r once, finds itself where it was, and explores as if it were new.
    assert turns <= 1 + 6 * 3 * 2


def test_worlds_that_look_alike_have_a_table_each():
    agent = TabularAgent()
    worlds = (Corridor(), Corridor(left="r", right="l"))
    for world in worlds:
        agent = after(agent)
        world.play(agent)
        learn(agent, lived(True))
    assert len(agent.snapshot()["worlds"]) == 2
    # Each is known again, after one step that may go wrong.
    for world in worlds:
        assert world.play(after(agent))[1] <= 6


def test_a_world_that_is_known_again_gets_no_second_table():
    agent = TabularAgent()
    for _ in range(3):
        agent = after(agent)
        Corridor().play(agent)
        told = learn(agent, lived(True))
    assert "of a world that is known" in told
    assert len(agent.snapshot()["worlds"]) == 1


def test_tables_that_turn_out_to_be_of_one_world_are_joined():
    def row(name: str, after: str) -> dict:
        return {name: [name_of(after), 0.0]}

    agent = TabularAgent()
    agent.restore(
        {
            "lived": 2,
            "worlds": [[[name_of("a"), row("l", "b")]], [[name_of("a"), row("r", "c")], [name_of("c"), row("s", "a")]]],
        }
    )
    agent.begin()
    # Away by r as the one table says, back by s, away by l as the other says.
    for view, name in (("a", "r"), ("c", "s"), ("a", "l"), ("b", "s")):
        agent.choose(Percept(view, tuple(option for option in OPTIONS if option.name == name)))
    learn(agent, lived(False))
    assert len(agent.snapshot()["worlds"]) == 1


def test_the_newest_word_on_an_option_counts():
    agent = TabularAgent()
    Corridor(4).play(agent)
    learn(agent, lived(True))
    again = after(agent)
    again.begin()
    # One step as before, then the way on is closed.
    assert again.choose(Percept("room 0", OPTIONS)).name == "r"
    assert again.choose(Percept("room 1", OPTIONS)).name == "r"
    assert again.choose(Percept("room 1", OPTIONS)).name != "r"


def test_the_worlds_not_met_for_longest_are_forgotten_first():
    agent = TabularAgent(most=20)
    for length in (5, 6, 7):
        agent = after(agent)
        agent.begin()
        for step in range(10):
            agent.choose(Percept(f"world {length}, room {step}", OPTIONS))
        learn(agent, lived(False))
    state = agent.snapshot()
    assert [len(table) for table in state["worlds"]] == [10, 10]


def test_rewards_draw_it_back_as_long_as_they_pay():
    agent = TabularAgent()
    paid = []
    reward = None
    for _ in range(30):
        name = agent.choose(Percept("room", OPTIONS, reward=reward)).name
        reward = 1.0 if name == "s" and sum(paid) < 5 else 0.0
        paid.append(reward)
    first = paid.index(1.0)
    assert paid[first : first + 5] == [1.0] * 5
    assert sum(paid) == 5


def test_an_option_that_ended_an_episode_badly_is_tried_again_last():
    agent = TabularAgent()
    first = agent.choose(Percept("edge", OPTIONS)).name
    learn(agent, lived(False))
    other = after(agent)
    other.begin()
    taken = [other.choose(Percept("edge", OPTIONS)).name for _ in range(3)]
    assert taken[2] == first
    assert sorted(taken) == ["l", "r", "s"]


def test_an_episode_without_a_turn_teaches_nothing():
    agent = TabularAgent()
    before = agent.snapshot()
    assert learn(agent, lived(True)) == ""
    assert agent.snapshot() == before


def test_the_table_is_bounded_and_forgets_the_views_not_met_for_longest():
    agent = TabularAgent(most=9)
    Corridor(20).play(agent, turns=200)
    learn(agent, lived(True))
    (table,) = agent.snapshot()["worlds"]
    assert sum(len(row) for _, row in table) <= 9
    assert table
    assert after(agent).snapshot() == agent.snapshot()


@pytest.mark.parametrize("most", [0, -1, 1.5, "many", True])
def test_a_bad_size_is_refused(most):
    with pytest.raises(UsageError, match="most must be"):
        TabularAgent(most)


@pytest.mark.parametrize("state", [None, {}, [], {"lived": 1}, {"lived": 0, "worlds": [[["a", {"b": 1}]]]}, "x"])
def test_a_state_of_another_kind_is_refused(state):
    with pytest.raises(ValueError, match="no tables"):
        TabularAgent().restore(state)


def test_a_placebo_has_the_same_rows_with_others_outcomes():
    agent = TabularAgent()
    Corridor().play(agent)
    learn(agent, lived(True))
    state = agent.snapshot()
    other = agent.placebo(state, generator("placebo"))

    def rows(s):
        return [(view, sorted(row)) for table in s["worlds"] for view, row in table]

    def outcomes(s):
        return sorted(tuple(outcome) for table in s["worlds"] for _, row in table for outcome in row.values())

    assert rows(other) == rows(state)
    assert outcomes(other) == outcomes(state)
    assert other != state
    TabularAgent().restore(other)


def rate(tier: str, items: int, tmp_path) -> float:
    run = evaluate(
        "odyssey/lights",
        "none",
        agent="tabular",
        tier=tier,
        limit=items,
        samples=1,
        arms=["inductive"],
        out=tmp_path / tier,
    )
    return run.frame()["success"].mean()


def test_in_one_episode_it_beats_the_random_player_on_lights(tmp_path):
    task = TASKS.load("odyssey/lights")()
    chance = max(item.levels["success"].chance for item in task.items(task.tiers["gate"], 0)[:100])
    reached = rate("gate", 100, tmp_path)
    # Even the easiest item's chance level is below its interval.
    assert wilson(round(100 * reached), 100, 0.999).low > chance


def test_over_episodes_of_one_world_it_comes_to_solve_it(tmp_path):
    task = TASKS.load("odyssey/lights")()
    tier = task.tiers["gate"]
    solved = []
    for item in task.items(Tier("gate", 5, 20, 64), 0)[:5]:
        read, env = task.reader(""), task.make_env(item, tier)
        agent = TabularAgent()
        outcomes = []
        for _ in range(25):
            agent = after(agent)
            agent.begin()
            text, _ = env.reset(seed=0)
            done = ended = False
            while not (done or ended):
                text, _, done, ended, _ = env.step(agent.choose(read(text)).text[len("<action>") : -len("</action>")])
            learn(agent, lived(done))
            outcomes.append(done)
        # Once it has found the goal, it finds it again.
        assert True in outcomes
        assert all(outcomes[outcomes.index(True) :])
        solved.append(outcomes.index(True))
