"""From messages to tokens and back: chat templates, replies spliced in as they were generated, thinking parts."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import BackendError
from .base import Message

__all__ = ["CLOSE", "OPEN", "PLAIN", "ChatFormat", "ChatPrompt", "Parted", "part", "without_system"]

OPEN, CLOSE = "<think>", "</think>"

PLAIN = (
    "{% for m in messages %}{{ m['role']|capitalize + ':' + ('' if m['content'].startswith(' ') else ' ') }}"
    "{{ m['content'] + '\n\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
"""The format for models without a chat template: ``User: ...``, a blank line, and at the end ``Assistant:``."""

_TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_turn>", "<|endoftext|>", "</s>")
_PIECES = 8192  # texts whose tokens are remembered
_CHARACTERS = 16 << 20  # of them together


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A prompt ready for the model.

    Args:
        tokens: ``[n]``, int64.
        thinking: Whether it ends inside an opened thinking part.
    """

    tokens: np.ndarray
    thinking: bool


@dataclass(frozen=True, slots=True)
class Parted:
    """A generated text, taken apart.

    Args:
        reasoning: The thinking part without its tags.
        reply: What comes after it.
        start: Where the reply begins in the text.
        closed: False while the text ends inside the thinking part.
        thinks: Whether there is a thinking part at all.
    """

    reasoning: str
    reply: str
    start: int
    closed: bool
    thinks: bool


def part(text: str, opened: bool) -> Parted:
    """Take a generated text apart into thinking and reply.

    Args:
        text: What was generated.
        opened: Whether the prompt had opened the thinking part already.
    """
    body = 0
    if not opened:
        space = len(text) - len(text.lstrip())
        if not text.startswith(OPEN, space):
            return Parted("", text, 0, closed=True, thinks=False)
        body = space + len(OPEN)
    elif text.lstrip().startswith(OPEN):  # some models repeat the tag
        body = text.index(OPEN) + len(OPEN)
    end = text.find(CLOSE, body)
    if end < 0:
        return Parted(text[body:].strip(), "", len(text), closed=False, thinks=True)
    start = end + len(CLOSE)
    start += len(text[start:]) - len(text[start:].lstrip("\n"))
    return Parted(text[body:end].strip(), text[start:], start, closed=True, thinks=True)


def may_open(text: str) -> bool:
    """Whether a text that has just begun may still turn out to open a thinking part."""
    return OPEN.startswith(text.lstrip()[: len(OPEN)])


class ChatFormat:
    """One tokenizer with its chat template.

    Args:
        tokenizer: A tokenizer of transformers.
        template: A Jinja template in the place of the tokenizer's own.
    """

    def __init__(self, tokenizer: Any, template: str | None = None) -> None:
        self.tokenizer = tokenizer
        own = template or getattr(tokenizer, "chat_template", None)
        if isinstance(own, dict):
            own = own.get("default")
        self.template: str = own or PLAIN
        self.plain = self.template == PLAIN
        self.end_strings: tuple[str, ...] = ("\n\nUser:", "\n\nSystem:") if self.plain else ()
        self._fast = getattr(tokenizer, "backend_tokenizer", None) if getattr(tokenizer, "is_fast", False) else None
        self._pieces: OrderedDict[str, np.ndarray] = OrderedDict()
        self._spelled = 0  # characters of them
        tags = {tokenizer.convert_tokens_to_ids(tag) for tag in (OPEN, CLOSE)}
        self.hidden = frozenset(int(i) for i in tokenizer.all_special_ids) - tags
        self.ends: frozenset[int] = frozenset()
        self.add_ends(None)
        self._bos = self._own_bos() if self.plain else []
        self.close_tokens = tuple(self.encode(f"\n{CLOSE}\n\n"))
        self._splices = self._can_splice()

    @property
    def template_hash(self) -> str:
        """SHA-256 of the template's text, 32 digits."""
        return hashlib.sha256(self.template.encode()).hexdigest()[:32]

    def add_ends(self, generation_config: Any) -> None:
        """Learn the tokens that end a turn from the tokenizer and a model's generation configuration."""
        ends = set(self.ends)
        for value in (getattr(generation_config, "eos_token_id", None), self.tokenizer.eos_token_id):
            if value is not None:
                ends.update(int(v) for v in (value if isinstance(value, (list, tuple)) else [value]))
        added = self.tokenizer.get_added_vocab()
        ends.update(int(added[name]) for name in _TURN_ENDS if name in added)
        self.ends = frozenset(ends)

    # -- text and tokens

    def encode(self, text: str) -> list[int]:
        """Tokens of a piece of text, without any that a tokenizer adds of its own accord."""
        if self._fast is not None:
            return self._fast.encode(text, add_special_tokens=False).ids
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of tokens."""
        if self._fast is not None:
            return self._fast.decode(list(tokens), skip_special_tokens=False)
        return self.tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False)

    def decode_all(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Texts of many rows in one call."""
        if self._fast is not None:
            return self._fast.decode_batch([list(r) for r in rows], skip_special_tokens=False)
        return [self.decode(r) for r in rows]

    def _piece(self, text: str) -> np.ndarray:
        """Tokens of a text, remembered: most of a prompt was in the prompt before."""
        tokens = self._pieces.get(text)
        if tokens is None:
            tokens = self._pieces[text] = np.array(self.encode(text), dtype=np.int64)
            self._spelled += len(text)
            while len(self._pieces) > _PIECES or (self._spelled > _CHARACTERS and len(self._pieces) > 1):
                self._spelled -= len(self._pieces.popitem(last=False)[0])
        else:
            self._pieces.move_to_end(text)
        return tokens

    # -- prompts

    def render(self, messages: Sequence[Message], contents: Sequence[str] | None = None) -> str:
        """Put messages into the template, up to where the model is to speak.

        A template that refuses the messages (no system role, no two of one role in a row) gets them with the system
        message in front of the first user message and neighbours of one role joined by a blank line.

        Args:
            messages: The chat.
            contents: Texts in the place of the messages' own.

        Raises:
            BackendError: The template refuses them even so.
        """
        from jinja2 import TemplateError

        texts = [m.content for m in messages] if contents is None else contents
        chat = [{"role": m.role, "content": text} for m, text in zip(messages, texts, strict=True)]
        try:
            return self._apply(chat)
        except TemplateError:
            pass
        try:
            return self._apply(without_system(chat))
        except TemplateError as error:
            raise BackendError(
                f"the model's chat template refuses the messages ({error}); give another with chat_template=..."
            ) from error

    def _apply(self, chat: list[dict[str, str]]) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                chat, chat_template=self.template, tokenize=False, add_generation_prompt=True
            )
        )

    def prompt(self, messages: Sequence[Message]) -> ChatPrompt:
        """Build the tokens of a prompt.

        Replies that carry their tokens stand in it as those tokens: the template is rendered with marks in their
        places and cut there. What the template adds around a reply is kept, what it would change inside is not.
        """
        spliced = [i for i, m in enumerate(messages) if m.token_ids is not None and m.role == "assistant"]
        if spliced and self._splices:
            prompt = self._spliced(messages, spliced)
            if prompt is not None:
                return prompt
        text = self.render(messages)
        return ChatPrompt(self._whole(text), _opens(text))

    def _whole(self, text: str) -> np.ndarray:
        tokens = self._piece(text)
        return np.concatenate([np.array(self._bos, dtype=np.int64), tokens]) if self._bos else tokens

    def _own_bos(self) -> list[int]:
        """The BOS that the tokenizer puts before a text by itself; our plain format writes none, templates do."""
        bos = self.tokenizer.bos_token_id
        marked = self.tokenizer("a")["input_ids"]
        return [int(bos)] if bos is not None and marked and marked[0] == bos else []

    def _spliced(self, messages: Sequence[Message], where: Sequence[int]) -> ChatPrompt | None:
        contents = [m.content for m in messages]
        stem = "ReplyHere"
        while any(stem in text for text in contents):
            stem += "X"
        space = " " if self.plain else ""  # there a reply brings its own
        for k, i in enumerate(where):
            contents[i] = f"{space}{stem}{k}Z"
        pieces = re.split(rf"{space}{stem}(\d+)Z", self.render(messages, contents))
        if [int(k) for k in pieces[1::2]] != list(range(len(where))):
            return None  # the template drops, repeats or moves replies
        tokens = [self._whole(pieces[0])]
        for i, piece in zip(where, pieces[2::2], strict=True):
            tokens.append(np.array(messages[i].token_ids, dtype=np.int64))
            if piece:
                tokens.append(self._piece(piece))
        return ChatPrompt(np.concatenate(tokens), _opens(pieces[-1]))

    def _can_splice(self) -> bool:
        """Whether pieces may be tokenized apart. Tokenizers that put a space before every text may not."""
        try:
            for text in ("\nab", "ab", " ab"):
                tokens = self.encode(text)
                if self.decode(self.encode("x") + tokens) != "x" + text:
                    return False
        except Exception:  # noqa: BLE001 - a tokenizer that cannot do this is served without splicing
            return False
        return True

    # -- replies

    def history_tokens(self, tokens: Sequence[int], text: str) -> tuple[int, ...]:
        """Trim generated tokens to those that spell ``text``, the beginning of what they spell.

        Args:
            tokens: As generated, hidden ones left out.
            text: What stands in the history. Where it ends inside a token, the rest is tokenized anew.
        """
        kept = list(tokens)
        spelled = self.decode(kept)
        while spelled != text and kept and not text.startswith(spelled):
            kept.pop()
            spelled = self.decode(kept)
        if spelled != text:
            kept += self.encode(text[len(spelled) :])
            if self.decode(kept) != text:
                kept = self.encode(text)
        return tuple(kept)

    def thinking_length(self, tokens: Sequence[int]) -> int:
        """Count the tokens up to the end of the thinking part."""
        low, high = 0, len(tokens)
        while low < high:
            middle = (low + high) // 2
            if CLOSE in self.decode(tokens[:middle]):
                high = middle
            else:
                low = middle + 1
        return low


def _opens(text: str) -> bool:
    return text.rstrip().endswith(OPEN)


def without_system(chat: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Say as a user what a system message says, and join neighbours of one role: for templates without that role."""
    joined: list[dict[str, str]] = []
    for message in chat:
        role = "user" if message["role"] == "system" else message["role"]
        if joined and joined[-1]["role"] == role:
            joined[-1]["content"] += "\n\n" + message["content"]
        else:
            joined.append({"role": role, "content": message["content"]})
    return joined
