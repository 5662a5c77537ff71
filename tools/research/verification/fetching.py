"""Fetches the pages of sources politely and within limits of time and size.

One request at a time goes to a host, and `robots.txt` is obeyed. Nothing is sent that identifies a person: no cookies,
no credentials. At most `max_bytes` of a page are kept, also if the server compresses it.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import defaultdict
from dataclasses import dataclass
from urllib.robotparser import RobotFileParser

import httpx2

from tools.research.report.redirect_links import is_redirect
from tools.research.verification.limits import MAX_ROBOTS_BYTES, FetchLimits
from tools.research.verification.robots_txt import ROBOT, robots_rules
from tools.web_addresses.parsing import split_address
from tools.web_addresses.public_http import NotPublic

HEADERS = {
    "user-agent": f"{ROBOT} (checks the sources that a report cites)",
    "accept": "text/html, text/plain;q=0.9, */*;q=0.5",
    "accept-encoding": "gzip",
}
REFUSALS = frozenset({401, 402, 403, 405, 406, 407, 429, 451, 503})
"""Statuses that say nothing about the page: the server does not show it to this program, or not now."""


@dataclass(frozen=True)
class Fetched:
    """A page, or the reason why there is no page."""

    url: str
    """The last address, after all redirects."""
    status: int | None = None
    content_type: str = ""
    data: bytes = b""
    truncated: bool = False
    """Whether the page is longer than `data`."""
    problem: str = ""
    """The reason why there is no page, in a phrase; empty if there is a page."""
    unreachable: bool = False
    """Whether there was no answer, an error status, too many redirects, or a private address."""
    hide_from_archive: bool = False
    """Whether the archive must not be asked about the address, because it is not public or is of this machine."""


@dataclass(frozen=True)
class Answer:
    """The answer to one request."""

    status: int
    content_type: str
    target: str
    """The address to which it redirects; empty if it does not."""
    data: bytes
    truncated: bool


class Fetcher:
    """Fetches pages through one HTTP client, which must be safe for any address: `tools.web_addresses.public_http`."""

    def __init__(self, http: httpx2.AsyncClient, limits: FetchLimits) -> None:
        self._http, self._limits = http, limits
        self._free = asyncio.Semaphore(limits.max_requests)
        self._hosts = defaultdict[str, asyncio.Lock](asyncio.Lock)
        self._robots: dict[str, asyncio.Task[RobotFileParser]] = {}

    async def fetch(self, url: str) -> Fetched:
        """Fetches a page, with redirects. Does not raise, whatever the server does."""
        try:
            for _ in range(self._limits.max_redirects + 1):
                if not is_redirect(url) and not await self._may_fetch(url):
                    return Fetched(url, problem="robots.txt forbids to read it")
                answer = await self.get(url, self._limits.max_bytes)
                if not answer.target:
                    return _fetched(url, answer)
                url = answer.target
            return Fetched(url, problem="too many redirects", unreachable=True)
        except NotPublic as error:
            problem = f"{split_address(url).hostname or 'it'} {error}"
            return Fetched(url, problem=problem, unreachable=True, hide_from_archive=True)
        except TimeoutError:
            return Fetched(url, problem=f"no answer in {self._limits.request_s:.0f} s", unreachable=True)
        except (httpx2.ConnectError, httpx2.InvalidURL):
            return Fetched(url, problem="no connection", unreachable=True)
        except (httpx2.HTTPError, ValueError, zlib.error):
            return Fetched(url, problem="no valid answer", unreachable=True)

    async def get(self, url: str, max_bytes: int) -> Answer:
        """Sends one request, after other requests to its host have ended. Follows no redirect.

        Raises:
            NotPublic: the address is not public.
            TimeoutError: the answer is not complete in time.
            httpx2.HTTPError, httpx2.InvalidURL, ValueError, zlib.error: there is no valid answer.
        """
        async with (
            self._hosts[split_address(url).netloc.lower()],
            self._free,
            asyncio.timeout(self._limits.request_s),
            self._http.stream("GET", url, headers=HEADERS, follow_redirects=False, timeout=None) as response,
        ):
            location = response.headers.get("location", "") if response.is_redirect else ""
            split_address(location)  # raises an error if the address is too long
            target = str(httpx2.URL(url).join(location)) if location else ""
            data, truncated = (b"", False) if target else await _read(response, max_bytes)
            return Answer(response.status_code, response.headers.get("content-type", ""), target, data, truncated)

    async def _may_fetch(self, url: str) -> bool:
        parts = split_address(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._robots:
            self._robots[origin] = asyncio.create_task(self._read_robots(origin))
        return (await self._robots[origin]).can_fetch(ROBOT, url)

    async def _read_robots(self, origin: str) -> RobotFileParser:
        """Reads `robots.txt`. No file allows everything; a failing server allows nothing (RFC 9309, 2.3.1)."""
        answer = await self.get(f"{origin}/robots.txt", MAX_ROBOTS_BYTES)
        status = answer.status
        try:
            for _ in range(self._limits.max_redirects):
                if answer.target:
                    answer = await self.get(answer.target, MAX_ROBOTS_BYTES)
                    status = answer.status
        except (NotPublic, TimeoutError, httpx2.HTTPError, httpx2.InvalidURL, ValueError, zlib.error):
            status = 500  # the page's own server has answered
        data = b"User-agent: *\nDisallow: /" if status >= 500 else answer.data if status == 200 else b""
        return await asyncio.to_thread(robots_rules, data)


def _fetched(url: str, answer: Answer) -> Fetched:
    problem, unreachable = "", False
    if answer.status in REFUSALS:
        problem = f"its server does not show it to programs (status {answer.status})"
    elif not 200 <= answer.status < 300:
        problem, unreachable = f"status {answer.status}", True
    return Fetched(url, answer.status, answer.content_type, answer.data, answer.truncated, problem, unreachable)


async def _read(response: httpx2.Response, max_bytes: int) -> tuple[bytes, bool]:
    """Reads a body up to a number of bytes, which are counted after decompression.

    Raises:
        ValueError: the body is compressed in an unknown way.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise ValueError(f"the encoding {encoding:.20} is not known")
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding.endswith(("gzip", "deflate")) else None
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += decoder.decompress(chunk, max_bytes + 1 - len(data)) if decoder else chunk
        if len(data) > max_bytes:
            return bytes(data[:max_bytes]), True
    return bytes(data), False
