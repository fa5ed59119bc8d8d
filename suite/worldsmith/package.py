"""A package: a generated core as data, its worlds' scales and certificates, and where it comes from; a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..canonical import content_hash
from ..errors import StoreError, UnknownName, UsageError

if TYPE_CHECKING:
    from ...environments.worlds.scale import Scale
    from ...environments.worlds.world import World

__all__ = ["FORMAT", "Package", "check_package", "find_packages", "load_package", "write_package"]

FORMAT = "finchmark-world-package/1"

_MANIFEST = "package.json"
_SPECIFICATION = "world.yaml"
_CERTIFICATES = "certificates"


@dataclass(frozen=True)
class Package:
    """A package that was read.

    Attributes:
        path: The folder.
        core: The core's name.
        theme: What it was made of.
        worlds: By name; playable as any world of the catalogue.
        scales: Of the same names: what their scores are measured against.
        provenance: Design, model, seeds, tokens and cost, as plain data.
    """

    path: Path
    core: str
    theme: str
    worlds: Mapping[str, World]
    scales: Mapping[str, Scale]
    provenance: Mapping[str, Any]

    def world(self, name: str) -> World:
        """A world by name.

        Raises:
            UnknownName: The package has none of that name.
        """
        if name not in self.worlds:
            raise UnknownName("world", name, self.worlds)
        return self.worlds[name]


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_package(
    home: Path, *, text: str, core: str, theme: str, worlds: Sequence[Mapping[str, Any]], provenance: Mapping[str, Any]
) -> Path:
    """Write a package, whole or not at all. No time, host or path is in it: the same content, the same bytes.

    Args:
        home: Where packages stand; the folder is named after the core.
        text: The specification, of :attr:`.draft.Draft.text`.
        core: Its name.
        theme: What it was made of.
        worlds: Of :attr:`.proof.Proved.worlds`, at least one.
        provenance: Plain data.

    Returns:
        The folder.

    Raises:
        StoreError: It cannot be written.
    """
    if not worlds:
        raise UsageError(f"The package {core} holds no world: nothing passed.")
    target = home / core
    half = home / f".{core}.half"
    manifest = {
        "format": FORMAT,
        "core": core,
        "theme": theme,
        "specification": content_hash(text),
        "worlds": {w["name"]: {"factors": w["factors"], "scale": w["scale"]} for w in worlds},
        "provenance": dict(provenance),
    }
    try:
        shutil.rmtree(half, ignore_errors=True)
        (half / _CERTIFICATES).mkdir(parents=True)
        (half / _SPECIFICATION).write_text(text, encoding="utf-8")
        (half / _MANIFEST).write_text(_json(manifest), encoding="utf-8")
        for world in worlds:
            (half / _CERTIFICATES / f"{world['name']}.json").write_text(_json(world["certificate"]), encoding="utf-8")
        if target.exists():
            # It can only be an earlier write of the same content, or one that somebody has changed.
            shutil.rmtree(target)
        half.rename(target)
    except OSError as error:
        raise StoreError(f"The package {target} cannot be written: {error.strerror or error}.") from None
    return target


def load_package(path: Path) -> Package:
    """Read a package. Its specification is parsed and compiled; no code of it runs.

    Raises:
        StoreError: It is missing, damaged, of another format, or changed by hand.
    """
    from ...environments.worlds.scale import Scale
    from ...environments.worlds.spec.compile import compile_spec, worlds_of
    from ...environments.worlds.spec.model import parse_spec

    try:
        manifest = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
        text = (path / _SPECIFICATION).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} is no package of a generated world: {error}.") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise StoreError(f"{path} is no package of the format {FORMAT}.")
    if content_hash(text) != manifest.get("specification"):
        raise StoreError(f"{path}: {_SPECIFICATION} was changed since its audit, so its scale is no longer its own.")
    try:
        spec = parse_spec(text, str(path / _SPECIFICATION))
        made = {world.name: world for world in worlds_of(compile_spec(spec), spec)}
        scales = {name: Scale(**entry["scale"]) for name, entry in manifest["worlds"].items()}
        worlds = {name: made[name] for name in scales}
        return Package(path, spec.name, manifest["theme"], worlds, scales, manifest["provenance"])
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path}/{_MANIFEST} is damaged: {type(error).__name__}: {error}.") from None


def find_packages(home: Path) -> list[Package]:
    """All packages of a folder, or the one that it is, by name.

    Raises:
        StoreError: There is none, or one is damaged.
    """
    if (home / _MANIFEST).is_file():
        return [load_package(home)]
    found = [load_package(path.parent) for path in sorted(home.glob(f"[!.]*/{_MANIFEST}"))]
    if not found:
        raise StoreError(f"{home} holds no packages of generated worlds: `finchmark worlds generate` makes them.")
    return found


def check_package(package: Package) -> list[str]:
    """Check a package's certificates against the code as it is now, without solving anything.

    The world behaves as it did, its levels are drawn again and have the hashes that are written down, every best play
    earns what it earned, and the scale is the certified one.

    Returns:
        What does not hold, in a sentence each.
    """
    from ...environments.worlds.audit.certificate import check_certificate

    home, remedy = package.path / _CERTIFICATES, "Make the package anew by `finchmark worlds generate`."
    return [
        line
        for name, world in package.worlds.items()
        for line in check_certificate(world, home, scale=package.scales[name], remedy=remedy)
    ]
