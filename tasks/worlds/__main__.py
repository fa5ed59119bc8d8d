"""``python -m finchmark.tasks.worlds [--check] [FOLDER]``: what is made of the certificates, made anew.

Run it in a checkout after ``finchmark worlds audit … --write``. It writes the numbers of levels
(``tasks/worlds/levels.json``) and ``docs/worlds/table.md`` below FOLDER (by default the working folder). With
``--factors`` it also solves the variants of every core anew (``tasks/worlds/factors.json``), which takes minutes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ...environments.worlds.audit.certificate import read_certificate
from ...environments.worlds.catalogue import CORES
from ...suite.errors import FinchmarkError
from .lookup import registered
from .numbers import LEVELS, collect
from .table import PLACE, table
from .variants import PLACE as VARIANTS
from .variants import make_variants

__all__ = ["made", "main"]


def _rows(levels: dict[str, list[Any]]) -> str:
    return ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in levels.items())


def made(root: Path) -> dict[Path, str]:
    """Each file and what belongs into it.

    Raises:
        StoreError: A certificate is not there.
    """
    rows = {world: collect(read_certificate(world)) for world in registered()}
    lines = (f"{json.dumps(world)}: {{\n{_rows(own)}\n }}" for world, own in rows.items())
    return {LEVELS: "{\n " + ",\n ".join(lines) + "\n}\n", root / PLACE: table()}


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` say which are not what they would be.

    Returns:
        0 if all is well, 1 if a file is old, 2 if certificates are missing.
    """
    if "--factors" in arguments:
        solved = {core: row for core in CORES if (row := make_variants(core)) is not None}
        VARIANTS.write_text(json.dumps(solved, indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(f"{VARIANTS} written\n")
    root = Path(next((a for a in arguments if not a.startswith("--")), "."))
    try:
        files = made(root)
    except FinchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    old = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in old:
        sys.stdout.write(f"{path} {'is old' if '--check' in arguments else 'written'}\n")
        if "--check" not in arguments:
            path.write_text(files[path], encoding="utf-8")
    return 1 if old and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
