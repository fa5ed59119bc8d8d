"""What ``finchmark gate`` does: reads, plays if asked to, decides, prints and writes for CI."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from .baseline import Attempt, Baseline, read_baseline
from .checks import checks
from .errors import UsageError
from .forecast import forecast
from .gate import GateReport, decide_gate
from .policy import Policy, make_policy, read_policy
from .results import read_results
from .runfile import PLACING_FLAGS, RUN_FLAGS, read_run_file, run_options

__all__ = ["GateOutputs", "decide"]


@dataclass(frozen=True, slots=True)
class GateOutputs:
    """Files to write; None: not."""

    junit: Path | None = None
    markdown: Path | None = None
    json: Path | None = None


def decide(
    baseline: Path,
    candidate: Path | None,
    policy: Path | None,
    *,
    config: Path | None,
    out: Path | None,
    lifetime_alpha: float | None,
    record: bool,
    outputs: GateOutputs,
    quiet: bool,
    width: int | None,
) -> int:
    """Decide, print, write.

    Returns:
        The exit code, one of :class:`finchmark.suite.gate.Exit`.

    Raises:
        UsageError: The files do not fit together.
    """
    from ..reports.gate import forecast_text, gate_text

    base = read_baseline(baseline)
    rules = read_policy(policy) if policy is not None else Policy()
    if lifetime_alpha is not None:
        rules = make_policy({**rules.model_dump(mode="json"), "lifetime_alpha": lifetime_alpha}, "--lifetime-alpha")
    if (candidate is None) == (config is None):
        raise UsageError("finchmark gate: give either --candidate RUN, or --config FILE to play a run.")
    if candidate is not None:
        report = decide_gate(base, read_results(candidate), rules)
        print_text(forecast_text(report.forecasts, width))
    else:
        assert config is not None
        report = _played(base, rules, config, out, quiet, width)
    print_text(gate_text(report, width))
    if record and report.verdict != "could not run":
        attempt = Attempt(candidate=report.candidate, verdict=report.verdict, alpha=report.alpha)
        base.model_copy(update={"attempts": (*base.attempts, attempt)}).write(baseline)
        print_text(f"Recorded as attempt {len(base.attempts) + 1} in {baseline}: commit it.")
    elif rules.lifetime_alpha is not None:
        print_text(
            "The lifetime's level was not spent: give --record and commit the baseline file, or every gate is the "
            "first."
        )
    _write_outputs(report, outputs)
    return int(report.exit_code)


def _played(
    base: Baseline, rules: Policy, config: Path, out: Path | None, quiet: bool, width: int | None
) -> GateReport:
    from ..reports.gate import forecast_text
    from .gate_run import drive
    from .progress import make_watcher

    options = run_options(read_run_file(config, RUN_FLAGS - PLACING_FLAGS))
    prepared = options.prepare()
    alpha = base.level(rules.alpha, rules.lifetime_alpha)
    demanded = checks(base, rules)
    forecasts = [forecast(c, len(c.means), prepared.spec.samples, rules, alpha, among=len(demanded)) for c in demanded]
    print_text(forecast_text(forecasts, width))
    folder = out or options.out or prepared.default_out()
    if rules.mode == "sequential":
        report = drive(
            prepared,
            base,
            rules,
            out=folder,
            concurrency=options.concurrency,
            retries=options.retries,
            watcher=make_watcher(quiet),
            foresee=False,
        )
    else:
        from .evaluation import run_prepared
        from .results import from_run

        run = run_prepared(
            prepared,
            folder,
            concurrency=options.concurrency,
            retries=options.retries,
            watcher=make_watcher(quiet),
        )
        report = decide_gate(base, from_run(run), rules, foresee=False)
    print_text(f"The run is {folder}.")
    return replace(report, forecasts=tuple(forecasts))


def print_text(text: str) -> None:
    """Print what is not empty."""
    if text:
        sys.stdout.write(text + "\n")


def _write_outputs(report: GateReport, outputs: GateOutputs) -> None:
    from ..reports.gate import gate_annotations, gate_json, gate_junit, gate_markdown

    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    files = ((outputs.junit, gate_junit), (outputs.markdown, gate_markdown), (outputs.json, gate_json))
    for path, make in files:
        if path is None:
            continue
        try:
            path.write_text(make(report), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror or error}).") from error
    if summary:
        try:
            with Path(summary).open("a", encoding="utf-8") as handle:
                handle.write(gate_markdown(report))
        except OSError as error:
            # The decision stands, whatever becomes of a page of the CI's.
            sys.stderr.write(f"GITHUB_STEP_SUMMARY={summary}: cannot be written ({error.strerror or error}).\n")
    if summary or os.environ.get("GITHUB_ACTIONS") == "true":
        for line in gate_annotations(report):
            print_text(line)
