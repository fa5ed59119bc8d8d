"""``finchmark steer``: directions out of a model's stream, and what is in a vector's file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .cli_output import put, say
from .errors import UsageError

if TYPE_CHECKING:
    from .backends.vector_file import VectorFile

__all__ = ["steer"]

steer = typer.Typer(help="Steering vectors: extract them from pairs of prompts, show them.", no_args_is_help=True)


@steer.command()
def extract(
    pairs: Annotated[Path, typer.Argument(help="YAML, JSON or JSON Lines: a list of 'plain' and 'evolved' prompts.")],
    layer: Annotated[list[int], typer.Option("--layer", help="After which block; 0 is the first. May be repeated.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for one file a layer.")],
    backend: Annotated[str, typer.Option("--backend", "-b", help="The model, such as hf:smollm2.")] = "hf:smollm2",
    model_args: Annotated[list[str] | None, typer.Option("--model-args", help="key=value,… for the backend.")] = None,
    positions: Annotated[str, typer.Option(help="A prompt's state: that of its last token, or the mean.")] = "last",
    centre: Annotated[bool, typer.Option("--centre/--no-centre", help="Take the mean difference off first.")] = False,
    sign: Annotated[str, typer.Option(help="What is positive: mean, majority, largest.")] = "mean",
    scale: Annotated[str, typer.Option(help="The vector's length: unit, shift, stream.")] = "unit",
    count_from: Annotated[str, typer.Option(help="What layer 0 is: block or embedding.")] = "block",
) -> None:
    """Find the first principal component of what evolved prompts change in a model's stream."""
    import asyncio

    from .backends.direction import Choices
    from .backends.extraction import extract as find
    from .backends.extraction import read_pairs
    from .backends.vector_file import write_vector
    from .evaluation import make_backend, parse_pairs

    try:
        choices = Choices(positions, centre, sign, scale, count_from)  # type: ignore[arg-type]  # it checks them itself
    except ValueError as error:
        raise UsageError(f"finchmark steer extract: {error}.") from error
    read = read_pairs(pairs)
    _, model = make_backend(backend, parse_pairs(model_args or (), "--model-args"))

    async def work() -> list[VectorFile]:
        await asyncio.to_thread(model.locate)
        try:
            await model.start()
            return await find(model, read, layer, choices)
        finally:
            await model.aclose()

    say(f"{len(read)} pairs, layers {', '.join(map(str, layer))}; loading {backend}")
    for file in asyncio.run(work()):
        put(_line(file))
        put(f"    {write_vector(file, out)}")


@steer.command()
def show(
    vectors: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files of vectors.")],
) -> None:
    """Show what vectors are: whose, where, how they were found, and how well their pairs agree."""
    from .backends.vector_file import read_vector

    for path in vectors:
        file = read_vector(path)
        put(_line(file))
        body: dict[str, Any] = file.body
        put(f"    model    {file.model.get('name')} {str(file.model.get('sha256'))[:12]}")
        put(f"    choices  {', '.join(f'{k}={v}' for k, v in body['choices'].items())}")
        put(f"    hash     {file.digest}")


@steer.command()
def control(
    vector: Annotated[Path, typer.Argument(metavar="FILE", help="The vector that it is a control for.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for its file.")],
    seed: Annotated[int, typer.Option(help="Decides the draw.")] = 0,
) -> None:
    """Draw a random vector of the same length for the same layer: what any push of that size does."""
    from dataclasses import replace

    from .backends.direction import random_direction
    from .backends.vector_file import read_vector, write_vector

    like = read_vector(vector)
    drawn = replace(like, direction=random_direction(like.direction, seed), method=f"random {seed} like {like.digest}")
    put(_line(drawn))
    put(f"    {write_vector(drawn, out)}")


def _line(file: VectorFile) -> str:
    d = file.direction
    import numpy as np

    length = float(np.linalg.norm(d.vector))
    head = f"layer {file.layer:>3}  {file.digest[:12]}  length {length:.4g} (stream {d.stream:.4g})"
    if not d.pairs:
        return f"{head}  a random control"
    held = "-" if d.held_out is None else f"{d.held_out:.2f}"
    return f"{head}  {d.pairs} pairs, explained {d.explained:.2f}, mean shift {d.shift:.4g}, held-out agreement {held}"
