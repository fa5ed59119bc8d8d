"""Results of other harnesses, read as :class:`finchmark.suite.results.Results`: lm-eval and inspect-ai."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from ..results import Results

__all__ = ["read_foreign"]


def read_foreign(path: Path) -> Results:
    """Read what lm-eval or inspect-ai wrote.

    Args:
        path: A ``samples_*.jsonl`` or ``results_*.json`` of lm-eval; an ``.eval`` or ``.json`` log of inspect-ai; or a
            folder, searched with all that is below it.

    Raises:
        UsageError: There is nothing of theirs, of both something, or inspect-ai is needed and not installed.
        StoreError: It is there and damaged.
    """
    from .inspect_log import find_inspect_logs, read_inspect
    from .lm_eval import read_lm_eval
    from .lm_eval_log import find_lm_eval_logs

    theirs, others = find_lm_eval_logs(path), find_inspect_logs(path)
    if theirs and others:
        raise UsageError(
            f"{path}: there are results of lm-eval ({theirs[0].name}) and of inspect-ai ({others[0].name}). Give one "
            "of the two."
        )
    if theirs:
        return read_lm_eval(path)
    if others:
        return read_inspect(path)
    raise UsageError(
        f"{path}: there are no results that can be read. Known are a run folder of Finchmark (with its manifest.json), "
        "samples_*.jsonl of lm-eval (`--log_samples --output_path DIR`), and .eval or .json logs of inspect-ai."
    )
