"""Where a task of lm-eval lies: found by its name without reading lm-eval's 14,000 files as YAML."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...suite.backends.lm_eval_class import lm_eval_module
from ...suite.errors import UnknownName, UsageError

__all__ = ["FAMILY", "FOLDERS", "expand", "include", "load", "members", "own_tasks", "task_folders", "task_manager"]

FAMILY = "lm_eval"
FOLDERS = "FINCHMARK_LM_EVAL_TASKS"
"""Environment variable: folders with further task files, as for lm-eval's ``--include_path``, separated as in PATH."""

_log = logging.getLogger(__name__)
_NAMED = re.compile(rb"^(task|group):[ \t]*['\"]?([A-Za-z0-9_.+:-]+)['\"]?[ \t]*(?:#.*)?$", re.MULTILINE)
_included: list[Path] = []


def include(folder: str | Path) -> None:
    """Add a folder with task files, as lm-eval's ``--include_path`` does. It goes before what was there.

    Raises:
        UsageError: There is no such folder.
    """
    path = Path(folder).expanduser().resolve()
    if not path.is_dir():
        raise UsageError(f"{folder}: there is no such folder with tasks of lm-eval.")
    if path not in _included:
        _included.append(path)


def task_folders() -> list[Path]:
    """Folders with further task files: those of the environment, then the included ones; later ones go first.

    Raises:
        UsageError: One of the environment's is not there.
    """
    told = [Path(part).expanduser().resolve() for part in os.environ.get(FOLDERS, "").split(os.pathsep) if part]
    missing = [path for path in told if not path.is_dir()]
    if missing:
        raise UsageError(f"{FOLDERS}={os.environ[FOLDERS]}: there is no folder {missing[0]}.")
    return [*told, *_included]


@lru_cache(maxsize=1)
def own_tasks() -> Mapping[str, tuple[str, Path]]:
    """Names of lm-eval's own files, each with ``task`` or ``group`` and its file.

    The lines are looked for as bytes: 1.4 s for 13,986 files, where lm-eval's own index takes 6 to 20 s.
    """
    found: dict[str, tuple[str, Path]] = {}
    for folder, _, names in os.walk(Path(lm_eval_module("tasks").__file__).parent):
        for name in names:
            if name.endswith(".yaml"):
                path = Path(folder, name)
                told = dict(_NAMED.findall(path.read_bytes()))
                kind = "group" if b"group" in told else "task"
                if kind.encode() in told:
                    found.setdefault(told[kind.encode()].decode(), (kind, path))
    return found


def task_manager(*folders: Path, defaults: bool = False) -> Any:
    """lm-eval's own task manager over some folders, and with ``defaults`` over its 14,000 files too."""
    manager = lm_eval_module("tasks").TaskManager
    return manager(include_path=[str(f) for f in folders] or None, include_defaults=defaults)


def _place(name: str) -> Any:
    """A task manager that knows a task, as small as can be; None where there is none by that name."""
    for folder in reversed(task_folders()):
        manager = task_manager(folder)
        if name in manager.all_subtasks:
            return manager
    kind, path = own_tasks().get(name, ("", Path()))
    if kind != "task":
        return None
    manager = task_manager(path.parent)
    return manager if name in manager.all_subtasks else task_manager(defaults=True)


def expand(selector: str) -> list[str]:
    """The tasks that a selector stands for: a task, a pattern of names, a group or a tag of lm-eval's.

    Args:
        selector: Such as ``lm_eval/arc_easy``, ``lm_eval/arc_*`` or ``lm_eval/mmlu``.

    Raises:
        UnknownName: lm-eval has nothing by that name.
        UsageError: No task is named, or a group changes its tasks.
        BackendUnavailable: lm-eval is not installed.
    """
    _, _, name = selector.partition("/")
    if not name or name == "*":
        raise UsageError(
            f"lm-eval has {len(own_tasks()):,} tasks; name some: {FAMILY}/arc_easy, a group such as {FAMILY}/mmlu, or "
            f"a pattern such as '{FAMILY}/arc_*'."
        )
    if any(c in name for c in "*?["):
        known = {n for n, (kind, _) in own_tasks().items() if kind == "task"}
        known.update(n for folder in task_folders() for n in task_manager(folder).all_subtasks)
        return [f"{FAMILY}/{n}" for n in sorted(known) if fnmatchcase(n, name)]
    if _place(name) is not None:
        return [f"{FAMILY}/{name}"]
    index = task_manager(*task_folders(), defaults=True).task_index
    if name not in index:
        raise UnknownName("task", f"{FAMILY}/{name}", (f"{FAMILY}/{known}" for known in index))
    return [f"{FAMILY}/{task}" for task in dict.fromkeys(members(name, index))]


def members(name: str, index: Mapping[str, Any]) -> Iterable[str]:
    """The tasks below a group or tag of lm-eval's.

    Raises:
        UnknownName: The index has no such name.
        UsageError: A group changes its tasks.
    """
    entry = index.get(name)
    if entry is None:
        raise UnknownName("task", f"{FAMILY}/{name}", (f"{FAMILY}/{known}" for known in index))
    kind = entry.kind.name
    if kind == "TAG":
        for task in sorted(entry.tags):
            yield from members(task, index)
        return
    if kind != "GROUP":
        yield name
        return
    told = entry.cfg.get("task") or []
    for member in [told] if isinstance(told, str | Mapping) else told:
        if isinstance(member, str):
            yield from members(member, index)
        elif set(member) == {"task"} and isinstance(member["task"], str):
            yield from members(member["task"], index)
        else:
            raise UsageError(
                f"The group {FAMILY}/{name} changes its tasks ({', '.join(map(str, member))}); name its tasks one by "
                "one, and what is to be changed as an arm."
            )


def load(name: str) -> Any:
    """Make lm-eval's task object, its data loaded.

    Args:
        name: As lm-eval knows it.

    Raises:
        UnknownName: There is no such task.
        UsageError: Its data cannot be had, or the task cannot be made.
        BackendUnavailable: lm-eval is not installed.
    """
    manager = _place(name)
    if manager is None:
        raise UnknownName("task", f"{FAMILY}/{name}", (f"{FAMILY}/{known}" for known in own_tasks()))
    try:
        return manager.load([name])["tasks"][name]
    except Exception as error:
        config = manager.task_index[name].cfg or {}
        said = next(iter(str(error).strip().splitlines()), "")
        why = f"{type(error).__name__}: {said[:300]}"
        data = config.get("dataset_path")
        if data and data not in ("json", "csv", "text", "parquet", "arrow"):
            raise UsageError(
                f"The task {FAMILY}/{name} cannot be made ({why}). Its data is {data!r} of the Hugging Face hub, which "
                "needs the network once; after that it is read from the hub's cache (HF_HOME)."
            ) from error
        raise UsageError(f"The task {FAMILY}/{name} cannot be made ({why}).") from error
