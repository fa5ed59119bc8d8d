"""Commands that decide on a change: ``baseline``, ``gate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli_options import Quiet
from .cli_output import put, say, width
from .errors import UsageError

__all__ = ["baseline", "gate"]


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
        say(f"{file}: {changed.accepted.label if changed.accepted else ''} is the last accepted run now.")
        return
    if len(what) != 1:
        raise UsageError(
            "finchmark baseline RUN: name one run. A baseline is declared beforehand, not chosen of several."
        )
    made = make_baseline(read_results(what[0]), metric or ())
    if out is not None:
        made.write(out)
        return
    put(made.text().rstrip("\n"))


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
            width=width(),
        )
    )
