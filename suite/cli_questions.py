"""``finchmark safety questions``: all that a run was asked about safety, with p and what the correction made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli_output import put, width, write
from .errors import UsageError

__all__ = ["questions"]


def questions(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run with tasks of safety.")],
    csv: Annotated[Path | None, typer.Option(help="Write all rows to this file.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all rows as JSON.")] = None,
) -> None:
    """List what a run was asked about safety: what decides (corrected by Holm) and what is exploratory (p and q)."""
    import json

    from ..reports.exploratory import questions_text
    from .questions import questions_data, questions_frame, questions_of
    from .safety import run_safety
    from .store import StoredRun

    stored = StoredRun(run)
    found = run_safety(stored)
    asked = questions_of(found)
    if not asked:
        if not stored.manifest.complete:
            raise UsageError(f"{run} is not complete: the same `finchmark run` plays what is left.")
        raise UsageError(
            f"{run} has no arm of a task of safety that is held against another. Play one with its null arm (of "
            "society/policies `isolated` and `open`, in `--tier lite`); single arms stand in `finchmark results`."
        )
    put("\n".join(questions_text(asked, found.correction, width=width())))
    if csv is not None:
        frame = questions_frame(asked)
        write(csv, frame.to_csv(index=False, float_format="%.10g", lineterminator="\n"))
    if json_file is not None:
        write(json_file, json.dumps(questions_data(asked), indent=1, allow_nan=False) + "\n")
