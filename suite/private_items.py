"""Private items: drawn from a secret, bound by a commitment that is published before anybody plays them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .errors import UsageError

__all__ = ["commitment", "private_seed", "read_secret"]

_LEAST = 16


def read_secret(path: Path) -> bytes:
    """Read a secret from a file; white space around it does not count.

    Args:
        path: A file with at least 16 bytes that nobody can guess, such as the output of ``openssl rand -hex 32``.

    Raises:
        UsageError: The file cannot be read, or is too short to be a secret.
    """
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise UsageError(f"--items-secret {path}: cannot be read ({error.strerror or error}).") from error
    if len(secret) < _LEAST:
        raise UsageError(
            f"--items-secret {path}: {len(secret)} bytes can be guessed; write at least {_LEAST}, such as the output "
            "of `openssl rand -hex 32`."
        )
    return secret


def commitment(secret: bytes) -> str:
    """The commitment to a secret: SHA-256, 64 hexadecimal digits, to be published before a season."""
    return hashlib.sha256(b"finchmark private items, commitment\0" + secret).hexdigest()


def private_seed(secret: bytes, task: str, version: int) -> int:
    """The seed of one task's private items, in [0, 2**63): another for every task and version of it.

    It gives the items away, so it is written nowhere.
    """
    digest = hashlib.sha256(f"finchmark private items, seed\0{task}\0{version}\0".encode() + secret).digest()
    return int.from_bytes(digest[:8], "big") >> 1
