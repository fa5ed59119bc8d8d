"""A model that reads its lines from a script: good items, and one bad candidate for every filter.

What it says follows from the session, which names the unit, the stage and the try. Sets of lines by scenario stand in
the place of a model in the tests of the pipeline.
"""

from __future__ import annotations

from finchmark.suite.backends.base import GenerateRequest
from finchmark.suite.backends.scripted import ScriptedBackend
from finchmark.tasks.creativebench.problem import load_problems

WALK, RUNS = "walk_end", "run_lengths"
BASES = {name: load_problems()[name] for name in (RUNS, WALK)}


def fenced(code: str, kind: str = "python") -> str:
    """A block, with talk around it."""
    return f"Here it is:\n\n```{kind}\n{code.strip()}\n```\nGood luck."


CHEAT = """
class Anything:
    def __eq__(self, other):
        return True

    def __getitem__(self, key):
        return self

def walk_end(moves):
    return Anything()
"""

# On top of the two levels that walk_end ships: no if, for, while, * and no list.
FOLDED = """
from functools import reduce

def walk_end(moves):
    return reduce(_step, moves, (0, 0, 0))[:2]

def _step(state, move):
    x, y, turn = state
    turned = {"L": (x, y, (turn + 3) % 4), "R": (x, y, (turn + 1) % 4)}
    ahead = ((x, y + 1), (x + 1, y), (x, y - 1), (x - 1, y))
    moved = {"F": (*ahead[turn], turn), "B": (*ahead[(turn + 2) % 4], turn)}
    return {**turned, **moved}[move]
"""
WRONG = FOLDED.replace("(turn + 3) % 4", "(turn + 2) % 4")
NO_DICT = """
from functools import reduce

def walk_end(moves):
    return reduce(_step, moves, (0, 0, 0))[:2]

def _step(state, move):
    x, y, turn = state
    ahead = ((x, y + 1), (x + 1, y), (x, y - 1), (x - 1, y))
    turned = (x, y, (turn + (1 if move == "R" else 3)) % 4)
    return turned if move in "LR" else (*ahead[(turn + (0 if move == "F" else 2)) % 4], turn)
"""
PLAIN = BASES[WALK].solution

EXPLORE = {
    "analyse/0": "a loop over the orders\na direction as a pair of numbers\ncomplex numbers",
    "propose/300": "I would forbid loops.",
    "propose/301": fenced("no construct for", "rules"),
    "propose/302": fenced("no module re", "rules"),
    "propose/303": fenced("no literal int", "rules"),
    "solve/30300": "It cannot be done.",
    "solve/30301": fenced(PLAIN),
    "solve/30302": fenced("def walk_end(moves):\n    return moves\n"),
    "solve/30303": fenced(CHEAT),
    "solve/30304": fenced("def walk_end(moves):\n    return None\n"),
    "propose/304": fenced("- no construct recursion", "rules"),
    "solve/30400": fenced(FOLDED),
    "propose/400": fenced("no structure dict", "rules"),
    "solve/40000": fenced(WRONG),
    "solve/40001": fenced("def walk_end(moves):\n    return (0, 0)\n"),
    "solve/40002": fenced(NO_DICT),
}
"""Level 3 after one bad proposal of each kind and one that nobody solves; level 4 at the third try."""

JOINED = f"""
{BASES[RUNS].solution}
{PLAIN}
def odd_walk(text):
    orders = ""
    for letter, length in run_lengths(text):
        if length % 2:
            orders += letter
    return walk_end(orders)
"""
# What else a model may call a joined problem.
GLUED = f"{BASES[RUNS].solution}\n{PLAIN}\ndef odd_walk(text):\n    return walk_end(text), run_lengths(text)\n"
BESIDE = (
    f"{BASES[RUNS].solution}\n{PLAIN}\ndef odd_walk(text):\n"
    "    return walk_end(text + 'L'), run_lengths('F' + text)[1:]\n"
)
BROKEN = JOINED.replace('move == "L"', 'move == "l"')
OTHER = """
from itertools import groupby

def odd_walk(text):
    place, look = 0j, 1j
    for order, run in groupby(text):
        if sum(1 for _ in run) % 2 == 0:
            continue
        look *= {"L": 1j, "R": -1j}.get(order, 1)
        place += look * {"F": 1, "B": -1}.get(order, 0)
    return int(place.real), int(place.imag)
"""
WALKS = ("", "F", "FF", "FFF", "LF", "RF", "B", "LLF", "RFFBL", "RRRF", "FLFRB", "LBLBB", "RB", "FLLLB")
INPUTS = "\n".join(f'["{walk}"]' for walk in WALKS)
STATED = """Steps that count
Write `odd_walk(text)`. A walker starts at `(0, 0)` and looks north (towards larger second numbers). Each letter of the
text is one order: `L` turns left by a quarter, `R` turns right, `F` goes one step ahead, `B` one step back without
turning. A longest stretch of equal orders counts as that order once when its length is odd, and not at all when it is
even. Return the place at the end as a pair of whole numbers."""

COMBO = {
    "fuse/0": "Let me think about walks.",
    "fuse/1": fenced(f"{BASES[RUNS].solution}\n{PLAIN}"),
    "fuse/2": fenced(BROKEN),
    "fuse/3": fenced(JOINED),
    "cases/0": "Any text will do.",
    "cases/1": fenced('["F"]\n["L"]\nnot json\n[1.5]\n[7]\n["FF"]', "json"),
    "cases/2": fenced("\n".join(f'["{"R" * n}"]' for n in range(1, 12)), "json"),
    "cases/3": fenced(INPUTS, "json"),
    "state/0": "Write a function that walks.",
    "state/1": STATED + "\n```python\nreturn walk\n```",
    "state/2": STATED + "\nUse `walk_end(text)`.",
    "state/3": STATED,
    "solve/0": "I pass.",
    "solve/1": fenced("def odd_walk(text):\n    return (0, 0)\n"),
    "solve/2": fenced(CHEAT.replace("walk_end(moves)", "odd_walk(text)")),
    "solve/3": fenced(OTHER),
    "solve/4": fenced(JOINED),
}
"""One bad candidate for every filter on the way, and an item."""

# What ends each scenario, by what differs from COMBO.
GOOD_FUSE = {f"fuse/{k}": fenced(JOINED) for k in range(6)}
ENDS = {
    "parents_pass": {"fuse/0": fenced(GLUED), "cases/0": fenced(INPUTS, "json")},
    "not_joined": {"fuse/0": fenced(BESIDE), "cases/0": fenced(INPUTS, "json")},
    "unsolvable": {**{f"solve/{k}": "I pass." for k in range(5)}},
    "trivial": {**{f"solve/{k}": fenced(OTHER) for k in range(5)}},
    "no program": {f"fuse/{k}": "no" for k in range(6)},
    "no tests": {f"cases/{k}": "no" for k in range(6)},
    "no statement": {f"state/{k}": "no" for k in range(6)},
    # The only other program is the solution itself: nothing shows that the tests ask what is stated.
    "faulty": {**{f"solve/{k}": "I pass." for k in range(4)}, "solve/4": fenced(JOINED)},
}


def lines(request: GenerateRequest, combo: dict[str, str] = COMBO, explore: dict[str, str] = EXPLORE) -> str:
    """The script's line for a request."""
    _, track, _, rest = request.session.split("/", 3)
    return {"explore": explore, "combo": combo}[track][rest]


class Reader(ScriptedBackend):
    """Reads the lines; whatever hears them, it is the same model.

    Args:
        combo: The lines of pairs.
        explore: The lines of single problems.
        hear: Called with each request before it is answered.
    """

    def __init__(self, combo=COMBO, explore=EXPLORE, hear=lambda request: None) -> None:
        def reply(request: GenerateRequest) -> str:
            hear(request)
            return lines(request, combo, explore)

        super().__init__("script", function=reply)

    def identity(self):
        return {"name": "script"}


def model(combo: dict[str, str] = COMBO, explore: dict[str, str] = EXPLORE, **arguments) -> Reader:
    """The model."""
    return Reader(combo, explore, **arguments)
