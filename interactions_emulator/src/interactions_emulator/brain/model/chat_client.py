"""Client of an OpenAI-compatible server: streams chat completions, and lists models.

Every failure becomes a `ChatError`, whose sentence names the server's address and the next step, and never a key.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2

from interactions_emulator.brain.model.chat_chunks import Delta, clean_text, read_call_piece, token_count
from interactions_emulator.brain.model.think_tags import ThinkTags
from interactions_emulator.brain.model.timeouts import (
    CONNECT_TIMEOUT_S,
    MAX_RETRY_AFTER_S,
    PROBE_TIMEOUT_S,
    RETRY_WAITS_S,
    SILENCE_TIMEOUT_S,
)
from interactions_emulator.corpus.words import clip

MAX_ANSWER_CHARS = 262_144
"""Maximum characters of an answer with its reasoning and calls, about the 65,536 tokens that Gemini writes at most."""
MAX_RESPONSE_CHARS = 64_000_000
"""Maximum characters of a response, which has some hundred characters for each token."""
MAX_QUOTED_CHARS = 300
"""Maximum characters of the server's own words in a message."""
_NO_API = "does the address end with /v1, and is it an OpenAI-compatible server?"
_CODES = {400: "invalid_request", 401: "unauthenticated", 403: "permission_denied", 404: "not_found"}


class ChatError(Exception):
    """A request to the model server failed.

    `code` is a code of the Interactions API, `status` the HTTP status, and `cut` is whether the stream broke off.
    """

    def __init__(self, code: str, message: str, status: int = 0, cut: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.cut = cut


@dataclass(frozen=True)
class ChatClient:
    """A model on a server. `url` is the address before `/chat/completions`, such as http://localhost:11434/v1."""

    url: str
    model: str
    key: str = field(default="", repr=False)
    timeout_s: float = SILENCE_TIMEOUT_S
    sleep: Callable[[float], None] = time.sleep

    @property
    def address(self) -> str:
        """The address without a password or query, for messages."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))

    def stream(self, request: dict[str, Any]) -> Generator[Delta]:
        """Send a chat completion and yield its events as they come. Closing the iterator closes the connection.

        With `"stream": False` in the request there is one event, the whole answer. An answer that does not end is cut
        at `MAX_ANSWER_CHARS`, as by the limit of its tokens.

        Raises:
            ChatError: the server cannot be reached, refuses the request, or breaks its answer off.
        """
        body = {"model": self.model, "stream": True, **request}
        if body["stream"]:
            body["stream_options"] = {"include_usage": True}
        chars = 0
        with self._errors(), self._open(body) as response:
            for delta in self._deltas(response):
                yield delta
                chars += len(delta.text) + len(delta.reasoning) + sum(len(piece.arguments) for piece in delta.calls)
                if chars > MAX_ANSWER_CHARS:
                    yield Delta(finish="length")
                    return

    def models(self, timeout_s: float = PROBE_TIMEOUT_S) -> list[str]:
        """Return the names of the models that the server lists. Raises `ChatError`."""
        with self._errors():
            response = self._http.get(self._endpoint("models"), timeout=timeout_s)
            if response.status_code != 200:
                raise self._refusal(response, listing=True)
            try:
                return [str(entry["id"]) for entry in response.json()["data"] or ()]
            except (ValueError, KeyError, TypeError) as error:
                raise self._no_api(f"answers /models with {_shown(response.text)!r}") from error

    @cached_property
    def _http(self) -> httpx2.Client:
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        timeout = httpx2.Timeout(self.timeout_s, connect=CONNECT_TIMEOUT_S)
        # No connection is used twice: model servers close them after errors and pauses without notice.
        return httpx2.Client(headers=headers, timeout=timeout, limits=httpx2.Limits(max_keepalive_connections=0))

    def _endpoint(self, name: str) -> str:
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))

    @contextmanager
    def _open(self, body: dict[str, Any]) -> Iterator[httpx2.Response]:
        waits = iter(RETRY_WAITS_S)
        while True:
            with self._http.stream("POST", self._endpoint("chat/completions"), json=body) as response:
                if response.status_code == 200:
                    yield response
                    return
                response.read()
                wait = next(waits, None) if response.status_code in (429, 503) else None
                if wait is None:
                    raise self._refusal(response)
            self.sleep(_retry_after(response) or wait)

    def _deltas(self, response: httpx2.Response) -> Iterator[Delta]:
        kind = response.headers.get("content-type", "")
        if kind.startswith("application/json"):
            tags = ThinkTags()
            delta = self._delta("\n".join(self._lines(response)), tags)
            text, reasoning = tags.close()
            yield delta._replace(text=delta.text + text, reasoning=delta.reasoning + reasoning)
            return
        if not kind.startswith("text/event-stream"):
            raise self._no_api(f"answers with {kind or 'no content-type'} where an event stream is due")
        tags, finish = ThinkTags(), ""
        for line in self._lines(response):
            if not line.startswith("data:"):
                continue  # comments keep the connection alive; other fields have no meaning here
            data = line[5:].strip()
            if data == "[DONE]":
                break
            delta = self._delta(data, tags)
            finish = finish or delta.finish
            yield delta
        else:
            if not finish:
                raise self._cut("before it was complete")
        text, reasoning = tags.close()
        yield Delta(text, reasoning, finish=finish or "stop")

    def _lines(self, response: httpx2.Response) -> Iterator[str]:
        """Yield the lines of a response as they come. Raises `ChatError` if it does not end."""
        begun, chars = list[str](), 0
        for text in response.iter_text():
            chars += len(text)
            if chars > MAX_RESPONSE_CHARS:
                raise self._no_api(f"answers with more than {MAX_RESPONSE_CHARS:,} characters")
            first, *lines = text.split("\n")
            begun.append(first)
            if lines:
                yield "".join(begun)
                yield from lines[:-1]
                begun = [lines[-1]]
        yield "".join(begun)

    def _delta(self, data: str, tags: ThinkTags) -> Delta:
        try:
            event = json.loads(data)
            if error := event.get("error"):
                words = error.get("message", error) if isinstance(error, dict) else error
                raise ChatError("internal_error", f"The model server at {self.address} fails: {self._safe(words)}")
            choices: list[dict[str, Any]] = event.get("choices") or [{}]
            choice = choices[0]
            delta = choice.get("delta") or choice.get("message") or {}
            text, reasoning = tags.feed(clean_text(delta.get("content")))
            told = clean_text(delta.get("reasoning_content") or delta.get("reasoning"))
            calls = tuple(read_call_piece(piece, place) for place, piece in enumerate(delta.get("tool_calls") or ()))
            return Delta(text, told + reasoning, calls, str(choice.get("finish_reason") or ""), token_count(event))
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
            raise self._no_api(f"sends an event that is not a chunk of a completion: {_shown(data)!r}") from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the exceptions of the HTTP client into `ChatError`s."""
        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise ChatError(
                "unavailable",
                f"No model server answers at {self.address} ({self._safe(error)}): start it, or correct --model-url"
                " (EMULATOR_MODEL_URL).",
            ) from error
        except httpx2.TimeoutException as error:
            raise ChatError(
                "deadline_exceeded",
                f"The model server at {self.address} was silent for too long: use a smaller model or a faster machine.",
            ) from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise ChatError("invalid_request", f"--model-url {self.address!r} is no http or https address.") from error
        except httpx2.HTTPError as error:
            raise self._cut(f"({self._safe(error)})") from error

    def _refusal(self, response: httpx2.Response, *, listing: bool = False) -> ChatError:
        status, words = response.status_code, self._safe(_words(response))
        if status in (401, 403):
            hint = "set EMULATOR_MODEL_KEY to a key that it accepts"
        elif status == 404:
            hint = _NO_API if listing else self._known_models()
        elif status == 429:
            hint = "wait, or allow it more requests at a time"
        elif status >= 500:
            hint = "see its log"
        else:
            hint = "change the request, or use a model and server that can do this"
        code = _CODES.get(status) or ("resource_exhausted" if status == 429 else "unavailable")
        code = "invalid_request" if code == "unavailable" and status < 500 else code
        message = f"The model server at {self.address} answers {status} for the model {self.model!r} ({words}): {hint}."
        return ChatError(code, message, status)

    def _known_models(self) -> str:
        try:
            names = self.models() if self.model else []
        except ChatError:
            return _NO_API
        return f"it has {', '.join(names[:20]) or 'no models'}; set --model (EMULATOR_MODEL)"

    def _no_api(self, what: str) -> ChatError:
        return ChatError(
            "invalid_request",
            f"The server at {self.address} {self._safe(what)}: --model-url has to be the address of an"
            " OpenAI-compatible API, such as http://localhost:11434/v1.",
        )

    def _cut(self, where: str) -> ChatError:
        return ChatError(
            "unavailable",
            f"The model server at {self.address} broke off its answer {where}: see its log, and ask again.",
            cut=True,
        )

    def _safe(self, words: object) -> str:
        text = _shown(words)
        return text.replace(self.key, "…") if self.key else text


def describe_problem(client: ChatClient) -> str:
    """Return a sentence about what keeps the model from answering, or "" if its server lists it or lists nothing."""
    try:
        names = client.models()
    except ChatError as error:
        return error.message
    if not names or client.model in names or f"{client.model}:latest" in names:
        return ""
    if names[0].endswith(".gguf"):  # llama.cpp serves its one file under any name
        return ""
    return (
        f"The model server at {client.address} does not list the model {client.model!r}; it has"
        f" {', '.join(names[:20])}: set --model (EMULATOR_MODEL) to one of them."
    )


def _words(response: httpx2.Response) -> str:
    """The server's own words in an error body."""
    try:
        body = response.json()
        error = body.get("error", body.get("detail", body))
        return str(error.get("message", error)) if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError):
        return response.text


def _shown(words: object) -> str:
    return clip(str(words), MAX_QUOTED_CHARS)


def _retry_after(response: httpx2.Response) -> float:
    try:
        return min(MAX_RETRY_AFTER_S, max(0.0, float(response.headers["retry-after"])))
    except (KeyError, ValueError):
        return 0.0
