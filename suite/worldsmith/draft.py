"""A draft: the specification in a model's reply, checked, and brought into a form and under names that are its own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...environments.worlds.spec.model import SpecError
from ..canonical import content_hash

if TYPE_CHECKING:
    from ...environments.worlds.spec.model import WorldSpec

__all__ = ["LONGEST_HORIZON", "Draft", "find_yaml", "read_draft"]

LONGEST_HORIZON = 200
_MOST_WORLDS = 4
_MOST_ACTIONS = 60
_MOST_VALUES = 10_000
_WORLD_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_BLOCK = re.compile(r"^[ \t]*```[ \t]*\w*[ \t]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Draft:
    """A specification that parses and compiles.

    Attributes:
        text: Canonical YAML, under its final names.
        core: The core's name: the writer's with the first digits of the content's hash, so that no two differ in
            content but share a name, and none takes a name of the catalogue.
        digest: The hash of the content as it was written.
    """

    text: str
    core: str
    digest: str


def find_yaml(reply: str) -> str:
    """The specification in a reply: its last fenced block, or all of it where there is none."""
    blocks = _BLOCK.findall(reply)
    return blocks[-1] if blocks else reply


def read_draft(reply: str) -> Draft:
    """Check the specification in a reply.

    Raises:
        SpecError: What is wrong, all at once, in sentences that a model can mend it by.
    """
    from ...environments.worlds.spec.compile import compile_spec
    from ...environments.worlds.spec.model import parse_spec

    spec = parse_spec(find_yaml(reply))
    if wrong := _beyond_form(spec):
        raise SpecError("specification", wrong)
    core = compile_spec(spec)
    count = len(core.dynamics.actions.all) if core.dynamics.actions.finite else _MOST_ACTIONS + 1
    if count > _MOST_ACTIONS:
        raise SpecError(
            "specification",
            [f"actions: with all their parameters there are over {_MOST_ACTIONS}: fewer, and none with real numbers"],
        )
    return _renamed(spec)


def _beyond_form(spec: WorldSpec) -> list[str]:
    """What the language allows and a generated world may not have; asked before anything is listed or computed."""
    wrong = [f"{path}: {value} is no finite number" for path, value in _numbers(spec) if not math.isfinite(value)]
    draws = {f"levels.parameters.{name}": draw for name, draw in spec.levels.parameters.items()}
    for preset, choice in spec.levels.presets.items():
        draws |= {f"levels.presets.{preset}.draw.{name}": draw for name, draw in choice.draw.items()}
    for path, draw in draws.items():
        low, high = draw.whole or draw.real or (0, 0)
        # The language lists all values of a parameter: a billion of them would fill the memory.
        if not (high - low) * (10**draw.digits if draw.real else 1) < _MOST_VALUES:
            wrong.append(f"{path}: has more than {_MOST_VALUES} values: a smaller range or fewer digits")
    for name, action in spec.actions.items():
        for inner, parameter in action.parameters.items():
            if (parameter.high or 0) - (parameter.low or 0) > _MOST_VALUES:
                wrong.append(f"actions.{name}.parameters.{inner}: has more than {_MOST_VALUES} values")
    if not 1 <= len(spec.worlds) <= _MOST_WORLDS:
        wrong.append(f"worlds: there are {len(spec.worlds)}: name 1 to {_MOST_WORLDS}")
    for name, world in spec.worlds.items():
        if not _WORLD_NAME.fullmatch(name):
            wrong.append(f"worlds: the name {name[:60]!r} must be small letters, digits and dashes, at most 40")
        if world.horizon > LONGEST_HORIZON:
            wrong.append(f"worlds.{name[:60]}.horizon: is {world.horizon}: at most {LONGEST_HORIZON}")
    return wrong


def _numbers(spec: WorldSpec) -> Iterator[tuple[str, float]]:
    """All floats of a specification with their paths."""
    todo: list[tuple[str, Any]] = list(spec.model_dump(mode="python").items())
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict):
            todo += [(f"{path}.{key}", inner) for key, inner in value.items()]
        elif isinstance(value, (list, tuple)):
            todo += [(f"{path}[{n}]", inner) for n, inner in enumerate(value)]
        elif isinstance(value, float):
            yield path, value


def _renamed(spec: WorldSpec) -> Draft:
    import yaml

    digest = content_hash(spec.model_dump(mode="json"))
    tail = digest[:6]
    core = f"{spec.name[:24].rstrip('_')}_{tail}"
    worlds = {f"{name[:33].rstrip('-')}-{number}-{tail}": w for number, (name, w) in enumerate(spec.worlds.items())}
    renamed = spec.model_copy(update={"name": core, "worlds": worlds})
    plain = renamed.model_dump(mode="json", exclude_defaults=True)
    return Draft(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110), core, digest)
