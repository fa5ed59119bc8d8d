"""Commands of ``finchmark creative`` on stored runs: ``judge`` and ``embed``, whose columns stand apart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_output import put, say
from .errors import UsageError

if TYPE_CHECKING:
    from ..tasks.creativebench.apart import Column
    from ..tasks.creativebench.judge import Agreement

__all__ = ["embed", "judge"]

Stored = Annotated[Path, typer.Argument(help="A folder with a run of creativebench/explore.")]


def judge(
    run: Stored,
    backend: Annotated[str, typer.Option("--backend", "-b", help="The judge: NAME:MODEL, such as openai:MODEL.")],
    model_args: Annotated[list[str] | None, typer.Option("--model-args", help="key=value,… for the judge.")] = None,
    data: Annotated[Path | None, typer.Option(help="The official rows, for a run on such.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file. [RUN.judged.json]")] = None,
    seed: Annotated[int, typer.Option(help="For judges that draw.")] = 0,
    max_tokens: Annotated[int, typer.Option(help="Cap on one reply.")] = 512,
    cache: Annotated[Path | None, typer.Option(help="A response cache: nothing is asked twice.")] = None,
) -> None:
    """Ask a judge model about constraints that no rule checks, and hold it against the rules on the others."""
    from ..tasks.creativebench.apart import write_column, written
    from ..tasks.creativebench.judge import judged_column
    from .backends.cached import CachedBackend
    from .backends.response_cache import ResponseCache
    from .evaluation import make_backend, parse_pairs
    from .store import StoredRun

    stored, path = StoredRun(run), _target(run, out, "judged")
    programs = list(written(stored, data))
    choice, model = make_backend(backend, parse_pairs(model_args or (), "--model-args"))
    if cache is not None:
        model = CachedBackend(model, ResponseCache(cache), choice=choice.model_dump(mode="json"))

    async def work() -> tuple[Column, Agreement]:
        await asyncio.to_thread(model.locate)
        made_by = {"judge": choice.model_dump(mode="json"), "identity": model.identity()}
        try:
            await model.start()
            return await judged_column(programs, model, made_by, seed=seed, max_tokens=max_tokens)
        finally:
            await model.aclose()

    say(f"{len(programs)} programs; loading {choice}")
    column, against = asyncio.run(work())
    write_column(column, stored, path)
    put("\n".join([*column.lines(), *against.lines()]))
    put(f"{column.more['unreadable']} of {len(column.more['answers'])} replies could not be read; all are in {path}")


def embed(
    run: Stored,
    embedder: Annotated[
        str, typer.Option(help="minilm (the extra `embed`), or module:function that gives one vector a text.")
    ] = "minilm",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file. [RUN.embedded.json]")] = None,
) -> None:
    """Measure novelty with an embedder's distance added to that of 4-grams. Nothing is run again."""
    from ..tasks.creativebench.apart import write_column, written
    from ..tasks.creativebench.embedding import embedded_column
    from .agents import minilm
    from .agents.similarity import load_embedder
    from .store import StoredRun

    stored, path = StoredRun(run), _target(run, out, "embedded")
    made_by: dict[str, object] = {"embedder": embedder}
    if embedder == "minilm":
        function, made_by["identity"] = minilm.embed, minilm.identity()
    else:
        function = load_embedder(embedder)
    if function is None:
        raise UsageError("--embedder: name minilm, or module:function.")
    column = embedded_column(written(stored), function, made_by)
    write_column(column, stored, path)
    put("\n".join([*column.lines(), f"all numbers: {path}"]))


def _target(run: Path, out: Path | None, kind: str) -> Path:
    path = out if out is not None else run.resolve().with_name(f"{run.resolve().name}.{kind}.json")
    if path.exists():
        raise UsageError(f"{path} is there already. Remove it or give another --out.")
    return path
