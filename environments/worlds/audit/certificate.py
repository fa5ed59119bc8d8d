"""Certificates: what an audit proved of a world, kept as JSON and checked again in a moment.

They stand in ``certificates/``, one file a world, and hold best plays of scored levels: they are not in the wheel.
"""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import asdict
from importlib import util
from pathlib import Path
from typing import Any

from ....suite.canonical import content_hash
from ....suite.errors import StoreError, UsageError
from ..catalogue import CORES
from ..scale import Scale, find_scale
from ..world import World, episode_key
from .determinism import transcript
from .run import Report

__all__ = ["FORMAT", "HOME", "check_certificate", "fingerprint", "read_certificate", "write_certificate"]

FORMAT = "finchmark-world-certificate/1"

HOME = Path(__file__).parents[1] / "certificates"


def _source(core: str) -> str:
    """What the core's file says, without its comments and layout; empty for cores that are not of the catalogue."""
    if core not in CORES:
        return ""
    home, _, attribute = CORES[core].partition(":")
    spec = util.find_spec(home)
    if spec is None or spec.origin is None:
        raise UsageError(f"The file of the core {core!r} ({CORES[core]}) is not there.")
    if attribute.endswith(".yaml"):
        return Path(spec.origin).with_name(attribute).read_text(encoding="utf-8")
    return ast.dump(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))


def fingerprint(world: World) -> dict[str, str]:
    """What a certificate rests on: the core's source, and how the world behaves in some random episodes.

    Source is compared by its syntax tree, so that a comment may change; behaviour by texts, rewards and ends, so that a
    change in what all worlds share is noticed as well.
    """
    told: list[Any] = [world.instructions()]
    for level in world.levels("test", 3):
        told += [list(row) for row in transcript(world, world.load(level), episode_key(level))]
    return {
        "source": hashlib.sha256(_source(world.core.name).encode()).hexdigest()[:32],
        "behaviour": content_hash(told),
    }


def write_certificate(world: World, report: Report, home: Path = HOME) -> Path:
    """Keep what an audit has proved.

    Raises:
        UsageError: The world has not passed, or not all checks ran.
    """
    if report.scale is None:
        failed = ", ".join(f.check for f in report.findings if not f.passed) or "not all checks ran"
        raise UsageError(f"{world.name} gets no certificate: {failed}.")
    data = {
        "format": FORMAT,
        "world": world.name,
        "version": world.version,
        "core": world.core.name,
        "generator": world.core.generator.version,
        "horizon": world.horizon,
        "preset": world.preset,
        "factors": world.factors,
        "fingerprint": fingerprint(world),
        "checks": {f.check: {"detail": f.detail, "numbers": dict(f.numbers)} for f in report.findings},
        "scale": asdict(report.scale),
        "levels": [asdict(fact) for fact in report.facts],
    }
    home.mkdir(exist_ok=True)
    path = home / f"{world.name}.json"
    rounded = json.loads(json.dumps(data), parse_float=lambda text: round(float(text), 9))
    path.write_text(json.dumps(rounded, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read_certificate(name: str, home: Path = HOME) -> dict[str, Any]:
    """A world's certificate.

    Raises:
        StoreError: There is none, or it is damaged.
    """
    path = home / f"{name}.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise StoreError(
            f"{name} has no certificate at {path}: `finchmark worlds audit {name} --write` makes one (in a checkout; "
            "certificates hold solutions and are not in the wheel)."
        ) from None
    except ValueError as error:
        raise StoreError(
            f"{path} is damaged: {error}. Make it anew by `finchmark worlds audit {name} --write`."
        ) from None
    if data.get("format") != FORMAT:
        raise StoreError(f"{path} has the format {data.get('format')!r}; this version reads {FORMAT}. Audit again.")
    return data


def check_certificate(
    world: World, home: Path = HOME, *, scale: Scale | None = None, remedy: str | None = None
) -> list[str]:
    """Check a certificate against the code as it is now, in a moment: nothing is solved anew.

    The core's source and the world's behaviour are what they were; the levels are drawn again and have the hashes that
    are written down; every best play is replayed and earns what it earned; and the scale that scores are measured
    against is the one that was certified.

    Args:
        world: The world.
        home: Where its certificate lies.
        scale: What its scores are measured against; None: the one that ships.
        remedy: What to do if something does not hold; None: to audit the world again.

    Returns:
        What does not hold, in a sentence each; nothing where all holds.
    """
    data = read_certificate(world.name, home)
    anew = f"Run `finchmark worlds audit {world.name} --write`." if remedy is None else remedy
    wrong = []
    for name, value in fingerprint(world).items():
        if data["fingerprint"].get(name) != value:
            wrong.append(f"{world.name}: the {name} has changed since the audit. {anew}")
    for name, value in (("version", world.version), ("horizon", world.horizon), ("preset", world.preset)):
        if data[name] != value:
            wrong.append(f"{world.name}: {name} is {value!r}, certified is {data[name]!r}. {anew}")
    levels = {level.hash: level for split in ("test", "validation") for level in world.levels(split)}
    certified = [fact["hash"] for fact in data["levels"]]
    if list(levels) != certified:
        wrong.append(f"{world.name}: its levels are not the certified ones. {anew}")
        return wrong
    for fact in data["levels"]:
        level = levels[fact["hash"]]
        moment = world.begin(world.load(level), episode_key(level))
        for text in fact["plan"]:
            if moment.over:
                break
            moment = world.act(moment, text)
        if abs(moment.total - fact["plan_return"]) > 1e-6:
            wrong.append(
                f"{world.name}, level {level.hash}: the best play earns {moment.total:g}, certified are "
                f"{fact['plan_return']:g}. {anew}"
            )
    if asdict(scale or find_scale(world.name)) != asdict(Scale(**data["scale"])):
        wrong.append(f"{world.name}: its scale is not the certified one. {anew}")
    return wrong
