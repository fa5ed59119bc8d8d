"""The way to a server: one session, a key that nobody sees, bodies of bounded size."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..environment import version
from ..errors import BackendError, BackendUnavailable, UsageError
from .retry import Transient

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Answer", "Http", "Secret", "read_key", "read_url"]

_CLIP = 400  # characters of a server's message that are shown
_SECRET = 12  # characters of the shortest key that can be none but a key


class Secret:
    """A key. It shows itself to nobody but the header that it is sent in.

    Args:
        value: The key; None or empty where there is none.
    """

    __slots__ = ("_bytes", "_value")

    def __init__(self, value: str | None) -> None:
        self._value = value or ""
        self._bytes = self._value.encode("utf-8", "surrogateescape")

    def __repr__(self) -> str:
        return "Secret(set)" if self._value else "Secret(not set)"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a key is not written anywhere")

    def header(self) -> dict[str, str]:
        """The header that carries it, empty where there is none."""
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}

    def hide(self, text: str) -> str:
        """Replace it in a text, such as an error of a server that repeats what it was sent."""
        return text.replace(self._value, "[key]") if self._value and self._value in text else text

    def hide_bytes(self, body: bytes) -> bytes:
        """Replace it in a body.

        What is shorter than any real key stays: people set EMPTY, none or ollama for servers that want some key,
        and a model may say the same word.
        """
        return body.replace(self._bytes, b"[key]") if len(self._bytes) >= _SECRET and self._bytes in body else body


def read_key(variable: str, *, needed: bool) -> Secret:
    """Read a key from the environment, the only place where keys come from.

    Args:
        variable: The environment variable's name.
        needed: Whether it must be set.

    Raises:
        BackendUnavailable: It is not set, or its value can be no key.
    """
    value = os.environ.get(variable, "").strip()
    if not value and needed:
        raise BackendUnavailable(f"The environment variable {variable} (api_key_env) is not set; it holds the API key.")
    if re.search(r"[^\x21-\x7e]", value):
        raise BackendUnavailable(
            f"The value of {variable} has spaces or other characters that no key has; export the key alone."
        )
    return Secret(value)


def read_url(given: str | None) -> str:
    """Check the address of an API, such as ``http://127.0.0.1:8000/v1``.

    Args:
        given: The address; None: from the environment variable OPENAI_BASE_URL.

    Returns:
        The address without a slash at its end.

    Raises:
        UsageError: There is none, it is not http(s), or it carries a user, a password, a query or a fragment.
    """
    url = (given or os.environ.get("OPENAI_BASE_URL") or "").strip().rstrip("/")
    if not url:
        raise UsageError(
            "openai: needs the server's address: base_url=http://127.0.0.1:8000/v1, or set OPENAI_BASE_URL."
        )
    # What is wrong with an address is said without the address: it may hold a password.
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise UsageError("openai: base_url is no address; write it like http://127.0.0.1:8000/v1.") from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise UsageError("openai: base_url carries a user or password. Keys come from the environment (api_key_env).")
    if parts.query or parts.fragment:
        raise UsageError("openai: base_url must have no ?query and no #fragment. Keys come from the environment.")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("openai: base_url must begin with http:// or https:// and name a host.")
    return url


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Args:
        status: The HTTP status.
        body: The whole body, the key replaced in it.
        retry_after: The header of that name.
    """

    status: int
    body: bytes
    retry_after: str | None = None

    @property
    def whole(self) -> bool:
        """Whether it can be a reply: an error would stand near its beginning."""
        return self.status == 200 and self.body.find(b'"error"', 0, 4096) < 0


class Http:
    """Keeps connections to one server open and sends requests over them.

    Args:
        url: From :func:`read_url`.
        key: Goes with every request.
        connections: Open at once at most.
        timeout: Seconds for one request from beginning to end.
        max_bytes: Length of a reply's body at most; a reply that goes on for ever is cut there.
    """

    def __init__(self, url: str, key: Secret, *, connections: int, timeout: float, max_bytes: int) -> None:
        self.url, self.key, self.max_bytes = url, key, max_bytes
        self.root = url.removesuffix("/v1")
        self._connections, self._timeout = connections, timeout
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session, inside the loop that will use it."""
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=min(30.0, self._timeout)),
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"finchmark/{version()}",
                **self.key.header(),
            },
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def clean(self, text: object) -> str:
        """One short line of what a server said, without the key."""
        line = " ".join(self.key.hide(str(text)).split())
        return line if len(line) <= _CLIP else line[:_CLIP] + "…"

    async def post(self, url: str, body: bytes) -> Answer:
        """Send a body of JSON.

        Raises:
            Transient: No whole answer came.
            BackendUnavailable: None can come: the certificate is wrong.
        """
        return await self._send("POST", url, body)

    async def get(self, url: str) -> Answer:
        """Ask for a page. Raises as :meth:`post`."""
        return await self._send("GET", url, None)

    async def _send(self, method: str, url: str, body: bytes | None) -> Answer:
        import aiohttp

        if self._session is None:
            raise BackendError("the openai backend is not running; start it first, and ask nothing after closing it")
        headed = False  # after the headers the reply exists, and may be charged for, whatever happens to its body
        try:
            # A redirect would turn a POST into a GET, and could carry the key elsewhere.
            async with self._session.request(method, url, data=body, allow_redirects=False) as response:
                status = response.status
                headed = status < 400
                length = response.content_length
                # The short way is for a body whose length is known; a packed one could be of any length.
                if length is not None and length <= self.max_bytes and "Content-Encoding" not in response.headers:
                    content = await response.read()
                else:
                    content = await self._read(response)
                return Answer(
                    status,
                    self.key.hide_bytes(content) if self.key else content,
                    None if status == 200 else response.headers.get("Retry-After"),
                )
        except Transient:
            raise
        except TimeoutError as error:
            connecting = isinstance(error, aiohttp.ConnectionTimeoutError)
            kind, what = ("connection", "no connection") if connecting else ("timeout", "no whole reply")
            detail = f"{what} within {self._timeout:g} s"
            raise Transient(kind, detail, billed=not connecting, away=connecting) from None
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise BackendUnavailable(
                f"The connection to {self.url} is not safe: {self.clean(error)}. Mend the certificate or base_url."
            ) from None
        except aiohttp.InvalidURL:
            raise BackendUnavailable(f"{self.url} is no address that can be asked; check base_url.") from None
        except aiohttp.ClientPayloadError as error:
            raise Transient("cut_off", f"the body ended early: {self.clean(error)}", billed=True) from None
        except (aiohttp.ClientError, OSError) as error:
            kind = "cut_off" if headed else "connection"
            detail = f"{type(error).__name__}: {self.clean(error)}"
            # A connection that was refused reached nobody; one that broke may have.
            away = isinstance(error, aiohttp.ClientConnectorError)
            raise Transient(kind, detail, billed=not away, away=away) from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > self.max_bytes:
                response.close()
                raise Transient("too_long", f"the reply is longer than {self.max_bytes} bytes", billed=True)
            parts.append(part)
        return b"".join(parts)
