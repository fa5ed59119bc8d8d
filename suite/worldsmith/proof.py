"""What a draft must pass before it is a world: play, levels, the audit, the agent ladder; in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["PROOFS", "Proved", "prove", "prove_apart"]

PROOFS = ("execution", "levels", "audit", "ladder")
"""The stages of a proof, in order."""

_EPISODES = 8
_MEMORY = 4 << 30
"""Bytes of address space that a proof may take."""


@dataclass(frozen=True, slots=True)
class Proved:
    """What became of one stage.

    Args:
        stage: One of :data:`PROOFS`.
        passed: Whether the draft goes on.
        detail: What was found, in a line.
        worlds: After the last stage: for each world that passed its name, factors, scale and certificate.
    """

    stage: str
    passed: bool
    detail: str
    worlds: list[dict[str, Any]] = field(default_factory=list)


def prove(text: str) -> Iterator[Proved]:
    """Take a draft through its proofs, up to the first stage that it fails.

    A draft passes a stage if at least one of its worlds does; worlds that fail are left behind. A world fails the audit
    by any check but the ladder, which is a stage of its own: it stands for the source's test of reliability.

    Args:
        text: Of :attr:`.draft.Draft.text`.
    """
    from ...environments.worlds.audit.run import audit
    from ...environments.worlds.audit.subject import Graphs
    from ...environments.worlds.spec.compile import compile_spec, worlds_of
    from ...environments.worlds.spec.model import parse_spec
    from ..errors import UsageError

    spec = parse_spec(text)
    core = compile_spec(spec)
    worlds = worlds_of(core, spec)
    wrong = []
    for world in list(worlds):
        try:
            _play(world)
        except Exception as error:  # noqa: BLE001  # whatever a generated world raises, it has failed
            wrong.append(f"{world.name}: {type(error).__name__}: {error}")
            worlds.remove(world)
    yield Proved(
        "execution", bool(worlds), "; ".join(wrong) or f"{_EPISODES} random episodes a world came to their end"
    )
    if not worlds:
        return
    wrong = []
    for world in list(worlds):
        try:
            for split in ("test", "validation", "train"):
                world.levels(split, 15 if split == "train" else None)
        except UsageError as error:
            wrong.append(f"{world.name}: {error}")
            worlds.remove(world)
    yield Proved("levels", bool(worlds), "; ".join(wrong) or "15 scored levels and 15 to train on, all different")
    if not worlds:
        return
    graphs = Graphs()
    reports = [(world, audit(world, graphs)) for world in worlds]
    failed = {
        world.name: [f"{f.check}: {f.detail}" for f in report.findings if not f.passed and f.check != "ladder"]
        for world, report in reports
    }
    told = [f"{name}: {'; '.join(lines)}" for name, lines in failed.items() if lines]
    sound = [(world, report) for world, report in reports if not failed[world.name]]
    yield Proved("audit", bool(sound), " | ".join(told) or "all checks but the ladder passed")
    if not sound:
        return
    ladders = [f"{w.name}: {f.detail}" for w, r in sound for f in r.findings if f.check == "ladder"]
    good = [(world, report) for world, report in sound if report.scale is not None]
    yield Proved("ladder", bool(good), " | ".join(ladders), [_packed(world, report) for world, report in good])


def _play(world: Any) -> None:
    """Random and unusable actions to the end of some episodes, texts included."""
    from ...environments.worlds.keys import Key
    from ...environments.worlds.level import Level
    from ...environments.worlds.world import episode_key
    from ..seeds import generator

    rng = generator("worldsmith", "execution", world.name)
    settings = world.core.generator.preset(world.preset).settings
    params = None
    for _ in range(world.core.generator.attempts):
        # Levels that cannot be won do as well here: they are looked for at the next stage.
        params = world.core.generator.draw(settings, rng)
        if params is not None:
            break
    if params is None:
        raise ValueError("no level was drawn: levels.keep leaves none")
    level = Level(world.core.name, world.core.generator.version, world.preset, params)
    for sample in range(_EPISODES):
        moment = world.begin(world.load(level), episode_key(level, sample))
        key = Key.of("worldsmith", "execution", sample)
        while not moment.over:
            world.show(moment)
            act = world.dynamics.actions.sample(key.at(moment.time))
            moment = world.act(moment, "nonsense" if moment.time == 1 else world.reader.show(act))
        world.show(moment)


def _packed(world: Any, report: Any) -> dict[str, Any]:
    from ...environments.worlds.audit.certificate import write_certificate

    with tempfile.TemporaryDirectory() as folder:
        certificate = json.loads(write_certificate(world, report, Path(folder)).read_text(encoding="utf-8"))
    scale = asdict(report.scale)
    return {"name": world.name, "factors": world.factors, "scale": scale, "certificate": certificate}


async def prove_apart(text: str, time_limit: float) -> list[Proved]:
    """:func:`prove` in a process of its own, which is ended if it takes too long or too much.

    Args:
        text: Of the draft.
        time_limit: Seconds of wall-clock time for all stages together.

    Returns:
        The stages that were reached; the last has not passed where the process was ended.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "finchmark.suite.worldsmith.proof", str(os.getpid()),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment,
        limit=1 << 26,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    found: list[Proved] = []
    deadline = time.monotonic() + time_limit
    # Read beside the other pipe, which would fill up.
    errors = asyncio.ensure_future(process.stderr.read())
    why = ""
    try:
        process.stdin.write(text.encode())
        process.stdin.close()
        while True:
            line = await asyncio.wait_for(process.stdout.readline(), max(0.01, deadline - time.monotonic()))
            if not line:
                break
            found.append(Proved(**json.loads(line)))
        await process.wait()
    except TimeoutError:
        why = f"took longer than {time_limit:g} seconds: make the world smaller"
    except (BrokenPipeError, ConnectionResetError):
        why = "the process that proves it died"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        said = (await errors).decode(errors="replace").strip().splitlines()
    ended = bool(found) and (not found[-1].passed or found[-1].stage == PROOFS[-1])
    if not ended:
        if not why:
            why = f"the process that proves it ended with {process.returncode}: {said[-1][:200] if said else 'no word'}"
        found.append(Proved(PROOFS[len(found)], False, why))
    return found


def main(parent: int) -> None:
    """The process's side: a draft on standard input, a line a stage on standard output."""
    import resource

    from ..backends.worker import die_with

    die_with(parent)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    for proved in prove(sys.stdin.read()):
        sys.stdout.write(json.dumps(asdict(proved)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
