"""Commands that read runs: ``results``, ``export``, ``report``, ``compare``, ``power``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .cli_options import Runs
from .cli_output import put, width, write
from .errors import UsageError

__all__ = ["compare", "export", "power", "report", "results"]


def results(
    runs: Runs,
    all_metrics: Annotated[bool, typer.Option("--all", help="All metrics, not only the deciding one.")] = False,
) -> None:
    """Print the results of runs as one table, with intervals, chance and ceiling."""
    from ..reports.terminal import results_text
    from .store import StoredRun

    put(results_text([StoredRun(path) for path in runs], all_metrics=all_metrics, width=width()))


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

        put(str(to_inspect(StoredRun(run), out or Path(f"{run.resolve().name}.eval"))))
        return
    if to == "datasets":
        from .exports.datasets_folder import to_datasets

        put(str(to_datasets(StoredRun(run), out or Path(f"{run.resolve().name}.dataset"), licence=licence)))
        return
    file = out or Path(f"{run.resolve().name}.{to}")
    StoredRun(run).export(file, to, table=table)
    put(str(file))


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
    put(comparison_text(found, all_metrics=all_metrics, width=width()))
    if csv is not None:
        write(csv, found.frame().to_csv(index=False, float_format="%.10g", lineterminator="\n"))
    if html is not None:
        for page in _pair_reports(runs, results, found, html):
            put(str(page))


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

        put(str(report_run(StoredRun(runs[0]), out or Path(f"{runs[0].resolve().name}.html"))))
        return
    from .comparison import compare as do

    results = [read_results(path) for path in runs]
    target = out or Path(f"{runs[0].resolve().name}-{runs[1].resolve().name}.html")
    for page in _pair_reports(runs, results, do(results, margin=margin), target):
        put(str(page))


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

    put(
        power_text(
            run,
            against=against,
            rate=rate,
            spread=spread,
            effect=effect,
            margin=margin,
            power=target,
            alpha=alpha,
            width=width(),
        )
    )
