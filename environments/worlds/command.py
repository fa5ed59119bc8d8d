"""What ``finchmark worlds audit|list|show|check`` do: functions that return lines and whether all is well."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from ...suite.errors import UnknownName
from .catalogue import WORLDS, Line
from .lookup import find_core, find_world, world_names
from .scale import find_scale, has_scale, write_scale

__all__ = ["audit_worlds", "check_worlds", "list_worlds", "select_worlds", "show_world"]


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
) -> bool:
    """Audit worlds.

    Args:
        selectors: Which; none: all.
        checks: Names of checks; none: all.
        write: Whether certificates and scales of worlds that pass are written.
        say: Gets each line.

    Returns:
        Whether every world passed.

    Raises:
        UnknownName: A selector or a check finds nothing.
    """
    from .audit.certificate import write_certificate
    from .audit.run import audit
    from .audit.subject import Graphs

    graphs, passed = Graphs(), True
    # Worlds of one core and preset come one after another: they share their state graphs.
    for line in sorted(select_worlds(selectors), key=lambda line: (line.core, line.preset, -line.horizon)):
        world = find_world(line.name)
        report = audit(world, graphs, checks)
        for finding in report.findings:
            say(f"{line.name:20} {'ok  ' if finding.passed else 'FAIL'} {finding.check:12} {finding.detail}")
        passed &= report.passed
        if report.scale is not None and write:
            write_certificate(world, report)
            write_scale(report.scale)
            find_scale.cache_clear()
            say(f"{line.name:20} certificate and scale written")
    return passed


def check_worlds(selectors: Iterable[str] = (), *, say: Callable[[str], None] = lambda text: None) -> bool:
    """Check stored certificates against the code as it is now, without solving anything.

    Returns:
        Whether all hold.
    """
    from .audit.certificate import check_certificate

    good = True
    for line in select_worlds(selectors):
        wrong = check_certificate(find_world(line.name))
        for text in wrong:
            say(text)
        if not wrong:
            say(f"{line.name}: its certificate holds")
        good &= not wrong
    return good


def combinations(core: str) -> int:
    """How many worlds a core's parts make with one preset."""
    found = find_core(core)
    return len(found.rewards) * len(found.observations) * len(found.skins)
