"""``finchmark creative``: makes harder items of CreativeBench with a model, and shows what was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli_output import INTERRUPTED, put, say
from .errors import UsageError

__all__ = ["creative"]

creative = typer.Typer(help="CreativeBench: make harder items, for a person to look at.", no_args_is_help=True)


@creative.command()
def harder(
    explore: Annotated[
        list[str] | None, typer.Option("--explore", help="A base problem that gets levels; `all`. May be repeated.")
    ] = None,
    combos: Annotated[int, typer.Option(help="How many pairs of base problems are joined.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The folder: journal, items, summary.")] = None,
    backend: Annotated[
        str | None, typer.Option("--backend", "-b", help="The model that proposes: NAME:MODEL, such as openai:MODEL.")
    ] = None,
    model_args: Annotated[list[str] | None, typer.Option("--model-args", help="key=value,… for the backend.")] = None,
    solver: Annotated[str | None, typer.Option(help="The model that solves. [the same]")] = None,
    solver_args: Annotated[list[str] | None, typer.Option("--solver-args", help="key=value,… for the solver.")] = None,
    start: Annotated[
        str, typer.Option(help="Levels begin at the `top` of those shipped, or at the `plain` one.")
    ] = "top",
    levels: Annotated[int, typer.Option(help="Levels of a problem at most, 1 to 4.")] = 4,
    proposals: Annotated[int, typer.Option(help="How often a constraint, program or statement is proposed anew.")] = 3,
    tries: Annotated[int, typer.Option(help="How often a solver tries.")] = 4,
    seed: Annotated[int, typer.Option(help="Pairs and the seeds of all calls follow from it.")] = 0,
    max_tokens: Annotated[int, typer.Option(help="Cap on a reply's tokens.")] = 2_048,
    temperature: Annotated[float, typer.Option("--temperature", "-t", help="Of all calls; 0 is greedy.")] = 0.7,
    replay: Annotated[
        Path | None, typer.Option(help="A journal or its folder: its replies are played again, to the same bytes.")
    ] = None,
) -> None:
    """Make harder items: levels of constraints by self-play, joined problems by reverse engineering.

    The same command again goes on where the last one stopped. Nothing is added to the shipped problems.
    """
    from ..tasks.creativebench.harder.pipeline import replay_plan, run_making
    from ..tasks.creativebench.harder.plan import Plan

    if out is None:
        raise UsageError("finchmark creative harder needs --out, a folder for the journal and the items.")
    if replay is not None:
        if explore or combos or backend or solver:
            raise UsageError("--replay has problems and models of its own: leave out --explore, --combos, --backend.")
        plan, model, other = replay_plan(replay)
    else:
        from ..tasks.creativebench.problem import load_problems
        from .evaluation import make_backend, parse_pairs

        if backend is None:
            raise UsageError("finchmark creative harder needs --backend, or --replay with a journal.")
        names = tuple(load_problems()) if explore == ["all"] else tuple(explore or ())
        plan = Plan(
            names, combos, seed, start, levels, proposals, tries, max_tokens, temperature  # type: ignore[arg-type]  # it checks `start` itself
        )  # fmt: skip
        _, model = make_backend(backend, parse_pairs(model_args or (), "--model-args"))
        other = None if solver is None else make_backend(solver, parse_pairs(solver_args or (), "--solver-args"))[1]
    say(f"{len(plan.explore)} problems and {plan.combos} pairs into {out}")
    try:
        made = run_making(plan, model, out, solver=other, watch=say)
    except KeyboardInterrupt:
        say(f"\nStopped. What was done is in {out}; the same command goes on.")
        raise typer.Exit(INTERRUPTED) from None
    put(made.table())
    for path in made.items:
        put(f"item, to be looked at: {out / path}")


@creative.command()
def show(out: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a making.")]) -> None:
    """Show what became of each problem and pair, and what the filters caught."""
    from ..tasks.creativebench.harder.pipeline import read_made

    put(read_made(out).table())
