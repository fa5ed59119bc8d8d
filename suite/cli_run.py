"""Commands that play: ``run``, ``rescore``, ``quickstart``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .cli_options import Include, Quiet, SandboxPython, Tasks
from .cli_output import INTERRUPTED, leave_on_errors, put, say, width

__all__ = ["quickstart", "rescore", "run"]


def run(
    tasks: Tasks = None,
    config: Annotated[Path | None, typer.Option(help="A TOML or YAML file with these flags; flags win.")] = None,
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="NAME:MODEL, such as hf:smollm2.")] = None,
    model_args: Annotated[
        list[str] | None,
        typer.Option(
            "--model-args", help="key=value,… for the backend: revision, dtype, device_map, adapter, batch_size …"
        ),
    ] = None,
    arm: Annotated[list[str] | None, typer.Option("--arm", help="Only this arm. May be repeated.")] = None,
    tier: Annotated[str | None, typer.Option(help="Size of the task: smoke, gate, lite, challenge. [smoke]")] = None,
    samples: Annotated[
        int | None,
        typer.Option("--samples", "-n", help="Samples an item and arm. [4; 1 if a task has streams]"),
    ] = None,
    streams: Annotated[int | None, typer.Option(help="Streams an arm, for tasks of learning. [12; in smoke 8]")] = None,
    limit: Annotated[
        int | None, typer.Option(help="Only the first so many items of each task; of streams, episodes.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="All random numbers of the run follow from it. [0]")] = None,
    items_seed: Annotated[
        int | None, typer.Option(help="Other than 0: regenerated items instead of the public.")
    ] = None,
    items_secret: Annotated[
        Path | None, typer.Option(help="A file with a secret: private items, bound by `finchmark commitment FILE`.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Others' items, from a checkout or file of yours, for tasks that read them.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run folder. [runs/…, named after the specification]")
    ] = None,
    agent: Annotated[
        str | None, typer.Option(help="The agent: history, stateless … [history; episodes if a task has streams]")
    ] = None,
    agent_args: Annotated[list[str] | None, typer.Option(help="key=value,… for the agent, such as window=8.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", "-t", help="0 is greedy. [0.7]")] = None,
    top_p: Annotated[float | None, typer.Option(help="Nucleus sampling. [1]")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Cap on one reply's tokens. [the task's]")] = None,
    think_budget: Annotated[
        int | None, typer.Option(help="Cap on the tokens of a <think> part, apart from the reply's.")
    ] = None,
    keep_thinking: Annotated[
        bool | None, typer.Option("--keep-thinking/--drop-thinking", help="Leave <think> parts in the history. [drop]")
    ] = None,
    system_prompt: Annotated[str | None, typer.Option(help="Put before every prompt.")] = None,
    time_limit: Annotated[float | None, typer.Option(help="Seconds a sample may take; beyond, it is invalid.")] = None,
    token_limit: Annotated[
        int | None, typer.Option(help="Tokens a sample may generate; beyond, it is invalid.")
    ] = None,
    include: Include = None,
    label: Annotated[str | None, typer.Option(help="The model's name in tables. [the backend]")] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="A response cache, FILE.sqlite or a folder: answers of before are replayed, not drawn anew."),
    ] = None,
    cache_size: Annotated[int | None, typer.Option(help="MiB that the response cache may take. [1024]")] = None,
    sandbox_python: SandboxPython = None,
    concurrency: Annotated[int | None, typer.Option(help="Episodes open at once. [what the backend likes]")] = None,
    executor: Annotated[
        str | None, typer.Option(help="Where samples are played: local, or ray, for more than one machine. [local]")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="HOST:PORT of a Ray cluster, auto, or local. [RAY_ADDRESS, or local]")
    ] = None,
    ray_workers: Annotated[int | None, typer.Option(help="Workers on Ray, each with a backend. [what fits]")] = None,
    ray_cpus: Annotated[float | None, typer.Option(help="Cores a worker. [1]")] = None,
    ray_gpus: Annotated[float | None, typer.Option(help="GPUs a worker. [1 for hf where there are any]")] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="US dollars that this call may spend, with a backend that knows prices.")
    ] = None,
    retry_errors: Annotated[int | None, typer.Option(help="Try an errored sample again so often. [0]")] = None,
    max_errors: Annotated[int | None, typer.Option(help="More errors than this end with exit code 4. [0]")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would ask for, and stop.")] = False,
    quiet: Quiet = None,
) -> None:
    """Evaluate a model on tasks. The same command again goes on where the last one stopped."""
    given: dict[str, Any] = {k: v for k, v in locals().items() if k not in ("config", "dry_run") and v is not None}
    from .runfile import read_run_file, run_options

    if config is not None:
        given = {**read_run_file(config), **given}
    from .evaluation import run_prepared
    from .progress import make_watcher

    options = run_options(given)
    prepared = options.prepare()
    folder = options.out if options.out is not None else prepared.default_out()
    if dry_run:
        from ..reports.terminal import dry_run_text

        put(dry_run_text(prepared, folder))
        return
    if not options.quiet:
        say(f"{prepared.expected} samples into {folder}; loading {prepared.manifest.label}")
    try:
        done = run_prepared(
            prepared,
            folder,
            concurrency=options.concurrency,
            retries=options.retries,
            watcher=make_watcher(options.quiet),
            ray=options.ray,
        )
    except KeyboardInterrupt:
        say(f"\nStopped. What was finished is stored in {folder}; the same command with --out {folder} goes on.")
        raise typer.Exit(INTERRUPTED) from None
    from ..reports.terminal import results_text

    put(results_text([done], width=width()))
    leave_on_errors(done, options.max_errors)


def rescore(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the new run. [RUN.rescored]")] = None,
    include: Include = None,
    items_secret: Annotated[Path | None, typer.Option(help="The secret's file, for a run on private items.")] = None,
    data: Annotated[Path | None, typer.Option(help="The files, for a run on items from files.")] = None,
    sandbox_python: SandboxPython = None,
) -> None:
    """Score a run again from its stored replies, into a new run. The old one stays as it is."""
    from ..reports.terminal import results_text
    from .rescore import rescore as do

    found = do(run, out, include or (), items_secret=items_secret, data=data, sandbox_python=sandbox_python)
    put(results_text([found.run], width=width()))
    for name, metric, old, new in found.changed[:20]:
        put(f"{name}  {metric}: {old} -> {new}")
    more = f" (first 20 of {len(found.changed)} shown)" if len(found.changed) > 20 else ""
    put(f"{len(found.changed)} values changed{more}; the new run is {found.run.path}.")
    if found.changed_prompts:
        say(f"{found.changed_prompts} replies answered prompts that are others today; their scores mix two versions.")
    leave_on_errors(found.run, 0)


def quickstart(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for runs and site.")] = Path("finchmark-quickstart"),
    task: Annotated[
        str, typer.Option(help="A task or selector; odyssey/lights plays one of the four worlds.")
    ] = "odyssey",
    backend: Annotated[str, typer.Option("--backend", "-b", help="The model.")] = "hf:smollm2",
    samples: Annotated[int, typer.Option("--samples", "-n", help="Samples an item and arm.")] = 4,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Let a small real model play real episodes beside its references, and write a leaderboard. Takes minutes."""
    from ..reports.terminal import results_text
    from .progress import make_watcher
    from .quickstart import quickstart as do

    try:
        made = do(
            out,
            task=task,
            backend=backend,
            samples=samples,
            say=(lambda t: None) if quiet else say,
            make_watcher=lambda: make_watcher(quiet),
        )
    except KeyboardInterrupt:
        say(f"\nStopped. What was finished is stored in {out}; the same command goes on.")
        raise typer.Exit(INTERRUPTED) from None
    put(results_text(list(made.runs), width=width()))
    put(f"\nThe page:        {made.page}")
    put(f"A transcript:    finchmark show {made.runs[0].path} --sample 0")
    put(f"All the numbers: finchmark results --all {' '.join(str(r.path) for r in made.runs)}")
    leave_on_errors(made.runs[0], 0)
