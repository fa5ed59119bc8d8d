from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.agents.cheatsheet import CheatsheetAgent


def model(prompt: str) -> str:
    if "cheat sheet for a task" not in prompt:
        return "red"
    old = prompt.split("This is it now:\n")[-1].split("\n\n")[0].replace("(empty)", "")
    return f"<cheatsheet>{old}\nDoors: {prompt.count('Turn')}</cheatsheet>"


def test_the_second_episode_shows_the_sheet_of_the_first(stream):
    life = stream(CheatsheetAgent, model)
    assert "rewrote the sheet (0 characters before, 8 now)" in life.live()
    assert "Your cheat sheet from earlier episodes:\nDoors: 2" in life.probe()


def test_the_old_sheet_is_given_to_be_rewritten(stream):
    life = stream(CheatsheetAgent, model)
    life.live()
    life.live()
    assert life.state["text"] == "Doors: 2\nDoors: 2"


def test_an_empty_answer_keeps_the_sheet(stream):
    replies = iter(["red", "red", "All is well.", "red", "red", "<cheatsheet></cheatsheet>"])
    life = stream(CheatsheetAgent, lambda prompt: next(replies))
    life.live()
    assert life.live() == ""
    assert life.state == {"text": "All is well."}


@settings(max_examples=30)
@given(st.text(max_size=2000), st.integers(200, 900))
def test_the_sheet_is_never_over_its_cap(stream, text, cap):
    life = stream(lambda: CheatsheetAgent(cap=cap), lambda prompt: text)
    life.live()
    assert len(life.state["text"]) <= cap
