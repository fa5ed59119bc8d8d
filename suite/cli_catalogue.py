"""Commands on what there is: ``list``, ``show``, ``items``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli_options import Include
from .cli_output import put
from .errors import UsageError

__all__ = ["items", "list_", "show"]


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
        put(f"{f'{family.name}/NAME':<{width}}  {family.summary}{source}")
    for entry in entries:
        tiers = f"  [{', '.join(entry.tiers)}]" if entry.tiers else ""
        source = f"  ({entry.source})" if entry.source != "finchmark" else ""
        origin = f"  [after {entry.origin}]" if entry.origin else ""
        put(f"{entry.name:<{width}}  {entry.summary}{tiers}{origin}{source}")


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
        put(transcript_text(stored, sample) if sample else run_text(stored))
        return
    if sample is not None:
        raise UsageError(f"{what}: there is no run here, so it has no sample {sample!r}.")
    for registry in REGISTRIES.values():
        if what in registry:
            from ..reports.terminal import entry_text

            put(entry_text(registry, what))
            return
    from .errors import UnknownName

    names = [name for registry in REGISTRIES.values() for name in registry.names()]
    raise UsageError(
        str(UnknownName("name or run folder", what, names)).partition(" `finchmark")[0]
        + " `finchmark list` shows tasks, `finchmark list backends` backends, and so on."
    )


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
    put(str(items_to_datasets(task, tier, folder, licence=licence, url=url)))
