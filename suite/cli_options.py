"""Arguments and flags that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Include", "Quiet", "Runs", "SandboxPython", "Secret", "Tasks"]

Tasks = Annotated[list[str] | None, typer.Argument(help="Tasks or selectors: odyssey/lights, odyssey, 'odyssey/*'.")]
Runs = Annotated[list[Path], typer.Argument(help="Run folders.")]
Include = Annotated[
    list[Path] | None,
    typer.Option(
        "--include",
        help="A Python file with tasks, backends or agents, or a folder of generated worlds. May be repeated.",
    ),
]
Quiet = Annotated[bool | None, typer.Option("--quiet", "-q", help="No progress.")]
SandboxPython = Annotated[
    Path | None,
    typer.Option(
        "--sandbox-python",
        help="A virtual environment or interpreter, Python 3.9 or later, for code that a model wrote. [this one]",
    ),
]
Secret = Annotated[Path | None, typer.Option("--items-secret", help="The secret's file, for runs on private items.")]
