"""The command that makes worlds: ``worlds generate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli_output import INTERRUPTED, put, say
from .errors import UsageError

__all__ = ["generate"]


def generate(
    theme: Annotated[list[str] | None, typer.Option("--theme", help="What a world is about. May be repeated.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The folder: journal, packages, yields.")] = None,
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="NAME:MODEL, such as openai:MODEL.")] = None,
    model_args: Annotated[list[str] | None, typer.Option("--model-args", help="key=value,… for the backend.")] = None,
    count: Annotated[int, typer.Option(help="How many worlds are tried.")] = 1,
    seed: Annotated[int, typer.Option(help="The seeds of all calls follow from it.")] = 0,
    repairs: Annotated[int, typer.Option(help="How often a specification may be mended.")] = 4,
    max_tokens: Annotated[int, typer.Option(help="Cap on a reply's tokens.")] = 8_192,
    temperature: Annotated[float, typer.Option("--temperature", "-t", help="0 is greedy.")] = 0.7,
    time_limit: Annotated[float, typer.Option(help="Seconds that the proofs of one world may take.")] = 600.0,
    replay: Annotated[
        Path | None, typer.Option(help="A journal: its replies are played again, the packages are the same bytes.")
    ] = None,
) -> None:
    """Make worlds by a model: design, specification, repair, levels, audit, ladder, package.

    The same command again goes on where the last one stopped.
    """
    from .worldsmith.pipeline import Plan, replay_plan, run_generation

    if out is None:
        raise UsageError("finchmark worlds generate needs --out, a folder for the journal and the packages.")
    if replay is not None:
        if theme or backend or model_args:
            raise UsageError("--replay has themes, backend and settings of its own: leave out --theme and --backend.")
        plan, model = replay_plan(replay)
    else:
        from .evaluation import make_backend, parse_pairs

        if backend is None:
            raise UsageError("finchmark worlds generate needs --backend, or --replay with a journal.")
        plan = Plan(tuple(theme or ()), count, seed, repairs, max_tokens, temperature, time_limit)
        _, model = make_backend(backend, parse_pairs(model_args or (), "--model-args"))
    say(f"{plan.count} worlds into {out}")
    try:
        done = run_generation(plan, model, out)
    except KeyboardInterrupt:
        say(f"\nStopped. What was done is in {out}; the same command goes on.")
        raise typer.Exit(INTERRUPTED) from None
    put(done.table())
    for path in done.packages:
        put(f"package: {path}")
