"""``finchmark games``: searches for algorithms, programs under trial, and bounds of exploitability."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .cli_output import INTERRUPTED, put, say, width
from .errors import UsageError

if TYPE_CHECKING:
    from ..tasks.games.evolve import Attempt

__all__ = ["games"]

games = typer.Typer(help="Games: search for algorithms that solve them, try one, show bounds.", no_args_is_help=True)


@games.command()
def evolve(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The folder: every attempt, in a journal.")] = None,
    kind: Annotated[
        str, typer.Option(help="rule: three formulas; regret, meta: Python programs, which run in the sandbox.")
    ] = "regret",
    on: Annotated[str, typer.Option("--games", help="What candidates are run on, joined by commas.")] = "kuhn",
    held_out: Annotated[
        str, typer.Option(help="What the best is run on in the end.")
    ] = "goofspiel3,goofspiel4up,darkhex2",
    backend: Annotated[
        str | None, typer.Option("--backend", "-b", help="The mutator, NAME:MODEL. [edits without a model]")
    ] = None,
    model_args: Annotated[list[str] | None, typer.Option("--model-args", help="key=value,… for the backend.")] = None,
    seeds: Annotated[int, typer.Option(help="Searches an arm; claims need 6.")] = 12,
    budget: Annotated[int, typer.Option(help="Evaluations of a search.")] = 60,
    blind: Annotated[bool, typer.Option("--blind", help="Also search without selection, in pairs.")] = False,
    islands: Annotated[int, typer.Option(help="Archives of a search.")] = 3,
    selection: Annotated[float, typer.Option(help="Temperature of the selection, in units of fitness.")] = 0.1,
    migrate: Annotated[int, typer.Option(help="Rounds between two migrations.")] = 10,
    start: Annotated[str, typer.Option(help="Known algorithm to start from: cfr, uniform … [the plainest]")] = "",
    temperature: Annotated[float, typer.Option("--temperature", "-t", help="Of the model; 0 is greedy.")] = 0.8,
    max_tokens: Annotated[int, typer.Option(help="Cap on a reply.")] = 1_500,
    sandbox: Annotated[str, typer.Option(help="auto, bubblewrap; or process, which is no boundary.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Search for update rules, regret updates or meta-strategy solvers.

    The same command again goes on where the last one stopped.
    """
    import asyncio

    from ..tasks.games.search_text import searches_text
    from ..tasks.games.searches import SearchPlan, run_searches
    from .evaluation import make_backend, parse_pairs

    if out is None:
        raise UsageError("finchmark games evolve needs --out, a folder for the journal.")
    if sandbox not in ("auto", "bubblewrap", "process"):
        raise UsageError(f"--sandbox {sandbox}: there are auto, bubblewrap, process.")
    if model_args and backend is None:
        raise UsageError("--model-args needs --backend.")
    chosen: Any = {
        "kind": kind,
        "games": _names(on),
        "held_out": _names(held_out),
        "seeds": seeds,
        "budget": budget,
        "blind": blind,
        "islands": islands,
        "temperature": selection,
        "migrate": migrate,
        "start": start,
    }
    plan = SearchPlan(**chosen)
    model = None if backend is None else make_backend(backend, parse_pairs(model_args or (), "--model-args"))[1]
    if not quiet:
        say(f"{plan.seeds} seeds, {len(plan.arms)} arms, {plan.budget} evaluations each, into {out}")
    try:
        found = asyncio.run(
            run_searches(
                plan,
                out,
                backend=model,
                temperature=temperature,
                max_tokens=max_tokens,
                sandbox=sandbox,
                watch=(lambda arm, seed, attempt: None) if quiet else _watch,
            )
        )
    except KeyboardInterrupt:
        say(f"\nStopped. What was finished is in {out}; the same command goes on.")
        raise typer.Exit(INTERRUPTED) from None
    put(searches_text(found))


@games.command()
def show(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of searches, finished or not.")],
    confidence: Annotated[float, typer.Option(help="Of intervals.")] = 0.95,
) -> None:
    """Show searches: curves of the best so far, pairs over seeds, held-out games, the best program."""
    from ..tasks.games.search_text import searches_text
    from ..tasks.games.searches import read_searches

    put(searches_text(read_searches(out), confidence=confidence))


@games.command("try")
def try_(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A Python file with update(…) or meta(…).")],
    kind: Annotated[str, typer.Option(help="regret or meta.")] = "regret",
    on: Annotated[str, typer.Option("--games", help="Joined by commas.")] = "kuhn,leduc,goofspiel4,liars3",
    sandbox: Annotated[str, typer.Option(help="auto, bubblewrap; or process, which is no boundary.")] = "auto",
) -> None:
    """Run one program on games, in the sandbox, and show exploitability along the iterations."""
    from ..tasks.games.programs import KINDS, Program

    if kind not in KINDS:
        raise UsageError(f"--kind {kind}: there are {', '.join(KINDS)}.")
    if sandbox not in ("auto", "bubblewrap", "process"):
        raise UsageError(f"--sandbox {sandbox}: there are auto, bubblewrap, process.")
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source}: cannot be read ({error}).") from None
    from ..tasks.games.trial_table import trial_text

    put(trial_text(Program(kind, text), _names(on), sandbox))


@games.command()
def bounds(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run of games/exploitability.")],
) -> None:
    """Show bounds of exploitability, with draws, calls and what they assume; and the wordings' share."""
    from ..tasks.games.bounds_text import bounds_text
    from .store import StoredRun

    put(bounds_text(StoredRun(run)))


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _watch(arm: str, seed: int, attempt: Attempt) -> None:
    candidate = attempt.candidate
    if candidate is None:
        said = f"nothing to run: {attempt.proposal.fault}"
    else:
        said = f"{candidate.fitness:.3f}" + (f" ({candidate.fault})" if candidate.fault else "")
    line = " ".join(f"{arm} {seed} #{attempt.number}: {said}".split())
    say(line[: width() or 200])
