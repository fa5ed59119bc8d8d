"""``finchmark worlds``: the worlds that ship, and their proofs."""

from __future__ import annotations

from typing import Annotated

import typer

from .cli_output import put

__all__ = ["worlds"]

worlds = typer.Typer(help="Generated worlds: list, show, audit, check.", no_args_is_help=True)

_Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Worlds, cores or patterns; none: all.")]
_Jobs = Annotated[int, typer.Option(help="Processes; 0: as many as there are cores.")]


@worlds.command("list")
def list_(names: _Names = None) -> None:
    """List worlds: factors, horizon, chance, reference."""
    from ..environments.worlds.command import list_worlds

    for line in list_worlds(names or ()):
        put(line)


@worlds.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="A world.")]) -> None:
    """Show a world: its scale, what an agent is told, and its first test level."""
    from ..environments.worlds.command import show_world

    for line in show_world(name):
        put(line)


@worlds.command()
def audit(
    names: _Names = None,
    check: Annotated[list[str] | None, typer.Option(help="Only this check; may be given often.")] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Keep certificates and scales of worlds that pass (in a checkout).")
    ] = False,
    jobs: _Jobs = 0,
) -> None:
    """Prove worlds anew: certified maximum, no farming, determinism, splits, skins, the ladder of players.

    A world that fails is not registered; the exit code is then 1.
    """
    from ..environments.worlds.command import audit_worlds

    if not audit_worlds(names or (), checks=tuple(check or ()), write=write, say=put, jobs=jobs):
        raise typer.Exit(1)


@worlds.command()
def check(names: _Names = None, jobs: _Jobs = 0) -> None:
    """Hold stored certificates against the code as it is now: seconds, nothing is solved anew."""
    from ..environments.worlds.command import check_worlds

    if not check_worlds(names or (), say=put, jobs=jobs):
        raise typer.Exit(1)
