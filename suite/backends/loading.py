"""Loads a model and its tokenizer with transformers, and chooses how it is run."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BackendUnavailable, UsageError
from .weights import Weights, file_hashes

__all__ = [
    "choose_runner",
    "context_length",
    "find_batch_size",
    "free_memory",
    "load_adapter",
    "load_model",
    "load_tokenizer",
    "model_hash",
    "object_hash",
    "quietly",
    "spare_the_neighbours",
]

_COLLECTS = "transformers.utils.output_capturing"
_MISSING = "The hf backend needs {name}: `pip install 'finchmark[hf]'`."


def need(*names: str) -> None:
    """Raise :class:`BackendUnavailable` for the first package that is missing."""
    import importlib.util

    for name in names:
        if importlib.util.find_spec(name) is None:
            raise BackendUnavailable(_MISSING.format(name=name))


def spare_the_neighbours() -> None:
    """Keep idle threads of the CPU's matrix kernels from spinning, if that can still be set.

    OpenMP's threads wait for each other by spinning. Where anything else runs on the machine (our own event loop, for
    one) they wait for a thread that has no core: a step of SmolLM2 took 750 to 1,300 ms instead of 64 ms on two busy
    cores, and 120 to 320 ms with a short spin; on idle cores the short spin costs 84 ms instead of 64 ms. Set either
    variable to have it otherwise.
    """
    import sys

    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers' warnings and progress bars off the terminal."""
    from transformers import modeling_gguf_pytorch_utils as gguf
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    level = logging.get_verbosity()
    bar = getattr(gguf, "tqdm", None)  # one bar that does not heed the switch
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    if bar is not None:
        gguf.tqdm = lambda things, *_, **__: things  # type: ignore[attr-defined]  # the module imports it for itself
    try:
        yield
    finally:
        if bar is not None:
            gguf.tqdm = bar  # type: ignore[attr-defined]  # as above
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def _place(weights: Weights) -> tuple[str, dict[str, Any]]:
    if weights.path.suffix == ".gguf":
        return str(weights.path.parent), {"gguf_file": weights.path.name}
    return str(weights.path), {}


def load_tokenizer(weights: Weights, *, trust_remote_code: bool = False) -> Any:
    """Load a tokenizer.

    Raises:
        BackendUnavailable: It cannot be loaded.
    """
    need("torch", "transformers", *(["gguf"] if weights.path.suffix == ".gguf" else []))
    from transformers import AutoTokenizer

    path, extra = _place(weights)
    try:
        with quietly():
            return AutoTokenizer.from_pretrained(path, trust_remote_code=trust_remote_code, **extra)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise BackendUnavailable(f"The tokenizer of {weights.name!r} cannot be loaded: {error}") from error


def load_model(
    weights: Weights,
    *,
    dtype: str,
    device: str,
    device_map: Any = None,
    attn_implementation: str | None = None,
    trust_remote_code: bool = False,
) -> Any:
    """Load a model, ready for use.

    Args:
        weights: Where it lies.
        dtype: Name of a torch dtype.
        device: Where it goes, unless ``device_map`` says more.
        device_map: As for transformers.
        attn_implementation: As for transformers; None lets it choose.
        trust_remote_code: Whether Python files beside the weights may run.

    Raises:
        BackendUnavailable: It cannot be loaded.
    """
    need("torch", "transformers", *(["gguf"] if weights.path.suffix == ".gguf" else []))
    import torch
    import transformers
    from transformers import AutoConfig, AutoModelForCausalLM

    path, extra = _place(weights)
    arguments: dict[str, Any] = {"dtype": getattr(torch, dtype), "trust_remote_code": trust_remote_code, **extra}
    if "gguf_file" in extra and hasattr(transformers, "GgufConfig"):
        arguments["quantization_config"] = transformers.GgufConfig(dequantize=True)
    if attn_implementation is not None:
        arguments["attn_implementation"] = attn_implementation
    if device_map is not None:
        arguments["device_map"] = device_map
    elif not device.startswith("cpu"):
        arguments["device_map"] = {"": device}
    try:
        with quietly():
            if "gguf_file" not in extra:
                config = AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code)
                if getattr(config, "is_encoder_decoder", False):
                    raise BackendUnavailable(
                        f"{weights.name!r} is an encoder-decoder model; the hf backend runs decoders only."
                    )
            model = AutoModelForCausalLM.from_pretrained(path, **arguments)
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        raise BackendUnavailable(f"The model {weights.name!r} cannot be loaded: {error}") from error
    return model.eval()


def load_adapter(model: Any, adapter: str) -> Any:
    """Put a PEFT adapter on a model and merge it into the weights, so that it costs nothing later.

    Args:
        model: The model.
        adapter: Folder, or a name on the hub.

    Returns:
        The model with the adapter in it.
    """
    need("peft")
    from peft import PeftModel

    try:
        with quietly():
            merged = PeftModel.from_pretrained(model, adapter).merge_and_unload()  # type: ignore[operator]  # peft's stub says Tensor
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BackendUnavailable(f"The adapter {adapter!r} cannot be loaded: {error}") from error
    return merged.eval()


def adapter_identity(adapter: str) -> dict[str, str]:
    """Name of an adapter, and the SHA-256 of its files where they lie in a folder."""
    folder = Path(adapter).expanduser()
    if not folder.is_dir():
        return {"name": adapter}
    files = sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".bin", ".json") and p.is_file())
    content = hashlib.sha256("".join(file_hashes(files)).encode()).hexdigest()
    return {"name": folder.resolve().name, "sha256": content}


def model_hash(model: Any) -> str:
    """SHA-256 of a model's parameters, for models that were handed over as objects."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def object_hash(model: Any, tokenizer: Any) -> str:
    """Hash of what decides replies beside the parameters: configuration and tokenizer.

    With hooks on any module it is another one every time, since nobody knows what they do. Those by which transformers
    itself collects hidden states change nothing: it leaves them on a model that was asked for its states once.
    """
    digest = hashlib.sha256(model.config.to_json_string(use_diff=False).encode())
    words = tokenizer.backend_tokenizer.to_str() if tokenizer.is_fast else repr(sorted(tokenizer.get_vocab().items()))
    digest.update(words.encode())
    hooks = [h for m in model.modules() for h in (*m._forward_hooks.values(), *m._forward_pre_hooks.values())]
    if any(getattr(hook, "__module__", None) != _COLLECTS for hook in hooks):
        digest.update(os.urandom(16))
    return digest.hexdigest()


def context_length(model: Any) -> int:
    """Tokens that a model's context holds; a large number where its configuration has no bound."""
    config = model.config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return 1 << 20


def free_memory(device: Any) -> int:
    """Bytes that are free on a device, or for the CPU on this machine or in its container."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = 4 << 30
    with contextlib.suppress(OSError, ValueError):
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    with contextlib.suppress(OSError, ValueError):
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
        free = min(free, max(limit - used, 256 << 20))
    return free


def set_attention(model: Any, name: str) -> None:
    """Choose a model's attention function."""
    if hasattr(model, "set_attn_implementation"):
        with quietly():
            model.set_attn_implementation(name)
    else:
        model.config._attn_implementation = name
    if model.config._attn_implementation != name:
        raise NotImplementedError(f"the model does not take the attention function {name}")


def choose_runner(
    model: Any, sessions: Any, *, arena_bytes: int, prefill_tokens: int, beside_tokens: int, own_attention: bool
) -> tuple[Any, str]:
    """Find the best way to run a model, by trying.

    Each way computes a few tokens, in pieces and beside another row, and must agree with the model's plain forward.

    Args:
        model: A loaded model.
        sessions: A :class:`~finchmark.suite.backends.kv_cache.SessionCache`.
        arena_bytes: What rows in work may take.
        prefill_tokens: New tokens of one forward pass at most.
        beside_tokens: The same while other rows are decoded.
        own_attention: Whether the model's attention function may be replaced by a quicker one.

    Returns:
        The runner, and how it runs: one word, and what spoke against better ways.

    Raises:
        BackendUnavailable: No way agrees.
    """
    import torch

    from .arena_runner import ArenaRunner
    from .attention import GROUPED, register
    from .padded_runner import PaddedRunner
    from .runner import reference_logits

    config = model.config.get_text_config()
    if getattr(model.config, "is_encoder_decoder", False):
        raise BackendUnavailable("This is an encoder-decoder model; the hf backend runs decoders only.")
    recurrent = bool(
        getattr(model, "_is_stateful", False)
        or set(getattr(config, "layer_types", None) or ())
        - {"full_attention", "sliding_attention", "chunked_attention"}
    )
    before = str(getattr(model.config, "_attn_implementation", None))
    tokens = (np.arange(26, dtype=np.int64) * 37 + 11) % min(int(config.vocab_size), 4096)
    faults = []

    def arena() -> Any:
        return ArenaRunner(
            model, sessions, arena_bytes=arena_bytes, prefill_tokens=prefill_tokens, beside_tokens=beside_tokens
        )

    def grouped() -> Any:
        register()
        set_attention(model, GROUPED)
        return arena()

    def plain() -> Any:
        return PaddedRunner(model, recurrent=recurrent)

    ways: list[tuple[str, Any]] = [("padded", plain)]
    if not recurrent:
        ways.insert(0, ("arena", arena))
        if own_attention and before == "sdpa":
            ways.insert(0, ("grouped", grouped))
    with torch.inference_mode():
        goals = [reference_logits(model, tokens[:14]), reference_logits(model, tokens[14:])]
        for name, make in ways:
            try:
                runner = make()
                _agree(runner, [tokens[:14], tokens[14:]], goals, recurrent=recurrent)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - a way that fails is not taken; the next one is tried
                faults.append(f"{name}: {type(error).__name__}: {error}")
                if name == "grouped":
                    set_attention(model, before)
            else:
                runner.clear()
                sessions.clear()
                return runner, name if not faults else f"{name} ({'; '.join(faults)})"
    raise BackendUnavailable(
        f"The hf backend cannot run models of the kind {getattr(config, 'model_type', '?')!r}: {'; '.join(faults)}"
    )


def _agree(runner: Any, rows: list[np.ndarray], goals: list[Any], *, recurrent: bool) -> None:
    """Feed two rows in pieces and compare with their plain logits."""
    from .runner import Prompt, admit_at_once

    rows = [r[:12] for r in rows] if recurrent else rows
    cuts = [8, 8] if recurrent else [9, 5]
    got = admit_at_once(runner, [Prompt(r[:c], "", len(r)) for r, c in zip(rows, cuts, strict=True)])
    order, logits = list(got.order), got.logits
    for k in range(3):
        for slot, i in enumerate(order):
            goal = goals[i][cuts[i] + k - 1].to(logits.device)
            spread = float(goal.std()) + 1e-6
            off = float((logits[slot].float() - goal).abs().median()) / spread
            if not off < (0.02 if str(runner.model.dtype) == "torch.float32" else 0.3):
                raise ArithmeticError(f"its logits are off by {off:.3f} standard deviations")
        if k < 2:
            logits = runner.step([int(rows[i][cuts[i] + k]) for i in order])


def find_batch_size(runner: Any, most: int, vocabulary: int) -> int:
    """Find how many rows can be decoded at once beside the largest prefill, by doing both.

    Args:
        runner: Has rows in no slot.
        most: Where the search begins; it goes down by halves.
        vocabulary: How many tokens the model knows.

    Returns:
        The largest that went through, at least 1.

    Raises:
        BackendUnavailable: Not even one row did.
    """
    import torch

    from .decode import is_out_of_memory
    from .runner import Prompt, admit_at_once
    from .sampling import pick

    size = most
    while size:
        try:
            with torch.inference_mode():
                # Prompts that differ from their first token on share nothing.
                short = [np.array([k % vocabulary, (7 * k + 1) % vocabulary], dtype=np.int64) for k in range(size)]
                length = max(2, runner.prefill_tokens // size)
                prompts = [Prompt(np.resize(tokens, length), "", length + 2) for tokens in short]
                admit_at_once(runner, prompts)
                logits = runner.step([1] * runner.count)
                pick(logits, [0.5] * len(logits), [0.9] * len(logits), [0.5] * len(logits))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            size //= 2
        else:
            return size
        finally:
            runner.clear()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
    raise BackendUnavailable(
        "Memory is too small for this model: not even one row could be decoded; try another dtype."
    )


def choose_dtype(dtype: str | None, device: str) -> str:
    """Name of the dtype to load in: bfloat16 on CUDA where it has that, else float16; float32 elsewhere.

    Raises:
        UsageError: The name is none that models are run in.
    """
    import torch

    names = ("float32", "bfloat16", "float16")
    if dtype is not None and str(dtype).removeprefix("torch.") not in names:
        raise UsageError(f"dtype={dtype!r} is not one of {', '.join(names)}.")
    if dtype is not None:
        return str(dtype).removeprefix("torch.")
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return "float32"
