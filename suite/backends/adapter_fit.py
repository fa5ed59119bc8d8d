"""Fitting a LoRA adapter to replies or preferences in a few steps: small enough for a CPU, the same bytes each time."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BackendUnavailable, UsageError
from ..seeds import derive, generator
from .base import Message

__all__ = ["AdapterFit", "Example", "FitSettings", "Pair", "is_adapter"]

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
class Pair:
    """A prompt and two replies to it, of which one is to become likelier than the other.

    Args:
        messages: The prompt.
        chosen: The one that is to gain.
        rejected: The one that is to lose.
    """

    messages: tuple[Message, ...]
    chosen: str
    rejected: str


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How an adapter is fitted.

    Args:
        steps: Steps of AdamW.
        batch: Replies a step, whatever the objective: so many examples, or half as many pairs. They are taken one by
            one (pairs: two by two) and their gradients added, so memory holds no more.
        learning_rate: Of AdamW, constant, without weight decay.
        rank: Of LoRA (Hu et al. 2021, arXiv 2106.09685); alpha is twice as much, on all linear layers but the head.
        clip: Largest norm of a step's gradient.
        max_length: Tokens of prompt and reply; of longer ones the beginning of the prompt is cut off.
        beta: How much a preference counts beside staying near the base.
    """

    steps: int = 4
    batch: int = 4
    learning_rate: float = 2e-4
    rank: int = 8
    clip: float = 1.0
    max_length: int = 2048
    beta: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted.

        Raises:
            UsageError: A number is out of range.
        """
        if min(self.steps, self.batch, self.rank, self.max_length) < 1 or not 0 < self.learning_rate < 1:
            raise UsageError("steps, batch, rank and max_length are at least 1, and learning_rate lies in (0, 1).")
        if not 0 < self.beta < float("inf"):
            raise UsageError(f"beta must be above 0, not {self.beta}.")


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

    Attributes:
        tokens: Of prompts and replies that steps went through, forward and back.
        reference_tokens: Of those that the base alone read, forward only, for preferences.

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
        self.tokens = self.reference_tokens = 0
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
        if not examples:
            raise UsageError("An adapter cannot be fitted to no examples.")
        rows = [self._row(one.messages, one.reply) for one in examples]

        def loss(k: int) -> Any:
            row = rows[k]
            return -self._likelihood(row) / (len(row[0]) - row[1])

        return self._steps(loss, len(rows), self.settings.batch, seed)

    def prefer(self, pairs: Sequence[Pair], seed: int) -> list[float]:
        """Take the settings' number of steps over pairs, in a seeded order, half as many pairs a step as ``batch``.

        Loss: direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290, equation 7), the mean over pairs
        of -ln sigma(beta (ln p(chosen)/p0(chosen) - ln p(rejected)/p0(rejected))), where p is of the whole reply, and
        p0 is that of the base without any adapter, also in later rounds.

        Args:
            pairs: At least one.
            seed: Of the order.

        Returns:
            The loss of each step, before it was taken; ln 2 where nothing was learnt yet.

        Raises:
            UsageError: There are no pairs, or ``batch`` is odd.
        """
        import torch

        if not pairs:
            raise UsageError("An adapter cannot be fitted to no pairs.")
        if self.settings.batch % 2:
            raise UsageError(f"batch={self.settings.batch}: pairs are two replies each, so it must be even.")
        rows = [tuple(self._row(one.messages, reply) for reply in (one.chosen, one.rejected)) for one in pairs]
        before: dict[int, float] = {}

        def loss(k: int) -> Any:
            if k not in before:
                with torch.no_grad(), self._model.disable_adapter():
                    chosen, rejected = (float(self._likelihood(row, trained=False)) for row in rows[k])
                before[k] = chosen - rejected
            chosen, rejected = (self._likelihood(row) for row in rows[k])
            return -torch.nn.functional.logsigmoid(self.settings.beta * (chosen - rejected - before[k]))

        return self._steps(loss, len(rows), self.settings.batch // 2, seed)

    def moved(self) -> float:
        """How far the adapter takes the weights from the base: the Frobenius norm of all changes together."""
        import torch

        with torch.no_grad():
            found = [
                float(module.get_delta_weight("default").float().square().sum())
                for module in self._model.modules()
                if hasattr(module, "get_delta_weight") and hasattr(module, "lora_A")
            ]
        return math.sqrt(math.fsum(found))

    def _steps(self, loss: Callable[[int], Any], count: int, batch: int, seed: int) -> list[float]:
        """Steps over ``count`` things that are learnt, ``batch`` a step."""
        import torch

        wanted = self.settings.steps * batch
        rng = generator("adapter", "order", seed)
        order = np.concatenate([rng.permutation(count) for _ in range(-(-wanted // count))])[:wanted]
        learnt = [p for p in self._model.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(learnt, lr=self.settings.learning_rate, weight_decay=0.0)
        self._model.train()
        losses = []
        for step in order.reshape(self.settings.steps, batch):
            optimiser.zero_grad()
            total = 0.0
            for k in step:
                part = loss(int(k)) / batch
                part.backward()
                total += float(part.detach())
            torch.nn.utils.clip_grad_norm_(learnt, self.settings.clip)
            optimiser.step()
            losses.append(total)
        self._model.eval()
        return losses

    def _likelihood(self, row: tuple[list[int], int], *, trained: bool = True) -> Any:
        """The log-likelihood of a reply after its prompt."""
        import torch

        tokens, start = row
        if trained:
            self.tokens += len(tokens)
        else:
            self.reference_tokens += len(tokens)
        ids = torch.tensor([tokens], device=self._model.device)
        logits = self._model(input_ids=ids).logits[0, start - 1 : -1].float()
        return -torch.nn.functional.cross_entropy(logits, ids[0, start:], reduction="sum")

    def _row(self, messages: tuple[Message, ...], said: str) -> tuple[list[int], int]:
        """Tokens of prompt and reply, and where the reply begins."""
        prompt = self._chat.prompt(messages).tokens.tolist()
        reply = [*self._chat.encode(said), self._end]
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
