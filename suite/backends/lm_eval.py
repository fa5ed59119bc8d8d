"""The backend for everything that lm-eval can run: its model classes by their own names and arguments."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..errors import BackendError, BackendUnavailable, UsageError
from .base import (
    Backend,
    Capabilities,
    Completion,
    ContextOverflow,
    GenerateRequest,
    ScoreRequest,
    TokenScores,
)
from .chat import part
from .lm_eval_calls import gives_log_probabilities, in_parts, replies_of, seeded
from .lm_eval_class import Found, class_arguments, find_class, lm_eval_module
from .lm_eval_origin import origin
from .lm_eval_prompt import FORMATS, PromptFormat, choose_format
from .lm_eval_rows import Row, RowWatch, cut
from .lm_eval_server import hush_progress, sent_temperature, speaks_chat_only, told

__all__ = ["LMEvalBackend"]

_NO_ANSWER = "LMEVAL_MODEL_NONE_ANSWER_PLACEHOLDER"


class LMEvalBackend(Backend):
    """Any model class of lm-eval 0.4.13, such as ``lm_eval:hf,pretrained=smollm2`` or ``lm_eval:vllm,…``.

    Classes that compute get waves, one call of ``generate_until`` each. Classes that ask a server (``local-…``,
    ``openai-…``) get one call a request, ``num_concurrent`` at once (32 if not said): in one call all requests would
    share one seed, or wait for each other.

    Seeds: a request to an OpenAI-compatible server and to vLLM carries its own. The server may ignore it, so that only
    vLLM is said to have ``seeds``. ``HFLM`` draws from torch's own generator, which is seeded for each wave from the
    seeds of its requests: the same run at the same concurrency draws the same, a request alone does not.

    Stop strings: lm-eval cuts them off and does not say what ended a reply. For ``HFLM`` it is seen in the tokens. To
    other classes none are sent, and the reply is cut here; ``send_stops=true`` sends them, and the one that was met is
    then missing from the text.

    Log-probabilities come as one sum for a continuation: :meth:`score` gives one entry for the whole, its token -1.
    lm-eval counts white space at the end of a prompt to the continuation: with most chat templates the sum holds the
    last line feed too, the same for all continuations of a prompt.

    Args:
        model: ``NAME,argument=value,…`` as for lm-eval's ``--model`` and ``--model_args``. ``pretrained=smollm2`` is
            the built-in model. ``batch_size`` is 32 on a CPU, 64 on CUDA and left to the engine for vLLM and SGLang.
        chat_format: ``template``: the class's chat template. ``plain``: ``User: …``, ``Assistant:``. ``text``: the
            messages' texts as they are, for base models and prompts that are whole. Default: the template if there is
            one, else plain.
        send_stops: See above.
        lm_object: A model of lm-eval's, from Python; ``model`` is then only a name for it.
        **arguments: Further arguments of the class; a value ``$NAME`` is an environment variable.

    Raises:
        UsageError: An argument cannot be.
        BackendUnavailable: lm-eval is not installed.
    """

    name = "lm_eval"
    placement = frozenset(("batch_size", "device", "max_batch_size", "num_concurrent", "timeout", "max_retries"))

    def __init__(
        self,
        model: str = "",
        *,
        chat_format: str | None = None,
        send_stops: bool | str = False,
        lm_object: Any = None,
        **arguments: Any,
    ) -> None:
        if chat_format not in (None, *FORMATS):
            raise UsageError(f"lm_eval: chat_format must be {', '.join(FORMATS)}, not {chat_format!r}.")
        self.model = model
        own = {"chat_format": chat_format, "send_stops": send_stops}
        if lm_object is None:
            self._class_name, self._arguments = class_arguments(model, arguments)
            # They may stand in the name as well, where all else stands.
            own = {key: self._arguments.pop(key, value) for key, value in own.items()}
        else:
            if arguments:
                raise UsageError(f"lm_eval: a model that is handed over takes no {sorted(arguments)[0]}.")
            self._class_name, self._arguments = model or type(lm_object).__name__, {}
        if own["chat_format"] not in (None, *FORMATS):
            raise UsageError(f"lm_eval: chat_format must be {', '.join(FORMATS)}, not {own['chat_format']!r}.")
        if str(own["send_stops"]).lower() not in ("true", "false"):
            raise UsageError(f"lm_eval: send_stops must be true or false, not {own['send_stops']!r}.")
        self.chat_format: str | None = own["chat_format"]
        self.send_stops = str(own["send_stops"]).lower() == "true"
        self.capabilities = Capabilities(scheduling="waves", concurrency=32, seeds=False, logprobs="full")
        self._given = lm_object
        self._lm: Any = None
        self._found: Found | None = None
        self._identity: dict[str, Any] | None = None
        self._format: PromptFormat | None = None
        self._watch: RowWatch | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._heard = threading.local()
        self._one_at_a_time = threading.Lock()
        self._temperatures: dict[float, float | None] = {}
        self._to_score: list[tuple[ScoreRequest, asyncio.Future[TokenScores]]] = []
        self._scoring: asyncio.Task[None] | None = None
        self._description: dict[str, Any] = {}

    # -- who and where

    def locate(self) -> None:
        """Find the class and what says which model it is, without loading the model.

        Raises:
            UsageError: There is no such class, or an argument cannot be.
            BackendUnavailable: A package or the weights are missing.
        """
        if self._identity is not None:
            return
        if self._given is not None:
            from .loading import model_hash

            weights = getattr(self._given, "model", None)
            identity: dict[str, Any] = {"name": f"lm_eval:{self._class_name}", "class": type(self._given).__name__}
            if hasattr(weights, "state_dict"):
                identity["sha256"] = model_hash(weights)
        else:
            self._found = find_class(self._class_name, self._arguments)
            identity = {"name": f"lm_eval:{self._class_name}", "arguments": dict(self._found.identity)}
        self._identity = {**identity, "chat_format": self.chat_format or "auto"}

    def identity(self) -> dict[str, Any]:
        """The class, its arguments without places, hosts and keys, and the hash of local weights.

        Raises:
            UsageError: See :meth:`locate`.
        """
        self.locate()
        assert self._identity is not None
        return dict(self._identity)

    def origin(self) -> dict[str, Any] | None:
        """The arguments that name a place, how prompts are put and stops treated, and versions; see :func:`.origin`."""
        return origin(
            self.identity(),
            self._found,
            {name: value for name, value in self._arguments.items() if name not in self.placement},
            put=None if self._format is None else self._format.put,
            encode=getattr(self._lm, "tok_encode", None),
            send_stops=self.send_stops,
        )

    def describe(self) -> dict[str, Any]:
        """Versions, batch size, and how prompts are put."""
        return dict(self._description)

    # -- life

    async def start(self) -> None:
        """Make the model, in a worker thread, and find out what it can do.

        Raises:
            BackendUnavailable: It cannot be made.
        """
        self.locate()
        await asyncio.to_thread(self._make)

    def _make(self) -> None:
        from importlib.metadata import version

        found, lm = self._found, self._given
        kind = "other" if found is None else found.kind
        if lm is not None and hasattr(lm, "_model_generate"):
            kind = "transformers"
        size = self._batch_size(kind)
        if found is not None:
            defaults: dict[str, Any] = {"batch_size": size}
            if kind == "transformers":
                defaults["device"] = _device()
            if kind == "api":
                # One request a call: several seeds in one call are asked for one after the other.
                found = dataclasses.replace(found, arguments={**found.arguments, "num_concurrent": 1, "batch_size": 1})
            lm = found.make(**defaults)
        assert lm is not None
        self._lm = lm
        self._format = choose_format(lm, self.chat_format, chat_only=speaks_chat_only(lm))
        own_size = getattr(lm, "batch_size", None)
        width = {"engine": 256, "api": size}.get(kind, own_size if isinstance(own_size, int) else size)
        assert isinstance(width, int)
        if kind == "transformers" and RowWatch.fits(lm):
            self._watch = RowWatch(lm)
        if kind == "api":
            self._pool = ThreadPoolExecutor(width, thread_name_prefix="finchmark-lm-eval")
            self._listen()
            hush_progress(lm)
        self.capabilities = Capabilities(
            scheduling="concurrent" if kind == "api" else "waves",
            concurrency=max(1, width),
            # A server may ignore them, and torch's generator is shared by a wave.
            seeds=found is not None and found.request_seeds and kind == "engine",
            logprobs="full" if gives_log_probabilities(lm) else "none",
            deterministic=False,
        )
        self._description = {
            "lm_eval": version("lm_eval"),
            "class": type(lm).__name__,
            "batch_size": getattr(lm, "batch_size", None) if isinstance(own_size, int | str) else None,
            "chat_format": self._format.name,
            "tokens": "counted" if self._count("a b c") is not None else "not counted: the class has no tokenizer",
            "context": self._context(),
            "stops": "seen in the tokens" if self._watch else ("sent" if self.send_stops else "cut here"),
        }

    def _batch_size(self, kind: str) -> int | str:
        if kind == "api":
            return int(self._arguments.get("num_concurrent", 32))
        if kind == "engine":
            return "auto"
        return 64 if kind == "transformers" and _device() != "cpu" else 32

    async def aclose(self) -> None:
        """Let go of the model."""
        if self._scoring is not None:
            self._scoring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._scoring
            self._scoring = None
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
        if self._watch is not None and self._given is not None:
            self._watch.release()
        held, self._lm, self._watch = self._lm, None, None
        if held is not None and getattr(getattr(held, "device", None), "type", "") == "cuda":
            import torch

            del held
            torch.cuda.empty_cache()

    # -- replies

    async def generate(self, request: GenerateRequest) -> Completion:
        """Answer one request; for classes that ask a server. Others are asked in waves.

        Raises:
            ContextOverflow: The prompt and the cap do not fit into the context.
            BackendError: The class failed.
        """
        loop = asyncio.get_running_loop()
        (answer,) = await loop.run_in_executor(self._pool, self.generate_wave, [request])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def generate_wave(self, requests: Sequence[GenerateRequest]) -> list[Completion | Exception]:
        """Answer many requests with one call of ``generate_until``. A request that cannot be asked fails alone.

        When the call fails, its halves are asked anew, down to single requests: one bad prompt takes no other along.
        """
        answers: list[Completion | Exception | None] = [None] * len(requests)
        asked: list[_Asked] = []
        for place, request in enumerate(requests):
            try:
                asked.append(self._prepare(place, request))
            except (BackendError, ContextOverflow, UsageError) as error:
                answers[place] = error
            except Exception as error:  # noqa: BLE001 - a template of the class may raise anything
                answers[place] = BackendError(f"the prompt cannot be put: {type(error).__name__}: {error}")
        for one, answer in zip(asked, in_parts(asked, self._ask), strict=True):
            answers[one.place] = answer
        return [BackendError("the request was lost") if answer is None else answer for answer in answers]

    def _prepare(self, place: int, request: GenerateRequest) -> _Asked:
        """Put a request as lm-eval wants it.

        Raises:
            UsageError: The request is wrong, or asks for what lm-eval cannot do.
            BackendUnavailable: The class would draw at another temperature.
            ContextOverflow: It does not fit.
        """
        assert self._format is not None
        if self._lm is None:
            raise BackendError("the lm_eval backend is not running; start it first, and ask nothing after closing it")
        if request.max_tokens < 1 or request.temperature < 0 or not 0 < request.top_p <= 1:
            raise UsageError(
                f"a request needs max_tokens >= 1, temperature >= 0 and top_p in (0, 1], not {request.max_tokens}, "
                f"{request.temperature} and {request.top_p}"
            )
        if request.think_budget is not None:
            raise UsageError("lm_eval: lm-eval cannot cap a model's thinking; run without --think-budget.")
        context = self._format.put(request.messages)
        count = self._count(context)
        available = self._context()
        if count is not None and available is not None and count + request.max_tokens > available:
            raise ContextOverflow(count + request.max_tokens, available)
        self._hold_temperature(request.temperature)
        stops = [*request.stop, *self._format.ends] if self._watch or self.send_stops else []
        kwargs: dict[str, Any] = {
            "until": stops,
            "max_gen_toks": request.max_tokens,
            "do_sample": request.temperature > 0,
            "temperature": float(request.temperature),
        }
        if self._watch is not None:
            # Transformers has defaults of its own (top_k = 50), and a model's files may bring others.
            kwargs["repetition_penalty"] = 1.0
            if request.temperature > 0:
                kwargs |= {"top_p": float(request.top_p), "top_k": 0}
        elif request.temperature > 0 and request.top_p < 1:
            kwargs["top_p"] = float(request.top_p)
        if self._found is not None and self._found.request_seeds:
            kwargs["seed"] = request.seed % 2**31  # servers take 32 bits
        return _Asked(place, request, context, kwargs, count)

    def _ask(self, asked: Sequence[_Asked]) -> list[Completion | Exception]:
        make = lm_eval_module("api.instance").Instance
        instances = [
            make("generate_until", {}, (one.context, dict(one.kwargs)), i, metadata=("finchmark", i, 1))
            for i, one in enumerate(asked)
        ]
        if self._watch is not None:
            self._watch.forget()
        self._heard.outputs = []
        if self._pool is not None:
            replies = replies_of(self._lm.generate_until, instances)
        else:
            with self._one_at_a_time, seeded([one.request.seed for one in asked]):
                replies = replies_of(self._lm.generate_until, instances)
        rows: Sequence[Row | None] = [None] * len(asked)
        if self._watch is not None and all(isinstance(reply, str) for reply in replies):
            seen = self._watch.rows([(one.context, one.kwargs) for one in asked], replies)
            if seen is None:
                raise BackendUnavailable(
                    "lm-eval's HFLM works in another order than that of 0.4.13, so that it cannot be seen what ended a "
                    "reply. Install lm-eval 0.4.13, or use the backend hf:, which loads the same models."
                )
            rows = seen
        heard = list(self._heard.outputs)
        answers: list[Completion | Exception] = []
        for one, reply, row in zip(asked, replies, rows, strict=True):
            try:
                if row is not None:
                    answers.append(self._of_row(one, row))
                else:
                    answers.append(self._of_text(one, reply, heard[-1] if len(asked) == len(heard) == 1 else None))
            except BackendError as error:
                answers.append(error)
        return answers

    def _of_row(self, one: _Asked, row: Row) -> Completion:
        assert self._watch is not None
        assert self._format is not None
        text, stop = cut(row.text, (*one.request.stop, *self._format.ends))
        count = len(row.tokens) if stop is None else self._watch.length(row.tokens, stop)
        if stop in self._format.ends:
            text = text[: -len(stop or "")]
        ended = stop is not None or row.ended or count < one.request.max_tokens
        return self._completion(one, text, ended=ended, count=count + (stop is None and row.ended))

    def _of_text(self, one: _Asked, reply: Any, output: Any) -> Completion:
        """A completion of what the class returned, and of what a server said beside it."""
        assert self._format is not None
        said = told(output) if output is not None else None
        if output is not None and said is None:
            raise BackendError(f"the server's answer has no choices: {str(output)[:200]}")
        if said is not None and said.declined:
            return Completion("", "content_filter", prompt_tokens=said.prompt_tokens or one.count or 0)
        # lm-eval makes an empty text of none. Only a reply that went into thinking altogether is one.
        silent = said is not None and not said.has_text and not (said.reasoning or said.finish == "length")
        if silent or not isinstance(reply, str) or reply == _NO_ANSWER:
            raise BackendError(f"{type(self._lm).__name__} gave no text for a request, but {reply!r}")
        text, stop = cut(reply, (*one.request.stop, *self._format.ends))
        if stop in self._format.ends:
            text = text[: -len(stop or "")]
        count = self._count(text)
        if said is not None:
            count = said.completion_tokens if said.completion_tokens is not None else count
            ended = stop is not None or said.finish != "length"
        else:
            ended = stop is not None or count is None or count < one.request.max_tokens
        made = self._completion(one, text, ended=ended, count=count or 0)
        if said is None:
            return made
        return dataclasses.replace(
            made,
            prompt_tokens=said.prompt_tokens or made.prompt_tokens,
            reasoning=made.reasoning or said.reasoning,
        )

    def _completion(self, one: _Asked, text: str, *, ended: bool, count: int) -> Completion:
        parted = part(text, opened=isinstance(one.context, str) and one.context.rstrip().endswith("<think>"))
        thought = self._count(parted.reasoning) if parted.thinks else 0
        count = min(count, one.request.max_tokens)
        return Completion(
            text=parted.reply,
            finish_reason="stop" if ended and parted.closed else "length",
            prompt_tokens=one.count or 0,
            completion_tokens=count,
            reasoning=parted.reasoning,
            reasoning_tokens=min(thought or 0, count),
        )

    # -- log-probabilities

    async def score(self, request: ScoreRequest) -> TokenScores:
        """Give the log-probability of a continuation, as one entry for the whole of it.

        Requests that wait together become one call of ``loglikelihood``.

        Returns:
            One entry: token -1, the sum, and whether every token of it was the most likely one.

        Raises:
            UsageError: The class has none.
            ContextOverflow: The prompt and the continuation do not fit into the context.
            BackendError: The class failed.
        """
        if self._lm is None:
            raise BackendError("the lm_eval backend is not running; start it first, and ask nothing after closing it")
        if self.capabilities.logprobs == "none":
            raise UsageError(
                f"lm-eval's class {type(self._lm).__name__} gives no log-probabilities; multiple choice needs a class "
                "with weights (hf, vllm) or local-completions."
            )
        if not request.continuation:
            raise UsageError("a continuation to be scored must not be empty")
        loop = asyncio.get_running_loop()
        if self._pool is not None:
            (answer,) = await loop.run_in_executor(self._pool, self._score_wave, [request])
            if isinstance(answer, Exception):
                raise answer
            return answer
        future: asyncio.Future[TokenScores] = loop.create_future()
        self._to_score.append((request, future))
        if self._scoring is None or self._scoring.done():
            self._scoring = loop.create_task(self._score_waves())
        return await future

    async def _score_waves(self) -> None:
        while True:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            wave = [(r, f) for r, f in self._to_score if not f.done()]
            self._to_score.clear()
            if not wave:
                return
            answers = await asyncio.to_thread(self._score_wave, [r for r, _ in wave])
            for (_, future), answer in zip(wave, answers, strict=True):
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

    def _score_wave(self, requests: Sequence[ScoreRequest]) -> list[TokenScores | Exception]:
        assert self._format is not None
        answers: list[TokenScores | Exception | None] = [None] * len(requests)
        asked: list[tuple[int, Any, str]] = []
        for place, request in enumerate(requests):
            try:
                context = self._format.put(request.messages)
                count = self._count(context + request.continuation) if isinstance(context, str) else None
                available = self._context()
                if count is not None and available is not None and count > available:
                    raise ContextOverflow(count, available)
                asked.append((place, context, request.continuation))
            except (BackendError, ContextOverflow, UsageError) as error:
                answers[place] = error
            except Exception as error:  # noqa: BLE001 - a template of the class may raise anything
                answers[place] = BackendError(f"the prompt cannot be put: {type(error).__name__}: {error}")
        for (place, *_), answer in zip(asked, in_parts(asked, self._ask_scores), strict=True):
            answers[place] = answer
        return [BackendError("the request was lost") if answer is None else answer for answer in answers]

    def _ask_scores(self, asked: Sequence[tuple[int, Any, str]]) -> list[TokenScores | Exception]:
        make = lm_eval_module("api.instance").Instance
        instances = [
            make("loglikelihood", {}, (context, continuation), i, metadata=("finchmark", i, 1))
            for i, (_, context, continuation) in enumerate(asked)
        ]
        # A model in this process is made for one caller; a wave may be generating in another thread.
        with contextlib.nullcontext() if self._pool is not None else self._one_at_a_time:
            replies = replies_of(self._lm.loglikelihood, instances)
        answers: list[TokenScores | Exception] = []
        for reply in replies:
            try:
                total, greedy = float(reply[0]), bool(reply[1])
            except (TypeError, ValueError, IndexError):
                total, greedy = math.nan, False
            if math.isfinite(total):
                answers.append(TokenScores((-1,), (total,), (greedy,)))
            else:
                answers.append(BackendError(f"{type(self._lm).__name__} gave no log-probability, but {reply!r}"))
        return answers

    # -- what the class knows

    def _count(self, text: Any) -> int | None:
        """Tokens of a text, None where the class cannot tell."""
        if not isinstance(text, str) or getattr(self._lm, "tokenizer", None) is None:
            return None
        if text == "":
            return 0
        try:
            tokens = self._lm.tok_encode(text)
        except Exception:  # noqa: BLE001 - a class that cannot count is one that does not
            return None
        return len(tokens) if isinstance(tokens, list) and all(isinstance(t, int) for t in tokens[:1]) else None

    def _context(self) -> int | None:
        try:
            length = self._lm.max_length
        except Exception:  # noqa: BLE001 - classes without weights have none, each in its own way
            return None
        return length if isinstance(length, int) and length > 0 else None

    def _hold_temperature(self, temperature: float) -> None:
        """Look whether a class that asks a server would send this temperature.

        Raises:
            BackendUnavailable: It would send another: OpenAI's chat class makes it 1 for every name with a 5 in it.
        """
        if self._pool is None:
            return
        if temperature not in self._temperatures:
            self._temperatures[temperature] = sent_temperature(self._lm, temperature)
        sent = self._temperatures[temperature]
        if sent is not None and sent != temperature:
            raise BackendUnavailable(
                f"lm-eval's class {type(self._lm).__name__} would send temperature {sent:g} for {self._lm.model!r} "
                f"where {temperature:g} is asked for, whatever it is told. Run with --temperature {sent:g}, or use the "
                "backend openai:."
            )

    def _listen(self) -> None:
        """Keep what a server answered, for each thread its own: finish reasons and token counts are in it."""
        original = self._lm.parse_generations

        def parse(*args: Any, **kwargs: Any) -> Any:
            outputs = kwargs.get("outputs", args[0] if args else None)
            heard = getattr(self._heard, "outputs", None)
            if heard is not None:
                heard.append({} if outputs is None else outputs)
            return original(*args, **kwargs)

        self._lm.parse_generations = parse


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    """A request as lm-eval gets it."""

    place: int
    request: GenerateRequest
    context: Any
    kwargs: dict[str, Any]
    count: int | None


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
