"""Calls to a model class of lm-eval: many requests at once, and none that takes others along when it fails."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from ..errors import BackendError, BackendUnavailable
from ..seeds import derive

__all__ = ["call", "gives_log_probabilities", "in_parts", "replies_of", "seeded"]

_T = TypeVar("_T")
_GIVE_UP = 3  # requests that fail alone, one after the other, before the rest is given up


def in_parts(asked: Sequence[Any], ask: Callable[[Sequence[Any]], list[_T | Exception]]) -> list[_T | Exception]:
    """Ask for all at once; where that fails for halves, down to single requests, until too many fail alone."""
    failed_alone = 0

    def answer(some: Sequence[Any]) -> list[_T | Exception]:
        nonlocal failed_alone
        if not some:
            return []
        try:
            answers = ask(some)
        except Exception as error:  # noqa: BLE001 - whatever a class raises is its fault, not the model's
            fault: Exception = error
            if not isinstance(error, BackendError | BackendUnavailable):
                fault = BackendError(f"lm-eval failed: {type(error).__name__}: {str(error)[:500]}")
                fault.__cause__ = error
            if len(some) == 1 or failed_alone >= _GIVE_UP or isinstance(fault, BackendUnavailable):
                failed_alone += 1
                return [fault] * len(some)
            middle = len(some) // 2
            return answer(some[:middle]) + answer(some[middle:])
        failed_alone = 0
        return answers

    return answer(asked)


@contextlib.contextmanager
def seeded(seeds: Sequence[int]) -> Iterator[None]:
    """Seed torch's own generators for a wave and put them back afterwards. Where torch is not loaded, nothing."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(derive("lm-eval-wave", *seeds))
        yield


def replies_of(method: Callable[..., Any], instances: Sequence[Any]) -> Sequence[Any]:
    """Call a method of an LM and see that it answers every request.

    Raises:
        BackendError: It gave another number of answers.
    """
    replies = call(method, instances)
    if isinstance(replies, list | tuple) and len(replies) == len(instances):
        return replies
    count = len(replies) if isinstance(replies, list | tuple) else type(replies).__name__
    raise BackendError(f"{method.__qualname__} of lm-eval answered {count} of {len(instances)} requests")


def call(method: Callable[..., Any], instances: Sequence[Any]) -> Any:
    """Call a method of an LM, without its progress bar where it can do without."""
    quiet = "disable_tqdm" in inspect.signature(method).parameters
    return method(list(instances), disable_tqdm=True) if quiet else method(list(instances))


def gives_log_probabilities(lm: Any) -> bool:
    """Whether a class has log-probabilities at all. It is asked for none: classes without raise at once."""
    try:
        call(lm.loglikelihood, [])
    except (NotImplementedError, AssertionError):
        return False
    except Exception:  # noqa: BLE001 - a class that stumbles over an empty list may still score
        return True
    return True
