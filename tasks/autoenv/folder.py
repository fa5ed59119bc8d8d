"""What stands in a checkout: environments, their levels, instructions and listed maxima. Nothing of it is run here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...suite.errors import UsageError

__all__ = ["EnvFolder", "find_environments"]

_DEFAULT_STEPS = 20


@dataclass(frozen=True, slots=True)
class EnvFolder:
    """One environment of a checkout.

    Attributes:
        path: Its folder.
        root: The checkout, which its modules import from too.
        number: Its number in the release, by the first number in its folder's name; None where there is none.
        levels: Names of its test levels, in order.
        maxima: Listed maximum by level; levels without one are left out.
        steps: Cap on an episode: ``termination.max_steps`` of its configuration, else 20 as its own solver has it.
        instruction: What its own solver tells an agent.
        actions: Its action space as text.
        names: Names of actions in it.
    """

    path: Path
    root: Path
    number: int | None
    levels: tuple[str, ...]
    maxima: dict[str, float]
    steps: int
    instruction: str
    actions: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.path.name


def find_environments(root: Path) -> list[EnvFolder]:
    """All environments below a folder: folders with ``env_main.py``, ``config.yaml`` and ``levels/``.

    Args:
        root: A checkout, or one environment's folder in it.

    Raises:
        UsageError: There is none, or a file of one cannot be read.
    """
    root = root.resolve()
    if not root.is_dir():
        raise UsageError(f"--data {root}: there is no such folder. It takes a checkout of AutoEnv.")
    mains = [root / "env_main.py"] if (root / "env_main.py").is_file() else sorted(root.rglob("env_main.py"))
    found = [
        _read(main.parent, _top(main.parent))
        for main in mains
        if (main.parent / "config.yaml").is_file() and (main.parent / "levels").is_dir()
    ]
    if not found:
        raise UsageError(
            f"--data {root}: no environment of AutoEnv is there (env_main.py, config.yaml and levels/ in a folder)."
        )
    names = [folder.name for folder in found]
    if len(set(names)) < len(names):
        raise UsageError(f"--data {root}: two environments have folders of one name; give one of their parents.")
    return sorted(found, key=lambda f: (f.number is None, f.number or 0, f.name))


def _top(folder: Path) -> Path:
    """The checkout that a folder lies in: the nearest parent that has ``base/``, which environments import from."""
    for parent in folder.parents:
        if (parent / "base").is_dir():
            return parent
    return folder.parent


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""


def _read(folder: Path, root: Path) -> EnvFolder:
    import yaml

    number = re.search(r"\d+", folder.name)
    try:
        config = yaml.safe_load(_text(folder / "config.yaml")) or {}
    except yaml.YAMLError as error:
        raise UsageError(f"{folder / 'config.yaml'} is no YAML: {' '.join(str(error).split())[:200]}.") from None
    termination = config.get("termination") if isinstance(config, dict) else None
    steps = termination.get("max_steps") if isinstance(termination, dict) else None
    actions = _text(folder / "action_space.txt")
    return EnvFolder(
        folder,
        root,
        int(number.group()) if number else None,
        tuple(sorted(path.stem for path in (folder / "levels").glob("*.yaml"))),
        _maxima(folder / "level_max_rewards.json"),
        steps if type(steps) is int and steps > 0 else _DEFAULT_STEPS,
        _text(folder / "agent_instruction.txt"),
        actions,
        _names(actions),
    )


def _maxima(path: Path) -> dict[str, float]:
    try:
        levels: Any = json.loads(_text(path) or "{}").get("levels", {})
        listed = {Path(name).stem: row.get("max_reward") for name, row in levels.items()}
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from None
    return {
        name: float(most)
        for name, most in listed.items()
        if isinstance(most, (int, float)) and not isinstance(most, bool) and most > 0
    }


def _names(text: str) -> tuple[str, ...]:
    """Names in an action space: a JSON list with a sentence after it."""
    begin = text.find("[")
    if begin < 0:
        return ()
    try:
        rows, _ = json.JSONDecoder().raw_decode(text[begin:])
        return tuple(row["name"] for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str))
    except (ValueError, TypeError):
        return ()
