"""The way to a Ray cluster: connect or start one, say what it has, and explain what went wrong."""

from __future__ import annotations

import importlib
import logging
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BackendUnavailable, UsageError
from .options import RayOptions

__all__ = ["Cluster", "connect", "explain", "need_ray", "reach", "usual_address"]

_log = logging.getLogger(__name__)

_STORE_BYTES = 100 * 2**20  # of a Ray of our own: what is played goes through it once, and is small
_REACH_S = 5.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that we are connected to.

    Args:
        name: As people named it.
        cpus: Cores, in all.
        gpus: Likewise.
        ours: Whether we connected, and are to disconnect.
    """

    name: str
    cpus: float
    gpus: float
    ours: bool

    def fits(self, cpus: float, gpus: float) -> int:
        """How many workers fit at most."""
        return int(min(self.cpus / cpus if cpus else float("inf"), self.gpus / gpus if gpus else float("inf")))

    def close(self) -> None:
        """Disconnect; a Ray of our own ends."""
        if self.ours:
            need_ray().shutdown()


def need_ray(module: str = "ray") -> Any:
    """Import Ray, or a module of it.

    Its usage statistics, which go to its makers, stay off unless the environment asks for them.

    Raises:
        BackendUnavailable: It is not installed, or fails to import.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if _has_token():
        # Clusters ask for their token from 2.60 on, and Ray shows it only where this says so before it is imported.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise BackendUnavailable(
            f"--executor ray: Ray cannot be imported ({error}); `pip install 'finchmark[ray]'` adds it."
        ) from error


def usual_address() -> str:
    """Where a run is played that names no address."""
    return os.environ.get("RAY_ADDRESS") or "local"


def reach(address: str) -> str:
    """Try whether somebody listens at an address; Ray itself tries for a minute.

    Returns:
        Why not, empty where somebody does, or where the address names no port.
    """
    found = re.fullmatch(r"(?:ray://)?\[?([^\]/]+?)\]?:(\d+)", address)
    if found is None:
        return ""
    try:
        with socket.create_connection((found[1], int(found[2])), timeout=_REACH_S):
            return ""
    except (OSError, OverflowError) as error:
        return str(error)


def connect(options: RayOptions) -> Cluster:
    """Connect to the cluster that was named, or start one on this machine.

    Raises:
        UsageError: There is none at the address, or it does not let us in: another version of Ray or Python, a token.
        BackendUnavailable: Ray is not installed, or does not start here.
    """
    address = options.address or usual_address()
    ray = need_ray()
    ours = not ray.is_initialized()
    if ours:
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "WARNING"}
        if address == "local":
            cores = max(os.cpu_count() or 1, int(options.cpus * (options.workers or 1) + 0.999))
            quiet |= {"num_cpus": cores, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
        elif why := reach(address):
            raise UsageError(
                f"--ray-address {address}: there is no Ray cluster ({why}). `ray start --head --port 6379` starts one; "
                "without --ray-address a Ray of our own plays on this machine."
            )
        try:
            _init(ray, address, quiet)
        except Exception as error:
            raise _refusal(address, error) from error
    has = ray.cluster_resources()
    return Cluster(address, float(has.get("CPU", 0)), float(has.get("GPU", 0)), ours)


def _has_token() -> bool:
    return (
        bool(os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"))
        or Path("~/.ray/auth_token").expanduser().is_file()
    )


def _init(ray: Any, address: str, quiet: dict[str, Any]) -> None:
    """Connect; a Ray of our own gets a second chance: it gives itself 30 s to start, little on a busy machine."""
    try:
        ray.init(address=address, **quiet)
    except Exception as error:
        if address != "local":
            raise
        _log.warning("Ray did not start, and is started again: %s", explain(error))
        ray.shutdown()
        ray.init(address=address, **quiet)


def _refusal(address: str, error: Exception) -> UsageError:
    text = str(error).strip()
    if address == "local":
        return BackendUnavailable(f"--executor ray: no Ray can be started on this machine: {explain(error)}")
    if "ersion mismatch" in text:
        lines = " ".join(line.strip() for line in text.splitlines() if line.strip())
        return UsageError(
            f"--ray-address {address}: {lines[:400]} Install one version of Ray and of Python on all machines."
        )
    token = "copy the head's ~/.ray/auth_token to this machine, or name it by RAY_AUTH_TOKEN_PATH"
    if "uthenticat" in type(error).__name__ + text:
        return UsageError(f"--ray-address {address}: the cluster asks for its token ({explain(error)}): {token}.")
    return UsageError(
        f"--ray-address {address}: no cluster lets us in there ({type(error).__name__}: {explain(error)}). Where "
        f"something listens, it is no Ray, or a Ray with a token of its own: {token}."
    )


_OUT_OF_MEMORY = re.compile(r"low on memory|OutOfMemory|memory monitor|\bOOM[ -]?(?:kill|policy)", re.IGNORECASE)
_CAUSES = re.compile(r"(?:Some common causes include|To troubleshoot|To see more|Use `?ray logs)", re.IGNORECASE)


def explain(error: BaseException) -> str:
    """Put what Ray says into one line.

    Args:
        error: What it raised.
    """
    text = " ".join(str(error).split())
    before = _CAUSES.split(text)[0].strip()
    if type(error).__name__ == "OutOfMemoryError" or _OUT_OF_MEMORY.search(before):
        used = re.search(r"\bwas (\S+ used / \S+ limit)", text)
        return (
            f"out of memory: Ray killed it because its node ran low ({used[1] if used else before[:200]}). Let fewer "
            "workers share a node, by a higher --ray-cpus or --ray-gpus, or take a smaller batch"
        )
    marker = "is dead because "
    if marker in before:
        before = before[before.index(marker) + len(marker) :]
    if "connection error code 2" in before:
        return "its process was killed, by the system where memory ran out, or by hand (SIGKILL)"
    if "temporarily unavailable" in before:
        return "its process or node cannot be reached any more"
    return before[:400] or type(error).__name__
