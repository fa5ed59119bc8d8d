"""Fitting a LoRA adapter to replies, a few steps at a time: small enough for a CPU, the same bytes every time there."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BackendUnavailable, UsageError
from ..seeds import derive, generator
from .base import Message

__all__ = ["AdapterFit", "Example", "FitSettings", "is_adapter"]

_FILES = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and the reply to be learnt.

    Args:
        messages: The prompt.
        reply: The text; the token that ends a turn is put behind it.
    """

    messages: tuple[Message, ...]
    reply: str


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How an adapter is fitted.

    Args:
        steps: Steps of AdamW.
        batch: Examples a step; they are taken one by one and their gradients added, so memory holds one.
        learning_rate: Of AdamW, constant, without weight decay.
        rank: Of LoRA (Hu et al. 2021, arXiv 2106.09685); alpha is twice as much, on all linear layers but the head.
        clip: Largest norm of a step's gradient.
        max_length: Tokens of prompt and reply; of longer ones the beginning of the prompt is cut off.
    """

    steps: int = 4
    batch: int = 4
    learning_rate: float = 2e-4
    rank: int = 8
    clip: float = 1.0
    max_length: int = 2048

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted.

        Raises:
            UsageError: A number is out of range.
        """
        if min(self.steps, self.batch, self.rank, self.max_length) < 1 or not 0 < self.learning_rate < 1:
            raise UsageError("steps, batch, rank and max_length are at least 1, and learning_rate lies in (0, 1).")


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds a whole PEFT adapter."""
    return all((folder / name).is_file() for name in _FILES)


class AdapterFit:
    """A base model with a LoRA adapter on it that can be fitted. The base never changes.

    Args:
        model: As for :class:`.HFBackend`: a folder or a name; no ``.gguf`` file but the built-in model.
        start: An adapter to go on from; None: a fresh one, which changes nothing before it is fitted.
        settings: How.
        seed: Of the fresh adapter's random half.
        revision: As for :class:`.HFBackend`.
        device: Such as ``cpu`` or ``cuda:0``.
        chat_template: As for :class:`.HFBackend`.

    Raises:
        BackendUnavailable: ``peft`` or ``torch`` is missing, or the weights cannot be loaded.
    """

    def __init__(
        self,
        model: str,
        *,
        start: Path | None = None,
        settings: FitSettings | None = None,
        seed: int = 0,
        revision: str | None = None,
        device: str = "cpu",
        chat_template: str | None = None,
    ) -> None:
        from .chat import ChatFormat
        from .loading import load_model, load_tokenizer, need, quietly
        from .weights import resolve

        need("torch", "transformers", "peft")
        import peft
        import torch

        self.settings = settings or FitSettings()
        weights = resolve(model, revision)
        tokenizer = load_tokenizer(weights)
        self._chat = ChatFormat(tokenizer, chat_template)
        # Loading draws random numbers too, for weights that it then overwrites.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive("adapter", seed) % 2**63)
            base = load_model(weights, dtype="float32", device=device)
            with quietly():
                if start is None:
                    config = peft.LoraConfig(
                        r=self.settings.rank,
                        lora_alpha=2 * self.settings.rank,
                        target_modules="all-linear",
                        task_type="CAUSAL_LM",
                    )
                    self._model: Any = peft.get_peft_model(base, config)
                else:
                    self._model = peft.PeftModel.from_pretrained(base, str(start), is_trainable=True)
        self._chat.add_ends(getattr(base, "generation_config", None))
        own = tokenizer.eos_token_id
        self._end = int(own) if own is not None else min(self._chat.ends, default=-1)
        if self._end < 0:
            raise BackendUnavailable(
                f"The tokenizer of {model!r} has no token that ends a turn, so none can be learnt."
            )

    def fit(self, examples: Sequence[Example], seed: int) -> list[float]:
        """Take the settings' number of steps over examples, in a seeded order.

        Loss: mean over examples of the mean negative log-likelihood of a reply's tokens. The prompt's do not count.

        Args:
            examples: At least one.
            seed: Of the order.

        Returns:
            The loss of each step, before it was taken.

        Raises:
            UsageError: There are no examples.
        """
        import torch

        if not examples:
            raise UsageError("An adapter cannot be fitted to no examples.")
        rows = [self._row(one) for one in examples]
        wanted = self.settings.steps * self.settings.batch
        rng = generator("adapter", "order", seed)
        order = np.concatenate([rng.permutation(len(rows)) for _ in range(-(-wanted // len(rows)))])[:wanted]
        learnt = [p for p in self._model.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(learnt, lr=self.settings.learning_rate, weight_decay=0.0)
        self._model.train()
        losses = []
        for step in order.reshape(self.settings.steps, self.settings.batch):
            optimiser.zero_grad()
            total = 0.0
            for k in step:
                tokens, start = rows[int(k)]
                ids = torch.tensor([tokens], device=learnt[0].device)
                logits = self._model(input_ids=ids).logits[0, start - 1 : -1].float()
                loss = torch.nn.functional.cross_entropy(logits, ids[0, start:]) / self.settings.batch
                loss.backward()
                total += float(loss.detach())
            torch.nn.utils.clip_grad_norm_(learnt, self.settings.clip)
            optimiser.step()
            losses.append(total)
        self._model.eval()
        return losses

    def _row(self, example: Example) -> tuple[list[int], int]:
        """Tokens of prompt and reply, and where the reply begins."""
        prompt = self._chat.prompt(example.messages).tokens.tolist()
        reply = [*self._chat.encode(example.reply), self._end]
        reply = reply[: self.settings.max_length - 1]
        prompt = prompt[-(self.settings.max_length - len(reply)) :]
        return [*prompt, *reply], len(prompt)

    def save(self, folder: Path) -> Path:
        """Write the adapter into a folder, whole or not at all; what stands there is replaced.

        Args:
            folder: Its parent must exist.
        """
        from .loading import quietly

        draft = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(draft, ignore_errors=True)
        with quietly():
            self._model.save_pretrained(str(draft))
        shutil.rmtree(folder, ignore_errors=True)
        draft.replace(folder)
        return folder
