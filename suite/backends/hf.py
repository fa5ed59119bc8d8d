"""The local backend: a decoder of transformers in this process, on CUDA or on the CPU, with our own decode loop."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BackendError, BackendUnavailable, UsageError
from .base import (
    Backend,
    Capabilities,
    Completion,
    Divergence,
    DivergenceRequest,
    GenerateRequest,
    HiddenRequest,
    ScoreRequest,
    TokenScores,
)
from .weights import BUILT_IN, Weights, resolve

if TYPE_CHECKING:
    import numpy as np

    from .chat import ChatFormat
    from .decode import DecodeLoop, Ticket

__all__ = ["HFBackend"]

_ROUNDS = 8  # turns of the event loop that a list of requests may go on growing


class HFBackend(Backend):
    """Weights on this machine through transformers.

    Requests that are made together are decoded together; each leaves when it is done, and another takes its place.
    What a session has said before is not computed again as long as the cache holds it.

    Args:
        model: ``smollm2``, a folder, a ``.gguf`` file, or a name on the Hugging Face hub.
        revision: Branch, tag or commit, for names on the hub.
        dtype: ``float32``, ``bfloat16`` or ``float16``; by default bfloat16 on CUDA and float32 on the CPU.
        device: Such as ``cuda:1`` or ``cpu``; by default CUDA if there is one.
        device_map: As for transformers, to spread a model over devices.
        adapter: Folder or hub name of a PEFT adapter; it is merged into the weights.
        batch_size: Rows decoded together at most; by default 32 on the CPU, and on CUDA what a trial at the start finds
            to fit, 256 at most. It is lowered when memory runs out.
        cache_bytes: What sessions may keep between turns; by default a quarter of the memory that is free.
        arena_bytes: What rows in work may take together; by default half of the memory that is free.
        max_length: Tokens of prompt and reply at most; by default the model's context.
        trust_remote_code: Whether Python files that come with the weights may run.
        attn_implementation: As for transformers; by default a function of ours where it fits.
        chat_template: A Jinja template, or a file that holds one, in the place of the tokenizer's own.
        model_object: A loaded model, from Python; ``model`` is then only a name for it.
        tokenizer_object: Its tokenizer.
        **unknown: Refused.

    Raises:
        UsageError: An argument is unknown or has a wrong value.
    """

    name = "hf"
    placement = frozenset({"arena_bytes", "batch_size", "cache_bytes", "device"})

    def __init__(
        self,
        model: str = BUILT_IN,
        *,
        revision: str | None = None,
        dtype: str | None = None,
        device: str | None = None,
        device_map: Any = None,
        adapter: str | None = None,
        batch_size: int | str | None = None,
        cache_bytes: int | str | None = None,
        arena_bytes: int | str | None = None,
        max_length: int | str | None = None,
        trust_remote_code: bool | str = False,
        attn_implementation: str | None = None,
        chat_template: str | None = None,
        model_object: Any = None,
        tokenizer_object: Any = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            import inspect

            known = [p.name for p in inspect.signature(HFBackend).parameters.values() if p.kind is not p.VAR_KEYWORD]
            known.append("devices")
            raise UsageError(f"hf: there is no argument {sorted(unknown)[0]!r}; there are {', '.join(known)}.")
        if (model_object is None) != (tokenizer_object is None):
            raise UsageError("hf: model_object and tokenizer_object go together.")
        self.model, self.revision, self.dtype, self.device, self.device_map = model, revision, dtype, device, device_map
        self.adapter, self.attn_implementation = adapter, attn_implementation
        self.batch_size = _whole_number("batch_size", batch_size, 1)
        self.cache_bytes = _whole_number("cache_bytes", cache_bytes, 0)
        self.arena_bytes = _whole_number("arena_bytes", arena_bytes, 1)
        self.max_length = _whole_number("max_length", max_length, 2)
        self.trust_remote_code = _truth("trust_remote_code", trust_remote_code)
        self.chat_template = _template(chat_template)
        self.capabilities = Capabilities(
            scheduling="own",
            concurrency=self.batch_size or 64,
            seeds=True,
            logprobs="full",
            deterministic=False,
            steering=True,
            divergence=True,
        )
        self._model: Any = model_object
        self._tokenizer: Any = tokenizer_object
        self._given = model_object is not None
        self._attention: str | None = None  # what a model that was handed over had before
        self._unsettle: Callable[[], None] | None = None  # gives it its positions back
        self._weights: Weights | None = None
        self._chat: ChatFormat | None = None
        self._adapter_identity: dict[str, str] | None = None
        self._hash: str | None = None
        self._dtype_name: str | None = None
        self._description: dict[str, Any] = {}
        self._decode: DecodeLoop | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outbox: list[Ticket] = []
        self._flushing = False
        self._on_cuda = False
        self._closed = False

    # -- who and where

    def identity(self) -> dict[str, Any]:
        """Name, revision, hash of the weights, dtype, adapter and hash of the chat template.

        It is the same before and after :meth:`start`. It calls :meth:`locate` if nobody has.

        Raises:
            BackendUnavailable: There are no weights, or a package is missing.
        """
        self.locate()
        assert self._chat is not None
        identity: dict[str, Any] = {
            "name": self.model if self._given or self._weights is None else self._weights.name,
            "revision": None if self._weights is None else self._weights.revision,
            "sha256": self._hash,
            "dtype": self._dtype(),
            "adapter": self._adapter_identity,
            "chat_template": self._chat.template_hash,
        }
        if self.max_length is not None:
            identity["max_length"] = self.max_length
        return identity

    def origin(self) -> dict[str, Any]:
        """The kind of device, and of a model that was handed over what its parameters do not show."""
        from .loading import object_hash

        found: dict[str, Any] = {"device": self._device_name().split(":")[0]}
        if self._given and self._model is not None:
            found["object"] = object_hash(self._model, self._tokenizer)
        return found

    def describe(self) -> dict[str, Any]:
        """Device, versions, batch size and the way the model is run."""
        return dict(self._description)

    def stats(self) -> dict[str, float]:
        """Counters since the start; ``tokens_per_second`` counts the time in which there was work."""
        loop = self._decode
        if loop is None:
            return {}
        c = loop.counters
        steps = c["steps"]
        return {
            "batch_fill": c["row_steps"] / (steps * loop.limit) if steps else 0.0,
            "queue": float(loop.queued + len(self._outbox)),
            "active": float(loop.active),
            "tokens_per_second": c["generated_tokens"] / loop.busy_s if loop.busy_s else 0.0,
            "prefilled_tokens": float(c["prefilled_tokens"]),
            "cached_tokens": float(c["cached_tokens"]),
            "generated_tokens": float(c["generated_tokens"]),
            "steps": float(steps),
            "out_of_memory": float(c["out_of_memory"]),
            "batch_limit": float(loop.limit),
        }

    def notice(self) -> str:
        """Say that memory ran out and rows were taken from the batch."""
        loop = self._decode
        if loop is None or not loop.counters["out_of_memory"]:
            return ""
        if loop.limit < loop.most:
            return f"memory ran out: {loop.limit} rows at once instead of {loop.most}"
        return "memory ran out: less is kept between turns"

    # -- life

    async def start(self) -> None:
        """Load the model, in the thread that will run it.

        Raises:
            BackendUnavailable: There are no weights, a package is missing, or the model cannot be run.
            UsageError: An argument does not fit this machine.
        """
        if self._thread is not None:
            raise BackendError("the backend was started already")
        self._loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._work, args=(ready,), name="finchmark-hf", daemon=True)
        self._thread.start()
        await ready

    def _work(self, ready: asyncio.Future[None]) -> None:
        """The thread: load, report, decode."""
        assert self._loop is not None

        def report(error: BaseException | None) -> None:
            if ready.done():
                return
            if error is None:
                ready.set_result(None)
            else:
                ready.set_exception(error)

        try:
            decode = self._load()
        except (UsageError, BackendError) as error:
            self._tell(report, error)
            return
        except BaseException as error:  # noqa: BLE001 - whoever waits for the start must hear of it
            wrapped = BackendUnavailable(
                f"The model {self.model!r} could not be started: {type(error).__name__}: {error}"
            )
            wrapped.__cause__ = error
            self._tell(report, wrapped)
            return
        self._decode = decode
        if self._closed:
            decode.close()
        self._tell(report, None)
        decode.run()

    def _tell(self, function: Any, argument: Any) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:  # the event loop is closed: nobody listens any more
            return

    def _device_name(self) -> str:
        import torch

        if self._given:
            return str(self._model.get_input_embeddings().weight.device)
        if self.device is not None:
            return str(self.device)
        return "cuda" if torch.cuda.is_available() else "cpu"

    def _dtype(self) -> str:
        from .loading import choose_dtype

        if self._dtype_name is None:
            if self._given:
                self._dtype_name = str(self._model.dtype).removeprefix("torch.")
            else:
                self._dtype_name = choose_dtype(self.dtype, self._device_name())
        return self._dtype_name

    def locate(self) -> None:
        """Find the weights, fetch them if need be, and load the tokenizer, so that :meth:`identity` is complete.

        Raises:
            BackendUnavailable: There are no weights, or a package is missing.
        """
        from .loading import adapter_identity, load_tokenizer, model_hash, need, spare_the_neighbours

        spare_the_neighbours()
        need("torch", "transformers")
        from .chat import ChatFormat

        if self._hash is None:
            if self._given:
                self._hash = model_hash(self._model)
            else:
                self._weights = resolve(self.model, self.revision, trust_remote_code=self.trust_remote_code)
                self._hash = self._weights.sha256
        if self._adapter_identity is None and self.adapter is not None:
            self._adapter_identity = adapter_identity(self.adapter)
        if self._tokenizer is None:
            assert self._weights is not None
            self._tokenizer = load_tokenizer(self._weights, trust_remote_code=self.trust_remote_code)
        if self._chat is None:
            self._chat = ChatFormat(self._tokenizer, self.chat_template)

    def _load(self) -> DecodeLoop:
        from .loading import choose_runner, context_length, find_batch_size, free_memory, load_adapter, load_model

        self.locate()
        import torch
        import transformers

        from .decode import DecodeLoop
        from .kv_cache import SessionCache
        from .rotary import settle_positions

        assert self._chat is not None
        device = self._device_name()
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise BackendUnavailable(f"device={device!r} was asked for, but torch sees no CUDA device; try device=cpu.")
        if self._model is None:
            assert self._weights is not None
            self._model = load_model(
                self._weights,
                dtype=self._dtype(),
                device=device,
                device_map=self.device_map,
                attn_implementation=self.attn_implementation,
                trust_remote_code=self.trust_remote_code,
            )
        else:
            self._model.eval()
            self._attention = getattr(self._model.config, "_attn_implementation", None)
        if self.adapter is not None:
            self._model = load_adapter(self._model, self.adapter)
        self._chat.add_ends(getattr(self._model, "generation_config", None))
        place = self._model.get_input_embeddings().weight.device
        on_cuda = self._on_cuda = place.type == "cuda"
        free = free_memory(place)
        context = context_length(self._model)
        if self.max_length is not None:
            context = min(context, self.max_length)
        self._unsettle = settle_positions(self._model, context)
        sessions = SessionCache(free // 4 if self.cache_bytes is None else self.cache_bytes)
        runner, way = choose_runner(
            self._model,
            sessions,
            arena_bytes=self.arena_bytes or free // 2,
            prefill_tokens=4096 if on_cuda else 2048,
            beside_tokens=2048 if on_cuda else 512,
            own_attention=self.attn_implementation is None,
        )
        batch_size = self.batch_size or 32
        if self.batch_size is None and on_cuda and runner.refills:
            words = self._model.get_input_embeddings().weight.shape[0]
            batch_size = find_batch_size(runner, 256, words)
        steering = runner.residual.layers > 0
        self.capabilities = dataclasses.replace(self.capabilities, concurrency=batch_size, steering=steering)
        self._description = {
            "device": torch.cuda.get_device_name(place)
            if on_cuda
            else f"{place.type}, {torch.get_num_threads()} threads",
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "batch_size": batch_size,
            "context": context,
            "cache_bytes": sessions.limit,
            "way": way,
            **({} if self._unsettle is None else {"positions": "the long set of LongRoPE for all requests"}),
        }
        return DecodeLoop(
            runner,
            self._chat,
            context=context,
            limit=batch_size,
            deliver=lambda done: self._tell(self._hand_back, done),
        )

    async def aclose(self) -> None:
        """End the thread after the forward pass in work, fail what is open, and let go of the model."""
        self._closed = True
        if self._decode is not None:
            self._decode.close()
        if self._thread is not None and self._loop is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        self._flush(len(self._outbox), _ROUNDS)
        if self._given and self._unsettle is not None:
            self._unsettle()
        if self._given and self._attention is not None and self._model is not None:
            from .loading import set_attention

            if self._model.config._attn_implementation != self._attention:
                set_attention(self._model, self._attention)
        self._model = self._tokenizer = self._decode = None
        if self._on_cuda:
            import torch

            torch.cuda.empty_cache()

    # -- requests

    async def generate(self, request: GenerateRequest) -> Completion:
        """Answer one request.

        Raises:
            ContextOverflow: The prompt and the caps do not fit into the context.
            BackendError: The model failed, or the backend is not running.
            UsageError: The request itself is wrong.
        """
        if request.max_tokens < 1 or request.temperature < 0 or not 0 < request.top_p <= 1:
            raise UsageError(
                f"a request needs max_tokens >= 1, temperature >= 0 and top_p in (0, 1], not {request.max_tokens}, "
                f"{request.temperature} and {request.top_p}"
            )
        return await self._ask(request)

    async def score(self, request: ScoreRequest) -> TokenScores:
        """Give the log-probabilities of a continuation, over the whole vocabulary.

        Raises:
            ContextOverflow: The prompt and the continuation do not fit into the context.
            BackendError: The model failed, or the backend is not running.
        """
        return await self._ask(request)

    async def diverge(self, request: DivergenceRequest) -> Divergence:
        """Compare predictions after two prompts along a reply, over the whole vocabulary unless ``top_k`` is given.

        Raises:
            UsageError: ``top_k`` is below 1.
            ContextOverflow: A prompt and the continuation do not fit into the context.
            BackendError: The model failed, or the backend is not running.
        """
        if request.top_k is not None and request.top_k < 1:
            raise UsageError(f"top_k must be at least 1, or None for the whole vocabulary, not {request.top_k}")
        return await self._ask(request)

    async def hidden_states(self, request: HiddenRequest) -> np.ndarray:
        """Give the residual stream after some layers, float32, ``[layers, tokens, hidden]``.

        Raises:
            UsageError: There is no such layer.
            ContextOverflow: The prompt and the continuation do not fit into the context.
            BackendError: The model failed, or the backend is not running.
        """
        return await self._ask(request)

    async def _ask(self, request: Any) -> Any:
        from .decode import Ticket

        if self._decode is None or self._closed:
            raise BackendError("the hf backend is not running; start it first, and make no requests after closing it")
        loop = asyncio.get_running_loop()
        ticket = Ticket(request, loop.create_future())
        self._outbox.append(ticket)
        if not self._flushing:
            self._flushing = True
            loop.call_soon(self._flush, 0, 0)
        try:
            return await ticket.key
        except asyncio.CancelledError:
            ticket.cancelled = True
            raise

    def _flush(self, seen: int, rounds: int) -> None:
        """Hand the requests over once no more come: episodes that woke together ask within a few turns of the loop."""
        if len(self._outbox) > seen and rounds < _ROUNDS and self._loop is not None and not self._closed:
            self._loop.call_soon(self._flush, len(self._outbox), rounds + 1)
            return
        self._flushing = False
        outbox, self._outbox = self._outbox, []
        if not outbox:
            return
        try:
            if self._decode is None:
                raise BackendError("the backend is closed")
            self._decode.submit(outbox)
        except BackendError as error:
            self._hand_back([(ticket, error) for ticket in outbox])

    def _hand_back(self, done: list[tuple[Ticket, Any]]) -> None:
        for ticket, result in done:
            future = ticket.key
            if future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)

    def delayed(self, session: str) -> float:
        """Seconds that a session's replies were begun in vain, because memory ran out."""
        return 0.0 if self._decode is None else self._decode.lost.get(session, 0.0)

    def release(self, session: str) -> None:
        """Forget a session's cache."""
        if self._decode is not None:
            self._decode.release(session)


def _whole_number(name: str, value: Any, least: int) -> int | None:
    if value is None or value == "auto":
        return None
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise UsageError(f"hf: {name} must be a whole number of at least {least}, not {value!r}.")
    return number


def _truth(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "1", "yes"):
        return True
    if str(value).lower() in ("false", "0", "no"):
        return False
    raise UsageError(f"hf: {name} must be true or false, not {value!r}.")


def _template(value: str | None) -> str | None:
    if value is None:
        return None
    if "{" not in value and len(value) < os.pathconf("/", "PC_PATH_MAX") and Path(value).is_file():
        value = Path(value).read_text(encoding="utf-8")
    if "{" not in value:
        raise UsageError("hf: chat_template is neither a Jinja template nor a file that holds one.")
    return value
