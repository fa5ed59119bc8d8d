import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finchmark.suite.agents.playbook import Bullet, Playbook, PlaybookAgent, apply_edits, refine
from finchmark.suite.agents.playbook_edits import Edit, parse_edits
from finchmark.suite.model import ModelStopped
from finchmark.suite.records import Outcome


def model(reflection="The lamp matters.", operations=""):
    """The three roles by what they are asked."""

    def reply(prompt: str) -> str:
        if "You look back" in prompt:
            return reflection
        return operations if "You keep a playbook" in prompt else "<action>red</action>"

    return reply


def test_the_second_episode_shows_what_the_first_taught(stream):
    life = stream(PlaybookAgent, model(operations="ADD: Look at the lamp first."))
    assert life.live() == "added b1: Look at the lamp first."
    assert "Your playbook from earlier episodes:\n- Look at the lamp first." in life.probe()


def test_the_reflector_sees_the_episode_and_the_curator_the_reflection(stream):
    life = stream(PlaybookAgent, model("Lamps are red.", "ADD: Look at the lamp first."))
    life.live("green", solved=False)
    reflector, curator = life.asked
    assert "a green door" in reflector
    assert "not solved" in reflector
    assert "Lamps are red." in curator


def test_items_are_edited_one_by_one(stream):
    life = stream(PlaybookAgent, model(operations="ADD: Look at the lamp first.\nADD: Doors open inwards."))
    life.live()
    life.reply = model(operations="EDIT b2: Doors open outwards.\nREMOVE b1")
    assert life.live() == "edited b2: Doors open outwards.; removed b1"
    assert [(b["id"], b["text"]) for b in life.state["bullets"]] == [("b2", "Doors open outwards.")]


def test_the_reflector_counts_help_and_harm(stream):
    life = stream(PlaybookAgent, model(operations="ADD: Look at the lamp first.\nADD: Doors open inwards."))
    life.live()
    life.reply = model("HELPFUL b1\nHELPFUL b1\nHARMFUL b2\nLamps matter.", "NONE")
    assert life.live() == "b1 was helpful; b2 was harmful"
    assert [(b["helpful"], b["harmful"]) for b in life.state["bullets"]] == [(1, 0), (0, 1)]


def test_a_bullet_that_helped_and_did_harm_at_once_counts_for_neither(stream):
    life = stream(PlaybookAgent, model(operations="ADD: Look at the lamp first."))
    life.live()
    life.reply = model("HELPFUL b1\nHARMFUL b1", "NONE")
    assert life.live() == ""


def test_a_bullet_that_only_does_harm_goes(stream):
    life = stream(PlaybookAgent, model(operations="ADD: Look at the lamp first."))
    life.live()
    life.reply = model("HARMFUL b1", "NONE")
    life.live()
    assert "removed b1, which did harm" in life.live()
    assert life.state["bullets"] == []


def test_counters_in_the_curators_answer_are_not_taken(stream):
    life = stream(PlaybookAgent, model(operations="ADD: Look at the lamp first."))
    life.live()
    life.reply = model(operations="HELPFUL b1")
    life.live()
    assert life.state["bullets"][0]["helpful"] == 0


def test_bad_operations_are_dropped_and_counted(stream):
    life = stream(PlaybookAgent, model(operations="REMOVE b9\nADD: 12\nADD: Look at the lamp first."))
    assert life.live() == "added b1: Look at the lamp first.; 2 operations could not be used"
    assert life.state["dropped"] == 2


def test_the_prompts_own_examples_are_no_lessons(stream):
    life = stream(PlaybookAgent, model())
    life.live()
    life.reply = model(operations="\n".join(life.asked[1].splitlines()[-3:]))
    assert life.live() == "3 operations could not be used"
    assert life.state["bullets"] == []


def test_what_is_taken_from_the_example_is_no_lesson(stream):
    life = stream(PlaybookAgent, model(operations="ADD: Plug the toaster in.\nADD: Look at the lamp first."))
    assert life.live() == "added b1: Look at the lamp first.; 1 operations could not be used"
    life.reply = model("The toaster is unplugged.", "ADD: Doors open inwards.")
    assert life.live() == ""
    assert len(life.asked) == 1


def test_repeating_the_example_does_no_bullet_harm(stream):
    life = stream(PlaybookAgent, model(operations="ADD: Look at the lamp first."))
    life.live()
    before = life.state["bullets"]
    examples = [asked.split("assistant: ")[1].splitlines()[0] for asked in life.asked]
    life.reply = model(f"{examples[0]}\nLamps matter.", f"{examples[1]}\nREMOVE b901")
    for _ in range(2):
        assert life.live() == "3 operations could not be used"
    assert life.state["bullets"] == before


def test_more_operations_than_fit_an_episode_are_counted(stream):
    adds = "\n".join(f"ADD: {letter * 9} is new" for letter in "abcdefghij")
    life = stream(PlaybookAgent, model(operations=adds))
    life.live()
    assert len(life.state["bullets"]) == 8
    assert life.state["dropped"] == 2


def test_a_silent_reflector_spares_the_curator(stream):
    life = stream(PlaybookAgent, model("", "ADD: Look at the lamp first."))
    assert life.live() == ""
    assert len(life.asked) == 1


def test_a_curator_that_is_stopped_changes_nothing(stream):
    def reply(prompt):
        return "The lamp matters. HELPFUL b1" if "You look back" in prompt else "red"

    class Stopped(PlaybookAgent):
        async def ask(self, model, prompt, **options):
            if "You keep" in prompt:
                raise ModelStopped(Outcome.INVALID, "context_overflow")
            return await super().ask(model, prompt, **options)

    life = stream(Stopped, reply)
    with pytest.raises(ModelStopped):
        life.live()
    assert life.agent.snapshot() == life.make().snapshot()


def test_near_duplicates_are_merged_and_their_counters_added():
    bullets = [
        Bullet(id="b1", text="Look at the lamp before you open a door", helpful=1),
        Bullet(id="b2", text="Doors open inwards", harmful=1),
        Bullet(id="b3", text="look at the Lamp before you open a door!", helpful=2),
    ]
    kept, done = refine(bullets, 1000)
    assert [(b.id, b.helpful) for b in kept] == [("b1", 3), ("b2", 0)]
    assert done == ["merged b3 into b1"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Press bulb 0 first when all are off", "Press bulb 1 first when all are off"),
        ("Open the red door", "Do not open the red door"),
        ("Buy when the price is announced to rise", "Sell when the price is announced to fall"),
    ],
)
def test_lessons_that_say_another_thing_stay(one, other):
    bullets = (Bullet(id="b1", text=one), Bullet(id="b2", text=other))
    assert refine(bullets, 1000) == (bullets, [])


def test_what_helped_least_goes_first_for_room():
    bullets = [
        Bullet(id="b1", text="x" * 90, helpful=1),
        Bullet(id="b2", text="y" * 90),
        Bullet(id="b3", text="z" * 90),
    ]
    assert [b.id for b in refine(bullets, 200)[0]] == ["b1", "b3"]


def test_an_operation_cannot_name_what_the_same_answer_added():
    playbook, done, lost = apply_edits(Playbook(), [Edit("add", "", "Look at the lamp."), Edit("remove", "b1")])
    assert [b.id for b in playbook.bullets] == ["b1"]
    assert (done, lost) == (["added b1: Look at the lamp."], 1)


def test_ids_are_never_given_twice():
    playbook, _, _ = apply_edits(Playbook(), parse_edits("ADD: Look at the lamp first.\nADD: Wait for the bell.")[0])
    playbook, _, _ = apply_edits(playbook, [Edit("remove", "b1")])
    playbook, _, _ = apply_edits(playbook, [Edit("add", "", "Doors open inwards.")])
    assert [b.id for b in playbook.bullets] == ["b2", "b3"]


TEXTS = st.lists(st.tuples(st.text(min_size=1, max_size=180), st.integers(0, 3), st.integers(0, 3)), max_size=12)


@settings(max_examples=60)
@given(TEXTS, st.integers(200, 600))
def test_a_playbook_fits_its_cap_and_refining_twice_changes_nothing(texts, cap):
    bullets = [Bullet(id=f"b{i}", text=t, helpful=h, harmful=d) for i, (t, h, d) in enumerate(texts)]
    once, _ = refine(bullets, cap)
    agent = PlaybookAgent(cap=cap)
    agent.state = Playbook(bullets=once)
    assert len(agent.memory(None)) <= cap
    assert {b.id for b in once} <= {b.id for b in bullets}
    assert refine(once, cap) == refine(once, cap)


@settings(max_examples=60)
@given(st.text(max_size=200), st.lists(st.sampled_from(["ADD: Look at the lamp first.", "REMOVE b1", "junk", ""])))
def test_no_answer_of_a_model_breaks_it(stream, reflection, operations):
    life = stream(PlaybookAgent, model(reflection, "\n".join(operations)))
    life.live()
    life.live(solved=False)
