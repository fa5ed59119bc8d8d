"""Croissant metadata: what a data set is, its files and its columns, as JSON-LD for search engines and loaders.

The vocabulary is that of the Croissant format, version 1.0 (MLCommons, 2024).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["croissant"]

# Short names of the format's terms, as its "Context" section prescribes them.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        term: f"cr:{term}"
        for term in (
            *("citeAs", "column", "extract", "field", "fileObject", "fileProperty", "fileSet", "format", "includes"),
            *("isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
            *("repeated", "replace", "separator", "source", "subField", "transform"),
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}


def croissant(
    folder: Path,
    *,
    name: str,
    description: str,
    version: str,
    licence: str,
    published: str,
    tables: Mapping[str, tuple[str, Mapping[str, tuple[str, str]]]],
    **more: Any,
) -> dict[str, Any]:
    """Describe a folder of Parquet files.

    Args:
        folder: Where the files are; their hashes are computed.
        name: The data set's name.
        description: What it is, in a few sentences.
        version: Its version, ``MAJOR.MINOR.PATCH``.
        licence: Name or address of its licence; SPDX names become their addresses.
        published: The day, ISO 8601.
        tables: By name of a table: its file relative to ``folder``, and by column the type (``Text``, ``Integer`` …)
            and what it holds.
        more: Further properties of schema.org, such as ``url`` and ``keywords``.

    Returns:
        The metadata, ready to be written as ``croissant.json``.
    """
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": description,
        "version": version,
        "license": licence if ":" in licence else f"https://spdx.org/licenses/{licence}.html",
        "datePublished": published,
        "creator": {"@type": "sc:Organization", "name": "The Finchmark developers"},
        **more,
        "distribution": [_file(folder, table, file) for table, (file, _) in tables.items()],
        "recordSet": [_records(table, columns) for table, (_, columns) in tables.items()],
    }


def _file(folder: Path, table: str, file: str) -> dict[str, Any]:
    raw = (folder / file).read_bytes()
    return {
        "@type": "cr:FileObject",
        "@id": f"{table}-file",
        "name": f"{table}-file",
        "contentUrl": file,
        "contentSize": f"{len(raw)} B",
        "encodingFormat": "application/x-parquet",
        "sha256": hashlib.sha256(raw).hexdigest(),
    }


def _records(table: str, columns: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table}/{column}",
                "name": f"{table}/{column}",
                "description": description,
                "dataType": f"sc:{kind}",
                "source": {"fileObject": {"@id": f"{table}-file"}, "extract": {"column": column}},
            }
            for column, (kind, description) in columns.items()
        ],
    }
