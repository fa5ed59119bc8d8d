"""Toy models and tokenizers, made on the spot: nothing is fetched."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

TEXT = (
    """The finch sat on the lamp and looked at the seven stones under the tree. A bird that eats seeds has a beak.
Every year the rain came late, and the small beaks had nothing to eat. Turn the switch on, then turn it off again.
<action>3</action> is an action, and so is <action>toggle lamp two</action>. What colour is the lamp? It is blue.
You are a helpful agent. Answer with one word. I think that the answer is nine, because two and seven are nine.

user assistant system User: Assistant: System: 0 1 2 3 4 5 6 7 8 9 Žluťoučký kůň 漢字 🐦 — done.

"""
    * 3
)
"""What the vocabulary of :func:`make_talker` is from."""

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL = ("<|pad|>", "<|im_start|>", "<|im_end|>")


def need_torch() -> Any:
    """Torch with one thread: toys are too small to share out, and threads that spin slow a busy machine down."""
    torch = pytest.importorskip("torch", reason="needs finchmark[hf]")
    pytest.importorskip("transformers", reason="needs finchmark[hf]")
    torch.set_num_threads(1)
    return torch


def make_words(texts: Iterable[str], size: int, special: Iterable[str] = SPECIAL) -> Any:
    """A tokenizer over bytes whose longer tokens are those of some texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words.train_from_iterator(list(texts), trainer)
    return words


def make_tokenizer(texts: Iterable[str], size: int = 420, added: Iterable[str] = ()) -> Any:
    """The same for transformers, with turns as ChatML marks them and some texts as one token each."""
    from transformers import PreTrainedTokenizerFast

    pad, begin, end = SPECIAL
    made = PreTrainedTokenizerFast(
        tokenizer_object=make_words(texts, size), bos_token=begin, eos_token=end, pad_token=pad
    )
    made.add_tokens(list(added))
    made.chat_template = CHATML
    return made


def make_talker() -> Any:
    """A tokenizer for small talk, with marks for a thinking part."""
    return make_tokenizer([TEXT], added=["<think>", "</think>", "\n\n"])


def make_small(kind: str, tokenizer: Any, *, seed: int = 0, **changes: Any) -> Any:
    """A random decoder of two layers with grouped heads, of a kind that transformers knows: Llama, Mistral, Phi3."""
    import transformers

    torch = need_torch()
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "initializer_range": 0.25,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = getattr(transformers, f"{kind}Config")(**{**settings, **changes})
        return getattr(transformers, f"{kind}ForCausalLM")(config).eval()


def make_llama(tokenizer: Any, *, seed: int = 0, **changes: Any) -> Any:
    """A random Llama."""
    return make_small("Llama", tokenizer, seed=seed, **changes)


def keep(model: Any, tokenizer: Any, folder: Path) -> Path:
    """Write both into a folder, as a model on disk."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


SURE = 12.0
"""Logit of a token that is taught; all others have 0."""


class Taught:
    """A random model whose head was made to say one token after each of some prompts, and to end its turn after it.

    The states that the model has at these places come from forward passes; a head that turns each into its token solves
    a system of linear equations, of which the solution of the smallest norm is taken. So what it says is known, exactly
    and at once, and what a change of a few answers changes in the head is known too.

    Args:
        tokenizer: Its words; what it says are tokens of it.
        prompts: As tokens; all must differ.
        says: The token after each.
        others: Tokens that may come to be said instead; each ends the turn as well.
        **changes: Of the model's settings.
    """

    def __init__(
        self,
        tokenizer: Any,
        prompts: Sequence[Sequence[int]],
        says: Sequence[int],
        others: Sequence[Sequence[int]],
        **changes: Any,
    ) -> None:
        torch = need_torch()
        settings = {"hidden_size": 256, "intermediate_size": 64, "num_attention_heads": 16, "num_key_value_heads": 4}
        self.model = make_llama(tokenizer, **{**settings, "max_position_embeddings": 2048, **changes})
        self.prompts, self.says = prompts, list(says)
        states, ends = [], []
        with torch.inference_mode():
            for layer in self.model.model.layers:
                # It looks at all of a prompt alike, and what it sees counts: prompts that differ in a number are apart.
                layer.self_attn.q_proj.weight.mul_(0.1)
                layer.self_attn.o_proj.weight.mul_(4)
            for prompt, token, more in zip(prompts, says, others, strict=True):
                for k, said in enumerate((token, *more)):
                    last = self.model.model(torch.tensor([[*prompt, said]])).last_hidden_state[0, -2:].double()
                    states += [] if k else [last[0]]
                    ends.append(last[1])
            self._inverse = torch.linalg.pinv(torch.stack([*states, *ends]))
            wanted = torch.zeros(len(states) + len(ends), len(tokenizer), dtype=torch.float64)
            wanted[range(len(states)), self.says] = SURE
            wanted[len(states) :, tokenizer.eos_token_id] = SURE
            self.model.lm_head.weight.copy_((self._inverse @ wanted).T)

    def keep_adapter(self, changed: Mapping[int, int], folder: Path) -> None:
        """Write a PEFT adapter with which other tokens are said after some prompts, and the same after all others.

        Args:
            changed: By place of the prompt, the token.
            folder: For the adapter.
        """
        torch = need_torch()
        peft = pytest.importorskip("peft", reason="adapters need peft, which is in finchmark[hf]")
        size = self.model.config.vocab_size
        inputs = torch.zeros(max(1, len(changed)), self._inverse.shape[0], dtype=torch.float64)
        outputs = torch.zeros(size, max(1, len(changed)), dtype=torch.float64)
        for k, (place, token) in enumerate(changed.items()):
            inputs[k] = self._inverse[:, place]
            outputs[token, k] += SURE
            outputs[self.says[place], k] -= SURE
        rank = len(inputs)
        config = peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=["lm_head"], task_type="CAUSAL_LM")
        made: Any = peft.get_peft_model(copy.deepcopy(self.model), config)
        head = made.base_model.model.lm_head
        with torch.no_grad():
            head.lora_A["default"].weight.copy_(inputs)
            head.lora_B["default"].weight.copy_(outputs)
        made.save_pretrained(str(folder), save_embedding_layers=False)
