"""The residual stream of a decoder of transformers: adds vectors to it, and reads it."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..errors import UsageError
from .steering import Steering

__all__ = ["Residual", "accepts", "kind_of", "place_of"]


def kind_of(steering: Sequence[Steering]) -> tuple[str, ...]:
    """What of a steering is in the keys and values of a prompt: those additions that all positions get."""
    return tuple(s.digest for s in steering if s.where == "all")


def _blocks(model: Any) -> torch.nn.ModuleList | None:
    """The decoder's blocks, the outermost list of as many modules as the configuration names layers."""
    count = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    for module in model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == count:
            return module
    return None


class Residual:
    """Hooks on a model's blocks. There are none as long as nobody steers or reads.

    Args:
        model: A decoder of transformers.
    """

    def __init__(self, model: Any) -> None:
        self._model, self._blocks = model, _blocks(model)
        self.width = int(model.config.get_text_config().hidden_size)

    @property
    def layers(self) -> int:
        """How many layers can be steered; 0 where the blocks were not found."""
        return 0 if self._blocks is None else len(self._blocks)

    def index(self, layer: int) -> int:
        """Give a layer's number from the first.

        Raises:
            UsageError: There is no such layer.
        """
        if not -self.layers <= layer < self.layers:
            raise UsageError(f"there is no layer {layer}: this model has {self.layers}, 0 to {self.layers - 1}.")
        return layer % self.layers

    def check(self, steering: Sequence[Steering]) -> None:
        """Refuse what does not fit the model.

        Raises:
            UsageError: A layer is not there, or a vector has another width than the residual stream.
        """
        for one in steering:
            self.index(one.layer)
            if one.vector.size != self.width:
                raise UsageError(f"a steering vector has {one.vector.size} numbers, the residual stream {self.width}.")

    def addends(
        self,
        rows: Sequence[tuple[Sequence[Steering], int]],
        positions: torch.Tensor,
        dtype: torch.dtype,
    ) -> dict[int, torch.Tensor]:
        """Work out what each layer gets.

        Args:
            rows: By row its steering, and where its reply begins.
            positions: Of the tokens of this pass, ``[rows, columns]``.
            dtype: The model's.

        Returns:
            By layer ``[rows, columns, hidden]``; empty where nothing is steered.
        """
        found: dict[int, torch.Tensor] = {}
        for r, (steering, begins) in enumerate(rows):
            for one in steering:
                layer = self.index(one.layer)
                if layer not in found:
                    shape = (*positions.shape, self.width)
                    found[layer] = torch.zeros(shape, dtype=dtype, device=positions.device)
                vector = torch.from_numpy(one.strength * one.vector).to(positions.device, dtype)
                if one.where == "all":
                    found[layer][r] += vector
                else:
                    found[layer][r] += vector * (positions[r] >= begins)[:, None]
        return found

    @contextlib.contextmanager
    def adding(self, addends: Mapping[int, torch.Tensor]) -> Iterator[None]:
        """Add to the stream while the context lasts."""

        def hook(addend: torch.Tensor) -> Any:
            def add(module: Any, args: Any, output: Any) -> Any:
                if isinstance(output, tuple):
                    return (output[0] + addend.to(output[0].device), *output[1:])
                return output + addend.to(output.device)

            return add

        with contextlib.ExitStack() as stack:
            for layer, addend in addends.items():
                assert self._blocks is not None
                stack.callback(self._blocks[layer].register_forward_hook(hook(addend)).remove)
            yield

    @contextlib.contextmanager
    def reading(self, layers: Sequence[int]) -> Iterator[dict[int, torch.Tensor]]:
        """Collect the stream after some layers while the context lasts; enter it after :meth:`adding`."""
        seen: dict[int, torch.Tensor] = {}

        def hook(layer: int) -> Any:
            def read(module: Any, args: Any, output: Any) -> None:
                seen[layer] = output[0] if isinstance(output, tuple) else output

            return read

        with contextlib.ExitStack() as stack:
            for layer in set(layers):
                assert self._blocks is not None
                stack.callback(self._blocks[layer].register_forward_hook(hook(layer)).remove)
            yield seen

    def states(
        self, tokens: np.ndarray, layers: Sequence[int], steering: Sequence[Steering], begins: int
    ) -> np.ndarray:
        """Read the stream along one sequence, in one plain forward pass.

        Args:
            tokens: ``[n]``.
            layers: After which layers.
            steering: What is added; what is read after a layer has what was added to it.
            begins: Where the reply begins, for steering of replies.

        Returns:
            float32, ``[layers, n, hidden]``.

        Raises:
            UsageError: There is no such layer.
        """
        wanted = [self.index(layer) for layer in layers]
        ids = torch.from_numpy(tokens.astype(np.int64))[None].to(place_of(self._model))
        positions = torch.arange(len(tokens), device=ids.device)[None]
        addends = self.addends([(steering, begins)], positions, self._model.dtype)
        keep = {"logits_to_keep": 1} if accepts(self._model, "logits_to_keep") else {}
        with self.adding(addends), self.reading(wanted) as seen:
            self._model(input_ids=ids, use_cache=False, **keep)
        return torch.stack([seen[layer][0].float() for layer in wanted]).cpu().numpy()


def accepts(model: Any, name: str) -> bool:
    """Whether a model's forward takes an argument."""
    parameters = inspect.signature(model.forward).parameters
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def place_of(model: Any) -> torch.device:
    """Where a model wants its tokens."""
    return model.get_input_embeddings().weight.device
