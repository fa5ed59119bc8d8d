"""A reply in the making: its tokens, its text as far as that is known, its thinking part, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from .base import Completion, GenerateRequest
from .chat import ChatFormat, ChatPrompt, may_open, part
from .sampling import Uniforms

__all__ = ["Reply", "read_all"]

_WINDOW = 32  # tokens that are decoded again at each step to see stop strings
_OVERLAP = 6  # of these stay when the window moves on


class Reply:
    """What a row has said so far.

    Args:
        chat: Makes texts of tokens.
        request: What was asked.
        prompt: Its prompt.
        cached: Prompt tokens that were not computed again.
    """

    __slots__ = (
        "cached",
        "chat",
        "forced",
        "head",
        "phase",
        "prompt",
        "request",
        "settled",
        "text",
        "thought",
        "tokens",
        "uniforms",
        "visible",
        "watched",
        "window",
    )

    def __init__(self, chat: ChatFormat, request: GenerateRequest, prompt: ChatPrompt, cached: int) -> None:
        self.chat, self.request, self.prompt, self.cached = chat, request, prompt, cached
        self.uniforms = Uniforms(request.seed)
        self.watched = bool(request.stop or chat.end_strings) or request.think_budget is not None
        """Whether its text must be followed token by token."""
        self.phase: Literal["start", "thinking", "reply"] = "start"
        self.tokens: list[int] = []  # all that were generated, as the model's cache has them
        self.visible: list[int] = []  # without those that spell nothing
        self.forced: list[int] = []  # to be put in next, in the place of sampled ones
        self.thought = 0  # tokens of the thinking part, once it is closed
        self.text = ""
        self.window = 0  # visible tokens before it are settled
        self.settled = 0  # characters of ``text`` that they spell
        self.head = ""  # text of the window's first tokens, in front of what was settled
        if prompt.thinking:
            self.phase = "thinking"
            if request.think_budget == 0:
                self.forced = list(chat.close_tokens)

    def take(self, token: int) -> None:
        """Append a token that does not end the turn."""
        self.tokens.append(token)
        if token not in self.chat.hidden:
            self.visible.append(token)

    # -- stop strings and thinking

    def read(self, tail: str) -> bool:
        """Take the spelling of the window's tokens in; returns whether a stop string was met."""
        if tail.endswith("\ufffd"):  # a character in the making
            return False
        known = len(self.text)
        self.text = self.text[: self.settled] + tail[len(self.head) :]
        if len(self.visible) - self.window > _WINDOW:
            self.window = len(self.visible) - _OVERLAP
            self.head = self.chat.decode(self.visible[self.window :])
            self.settled = len(self.text)
        if self.phase != "reply":
            known = self._think()
        return self.phase == "reply" and self._meets_stop(known)

    def _meets_stop(self, known: int) -> bool:
        stops = self.request.stop + self.chat.end_strings
        return any(s and self.text.find(s, max(0, known - len(s) + 1)) >= 0 for s in stops)

    def _think(self) -> int:
        """Follow the thinking part; returns where the reply begins, as far as it is known."""
        if self.phase == "start":
            if may_open(self.text) and len(self.text.lstrip()) < len("<think>"):
                return 0
            self.phase = "thinking" if may_open(self.text) else "reply"
            if self.phase == "reply":
                return 0
        parted = part(self.text, self.prompt.thinking)
        if parted.closed:
            self.phase, self.thought = "reply", len(self.tokens) + len(self.forced)
            return parted.start
        return len(self.text)

    def is_full(self) -> bool:
        """Whether it is at a cap. At the thinking cap the part is closed, and the reply goes on."""
        request = self.request
        if not self.watched or request.think_budget is None:
            return len(self.tokens) >= request.max_tokens
        if self.phase == "thinking":
            if not self.forced and len(self.tokens) >= request.think_budget:
                self.forced = list(self.chat.close_tokens)
            return False
        return len(self.tokens) - self.thought >= request.max_tokens

    # -- the end

    def completion(self, reason: Literal["stop", "length"], ended: bool = False) -> Completion:
        """Put the result together.

        Args:
            reason: Why it ends.
            ended: Whether the last token is the end of the turn, which is no token of the reply.
        """
        chat, request = self.chat, self.request
        text = chat.decode(self.visible)
        if reason == "length" and text.endswith("\ufffd"):  # cut off inside a character
            text = text.rstrip("\ufffd")
        parted = part(text, self.prompt.thinking)
        reply, end = parted.reply, None
        for stop in request.stop:
            at = reply.find(stop) if stop else -1
            if at >= 0 and (end is None or at + len(stop) < end):
                end = at + len(stop)
        for stop in chat.end_strings:
            at = reply.find(stop)
            if at >= 0 and (end is None or at < end):
                end = at
        reply = reply[:end]
        reasoning_tokens = 0
        if parted.thinks:
            total = len(self.tokens)
            reasoning_tokens = total if not parted.closed else self.thought or chat.thinking_length(self.visible)
        if not parted.thinks:
            history = chat.history_tokens(self.visible, reply)
        elif request.keep_thinking:
            opening = chat.encode(self._opening()) if self.prompt.thinking else []
            history = (*opening, *chat.history_tokens(self.visible, text[: parted.start] + reply))
        else:
            history = self._after_thinking(reply)
        return Completion(
            text=reply,
            finish_reason=reason,
            prompt_tokens=len(self.prompt.tokens),
            completion_tokens=len(self.tokens) - ended,
            reasoning=parted.reasoning,
            reasoning_tokens=reasoning_tokens,
            cached_tokens=self.cached,
            token_ids=history,
        )

    def _after_thinking(self, reply: str) -> tuple[int, ...]:
        """Tokens of a reply without the thinking before it."""
        start = self.chat.thinking_length(self.visible)
        rest = self.visible[start:]
        while rest and not self.chat.decode(rest[:1]).strip("\n"):
            rest = rest[1:]
        return self.chat.history_tokens(rest, reply)

    def _opening(self) -> str:
        """The end of the prompt from its opening tag on."""
        tail = self.chat.decode(self.prompt.tokens[-16:].tolist())
        return tail[tail.rindex("<think>") :] if "<think>" in tail else "<think>\n"


def read_all(chat: ChatFormat, replies: Sequence[Reply]) -> list[bool]:
    """Spell the latest tokens of replies, all in one call; returns which of them met a stop string."""
    tails = chat.decode_all([r.visible[r.window :] for r in replies])
    return [reply.read(tail) for reply, tail in zip(replies, tails, strict=True)]
