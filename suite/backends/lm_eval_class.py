"""A model class of lm-eval: found by its name, made with its arguments, and what has to be known to be fair to it."""

from __future__ import annotations

import importlib
import inspect
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import BackendUnavailable, UsageError
from .weights import BUILT_IN, file_hashes, resolve

__all__ = ["Found", "Kind", "class_arguments", "find_class", "lm_eval_module"]

Kind = Literal["transformers", "api", "engine", "other"]

_MISSING = (
    "lm-eval is not installed, so there are no models and tasks of it. `pip install 'finchmark[lm-eval]'` installs it."
)
_SECRET = re.compile(r"(^|_)(token|api_key|key|password|secret|header|headers|auth)($|_)", re.IGNORECASE)
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_WEIGHTS = ("pretrained",)
_PLACES = frozenset(
    (
        "base_url",
        "batch_size",
        "ca_cert_path",
        "device",
        "gpu_memory_utilization",
        "max_batch_size",
        "max_cpu_memory",
        "max_memory_per_gpu",
        "max_retries",
        "num_concurrent",
        "offload_folder",
        "parallelize",
        "timeout",
        "verify_certificate",
    )
)


def lm_eval_module(name: str) -> Any:
    """Import a module of lm-eval.

    Args:
        name: Its name below ``lm_eval``, such as ``api.registry``.

    Raises:
        BackendUnavailable: lm-eval is not installed.
    """
    try:
        return importlib.import_module(f"lm_eval.{name}")
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == "lm_eval":
            raise BackendUnavailable(_MISSING) from error
        raise BackendUnavailable(f"lm-eval needs the package {error.name!r}, which is not installed.") from error


def class_arguments(text: str, more: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Read ``NAME,arg=value,…`` as lm-eval reads it, and join it with arguments that came apart from it.

    Args:
        text: The name of a model class and its arguments.
        more: Further arguments; they are not read again.

    Returns:
        The name and the arguments.

    Raises:
        UsageError: There is no name, a part has no ``=``, or an argument is there twice.
        BackendUnavailable: lm-eval is not installed.
    """
    name, _, rest = text.partition(",")
    if not name.strip():
        raise UsageError(
            "lm_eval: name a model class of lm-eval and its arguments, such as lm_eval:hf,pretrained=smollm2."
        )
    parts = [part for part in rest.split(",") if part.strip()]
    wrong = [part for part in parts if not part.partition("=")[1] or not part.partition("=")[0].strip().isidentifier()]
    if wrong:
        raise UsageError(f"lm_eval:{text}: {wrong[0]!r} is not of the form argument=value.")
    handle_arg_string = lm_eval_module("utils").handle_arg_string
    found: dict[str, Any] = {}
    for part in parts:
        key, _, value = part.partition("=")
        if key.strip() in found:
            raise UsageError(f"lm_eval:{text}: {key.strip()} is there twice.")
        found[key.strip()] = handle_arg_string(value)
    twice = sorted(found.keys() & more.keys())
    if twice:
        raise UsageError(f"lm_eval:{text}: {twice[0]} is there twice, once in --model-args.")
    return name.strip(), {**found, **more}


@dataclass(frozen=True)
class Found:
    """A model class, and its arguments as it gets them.

    Args:
        name: As lm-eval registers it.
        cls: The class.
        kind: ``transformers``: draws with torch in this process (``HFLM`` and what is made from it). ``api``: requests
            to a server (``TemplateAPI``). ``engine``: batches by itself (vLLM, SGLang). ``other``: anything else.
        arguments: For the class.
        identity: What of them says which model it is: without places, hosts and keys.
        request_seeds: Whether a request can carry its own seed.
    """

    name: str
    cls: type
    kind: Kind
    arguments: Mapping[str, Any]
    identity: Mapping[str, Any]
    request_seeds: bool

    def make(self, **defaults: Any) -> Any:
        """Make the model.

        Args:
            **defaults: Arguments that the user has not given; those that the class does not take are left out.

        Raises:
            BackendUnavailable: The class refuses, for whatever reason.
        """
        parameters = inspect.signature(self.cls.__init__).parameters
        anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        given = {k: v for k, v in defaults.items() if k not in self.arguments and (anything or k in parameters)}
        arguments = {key: _expanded(key, value) for key, value in self.arguments.items()}
        try:
            return self.cls.create_from_arg_obj({**arguments, **given})  # pyright: ignore[reportAttributeAccessIssue] - every LM has it
        except Exception as error:
            raise BackendUnavailable(
                f"lm_eval:{self.name} cannot be made: {type(error).__name__}: {_first_line(error)}"
            ) from error


def find_class(name: str, arguments: Mapping[str, Any]) -> Found:
    """Find a model class, fetch built-in weights it is to load, and tell what identifies the model.

    ``pretrained=smollm2`` is the model that comes with Finchmark; a folder is identified by the hash of its weights.

    Args:
        name: As lm-eval registers it: ``hf``, ``vllm``, ``local-completions`` …
        arguments: For the class. A value ``$NAME`` stands for an environment variable.

    Raises:
        UsageError: There is no such class, or an argument holds a key in plain text.
        BackendUnavailable: lm-eval, or a package that the class needs, is not installed.
    """
    known = sorted(lm_eval_module("models").MODEL_MAPPING)
    try:
        cls: type = lm_eval_module("api.registry").get_model(name)
    except ValueError as error:
        from difflib import get_close_matches

        near = get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(near)}?" if near else f" It has {', '.join(known)}."
        raise UsageError(f"lm-eval has no model class {name!r}.{hint}") from error
    except ImportError as error:
        raise BackendUnavailable(f"lm_eval:{name} needs a package that is not here: {error}.") from error
    own = dict(arguments)
    identity: dict[str, Any] = {}
    for key, value in arguments.items():
        if _SECRET.search(key) and key not in ("custom_prefix_token_id", "prefix_token_id", "add_bos_token"):
            if (
                not (isinstance(value, str) and _VARIABLE.fullmatch(value))
                and value is not None
                and not _harmless(value)
            ):
                raise UsageError(
                    f"lm_eval:{name}: {key} may be a key, and arguments are written into the run's manifest. Put it "
                    f"into an environment variable and write {key}=$VARIABLE."
                )
            if isinstance(value, str) and _VARIABLE.fullmatch(value):
                continue
        if key in _PLACES:
            continue
        if key in _WEIGHTS and isinstance(value, str):
            weights = resolve(value) if value == BUILT_IN or Path(value).expanduser().exists() else None
            if weights is not None:
                own[key] = str(weights.path)
                identity[key] = {"name": weights.name, "sha256": weights.sha256}
                continue
        identity[key] = _identified(value)
    bases = {base.__name__ for base in cls.__mro__}
    if "HFLM" in bases:
        kind: Kind = "transformers"
    elif "TemplateAPI" in bases:
        kind = "api"
    else:
        kind = "engine" if bases & {"VLLM", "SGLangLM"} else "other"
    # SGLang's classes and Anthropic's hand unknown settings on, and their servers refuse a `seed`.
    seeds = ("LocalCompletionsAPI" in bases and not bases & {"AnthropicLM", "AnthropicChat", "SGLANGGENERATEAPI"}) or (
        "VLLM" in bases
    )
    return Found(name, cls, kind, own, identity, request_seeds=seeds)


def _harmless(value: Any) -> bool:
    """Whether a value under a name like ``think_end_token`` is no key: keys are long, and are no tags."""
    if isinstance(value, str):
        return len(value) < 16 or value[0] in "<[" or _VARIABLE.fullmatch(value) is not None
    return not isinstance(value, Mapping)


def _expanded(key: str, value: Any) -> Any:
    if not (isinstance(value, str) and (match := _VARIABLE.fullmatch(value))):
        return value
    try:
        return os.environ[match[1]]
    except KeyError:
        raise BackendUnavailable(f"lm_eval: {key}={value}, but there is no environment variable {match[1]}.") from None


def _identified(value: Any) -> Any:
    """A value for the identity: plain data, and the content of a file or folder in the place of its path."""
    if isinstance(value, str) and (os.sep in value or value.startswith((".", "~"))):
        path = Path(value).expanduser()
        if path.exists():
            files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
            names = [str(p.relative_to(path)) if path.is_dir() else p.name for p in files]
            return {"files": [list(pair) for pair in zip(names, file_hashes(files), strict=True)]}
    if isinstance(value, str | int | bool) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(k): _identified(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_identified(v) for v in value]
    return repr(value)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "no reason given")
