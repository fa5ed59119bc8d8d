"""Commands on this machine and its means: ``commitment``, ``serve-check``, ``doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli_options import SandboxPython
from .cli_output import put

__all__ = ["commitment", "doctor", "serve_check"]


def commitment(secret: Annotated[Path, typer.Argument(help="A file with a secret of at least 16 bytes.")]) -> None:
    """Print the commitment to a secret of private items: publish it before, reveal the secret after."""
    from .private_items import commitment as commit
    from .private_items import read_secret

    put(commit(read_secret(secret)))


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

    put(check(url, model=model, api_key_env=api_key_env, timeout=timeout).text())


def doctor(sandbox_python: SandboxPython = None) -> None:
    """Say what is installed, which backends can work, whether there is a GPU, and where weights would come from."""
    from .doctor import examine

    found = examine(None if sandbox_python is None else str(sandbox_python))
    width = max(len(f.area) for f in found)
    for finding in found:
        put(f"{finding.state:<8} {finding.area:<{width}}  {finding.text}")
    if any(f.state == "broken" for f in found):
        raise typer.Exit(4)
