"""``finchmark learn``: methods that improve an agent, and what they gained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_output import INTERRUPTED, put, say, width
from .errors import UsageError

if TYPE_CHECKING:
    from ..tasks.learning.methods.optimiser import Optimiser
    from ..tasks.learning.methods.plan import Plan
    from .backends.base import Backend

__all__ = ["learn"]

learn = typer.Typer(help="Learning methods: run them, show what they gained.", no_args_is_help=True)


@learn.command()
def methods(
    worlds: Annotated[
        str | None, typer.Option(help="Names, cores or patterns, joined by commas: wind-gather,vault-ship.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The folder: journal and result.")] = None,
    backend: Annotated[
        str | None,
        typer.Option("--backend", "-b", help="The executor: NAME:MODEL, or scripted:follower without a model."),
    ] = None,
    model_args: Annotated[list[str] | None, typer.Option("--model-args", help="key=value,… for the executor.")] = None,
    optimiser: Annotated[
        str | None, typer.Option(help="NAME:MODEL; or offline: search, nothing. `same`: the executor's model.")
    ] = None,
    optimiser_args: Annotated[
        list[str] | None, typer.Option("--optimiser-args", help="key=value,… for the optimiser's backend.")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option("--method", help="A method or pattern such as best-* or '*-prompt'; may be repeated. [all eight]"),
    ] = None,
    iterations: Annotated[int, typer.Option(help="Of each method.")] = 10,
    runs: Annotated[int, typer.Option(help="How often each method learns in each world, from the start.")] = 1,
    train: Annotated[int, typer.Option(help="Levels a new candidate is trained on, fresh every iteration.")] = 5,
    validation: Annotated[int, typer.Option(help="Levels that choices are made on.")] = 5,
    test: Annotated[int, typer.Option(help="Levels that are reported on.")] = 10,
    samples: Annotated[int, typer.Option("--samples", "-n", help="Episodes a level of validation and test.")] = 1,
    parents: Annotated[int | None, typer.Option(help="At most so many of a front are optimised at once. [all]")] = None,
    max_calls: Annotated[int | None, typer.Option(help="Budget of one method in one world: calls.")] = None,
    max_tokens_spent: Annotated[int | None, typer.Option(help="The same in tokens.")] = None,
    max_usd: Annotated[float | None, typer.Option(help="The same in US dollars.")] = None,
    prompt: Annotated[Path | None, typer.Option(help="A file with the prompt that learning starts from.")] = None,
    seed: Annotated[int, typer.Option(help="All random numbers follow from it.")] = 0,
    agent: Annotated[str, typer.Option(help="The executor's agent: history, stateless …")] = "history",
    agent_args: Annotated[list[str] | None, typer.Option(help="key=value,… for the agent, such as window=8.")] = None,
    temperature: Annotated[float, typer.Option("--temperature", "-t", help="Of the executor; 0 is greedy.")] = 0.7,
    max_tokens: Annotated[int, typer.Option(help="Cap on a reply of the executor.")] = 256,
    optimiser_tokens: Annotated[int, typer.Option(help="Cap on a reply of the optimiser.")] = 2_048,
    optimiser_temperature: Annotated[float, typer.Option(help="Of the optimiser.")] = 0.7,
    replay: Annotated[
        Path | None, typer.Option(help="A folder of an experiment: its replies are played again, to the same bytes.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Let methods improve an agent's prompt or its code world by world, and report on levels that none of them saw.

    The same command again goes on where the last one stopped.
    """
    from ..reports.learning_methods import methods_text
    from ..tasks.learning.methods.cost import Budget
    from ..tasks.learning.methods.experiment import run_methods
    from ..tasks.learning.methods.method import METHODS
    from ..tasks.learning.methods.plan import Plan
    from ..tasks.worlds.lookup import expand
    from ..tasks.worlds.names import FAMILY
    from .evaluation import parse_pairs

    if out is None:
        raise UsageError("finchmark learn methods needs --out, a folder for the journal and the result.")
    if replay is not None:
        if worlds or backend or optimiser:
            raise UsageError("--replay has worlds and models of its own: leave out --worlds, --backend, --optimiser.")
        plan, executor, found = _replayed(replay)
    else:
        if not worlds:
            raise UsageError("finchmark learn methods needs --worlds, such as --worlds wind-gather,vault-ship.")
        if backend is None:
            raise UsageError("finchmark learn methods needs --backend: NAME:MODEL, or scripted:follower.")
        if optimiser is None:
            raise UsageError("finchmark learn methods needs --optimiser: NAME:MODEL, same, search or nothing.")
        names = [
            task.partition("/")[2] for part in worlds.split(",") if part for task in expand(f"{FAMILY}/{part.strip()}")
        ]
        plan = Plan(
            worlds=tuple(dict.fromkeys(names)),
            methods=tuple(method or METHODS),
            iterations=iterations,
            runs=runs,
            train=train,
            validation=validation,
            test=test,
            samples=samples,
            parents=parents,
            start=_read(prompt),
            budget=Budget(max_calls, max_tokens_spent, max_usd),
            seed=seed,
            agent=agent,
            agent_args=parse_pairs(agent_args or (), "--agent-args"),
            temperature=temperature,
            max_tokens=max_tokens,
            optimiser_tokens=optimiser_tokens,
            optimiser_temperature=optimiser_temperature,
        )
        from .evaluation import make_backend

        _, executor = make_backend(backend, parse_pairs(model_args or (), "--model-args"))
        found = _optimiser(optimiser, parse_pairs(optimiser_args or (), "--optimiser-args"), executor)
    if not quiet:
        say(f"{len(plan.worlds)} worlds, {len(plan.methods)} methods, {plan.runs} runs each, into {out}")
        say(_forecast(plan))
    try:
        result = run_methods(plan, executor, found, out, watch=(lambda line: None) if quiet else say)
    except KeyboardInterrupt:
        say(f"\nStopped. What was finished is in {out}; the same command goes on.")
        raise typer.Exit(INTERRUPTED) from None
    put(methods_text(result, width=width()))


@learn.command()
def show(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of an experiment.")],
    world: Annotated[str | None, typer.Option(help="Show the lineage of what was chosen in this world …")] = None,
    method: Annotated[str | None, typer.Option(help="… by this method.")] = None,
    run: Annotated[int, typer.Option(help="… in this run.")] = 0,
    alpha: Annotated[float, typer.Option(help="Level of all claims of a gain together.")] = 0.05,
) -> None:
    """Show an experiment: scores by method and world, gains, upper bounds, curves; or one lineage."""
    from ..reports.learning_methods import lineage_text, methods_text
    from ..tasks.learning.methods.result import read_result

    result = read_result(out)
    if (world is None) != (method is None):
        raise UsageError("A lineage needs both --world and --method.")
    if world is not None and method is not None:
        put(lineage_text(result, world, method, run))
    else:
        put(methods_text(result, alpha=alpha, width=width()))


def _forecast(plan: Plan) -> str:
    from ..environments.worlds.lookup import find_world
    from ..tasks.learning.methods.code_agent import MOST_ASKS

    most = plan.most_episodes()
    if most is None:
        return "A front may grow: only --parents or a budget (--max-calls …) bounds what pareto methods ask for."
    each = MOST_ASKS if any(method.component == "agent" for method in plan.found) else 1
    calls = sum(plan.runs * most * find_world(name).horizon * each for name in plan.worlds)
    return f"At most {plan.runs * most * len(plan.worlds):,} episodes and {calls:,} calls of the executor."


def _optimiser(text: str, args: dict[str, object], executor: Backend) -> Optimiser:
    from ..tasks.learning.methods.optimiser import ModelOptimiser, NoOptimiser
    from ..tasks.learning.methods.search import SearchOptimiser
    from .evaluation import make_backend

    offline = {"search": SearchOptimiser, "nothing": NoOptimiser}
    if text in (*offline, "same") and args:
        raise UsageError(f"--optimiser {text} takes no --optimiser-args.")
    if text in offline:
        return offline[text]()
    return ModelOptimiser(executor if text == "same" else make_backend(text, args)[1])


def _replayed(folder: Path) -> tuple[Plan, Backend, Optimiser]:
    from ..tasks.learning.methods.journal import JOURNAL, read_journal
    from ..tasks.learning.methods.optimiser import ModelOptimiser, NoOptimiser
    from ..tasks.learning.methods.plan import Plan
    from ..tasks.learning.methods.recording import Replay
    from ..tasks.learning.methods.search import SearchOptimiser
    from ..tasks.learning.methods.signals import guide_hash

    executor = Replay(folder, "executor")
    settings, _ = read_journal(folder / JOURNAL)
    made = settings["optimiser"]
    offline = {"search": SearchOptimiser, "nothing": NoOptimiser}
    if made["name"] in offline:
        return Plan.from_data(settings), executor, offline[made["name"]]()
    if made["name"] != "model":
        raise UsageError(f"The optimiser {made['name']!r} of {folder} is a Python function: replay it from Python.")
    if made["guide"] != guide_hash():
        raise UsageError(f"{folder} was made with other prompts than this version's: replay it with its own.")
    return Plan.from_data(settings), executor, ModelOptimiser(Replay(folder, "optimiser"))


def _read(prompt: Path | None) -> str:
    if prompt is None:
        return ""
    try:
        return prompt.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{prompt}: the prompt cannot be read ({error}).") from None
