"""A designer without a model: it plays our transcript, theme by theme, with faults planted on purpose.

It stands for a model in the tests of generation. What it says depends on the request alone.
"""

from __future__ import annotations

from pathlib import Path

from finchmark.suite.backends.base import GenerateRequest

HERE = Path(__file__).parent / "transcript"

LIGHTHOUSE = (HERE / "lighthouse.yaml").read_text(encoding="utf-8")
OVEN = (HERE / "oven.yaml").read_text(encoding="utf-8")

THEMES = (
    "a lighthouse in fog",
    "an oven that loses heat",
    "a machine of dreams",
    "a farm that pays for ever",
    "a lighthouse for which skill is of no use",
    "a clock of which there are too few",
    "an oven in two houses",
)
"""Good at once; mended in two repairs; never mended; fails its audit; fails the ladder; has too few levels; good."""


def fenced(text: str) -> str:
    """A specification as a model would send it."""
    return f"Here is the world:\n\n```yaml\n{text}```\nGood luck."


def swapped(text: str, *pairs: tuple[str, str]) -> str:
    """A text with some parts replaced, each of which must be there."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


_OVEN_TRIES = (
    # No YAML at all; then names that nothing knows and a limit that is missing; then as it should be.
    fenced(swapped(OVEN, ("parameters:\n    target: {whole", "parameters:\n    target: [whole"))),
    fenced(swapped(OVEN, ("to: heat - loss", "to: heatt - loss"), ("  baked: 4\n", ""))),
    fenced(OVEN),
)
_DREAMS = ("I would rather not.", fenced("format: finchmark-world/1\nname: dreams\n"), "```python\nimport os\n```")
_FARM = fenced(swapped(OVEN, ("name: oven", "name: farm"), ("to: loaves + 1", "to: loaves"), ("  oven: ", "  farm: ")))
_SKILL = fenced(swapped(LIGHTHOUSE, ("one_of: [1, 2]", "one_of: [2, 3]")))
_CLOCK = fenced(
    swapped(
        LIGHTHOUSE,
        ("begin: {whole: [0, 9]}", "begin: {whole: [0, 1]}"),
        ("mark: {whole: [0, 9]}", "mark: {whole: [8, 9]}"),
    )
)
_TWO = fenced(
    swapped(
        OVEN,
        (
            "  oven: {",
            "  oven-full: {reward: bread, observation: full, skin: plain, preset: bakery, horizon: 30}\n  oven: {",
        ),
    )
)

_TRANSCRIPT: dict[str, tuple[str, ...]] = {
    THEMES[0]: (fenced(LIGHTHOUSE),),
    THEMES[1]: _OVEN_TRIES,
    THEMES[2]: _DREAMS,
    THEMES[3]: (_FARM,),
    THEMES[4]: (_SKILL,),
    THEMES[5]: (_CLOCK,),
    THEMES[6]: (_TWO,),
}


def reply(request: GenerateRequest) -> str:
    """What the designer says to a request: a design that names its theme, and then the transcript's tries in order."""
    first = request.messages[0].content
    if "Write no code." in first:
        theme = first.partition("Theme: ")[2].partition("\n")[0]
        return f"A world about {theme}: a few things change, one of them is hidden."
    theme = first.partition("A world about ")[2].partition(":")[0]
    tries = _TRANSCRIPT[theme]
    if len(request.messages) == 1:
        return tries[0]
    last = request.messages[1].content
    return tries[min(tries.index(last) + 1, len(tries) - 1)]
