"""The card of a data set: a README with the front matter that Hugging Face ``datasets`` reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .canary import CANARY

__all__ = ["card", "plain"]

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card(
    title: str,
    sections: Mapping[str, str],
    *,
    licence: str,
    tables: Mapping[str, str],
    rows: int,
    tags: Sequence[str] = (),
) -> str:
    """Write a card.

    Args:
        title: The heading, plain text.
        sections: Further headings and their Markdown.
        licence: As Hugging Face names licences, such as ``apache-2.0``; ``other`` for any else.
        tables: File by table, relative to the card; the first is what is loaded if none is named.
        rows: Rows of the first table.
        tags: Beside ``finchmark``.

    Returns:
        Front matter and text.
    """
    import yaml

    front = {
        "license": licence,
        "pretty_name": title,
        "tags": ["finchmark", *tags],
        "size_categories": [next((name for limit, name in _SIZES if rows < limit), "n>1M")],
        "configs": [
            {
                "config_name": table,
                **({"default": True} if number == 0 else {}),
                "data_files": [{"split": "test", "path": file}],
            }
            for number, (table, file) in enumerate(tables.items())
        ],
    }
    parts = [f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n", f"# {plain(title)}\n"]
    parts += [f"## {heading}\n\n{text.strip()}\n" for heading, text in sections.items()]
    parts.append(
        "## Not for training\n\nThis is evaluation data. The line below marks it, so that corpora can leave it out and "
        f"leaks can be found.\n\n    {CANARY}\n"
    )
    return "\n".join(parts)


def plain(text: str) -> str:
    """Text of others' as Markdown that shows it and nothing else: one line, every mark escaped."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&$])", r"\\\1", " ".join(text.split()))
