"""``hf:``: a model on this machine, in this process or in one process for each of several devices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .base import Backend
from .hf import HFBackend
from .weights import BUILT_IN

__all__ = ["LocalBackend", "device_names"]


class LocalBackend(HFBackend):
    """Weights on this machine: hf:smollm2, hf:ORG/NAME, hf:FOLDER, hf:FILE.gguf.

    A model runs in this process, or, with several ``devices``, in one process for each; its answers and its identity
    are the same. Further arguments are those of :class:`.HFBackend`: revision, dtype, device_map, adapter, batch_size,
    cache_bytes, max_length, trust_remote_code, attn_implementation, chat_template, model_object, tokenizer_object.

    Args:
        model: ``smollm2``, a folder, a ``.gguf`` file, or a name on the Hugging Face hub.
        device: One device, such as ``cuda:1`` or ``cpu``; by default CUDA if there is one.
        devices: Several, as a list or separated by ``+`` (``cuda:0+cuda:1``); ``auto``: all CUDA devices that can be
            seen, or the CPU. One name is the same as ``device``.
        steering: The file of a steering vector, which is added in every request (:class:`.SteeredBackend`).
        steering_strength: Its factor. [1]
        steering_where: ``all`` positions, or those of the ``reply``. [all]
        **arguments: As for :class:`.HFBackend`.

    Raises:
        UsageError: An argument is unknown or has a wrong value.
    """

    name = "hf"
    placement = HFBackend.placement | {"devices"}

    def __new__(  # pyright: ignore[reportInconsistentConstructor] - what is made is never of this class
        cls,
        model: str = BUILT_IN,
        *,
        device: str | None = None,
        devices: str | Sequence[str] | None = None,
        steering: str | Path | None = None,
        steering_strength: float | str | None = None,
        steering_where: str | None = None,
        **arguments: Any,
    ) -> Backend:
        """Make the backend that fits."""
        mixed = re.fullmatch(r"([^,]*),([a-z_]+=.*)", model, re.DOTALL)
        if mixed and not Path(model).expanduser().exists():
            raise UsageError(
                f"hf: arguments stand apart from the model: --backend hf:{mixed[1]} --model-args {mixed[2]}"
            )
        if steering is not None:
            from .steered import SteeredBackend

            plain = cls(model, device=device, devices=devices, **arguments)
            strength = 1.0 if steering_strength is None else steering_strength
            return SteeredBackend(plain, steering, strength=strength, where=steering_where or "all")
        if steering_strength is not None or steering_where is not None:
            raise UsageError("hf: steering_strength and steering_where need steering, the file of a vector.")
        if devices is None:
            return HFBackend(model, device=device, **arguments)
        if device is not None:
            raise UsageError(f"hf: device={device!r} and devices={devices!r} exclude each other.")
        names = device_names(devices)
        if len(names) < 2:
            return HFBackend(model, device=names[0] if names else None, **arguments)
        from .replicas import ReplicaBackend

        return ReplicaBackend(model, devices=names, **arguments)


def device_names(devices: str | Sequence[str]) -> tuple[str, ...]:
    """Read the argument ``devices``.

    Args:
        devices: Names in a list or separated by ``+``, or ``auto``.

    Returns:
        Names of torch devices; none where ``auto`` finds no CUDA device.

    Raises:
        UsageError: A name is empty, or the names do not go together.
    """
    if devices == "auto":
        from .loading import need

        need("torch")
        import torch

        return tuple(f"cuda:{k}" for k in range(torch.cuda.device_count()))
    names = devices.split("+") if isinstance(devices, str) else list(devices)
    if not names or not all(isinstance(n, str) and n.strip() for n in names):
        raise UsageError(f"hf: devices={devices!r} must name devices, such as cuda:0+cuda:1, or be auto.")
    names = [n.strip() for n in names]
    if len({n.partition(":")[0] for n in names}) > 1:
        # They would round differently, and where a sample ran would decide numbers.
        raise UsageError(f"hf: devices={'+'.join(names)} mixes kinds of devices; name devices of one kind.")
    if len(names) > 1 and names[0] != "cpu":
        if any(":" not in n for n in names):
            raise UsageError(f"hf: devices={'+'.join(names)}: give each its number, such as cuda:0+cuda:1.")
        if len(set(names)) < len(names):
            raise UsageError(f"hf: devices={'+'.join(names)} names one device twice; one process makes full use of it.")
    return tuple(names)
