"""What a model is told: how to design a world, the specification language, and how to mend what is wrong."""

from __future__ import annotations

from functools import cache
from importlib import resources

from ..backends.base import Message
from ..canonical import content_hash

__all__ = ["design_prompt", "guide_hash", "repair_prompt", "specification_prompt"]

_DESIGN = """\
Design a small text world for testing whether an agent can find out how a place works by acting in it.
Theme: {theme}

Say in plain words, in at most 300 words:
- what the player sees, and what is hidden and differs from level to level;
- a few things that change, each with a small range of whole numbers (at most 2,000 states a level in all);
- two to six actions, one of them waiting, and what each does;
- what happens by itself: a period, a coupling, a delay;
- the goal, how it is reached in 4 to 20 steps, and why a player that acts at random hardly ever reaches it;
- what differs from level to level: at least 300 combinations.
Write no code."""

_LANGUAGE = """\
You write worlds as data, in YAML of the format finchmark-world/1. The parts, all checked strictly:
- name (small letters, digits, _), summary.
- levels: parameters (each {whole: [low, high]} or {one_of: [...]}), hidden (names not shown at the start), keep (an
  expression over parameters), solvable (name of a reward that must be winnable), steps ([fewest, most] of a shortest
  solution), presets (name: {summary: ...}).
- variables: {kind: whole, low, high, start}, {kind: flag, start} or {kind: word, options: [...], start}; start is an
  expression over parameters. entities: {count, variables} for several things of a kind, read as name[number].variable.
- actions: summary, parameters ({kind: word, options}, {kind: whole, low, high} or {kind: entity, of}), when, effects,
  otherwise. An effect is {set: variable, to: expression} or {emit: event, amount: expression}, each with an optional
  when and after (steps of delay). "otherwise" happens where "when" does not hold.
- rules, at the end of every step: every, offset, when, each (entity), effects. chance: name: {values, weights}.
- events: name: what it is. limits: for each event that pays, how often an episode is meant to have it, at most.
- rewards: kind (binary: one event pays 1 and stands in last; accumulative: prices), goal, pays, last, potential
  (a number that grows as the goal comes nearer).
- observations: kind full (everything that matters) or partial, shows. skins: kind aligned, inverse, abstract or other;
  setting; words (name: the single word shown for it).
- worlds: name-with-dashes: {reward, observation, skin, preset, horizon}.
Expressions: + - * / // %, == != < <= > >=, and or not, "a if c else b", abs min max floor round clip,
sum(e.v), any(e.v), words in 'single quotes'. No other functions, no anchors, no code. Texts that hold a
colon stand in double quotes.
"""

_SPECIFICATION = """\
{language}
An example:

```yaml
{example}```

Write another world, unlike the example, by this design:

{design}

Answer with one ```yaml block that holds the whole specification, with one world in it, and nothing else."""

_REPAIR = """\
The specification has faults. The checker says:

{problems}

Mend all of them. Answer with one ```yaml block that holds the whole specification again, and nothing else."""


@cache
def _example() -> str:
    return resources.files("finchmark.suite.worldsmith").joinpath("example.yaml").read_text(encoding="utf-8")


def guide_hash() -> str:
    """The hash of everything that a model is told: a recording belongs to one guide."""
    return content_hash([_DESIGN, _LANGUAGE, _SPECIFICATION, _REPAIR, _example()])


def design_prompt(theme: str) -> tuple[Message, ...]:
    """Ask for a design in words."""
    return (Message("user", _DESIGN.format(theme=theme)),)


def specification_prompt(design: str) -> tuple[Message, ...]:
    """Ask for a specification by a design."""
    # Not str.format: the language's own braces would be read as fields.
    text = _SPECIFICATION.replace("{language}", _LANGUAGE).replace("{example}", _example())
    return (Message("user", text.replace("{design}", design.strip())),)


def repair_prompt(
    asked: tuple[Message, ...], reply: str, problems: tuple[str, ...], most: int = 20
) -> tuple[Message, ...]:
    """Ask for a specification without its faults, given what was asked, the reply and the checker's messages.

    Only the first request, the last reply and its problems are shown, so that prompts do not grow with every try.
    """
    listed = [f"- {problem}" for problem in problems[:most]]
    if len(problems) > most:
        listed.append(f"- and {len(problems) - most} more")
    return (
        asked[0],
        Message("assistant", reply),
        Message("user", _REPAIR.replace("{problems}", "\n".join(listed))),
    )
