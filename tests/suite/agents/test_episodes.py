import asyncio

from hypothesis import given
from hypothesis import strategies as st

from finchmark.suite.agents.episodes import EpisodesAgent
from finchmark.suite.agents.experience import Experience, Feedback, Step


def test_the_second_episode_shows_the_first_as_it_was(stream):
    life = stream(EpisodesAgent, lambda prompt: "I say red")
    life.live("red", solved=False, after="The door stays shut.")
    shown = life.probe("blue")
    assert "Episode 1, demo/doors: not solved, score 0 (from 0 to 1)" in shown
    assert "Turn 0: a red door.\n> I say red\nTurn 1: a red door.\n> I say red\nThe door stays shut." in shown


def test_nothing_is_shown_before_anything_was_lived(stream):
    assert "earlier" not in stream(EpisodesAgent, lambda prompt: "red").probe()


def test_the_model_is_not_asked_to_learn(stream):
    life = stream(EpisodesAgent, lambda prompt: "red")
    life.live()
    assert life.asked == []


def test_the_oldest_go_at_the_cap(stream):
    life = stream(lambda: EpisodesAgent(cap=400), lambda prompt: "x" * 20)
    doors = ("red", "green", "blue", "black")
    changes = [life.live(door) for door in doors]
    shown = life.probe("white")
    assert [door for door in doors if f"a {door} door" in shown] == ["blue", "black"]
    assert shown.index("a blue door") < shown.index("a black door")
    assert ["dropped the 1 oldest" in change for change in changes] == [False, False, True, True]


@given(st.lists(st.text(max_size=400), min_size=1, max_size=8), st.integers(200, 600))
def test_a_state_is_never_over_the_cap(replies, cap):
    agent = EpisodesAgent(cap=cap)

    async def live():
        for number, reply in enumerate(replies):
            experience = Experience(
                f"s000/{number}",
                "demo/x",
                number,
                "Rules.",
                (Step("see", reply, reply, True),),
                "",
                Feedback(1.0, True),
            )
            await agent.learn(experience, None)

    asyncio.run(live())
    kept = "\n\n".join(agent.state.episodes)
    assert 0 < len(kept) <= cap
    assert f"Episode {len(replies)}," in kept
