import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.agents.mistakes import MistakesAgent
from finchmark.suite.seeds import generator


def model(note="Say the colour of the lamp."):
    return lambda prompt: note if "Write one note" in prompt else "<action>red</action>"


def test_a_note_on_trial_is_shown_and_accepted_if_the_batch_goes_better(stream):
    life = stream(lambda: MistakesAgent(batch=2), model())
    assert life.live(solved=False) == "counted episode 1 of a batch of 2"
    assert life.live(solved=False) == "put on trial against a mean of 0: Say the colour of the lamp."
    assert "Notes on mistakes in earlier episodes:\n- Say the colour of the lamp." in life.probe()
    life.live(solved=True)
    assert life.live(solved=False) == "accepted 1 notes: mean 0.5 with them, 0 before"
    assert life.state["notes"] == ["Say the colour of the lamp."]
    assert life.state["accepted"] == 1


def test_a_trial_that_changes_nothing_is_rejected_and_forgotten(stream):
    life = stream(lambda: MistakesAgent(batch=1), model())
    life.live(solved=False)
    assert life.live(solved=False) == "rejected 1 notes: mean 0 with them, 0 before"
    assert "lamp" not in life.probe()
    assert life.state["rejected"] == 1


def test_a_trial_is_held_against_the_batch_right_before_it(stream):
    life = stream(lambda: MistakesAgent(batch=2), model())
    for solved in (True, False):
        life.live(solved=solved)
    assert life.state["before"] == 0.5
    for _ in range(2):
        life.live(solved=False)
    assert life.state["before"] is None
    life.live(solved=False)
    life.live(solved=False)
    assert life.state["before"] == 0.0


def test_without_failures_there_is_no_trial(stream):
    life = stream(lambda: MistakesAgent(batch=2), model())
    life.live()
    assert life.live() == "ended a batch of mean 1 without a new note"
    assert life.state["before"] is None
    assert life.asked == []


def test_failures_are_grouped_and_each_group_gets_a_note(stream):
    def reply(prompt):
        if "Write one note" not in prompt:
            return "<action>x</action>"
        return f"Mind what was {'wet' if 'a wet slippery' in prompt else 'hot'}."

    life = stream(lambda: MistakesAgent(batch=4), reply)
    for door, after in (
        ("wet slippery", "You slip on the wet floor and fall."),
        ("wet slippery", "You slip on the wet floor and fall."),
        ("burning", "Fire! The oven glows, all burns."),
        ("wet slippery", "You slip on the wet floor and fall."),
    ):
        life.live(door, solved=False, after=after, rules=f"Rules about {door}")
    assert life.state["trial"] == ["Mind what was wet.", "Mind what was hot."]
    assert "3 of your episodes failed" in life.asked[0]
    assert life.asked[0].count("You slip on the wet floor") == 2


def test_an_empty_note_is_none(stream):
    life = stream(lambda: MistakesAgent(batch=2), model(""))
    life.live(solved=False)
    assert life.live(solved=False) == "ended a batch of mean 0 without a new note"
    assert life.state["trial"] == []


def test_an_episode_without_a_score_counts_in_no_mean(stream):
    life = stream(lambda: MistakesAgent(batch=2), model())
    life.live(solved=False)
    life.live(solved=None, outcome="invalid")
    assert life.state["before"] == 0.0
    life.live(solved=None, outcome="invalid")
    assert life.live(solved=None) == "rejected 1 notes: mean none with them, 0 before"


def test_failures_of_a_trial_are_not_kept(stream):
    life = stream(lambda: MistakesAgent(batch=2), model())
    for kept in (1, 0, 0, 0, 1):
        life.live(solved=False)
        assert len(life.state["failures"]) == kept


def test_the_oldest_notes_go_at_half_of_the_cap(stream):
    count = iter(range(100))
    life = stream(lambda: MistakesAgent(batch=1, cap=600), lambda prompt: f"{next(count)} " + "word " * 40)
    for solved in [False, True] * 8:
        life.live(solved=solved)
    assert life.state["accepted"] == 8
    notes = life.state["notes"]
    assert len(notes) == 3
    assert notes[-1] > notes[0]
    assert len("\n".join(f"- {note}" for note in notes)) <= 300


@settings(max_examples=30)
@given(st.lists(st.booleans(), max_size=12), st.text(min_size=1, max_size=400), st.integers(200, 500))
def test_the_memory_is_never_over_its_cap(stream, episodes, note, cap):
    count = iter(range(1000))
    life = stream(lambda: MistakesAgent(batch=1, cap=cap), lambda prompt: f"{next(count)} {note}")
    for solved in episodes:
        life.live(solved=solved)
        assert len(life.agent.memory(None)) <= cap


def test_notes_that_do_nothing_are_accepted_as_often_as_stated():
    """The docstring's noise: binary scores of mean .5, batches of 4: .363 of trials."""
    from finchmark.suite.agents.experience import Experience, Feedback

    rng = generator("mistakes", "noise")
    agent = MistakesAgent()

    async def note(experience, failures, model):
        return ("A note.",)

    agent._notes = note

    async def live():
        for position, draw in enumerate(rng.random(8 * 4000)):
            solved = bool(draw < 0.5)
            feedback = Feedback(float(solved), solved)
            await agent.learn(Experience("s000/0", "demo/x", position, "", (), "", feedback), None)

    asyncio.run(live())
    assert agent.state.accepted + agent.state.rejected == 4000
    assert abs(agent.state.accepted / 4000 - 0.3633) < 3.3 * (0.3633 * 0.6367 / 4000) ** 0.5
