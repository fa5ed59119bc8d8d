"""What ``finchmark worlds audit|list|show|check`` do: functions that return lines and whether all is well."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase

from ...suite.errors import UnknownName, UsageError
from .catalogue import WORLDS, Line
from .lookup import find_core, find_world, world_names
from .scale import find_scale, has_scale, write_scale

__all__ = ["audit_worlds", "check_worlds", "list_worlds", "select_worlds", "show_world"]

_Said = tuple[list[str], bool]
"""Lines on a world, and whether all is well with it."""


def select_worlds(selectors: Iterable[str]) -> list[Line]:
    """Lines of the catalogue by name, pattern or core, in the catalogue's order; none given: all.

    Raises:
        UnknownName: A selector finds nothing.
    """
    wanted = list(selectors)
    if not wanted:
        return list(WORLDS)
    found: set[str] = set()
    for selector in wanted:
        names = {line.name for line in WORLDS if fnmatchcase(line.name, selector) or line.core == selector}
        if not names:
            raise UnknownName("world", selector, world_names())
        found |= names
    return [line for line in WORLDS if line.name in found]


def list_worlds(selectors: Iterable[str] = ()) -> list[str]:
    """A table: world, factors, horizon, chance, reference, whether registered."""
    rows: list[tuple[str, ...]] = [
        ("world", "core", "observation", "reward", "semantics", "steps", "chance", "reference", "")
    ]
    for line in select_worlds(selectors):
        world = find_world(line.name)
        f = world.factors
        if has_scale(line.name):
            scale = find_scale(line.name)
            numbers = (f"{scale.random:.4g}", f"{scale.reference:.4g}", scale.reference_name)
        else:
            numbers = ("", "", "not audited")
        rows.append((line.name, line.core, f["observation"], f["reward"], f["semantics"], str(line.horizon), *numbers))
    wide = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)).rstrip() for row in rows]


def show_world(name: str) -> list[str]:
    """What a world is, its scale, what an agent is told, and its first test level.

    Raises:
        UnknownName: There is no such world.
    """
    from .world import episode_key

    world = find_world(name)
    line = select_worlds([name])[0]
    level = world.levels("test", 1)[0]
    lines = [
        f"{name} (version {world.version}): {line.summary}",
        f"core       {world.core.name}: {world.core.summary}",
        f"factors    {', '.join(world.factors.values())}",
        f"preset     {world.preset}: {world.core.generator.preset(world.preset).summary}",
        f"horizon    {world.horizon} steps",
    ]
    if has_scale(name):
        scale = find_scale(name)
        lines += [
            f"chance     {scale.random:g} (random player, mean over {scale.levels} test levels)",
            f"reference  {scale.reference:g} ({scale.reference_name}{', exact' if scale.exact else ', not tight'})",
            f"hindsight  {scale.hindsight:g}",
            f"range      {scale.low:g} to {scale.high:g}; headroom {scale.headroom:.2f}"
            + ("" if scale.averaged else ": shown raw, not averaged"),
        ]
    else:
        lines.append("scale      none: it has not passed its audit, and is not registered")
    moment = world.begin(world.load(level), episode_key(level))
    return [*lines, "", world.instructions(), "", f"Its first test level ({level.hash}):", world.show(moment)]


def audit_worlds(
    selectors: Iterable[str] = (),
    *,
    checks: tuple[str, ...] = (),
    write: bool = False,
    say: Callable[[str], None] = lambda text: None,
    jobs: int = 0,
) -> bool:
    """Audit worlds.

    Args:
        selectors: Which; none: all.
        checks: Names of checks; none: all.
        write: Whether certificates and scales of worlds that pass are written.
        say: Gets each line.
        jobs: Processes; 0: one for each core. Worlds of one core and preset stay in one process.

    Returns:
        Whether every world passed.

    Raises:
        UnknownName: A selector or a check finds nothing.
        UsageError: ``jobs`` is negative.
    """
    from .audit.run import CHECKS

    for name in checks:
        if name not in CHECKS:
            raise UnknownName("check", name, CHECKS)
    passed = True
    # Worlds of one core and preset come one after another: they share their state graphs.
    for lines, good in _over(_audited, _groups(select_worlds(selectors)), jobs, checks, write):
        for line in lines:
            say(line)
        passed &= good
    find_scale.cache_clear()
    return passed


def check_worlds(
    selectors: Iterable[str] = (), *, say: Callable[[str], None] = lambda text: None, jobs: int = 0
) -> bool:
    """Check stored certificates against the code as it is now, without solving anything.

    Args:
        selectors: Which; none: all.
        say: Gets each line.
        jobs: Processes; 0: one for each core.

    Returns:
        Whether all hold.

    Raises:
        UnknownName: A selector finds nothing.
        UsageError: ``jobs`` is negative.
    """
    good = True
    for lines, fine in _over(_checked, _groups(select_worlds(selectors)), jobs):
        for line in lines:
            say(line)
        good &= fine
    return good


def _groups(lines: Iterable[Line]) -> list[tuple[str, ...]]:
    """Names of worlds that share levels, the longest horizon first."""
    found: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        found.setdefault((line.core, line.preset), []).append(line)
    return [tuple(one.name for one in sorted(group, key=lambda one: -one.horizon)) for group in found.values()]


def _over(
    work: Callable[..., Iterator[_Said]], groups: list[tuple[str, ...]], jobs: int, *arguments: object
) -> Iterator[_Said]:
    """What is said of all groups, here or by processes; of a group by a process when the group is done."""
    if jobs < 0:
        raise UsageError(f"jobs is a number of processes, 0 (one for each core) or more, not {jobs}.")
    count = min(jobs or os.cpu_count() or 1, len(groups))
    if count <= 1:
        for group in groups:
            yield from work(group, *arguments)
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    # Fresh processes: a fork copies threads' locks, and what it shares would be counted against each.
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_listed, work, group, *arguments) for group in groups]
        for future in as_completed(futures):
            yield from future.result()


def _listed(work: Callable[..., Iterator[_Said]], *arguments: object) -> list[_Said]:
    return list(work(*arguments))


def _audited(names: tuple[str, ...], checks: tuple[str, ...], write: bool) -> Iterator[_Said]:
    """A world's findings, world by world."""
    from .audit.certificate import write_certificate
    from .audit.run import audit
    from .audit.subject import Graphs

    graphs = Graphs()
    for name in names:
        world = find_world(name)
        report = audit(world, graphs, checks)
        lines = [f"{name:20} {'ok  ' if f.passed else 'FAIL'} {f.check:12} {f.detail}" for f in report.findings]
        if report.scale is not None and write:
            write_certificate(world, report)
            write_scale(report.scale)
            find_scale.cache_clear()
            lines.append(f"{name:20} certificate and scale written")
        yield lines, report.passed


def _checked(names: tuple[str, ...]) -> Iterator[_Said]:
    """What does not hold of certificates, world by world."""
    from .audit.certificate import check_certificate

    for name in names:
        wrong = check_certificate(find_world(name))
        yield wrong or [f"{name}: its certificate holds"], not wrong


def combinations(core: str) -> int:
    """How many worlds a core's parts make with one preset."""
    found = find_core(core)
    return len(found.rewards) * len(found.observations) * len(found.skins)
