"""Commands about agents' states: ``states``, ``branch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli_options import Include, Quiet, SandboxPython, Secret
from .cli_output import leave_on_errors, put, say, width

__all__ = ["branch", "states"]


def states(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    update: Annotated[str | None, typer.Argument(help="Print the state that this update left, as JSON.")] = None,
    task: Annotated[str | None, typer.Option(help="Only of this task.")] = None,
    arm: Annotated[str | None, typer.Option(help="Only of this arm.")] = None,
    stream: Annotated[str | None, typer.Option(help="Only of this stream, such as s003.")] = None,
) -> None:
    """List the updates of agents' states in a run's streams, or print one state."""
    from ..reports.states import states_text
    from .store import StoredRun

    stored = StoredRun(run)
    if update is None:
        put(states_text(stored.path, stored.updates(task=task, arm=arm, stream=stream), width=width()))
        return
    import json

    from .branching import find_update

    put(json.dumps(stored.state(find_update(stored, update).state), ensure_ascii=False, indent=1))


def branch(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    update: Annotated[str, typer.Argument(help="The update to go on from: its id, or the beginning of it.")],
    undo: Annotated[bool, typer.Option("--undo", help="Go on as if the update had not been made.")] = False,
    arm: Annotated[list[str] | None, typer.Option("--arm", help="evolving, frozen. May be repeated. [both]")] = None,
    seed: Annotated[int | None, typer.Option(help="Other random numbers. [those of the run]")] = None,
    samples: Annotated[int | None, typer.Option("--samples", "-n", help="Samples of a probe. [the run's]")] = None,
    model_args: Annotated[list[str] | None, typer.Option("--model-args", help="key=value,… for the backend.")] = None,
    items_secret: Secret = None,
    sandbox_python: SandboxPython = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the new run. [runs/…]")] = None,
    include: Include = None,
    quiet: Quiet = None,
) -> None:
    """Live a stream of a run on from one of its agent's states, with the same random numbers or others."""
    from ..reports.terminal import results_text
    from .branching import ARMS, prepare_branch
    from .evaluation import parse_pairs, run_prepared
    from .progress import make_watcher

    prepared = prepare_branch(
        run,
        update,
        undo=undo,
        arms=arm or ARMS,
        seed=seed,
        samples=samples,
        model_args=parse_pairs(model_args or [], "--model-args"),
        items_secret=items_secret,
        sandbox_python=sandbox_python,
        include=include or (),
    )
    folder = out if out is not None else prepared.default_out()
    if not quiet:
        say(f"{prepared.expected} samples into {folder}; loading {prepared.manifest.label}")
    done = run_prepared(prepared, folder, watcher=make_watcher(bool(quiet)))
    put(results_text([done], width=width()))
    leave_on_errors(done, 0)
