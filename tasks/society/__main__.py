"""``python -m finchmark.tasks.society``: what scripted societies forget, in isolation and with news from outside.

Eight house policies by 16 societies, 20 rounds, closed and open, three conducts; about half a minute on one core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ...suite.errors import FinchmarkError
from .information import CONDUCTS, Setting, measure, written

__all__ = ["main"]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Print a table for each conduct.

    Args:
        arguments: See ``--help``.

    Returns:
        0, or the exit code of what was wrong.
    """
    asked = Setting()
    parser = argparse.ArgumentParser(prog="python -m finchmark.tasks.society", description=__doc__)
    parser.add_argument("conduct", nargs="*", help=f"of {', '.join(CONDUCTS)}; default: all")
    parser.add_argument("--societies", type=int, default=asked.societies, help="of each of the 8 policies, an arm")
    parser.add_argument("--agents", type=int, default=asked.agents)
    parser.add_argument("--rounds", type=int, default=asked.rounds)
    parser.add_argument("--keep", type=float, default=asked.keep, help="forgetful: probability of keeping, a round")
    parser.add_argument("--fresh", type=float, default=asked.fresh, help="open: probability of news, a round")
    parser.add_argument("--mistake", type=float, default=asked.mistake, help="imitator: probability of a copying error")
    parser.add_argument("--permutations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=asked.seed)
    given = vars(parser.parse_args(arguments))
    conducts, permutations = given.pop("conduct") or CONDUCTS, given.pop("permutations")
    try:
        setting = Setting(**given)
        for number, conduct in enumerate(conducts):
            if number:
                _say("")
            written(measure(conduct, setting, permutations=permutations), say=_say)
    except FinchmarkError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
