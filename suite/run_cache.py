"""A cache of runs: one folder each, named after all that decides its numbers; one process plays it, others wait."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import StoreError, UsageError

if TYPE_CHECKING:
    from .engine import Watcher
    from .evaluation import Prepared
    from .store import StoredRun

__all__ = ["RunCache"]


class RunCache:
    """Runs by what decides their numbers.

    A run is known by the hash of its specification, the model's identity, the version of Finchmark, and the content of
    the files that define its tasks, agent and backend where these are not Finchmark's. What those files import, and
    what a server does behind its name, is not seen: ``fresh`` plays again.

    Args:
        folder: Where the runs are; made if it is not there.
        session: Names the session. All processes that share it (the workers of one test run) share what is fresh.
        fresh: Whether to play again what an earlier session left.
    """

    def __init__(self, folder: Path, session: str, *, fresh: bool = False) -> None:
        self.folder, self.session, self.fresh = folder, session, fresh

    def play(
        self,
        prepared: Prepared,
        *,
        include: Sequence[str | Path] = (),
        concurrency: int | None = None,
        retries: int = 0,
        watcher: Watcher | None = None,
    ) -> tuple[StoredRun, bool]:
        """Give a run that is complete and without errors as it is; play everything else, or go on with it.

        Args:
            prepared: The run.
            include: Files that were included for it.
            concurrency: Episodes open at once.
            retries: How often an errored sample is tried again.
            watcher: Is told what happens.

        Returns:
            The run, and whether an earlier session had played it.

        Raises:
            UsageError: The folder cannot be made.
        """
        from .evaluation import run_prepared

        name = self._name(prepared, include)
        folder, stamp = self.folder / name, self.folder / f"{name}.session"
        with self._alone(name):
            ours = stamp.exists() and stamp.read_text(encoding="utf-8") == self.session
            if self.fresh and not ours:
                shutil.rmtree(folder, ignore_errors=True)
            run = _finished(folder)
            if run is not None:
                return run, not ours
            run = run_prepared(prepared, folder, concurrency=concurrency, retries=retries, watcher=watcher)
            stamp.write_text(self.session, encoding="utf-8")
            return run, False

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Wait until no other thread or process is at the run. The lock of one that dies is free."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = (self.folder / f"{name}.lock").open("a", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{self.folder}: runs cannot be kept here ({error.strerror or error}).") from error
        with handle:
            # flock, not lockf: it also parts the threads of one process.
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    @staticmethod
    def _name(prepared: Prepared, include: Sequence[str | Path]) -> str:
        from .canonical import content_hash
        from .environment import version

        prepared.backend.locate()
        known = [
            prepared.spec.model_dump(mode="json"),
            prepared.backend.identity(),
            prepared.manifest.label,
            version(),
            _code(prepared, include),
        ]
        return f"{prepared.default_out().name[:80]}-{content_hash(known, digits=16)}"


def _finished(folder: Path) -> StoredRun | None:
    """The run, if it is whole. One that is damaged is thrown away: it can be played again."""
    from .store import StoredRun

    if not (folder / "manifest.json").exists():
        return None
    try:
        run = StoredRun(folder)
        whole = run.manifest.complete and not run.counts().get("error", 0)
    except StoreError:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return run if whole else None


def _code(prepared: Prepared, include: Sequence[str | Path]) -> list[str]:
    """Hashes of the files that define what plays, as far as they are not Finchmark's own."""
    import inspect
    from hashlib import blake2b

    from .registry import AGENTS

    files = {Path(path).resolve() for path in include}
    classes = [type(prepared.backend), AGENTS.load(prepared.spec.agent.name), *(type(p.task) for p in prepared.plans)]
    for cls in classes:
        if cls.__module__.partition(".")[0] != "finchmark":
            with contextlib.suppress(TypeError, OSError):  # built in, or typed at a prompt: there is no file
                source = inspect.getsourcefile(cls)
                if source is not None:
                    files.add(Path(source).resolve())
    return sorted(blake2b(path.read_bytes(), digest_size=16).hexdigest() for path in files if path.is_file())
