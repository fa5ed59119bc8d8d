"""What an OpenAI-compatible server supports, found out by asking it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .backends.openai_http import Http, read_key, read_url
from .backends.retry import Transient
from .errors import BackendUnavailable, UsageError
from .serve_questions import QUESTIONS, Prober, Refused, ServeFinding, talks

__all__ = ["ServeFinding", "ServeReport", "serve_check"]


@dataclass(frozen=True, slots=True)
class ServeReport:
    """What a server supports.

    Args:
        url: Its address.
        model: The model that was asked.
        models: Those that it lists.
        findings: One a question.
    """

    url: str
    model: str
    models: tuple[str, ...]
    findings: tuple[ServeFinding, ...]

    def __getitem__(self, name: str) -> ServeFinding:
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)

    @property
    def usable(self) -> bool:
        """Whether an evaluation can run over it at all."""
        return "yes" in (self["chat"].state, self["completions"].state)

    def text(self) -> str:
        """The report for a terminal."""
        width = max(len(f.name) for f in self.findings)
        lines = [f"{self.url}, model {self.model}"]
        for finding in self.findings:
            lines.append(f"  {finding.name:{width}}  {finding.state:7}  {finding.evidence}")
            if finding.means:
                lines.append(f"  {'':{width}}  {'':7}  -> {finding.means}")
        return "\n".join(lines)


async def _models(http: Http) -> tuple[tuple[str, ...], ServeFinding]:
    try:
        answer = await http.get(f"{http.url}/models")
    except Transient as fault:
        raise BackendUnavailable(
            f"There is no answer from {http.url}: {http.clean(fault)}. Is the server running, and is the address right?"
        ) from None
    if answer.status == 401:
        raise BackendUnavailable(f"{http.url} refuses the key (HTTP 401). Export it, and name it by api_key_env.")
    try:
        listed = json.loads(answer.body)["data"] if answer.status == 200 else []
        names = tuple(http.clean(e["id"]) for e in listed)
        owners = sorted({http.clean(e.get("owned_by") or "?") for e in listed})
    except (ValueError, KeyError, TypeError, AttributeError):
        names, owners = (), []
    if not names:
        seen = "the list of models is empty" if answer.status == 200 else f"no list of models (HTTP {answer.status})"
        return (), ServeFinding("models", "no", seen)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return names, ServeFinding("models", "yes", f"{', '.join(names[:5])}{more}; owned by {', '.join(owners)}")


async def _check(http: Http, model: str | None) -> ServeReport:
    names, first = await _models(http)
    chosen = model or (names[0] if names else None)
    if chosen is None:
        raise UsageError(f"{http.url}: {first.evidence}; name the model by --model.")
    p = Prober(http, chosen)
    findings = [first]

    async def look(name: str, question: Callable[[Prober], Awaitable[ServeFinding]], *, without: str = "") -> bool:
        if without:
            findings.append(ServeFinding(name, "unknown", f"not asked: {without}"))
            return False
        try:
            finding = await question(p)
        except Refused as refused:
            finding = ServeFinding(name, "no" if refused.decided else "unknown", str(refused))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            finding = ServeFinding(name, "unknown", f"the answer has another form than it should have: {error!r}"[:200])
        findings.append(finding)
        return finding.state == "yes"

    chat = await look("chat", lambda q: talks(q, "chat"))
    if not chat and "max_completion_tokens" in findings[-1].evidence:
        p.cap = "max_completion_tokens"
        findings.pop()
        chat = await look("chat", lambda q: talks(q, "chat"))
    plain = await look("completions", lambda q: talks(q, "completions"))
    p.api = "chat" if chat or not plain else "completions"
    nobody = "" if chat or plain else "nothing answers"
    gates = {
        "echo": "" if plain else nobody or "plain completions do not answer",
        "tools": "" if chat else nobody or "chat does not answer",
    }
    for name, question in QUESTIONS.items():
        found = await look(name, question, without=gates.get(name, nobody))
        if name == "seeds" and not found:
            gates["seeds at once"] = nobody or "they do not hold alone"
    return ServeReport(http.url, chosen, names, tuple(findings))


def serve_check(
    url: str | None = None,
    *,
    model: str | None = None,
    api_key_env: str | None = None,
    timeout: float = 60.0,
) -> ServeReport:
    """Ask a server what it supports: about thirty short requests, most of them one after the other.

    Args:
        url: The API's address, such as ``http://127.0.0.1:8000/v1``; by default the environment's OPENAI_BASE_URL.
        model: The model to ask; by default the first that the server lists.
        api_key_env: The environment variable with the key; by default OPENAI_API_KEY, which may be unset.
        timeout: Seconds for one request.

    Returns:
        A finding for each of ``models``, ``chat``, ``completions``, ``sampling`` (the temperature counts),
        ``seeds``, ``seeds at once`` (they hold beside other requests), ``greedy``, ``n``, ``logprobs``,
        ``top_logprobs``, ``prompt_logprobs``, ``echo``, ``stop``, ``tools``, ``usage``, ``long prompt`` (read whole or
        refused, not cut in silence) and ``streaming``.

    Raises:
        UsageError: The address cannot be, or no model is named and none is listed.
        BackendUnavailable: Nobody answers, or the key is refused.
    """
    http = Http(
        read_url(url),
        read_key(api_key_env or "OPENAI_API_KEY", needed=api_key_env is not None),
        connections=4,
        timeout=timeout,
        max_bytes=2**22,
    )

    async def go() -> ServeReport:
        await http.open()
        try:
            return await _check(http, model)
        finally:
            await http.close()

    return asyncio.run(go())
