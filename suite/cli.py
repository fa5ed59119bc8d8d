"""``finchmark`` on the command line: parses, calls, prints. What is heavy is imported by the command that needs it."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from .errors import FinchmarkError, UsageError

__all__ = ["app", "main"]

app = typer.Typer(
    name="finchmark",
    help="Measure agents that change: run tasks on models, read the results, build leaderboards.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
board = typer.Typer(help="Build leaderboards from runs.", rich_markup_mode=None, no_args_is_help=True)
app.add_typer(board, name="leaderboard")

INTERRUPTED = 130


def _print(text: str = "") -> None:
    typer.echo(text)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _version(value: bool) -> None:
    if value:
        from .environment import version

        _print(f"finchmark {version()}")
        raise typer.Exit


@app.callback()
def _root(
    log_level: Annotated[
        str, typer.Option("--log-level", help="What to log to standard error: debug, info, warning, error.")
    ] = "warning",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    levels = ("debug", "info", "warning", "error")
    if log_level.lower() not in levels:
        raise UsageError(f"--log-level {log_level}: there are {', '.join(levels)}.")
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("finchmark").setLevel(log_level.upper())


Tasks = Annotated[list[str] | None, typer.Argument(help="Tasks or selectors: odyssey/lights, odyssey, 'odyssey/*'.")]
Runs = Annotated[list[Path], typer.Argument(help="Run folders.")]
Include = Annotated[
    list[Path] | None, typer.Option("--include", help="A Python file with tasks, backends or agents. May be repeated.")
]
Quiet = Annotated[bool | None, typer.Option("--quiet", "-q", help="No progress.")]


@app.command()
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
    samples: Annotated[int | None, typer.Option("--samples", "-n", help="Samples an item and arm. [4]")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many items of each task.")] = None,
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
    agent: Annotated[str | None, typer.Option(help="The agent: history, stateless … [history]")] = None,
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
    concurrency: Annotated[int | None, typer.Option(help="Episodes open at once. [what the backend likes]")] = None,
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

        _print(dry_run_text(prepared, folder))
        return
    if not options.quiet:
        _say(f"{prepared.expected} samples into {folder}; loading {prepared.manifest.label}")
    try:
        done = run_prepared(
            prepared,
            folder,
            concurrency=options.concurrency,
            retries=options.retries,
            watcher=make_watcher(options.quiet),
        )
    except KeyboardInterrupt:
        _say(f"\nStopped. What was finished is stored in {folder}; the same command with --out {folder} goes on.")
        raise typer.Exit(INTERRUPTED) from None
    from ..reports.terminal import results_text

    _print(results_text([done], width=_width()))
    _leave_on_errors(done, options.max_errors)


def _leave_on_errors(done: Any, max_errors: int) -> None:
    """Exit with 4 if too many samples are errors, or all of one task."""
    errors = done.manifest.counts.get("error", 0)
    if not done.manifest.complete:
        stored = sum(done.manifest.counts.values())
        _say(f"Only {stored} of {done.manifest.expected} samples are there; the same command goes on.")
        raise typer.Exit(4)
    if not errors:
        return
    frame = done.frame()
    dead = [name for name, rows in frame.groupby("task") if (rows["outcome"] == "error").all()]
    if errors > max_errors or dead:
        what = f"; every sample of {', '.join(dead)} is an error" if dead else ""
        _say(
            f"{errors} of {len(frame)} samples are errors (allowed: {max_errors}){what}. They are not scored. "
            f"`finchmark show {done.path} --sample error` shows one; the same command plays them again."
        )
        raise typer.Exit(4)


def _width() -> int | None:
    """The terminal's width, None where the output is no terminal and nothing needs to be folded."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


@app.command("list")
def list_(
    kind: Annotated[str, typer.Argument(help="tasks, backends, environments or agents.")] = "tasks",
    include: Include = None,
) -> None:
    """List what there is."""
    from .registry import REGISTRIES, include_file

    if kind not in REGISTRIES:
        raise UsageError(f"finchmark list {kind}: there are {', '.join(REGISTRIES)}.")
    for file in include or ():
        include_file(file)
    entries = REGISTRIES[kind].entries()
    families = REGISTRIES[kind].families()
    width = max((len(name) for name in (*(e.name for e in entries), *(f"{f.name}/NAME" for f in families))), default=0)
    for family in families:
        source = f"  ({family.source})" if family.source != "finchmark" else ""
        _print(f"{f'{family.name}/NAME':<{width}}  {family.summary}{source}")
    for entry in entries:
        tiers = f"  [{', '.join(entry.tiers)}]" if entry.tiers else ""
        source = f"  ({entry.source})" if entry.source != "finchmark" else ""
        _print(f"{entry.name:<{width}}  {entry.summary}{tiers}{source}")


@app.command()
def show(
    what: Annotated[
        str, typer.Argument(metavar="NAME|RUN", help="A task, environment, backend, agent, or a run folder.")
    ],
    sample: Annotated[
        str | None,
        typer.Option(help="With a run: the transcript of a sample. TASK/ARM/ITEM/SAMPLE or its end, or an outcome."),
    ] = None,
    include: Include = None,
) -> None:
    """Show what something is, a run, or the transcript of one of its samples."""
    from .registry import REGISTRIES, include_file

    for file in include or ():
        include_file(file)
    if (Path(what) / "manifest.json").exists():
        from ..reports.terminal import run_text, transcript_text
        from .store import StoredRun

        stored = StoredRun(what)
        _print(transcript_text(stored, sample) if sample else run_text(stored))
        return
    if sample is not None:
        raise UsageError(f"{what}: there is no run here, so it has no sample {sample!r}.")
    for registry in REGISTRIES.values():
        if what in registry:
            from ..reports.terminal import entry_text

            _print(entry_text(registry, what))
            return
    from .errors import UnknownName

    names = [name for registry in REGISTRIES.values() for name in registry.names()]
    raise UsageError(
        str(UnknownName("name or run folder", what, names)).partition(" `finchmark")[0]
        + " `finchmark list` shows tasks, `finchmark list backends` backends, and so on."
    )


@app.command()
def results(
    runs: Runs,
    all_metrics: Annotated[bool, typer.Option("--all", help="All metrics, not only the deciding one.")] = False,
) -> None:
    """Print the results of runs as one table, with intervals, chance and ceiling."""
    from ..reports.terminal import results_text
    from .store import StoredRun

    _print(results_text([StoredRun(path) for path in runs], all_metrics=all_metrics, width=_width()))


@board.command("build")
def leaderboard_build(
    runs: Runs,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the site.")] = Path("site"),
    board_file: Annotated[
        Path | None, typer.Option("--board", help="A board's file, for badges, attempts and withdrawals.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="The site's title.")] = None,
) -> None:
    """Write leaderboard.csv, standings.csv and the site from runs."""
    from ..leaderboard import build
    from .store import StoredRun

    options: dict[str, Any] = {} if title is None else {"title": title}
    if board_file is not None:
        from ..leaderboard import board_badges

        options["badges"] = board_badges(board_file)
    page = build([StoredRun(path) for path in runs], out, **options)
    _print(f"{page}\n{out / 'leaderboard.csv'}\n{out / 'standings.csv'}")


Secret = Annotated[Path | None, typer.Option("--items-secret", help="The secret's file, for runs on private items.")]


@board.command("verify")
def leaderboard_verify(
    submission: Annotated[Path, typer.Argument(help="A stranger's run folder.")],
    include: Include = None,
    items_secret: Secret = None,
    data: Annotated[Path | None, typer.Option(help="The files, for a run on items from files.")] = None,
) -> None:
    """Check a run before it is accepted: every reply is replayed, every score recomputed. Exit 0 in order, 1 not."""
    from ..leaderboard.findings import verification_text
    from ..leaderboard.verify import verify

    found = verify(submission, include=include or (), items_secret=items_secret, data=data)
    _print(verification_text(found))
    raise typer.Exit(0 if found.ok else 1)


BoardFile = Annotated[Path, typer.Option("--board", help="The board's file.")]


@board.command("accept")
def leaderboard_accept(
    submission: Annotated[Path, typer.Argument(help="A run folder, beside the board's file or below it.")],
    board_file: BoardFile = Path("board.json"),
    rerun: Annotated[Path | None, typer.Option(help="A run of ours, of the same specification.")] = None,
    note: Annotated[str, typer.Option(help="What a reader should know.")] = "",
    include: Include = None,
    items_secret: Secret = None,
    data: Annotated[Path | None, typer.Option(help="The files, for a run on items from files.")] = None,
) -> None:
    """Verify a run and enter it in a board's file."""
    from ..leaderboard.acceptance import accept

    entry = accept(
        board_file,
        submission,
        rerun=rerun,
        note=note,
        include=include or (),
        items_secret=items_secret,
        data=data,
    )
    _print(f"{entry.folder}: {entry.badge}, in {board_file}")


@board.command("withdraw")
def leaderboard_withdraw(
    folder: Annotated[str, typer.Argument(help="The entry, as the board's file names it.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    board_file: BoardFile = Path("board.json"),
) -> None:
    """Mark an entry as withdrawn; it stays listed."""
    from ..leaderboard.acceptance import withdraw

    entry = withdraw(board_file, folder, reason)
    _print(f"{entry.folder}: withdrawn, in {board_file}")


@board.command("check")
def leaderboard_check(board_file: Annotated[Path, typer.Argument(help="The board's file.")]) -> None:
    """Hold the folders of a board against its file. Exit 0 in order, 1 not."""
    from ..leaderboard.acceptance import check_board

    faults = check_board(board_file)
    for fault in faults:
        _print(fault)
    _print(f"{board_file}: {len(faults) or 'no'} fault{'' if len(faults) == 1 else 's'}")
    raise typer.Exit(1 if faults else 0)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    to: Annotated[
        str,
        typer.Option(help="csv, jsonl (with transcripts), parquet, inspect (an .eval log) or datasets (a folder)."),
    ] = "csv",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file. [RUN.csv … in this folder]")] = None,
    table: Annotated[str, typer.Option(help="samples, or timing: with what differs between equal runs.")] = "samples",
    licence: Annotated[str, typer.Option(help="With --to datasets: the licence that its card states.")] = "other",
) -> None:
    """Write a run's samples to a file; equal results give equal bytes."""
    from .store import StoredRun

    if to == "inspect":
        from .exports.inspect_log import to_inspect

        _print(str(to_inspect(StoredRun(run), out or Path(f"{run.resolve().name}.eval"))))
        return
    if to == "datasets":
        from .exports.datasets_folder import to_datasets

        _print(str(to_datasets(StoredRun(run), out or Path(f"{run.resolve().name}.dataset"), licence=licence)))
        return
    file = out or Path(f"{run.resolve().name}.{to}")
    StoredRun(run).export(file, to, table=table)
    _print(str(file))


@app.command()
def items(
    task: Annotated[str, typer.Argument(help="A task.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The folder. [TASK-TIER.dataset]")] = None,
    tier: Annotated[str, typer.Option(help="Its tier.")] = "smoke",
    licence: Annotated[str, typer.Option(help="The licence that the card states.")] = "Apache-2.0",
    url: Annotated[str, typer.Option(help="Where it will be published, for the metadata.")] = "",
    include: Include = None,
) -> None:
    """Write a task's public items as a folder for `datasets`, with a card and Croissant metadata."""
    from .exports.datasets_folder import items_to_datasets
    from .registry import include_file

    for file in include or ():
        include_file(file)
    folder = out or Path(f"{task.replace('/', '-')}-{tier}.dataset")
    _print(str(items_to_datasets(task, tier, folder, licence=licence, url=url)))


@app.command()
def rescore(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the new run. [RUN.rescored]")] = None,
    include: Include = None,
    items_secret: Annotated[Path | None, typer.Option(help="The secret's file, for a run on private items.")] = None,
    data: Annotated[Path | None, typer.Option(help="The files, for a run on items from files.")] = None,
) -> None:
    """Score a run again from its stored replies, into a new run. The old one stays as it is."""
    from ..reports.terminal import results_text
    from .rescore import rescore as do

    found = do(run, out, include or (), items_secret=items_secret, data=data)
    _print(results_text([found.run], width=_width()))
    for name, metric, old, new in found.changed[:20]:
        _print(f"{name}  {metric}: {old} -> {new}")
    more = f" (first 20 of {len(found.changed)} shown)" if len(found.changed) > 20 else ""
    _print(f"{len(found.changed)} values changed{more}; the new run is {found.run.path}.")
    if found.changed_prompts:
        _say(f"{found.changed_prompts} replies answered prompts that are others today; their scores mix two versions.")
    _leave_on_errors(found.run, 0)


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="The baseline, then candidates: run folders, lm-eval's --log_samples, inspect-ai's .eval."),
    ],
    margin: Annotated[
        float | None, typer.Option(help="Difference that does not matter, as a share of a metric's range. [0.05]")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    correction: Annotated[
        str, typer.Option(help="Of deciding p-values: holm, or max-t (gains where candidates resemble each other).")
    ] = "holm",
    all_metrics: Annotated[bool, typer.Option("--all", help="All metrics, not only the deciding ones.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a report with figures to this file or folder.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write all rows to this file.")] = None,
    seed: Annotated[int, typer.Option(help="Of permutations and bootstraps.")] = 0,
) -> None:
    """Compare runs, paired by item: effect, interval, corrected p-value, verdict in words, flips."""
    from ..reports.comparison import comparison_text
    from .comparison import compare as do
    from .results import read_results

    if correction not in ("holm", "max-t"):
        raise UsageError(f"--correction {correction}: there are 'holm' and 'max-t'.")
    results = [read_results(path) for path in runs]
    found = do(results, margin=margin, confidence=confidence, correction=correction, seed=seed)
    _print(comparison_text(found, all_metrics=all_metrics, width=_width()))
    if csv is not None:
        _write(csv, found.frame().to_csv(index=False, float_format="%.10g", lineterminator="\n"))
    if html is not None:
        for page in _pair_reports(runs, results, found, html):
            _print(str(page))


def _pair_reports(paths: list[Path], results: list[Any], comparison: Any, out: Path) -> list[Path]:
    """A report for every candidate; several go into a folder each."""
    from ..reports.pair_report import report_pair
    from .store import StoredRun

    sides = [StoredRun(p) if r.origin == "finchmark" else r for p, r in zip(paths, results, strict=True)]
    if len(sides) == 2:
        return [report_pair(sides[0], sides[1], out, comparison)]
    if out.suffix == ".html":
        raise UsageError(f"--html {out}: several candidates take a folder, one report each.")
    return [report_pair(sides[0], side, out / f"candidate-{i}", comparison) for i, side in enumerate(sides[1:], 1)]


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror or error}).") from error


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="A run, or two to be compared.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="An .html file or a folder. [RUN.html in this folder]")
    ] = None,
    margin: Annotated[float | None, typer.Option(help="With two runs: as for compare.")] = None,
) -> None:
    """Write an HTML report with figures: of a run, or of two compared."""
    from .results import read_results
    from .store import StoredRun

    if len(runs) > 2:
        raise UsageError("A report is of one run or of two. For more: finchmark compare A B C --html FOLDER.")
    if len(runs) == 1:
        from ..reports.run_report import report_run

        _print(str(report_run(StoredRun(runs[0]), out or Path(f"{runs[0].resolve().name}.html"))))
        return
    from .comparison import compare as do

    results = [read_results(path) for path in runs]
    target = out or Path(f"{runs[0].resolve().name}-{runs[1].resolve().name}.html")
    for page in _pair_reports(runs, results, do(results, margin=margin), target):
        _print(str(page))


@app.command()
def baseline(
    what: Annotated[list[str], typer.Argument(metavar="RUN | accept RUN", help="A run; or `accept` and a run.")],
    file: Annotated[Path, typer.Option("--file", "-f", help="With accept: the baseline file that is changed.")] = Path(
        "base.json"
    ),
    metric: Annotated[
        list[str] | None, typer.Option(help="A metric to keep besides the deciding one. May be repeated.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the baseline here instead of printing it.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="With accept: the policy that the run must not regress under.")
    ] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="With accept: also a run that is a regression.")] = False,
) -> None:
    """Print a baseline made of a run (> base.json), or accept a run into one: the anchor stays."""
    from .baseline import make_baseline, read_baseline
    from .results import read_results

    if what[0] == "accept":
        if len(what) != 2:
            raise UsageError("finchmark baseline accept RUN: name one run.")
        from .gate import decide_gate
        from .policy import Policy, read_policy

        base, taken = read_baseline(file), read_results(what[1])
        changed = base.accept(taken)
        rules = read_policy(policy) if policy is not None else Policy()
        found = decide_gate(base, taken, rules.model_copy(update={"mode": "fixed"}), foresee=False)
        if found.verdict == "regression" and not anyway:
            raise UsageError(
                f"{what[1]} is a regression against {file}; a later gate would hold candidates against it. Give "
                "--anyway if that is meant."
            )
        changed.write(file)
        _say(f"{file}: {changed.accepted.label if changed.accepted else ''} is the last accepted run now.")
        return
    if len(what) != 1:
        raise UsageError(
            "finchmark baseline RUN: name one run. A baseline is declared beforehand, not chosen of several."
        )
    made = make_baseline(read_results(what[0]), metric or ())
    if out is not None:
        made.write(out)
        return
    _print(made.text().rstrip("\n"))


@app.command()
def gate(
    baseline: Annotated[Path, typer.Option(help="The file that `finchmark baseline` made.")],
    candidate: Annotated[
        Path | None, typer.Option(help="A run folder, lm-eval's --log_samples or inspect-ai's .eval.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="A TOML file with margins and levels.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Instead of --candidate: a run file; the run is played until a sequential gate can tell."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="With --config: the run folder.")] = None,
    lifetime_alpha: Annotated[
        float | None, typer.Option(help="Level of all gates of this baseline together, instead of each for itself.")
    ] = None,
    record: Annotated[bool, typer.Option("--record", help="Write the attempt into the baseline file.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write a summary in Markdown.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything as JSON.")] = None,
    quiet: Quiet = None,
) -> None:
    """Decide whether a candidate may be merged. Exit 0 pass, 1 regression, 3 inconclusive, 4 could not run."""
    from .gate_command import GateOutputs, decide

    raise typer.Exit(
        decide(
            baseline,
            candidate,
            policy,
            config=config,
            out=out,
            lifetime_alpha=lifetime_alpha,
            record=record,
            outputs=GateOutputs(junit=junit, markdown=markdown, json=json_file),
            quiet=bool(quiet),
            width=_width(),
        )
    )


@app.command()
def power(
    run: Annotated[Path | None, typer.Argument(help="A finished run; none: plan from --rate.")] = None,
    against: Annotated[Path | None, typer.Option(help="A second run, whose differences to the first are used.")] = None,
    rate: Annotated[float | None, typer.Option(help="Without a run: the expected success rate.")] = None,
    spread: Annotated[
        float | None, typer.Option(help="Without a run: standard deviation of items' rates. [uniform-like]")
    ] = None,
    effect: Annotated[float | None, typer.Option(help="Difference to be found (superiority).")] = None,
    margin: Annotated[float | None, typer.Option(help="Loss to be ruled out (a gate).")] = None,
    target: Annotated[float, typer.Option("--power", help="Chance to find it.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Level of the test.")] = 0.05,
) -> None:
    """Say what a finished run can detect, or how many items and samples a planned one needs."""
    from ..reports.power import power_text

    _print(
        power_text(
            run,
            against=against,
            rate=rate,
            spread=spread,
            effect=effect,
            margin=margin,
            power=target,
            alpha=alpha,
            width=_width(),
        )
    )


@app.command()
def commitment(secret: Annotated[Path, typer.Argument(help="A file with a secret of at least 16 bytes.")]) -> None:
    """Print the commitment to a secret of private items: publish it before, reveal the secret after."""
    from .private_items import commitment as commit
    from .private_items import read_secret

    _print(commit(read_secret(secret)))


@app.command()
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
            say=(lambda t: None) if quiet else _say,
            make_watcher=lambda: make_watcher(quiet),
        )
    except KeyboardInterrupt:
        _say(f"\nStopped. What was finished is stored in {out}; the same command goes on.")
        raise typer.Exit(INTERRUPTED) from None
    _print(results_text(list(made.runs), width=_width()))
    _print(f"\nThe page:        {made.page}")
    _print(f"A transcript:    finchmark show {made.runs[0].path} --sample 0")
    _print(f"All the numbers: finchmark results --all {' '.join(str(r.path) for r in made.runs)}")
    _leave_on_errors(made.runs[0], 0)


@app.command("serve-check")
def serve_check(
    url: Annotated[
        str | None, typer.Argument(help="The API's address, such as http://127.0.0.1:8000/v1. [OPENAI_BASE_URL]")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model to ask. [the first that the server lists]")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="The environment variable that holds the key. [OPENAI_API_KEY]")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for one request.")] = 60.0,
) -> None:
    """Say what an OpenAI-compatible server supports: seeds, n, log-probabilities, stop strings, tools."""
    from .serve_check import serve_check as check

    _print(check(url, model=model, api_key_env=api_key_env, timeout=timeout).text())


@app.command()
def doctor() -> None:
    """Say what is installed, which backends can work, whether there is a GPU, and where weights would come from."""
    from .doctor import examine

    found = examine()
    width = max(len(f.area) for f in found)
    for finding in found:
        _print(f"{finding.state:<8} {finding.area:<{width}}  {finding.text}")
    if any(f.state == "broken" for f in found):
        raise typer.Exit(4)


def main() -> NoReturn:
    """Run the command line; turn errors into messages and exit codes."""
    # Typer brings a Click of its own since 0.2x and used the package `click` before: its errors are found by name.
    parse_error: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except FinchmarkError as error:
        _say(f"finchmark: {error}")
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _say("Stopped.")
        sys.exit(INTERRUPTED)
    except parse_error as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader (head, less) has left: nothing is wrong, and nothing more can be printed.
        sys.stderr.close()
        sys.exit(0)
    except Exception:  # noqa: BLE001 - the last line of defence: our own fault, with its traceback
        traceback.print_exc()
        _say("finchmark: this is a fault of Finchmark itself; please report it with the lines above.")
        sys.exit(70)
