"""The form of a world specification: what stands in the YAML, as typed and frozen data."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ....suite.errors import UsageError

__all__ = ["FORMAT", "SpecError", "WorldSpec", "json_schema", "parse_spec"]

FORMAT = "finchmark-world/1"

LARGEST = 100_000
"""Characters of a specification."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
Expression = Annotated[str | int | float | bool, Field(description="An expression, see expressions.py; or a value")]
Target = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\[[^\[\]]{1,60}\]\.[a-z][a-z0-9_]*)?$"),
    Field(description="A variable, or entity[number].variable"),
]


class SpecError(UsageError):
    """What is wrong with a specification: every problem with its path, its value and the way out.

    Attributes:
        problems: A line each; they are made to be fed back to whoever wrote it.
    """

    def __init__(self, source: str, problems: list[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"- {problem}" for problem in problems)
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        super().__init__(f"{source}: {count} in the specification:\n{lines}")


class Part(BaseModel):
    """Base of all parts: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Variable(Part):
    """Something that changes. What is set is brought into its range, and rounded.

    Args:
        kind: ``whole``, ``real``, ``flag`` or ``word``.
        start: An expression over the level's parameters.
        low: Least value of a number.
        high: Largest value of a number.
        digits: Decimals that a real number keeps; fewer, fewer states.
        options: The words that it can be.
    """

    kind: Literal["whole", "real", "flag", "word"]
    start: Expression
    low: float | None = None
    high: float | None = None
    digits: int = Field(default=1, ge=0, le=6)
    options: tuple[Name, ...] = ()


class Entity(Part):
    """Several things of a kind, numbered from 0.

    Args:
        count: How many.
        variables: Of each of them; ``start`` may use ``index``, its number.
    """

    count: int = Field(ge=1, le=40)
    variables: dict[Name, Variable] = Field(min_length=1)


class ActionParameter(Part):
    """A parameter of an action.

    Args:
        kind: ``whole``, ``real``, ``word``, ``several`` (a list of words) or ``entity`` (the number of one).
        low: Least number.
        high: Largest number.
        options: Words.
        least: Fewest words of a list.
        most: Most words of a list.
        of: The kind of entity.
    """

    kind: Literal["whole", "real", "word", "several", "entity"]
    low: float | None = None
    high: float | None = None
    options: tuple[Name, ...] = ()
    least: int = 1
    most: int = 1
    of: Name | None = None


class Effect(Part):
    """Sets a variable, or emits an event; exactly one of both.

    Args:
        set: The variable.
        to: Its new value.
        emit: The event.
        amount: How much of it; nothing is emitted for 0.
        when: Only if this holds.
        after: Only so many steps later, at their end; everything is then computed with the values of that time.
    """

    set: Target | None = None
    to: Expression | None = None
    emit: Name | None = None
    amount: Expression = 1
    when: Expression = True
    after: int = Field(default=0, ge=0, le=20)


class SpecAction(Part):
    """An action.

    Args:
        summary: What the player is told of it; ``{name}`` becomes the skin's word.
        parameters: By name, in the order in which they are given.
        when: Whether it can be done now; if not, ``otherwise`` happens instead.
        effects: In order; each sees what those before it have done.
        otherwise: Likewise.
    """

    summary: str = ""
    parameters: dict[Name, ActionParameter] = Field(default_factory=dict)
    when: Expression = True
    effects: tuple[Effect, ...] = ()
    otherwise: tuple[Effect, ...] = ()


class Rule(Part):
    """What happens at the end of steps, whoever acts: couplings, decay, seasons.

    Args:
        every: Period in steps; 1: each step.
        offset: The step of the period, from 0.
        when: Only if this holds.
        each: A kind of entity: the rule runs once for each, and ``index`` is its number.
        effects: In order.
    """

    every: int = Field(default=1, ge=1, le=60)
    offset: int = Field(default=0, ge=0)
    when: Expression = True
    each: Name | None = None
    effects: tuple[Effect, ...] = Field(min_length=1)


class Chance(Part):
    """A draw of every step, made before anything happens.

    Args:
        values: What may come: numbers, flags or words.
        weights: Expressions over parameters and the state before the step, as many as values; none: all as likely.
    """

    values: tuple[Name | int | float | bool, ...] = Field(min_length=2, max_length=12)
    weights: tuple[Expression, ...] = ()


class Draw(Part):
    """How a level's parameter is drawn, uniformly.

    Args:
        whole: From the first to the second, both included.
        real: Likewise, in steps of 10^-digits.
        digits: Decimals.
        one_of: One of these values.
    """

    whole: tuple[int, int] | None = None
    real: tuple[float, float] | None = None
    digits: int = Field(default=1, ge=0, le=6)
    one_of: tuple[Name | int | float | bool, ...] | None = None


class SpecPreset(Part):
    """A difficulty.

    Args:
        summary: One line.
        draw: Parameters that are drawn otherwise than in ``parameters``.
    """

    summary: str
    draw: dict[Name, Draw] = Field(default_factory=dict)


class Levels(Part):
    """What differs from level to level.

    Args:
        parameters: By name.
        hidden: Those that a player cannot see at the start unless an observation shows them.
        keep: Only levels for which this holds, over the parameters.
        solvable: A reward's name: only levels are kept that it can be won in, and whose best ways take ``steps``.
        steps: Fewest and most steps of a shortest solution.
        presets: Difficulties by name.
    """

    parameters: dict[Name, Draw] = Field(min_length=1)
    hidden: tuple[Name, ...] = ()
    keep: Expression = True
    solvable: Name | None = None
    steps: tuple[int, int] = (1, 200)
    presets: dict[Name, SpecPreset] = Field(min_length=1)


class SpecReward(Part):
    """What pays: see :class:`..reward.Pays`.

    Args:
        kind: ``binary`` or ``accumulative``.
        goal: What the player is told.
        pays: Price by event.
        last: Events that end the episode.
        potential: How promising a state is, in units of this reward.
    """

    kind: Literal["binary", "accumulative"]
    goal: str
    pays: dict[Name, float] = Field(min_length=1)
    last: tuple[Name, ...] = ()
    potential: Expression = 0


class Sight(Part):
    """One thing that is seen.

    Args:
        show: A variable, a level's parameter, ``entity.variable`` (of all of them), or ``clock``.
        step: Numbers are shown as multiples of this, rounded down.
        when: Only if this holds; else it is shown as unknown.
    """

    show: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")]
    step: float | None = Field(default=None, gt=0)
    when: Expression = True


class SpecObservation(Part):
    """What is seen.

    Args:
        kind: ``full`` or ``partial``.
        shows: In order; a name alone is short for a sight.
    """

    kind: Literal["full", "partial"]
    shows: tuple[Sight | str, ...] = Field(min_length=1)


class SpecSkin(Part):
    """How it is shown.

    Args:
        kind: ``aligned``, ``inverse``, ``abstract`` or ``other``.
        setting: Where the player is; ``{name}`` becomes the skin's word.
        words: By name of an action, parameter, word, variable or entity; what is left out keeps its name.
        lines: For a thing that is seen, the sentence that shows it: ``{value}`` is the value.
    """

    kind: Literal["aligned", "inverse", "abstract", "other"]
    setting: str
    words: dict[str, str] = Field(default_factory=dict)
    lines: dict[str, str] = Field(default_factory=dict)


class SpecWorld(Part):
    """A combination of parts.

    Args:
        reward: A reward's name.
        observation: An observation's.
        skin: A skin's.
        preset: A preset's.
        horizon: Steps of an episode.
        summary: One line.
    """

    reward: Name
    observation: Name
    skin: Name
    preset: Name
    horizon: int = Field(ge=1, le=1000)
    summary: str = ""


class WorldSpec(Part):
    """A core and worlds on it, as data.

    Each step: chance is drawn; the action's effects happen; delayed effects that are due happen; the rules run in
    order; then it is looked whether the episode ends. ``clock`` counts usable steps, modulo the periods' common
    multiple.

    Args:
        format: ``finchmark-world/1``.
        name: Of the core.
        version: Of its levels; raise it with any change.
        summary: One line.
        levels: What differs from level to level.
        variables: What changes.
        entities: Things of which there are several.
        actions: By name.
        rules: What happens whoever acts.
        chance: Draws of every step.
        events: What can happen, by name, in a line each.
        limits: How much of an event an episode is meant to have at most, over parameters and ``horizon``.
        ends: The episode ends if one of these holds after a step.
        rewards: By name.
        observations: By name.
        skins: By name.
        worlds: By name.
    """

    format: Literal["finchmark-world/1"]
    name: Name
    version: int = Field(default=1, ge=1)
    summary: str
    levels: Levels
    variables: dict[Name, Variable] = Field(default_factory=dict)
    entities: dict[Name, Entity] = Field(default_factory=dict)
    actions: dict[Name, SpecAction] = Field(min_length=1)
    rules: tuple[Rule, ...] = ()
    chance: dict[Name, Chance] = Field(default_factory=dict)
    events: dict[Name, str] = Field(min_length=1)
    limits: dict[Name, Expression] = Field(default_factory=dict)
    ends: tuple[Expression, ...] = ()
    rewards: dict[Name, SpecReward] = Field(min_length=1)
    observations: dict[Name, SpecObservation] = Field(min_length=1)
    skins: dict[Name, SpecSkin] = Field(min_length=1)
    worlds: dict[str, SpecWorld] = Field(default_factory=dict)


def json_schema() -> dict[str, Any]:
    """The form as JSON Schema (draft 2020-12), for editors and for models that write specifications."""
    return WorldSpec.model_json_schema()


def _path(parts: tuple[int | str, ...]) -> str:
    text = ""
    for part in parts:
        # pydantic names the branch of a union in the path; it is no key of the file.
        if isinstance(part, str) and re.fullmatch(r"(constrained-)?(str|int|float|bool|Sight|literal\[.*\])", part):
            continue
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text or "the whole"


def parse_spec(text: str, source: str = "specification") -> WorldSpec:
    """Read a specification from YAML.

    Args:
        text: At most 100,000 characters, without anchors and without a key given twice.
        source: Where it stands, for messages.

    Raises:
        SpecError: It is no YAML, or not of the form; all problems at once, each with its path.
    """
    import yaml

    if len(text) > LARGEST:
        raise SpecError(source, [f"it has {len(text)} characters: write at most {LARGEST}"])
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, (yaml.AliasToken, yaml.AnchorToken)):
                line = token.start_mark.line + 1
                raise SpecError(source, [f"line {line}: anchors and aliases are not allowed: write it out"])
        data = yaml.load(text, Loader=_loader())  # a subclass of SafeLoader
    except yaml.YAMLError as error:
        raise SpecError(source, [f"this is no YAML: {' '.join(str(error).split())}"]) from None
    except RecursionError:
        raise SpecError(source, ["it is nested too deeply"]) from None
    if not isinstance(data, dict):
        raise SpecError(source, [f"the whole: a mapping is needed, not {type(data).__name__}"])
    try:
        return WorldSpec.model_validate(data)
    except ValidationError as error:
        problems = [
            f"{_path(e['loc'])}: {e['msg']} (got {_short(e['input'])})" for e in error.errors(include_url=False)
        ]
        raise SpecError(source, list(dict.fromkeys(problems))) from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a key that stands twice, which YAML itself lets the later one win."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[Any] = set()
            for key, _ in node.value:
                name = key.value
                if name in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {name!r} stands twice", key.start_mark
                    )
                seen.add(name)
            return super().construct_mapping(node, deep)

    return Loader
