"""Finds material in the corpus or behind a search address, and numbers it for citations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

import httpx2

from interactions_emulator.brain.model.limits import MAX_RESULT_CHARS, MAX_RESULTS
from interactions_emulator.brain.model.timeouts import SEARCH_TIMEOUT_S
from interactions_emulator.corpus.index import Corpus, Passage
from interactions_emulator.corpus.words import clip


class SearchError(Exception):
    """A search failed. The message names the address and the next step."""


class Found(NamedTuple):
    """A result of a search: a text, and the page or file that contains it. `url` is "" for an attached file."""

    title: str
    url: str
    text: str


class Sources:
    """The pages that were read, numbered from 1. Results from the same page share a number."""

    def __init__(self) -> None:
        self._pages: list[tuple[str, str]] = []

    def add(self, found: Iterable[Found]) -> list[tuple[int, Found]]:
        """Number the results."""
        return [(self._number((one.title, one.url)), one) for one in found]

    def __getitem__(self, number: int) -> tuple[str, str]:
        """The (title, url) with this number, which must be known."""
        return self._pages[number - 1]

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and 1 <= number <= len(self._pages)

    def __bool__(self) -> bool:
        return bool(self._pages)

    def _number(self, page: tuple[str, str]) -> int:
        same = [n for n, known in enumerate(self._pages, 1) if known == page or (page[1] and known[1] == page[1])]
        if not same:
            self._pages.append(page)
        return same[0] if same else len(self._pages)


def as_prompt(numbered: Sequence[tuple[int, Found]], max_chars: int = 24_000) -> str:
    """The results as text for a model, in their order; texts beyond `max_chars` are left out."""
    blocks, size = [], 0
    for number, found in numbered:
        block = f"[{number}] {found.title}\n{found.text[: max(200, max_chars - size)]}"
        size += len(block)
        blocks.append(block)
        if size >= max_chars:
            break
    return "\n\n".join(blocks)


@dataclass(frozen=True)
class Library:
    """The sources that a turn can search: documents, and a search address.

    `corpora` are pairs of documents and the base of their addresses; "" if they have none, as attached files.
    """

    corpora: tuple[tuple[Corpus, str], ...]
    search_url: str = ""

    def search(self, query: str) -> list[Found]:
        """The best results of each corpus and of `search_url`, interleaved by rank. Raises `SearchError`."""
        lists = [_search_corpus(corpus, base, query) for corpus, base in self.corpora]
        lists += [search_http(self.search_url, query)] if self.search_url else []
        return [one for rank in zip_longest(*lists) for one in rank if one]

    def read(self, url: str) -> Found | None:
        """The text of the document at an address; None if it is not in a corpus."""
        for corpus, base in self.corpora:
            document = corpus.document(url.removeprefix(f"{base.rstrip('/')}/")) if base else None
            if document:
                text = "\n".join(passage.text for passage in corpus.passages(document.document_id))
                return Found(
                    document.title, _address(base, document.document_id), text[: MAX_RESULTS * MAX_RESULT_CHARS]
                )
        return None


def _search_corpus(corpus: Corpus, base: str, query: str) -> list[Found]:
    """The best passages of a corpus, each with the passages before and after it; one result for each document."""
    best: dict[str, list[Passage]] = {}
    for passage in corpus.search(query, limit=MAX_RESULTS * 3):
        best.setdefault(passage.document_id, []).append(passage)
    return [
        Found(passages[0].title, _address(base, document), _with_neighbours(corpus, passages[:2]))
        for document, passages in list(best.items())[:MAX_RESULTS]
    ]


def _address(base: str, document_id: str) -> str:
    return f"{base.rstrip('/')}/{document_id}" if base else ""


def search_http(address: str, query: str) -> list[Found]:
    """Ask `address` with `?q=`. It answers a list of {title, url, text}, or as SearXNG {"results": [{…, content}]}.

    Raises:
        SearchError: the address does not answer, or not with such JSON.
    """
    try:
        response = httpx2.get(httpx2.URL(address).copy_merge_params({"q": query}), timeout=SEARCH_TIMEOUT_S)
        response.raise_for_status()
        body = response.json()
        items = body["results"] if isinstance(body, dict) else body
        return [found for item in items[: MAX_RESULTS * 2] if (found := read_result(item))][:MAX_RESULTS]
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError, TypeError) as error:
        place = address.partition("?")[0].rpartition("@")[2]
        raise SearchError(
            f"the search address {place} fails ({clip(str(error) or type(error).__name__, 150)}): correct --search-url"
        ) from error


def read_result(item: Any) -> Found | None:
    """A result in the JSON of a search; None if it has no text."""
    if not isinstance(item, dict):
        return None
    text = next((item[key] for key in ("text", "content", "snippet", "description") if item.get(key)), "")
    url, title = str(item.get("url") or item.get("link") or ""), str(item.get("title") or "")
    if not isinstance(text, str) or not (url or title):
        return None
    return Found(clip(title or url, 200), url, text[:MAX_RESULT_CHARS])


def _with_neighbours(corpus: Corpus, hits: Sequence[Passage]) -> str:
    passages = corpus.passages(hits[0].document_id)
    wanted = sorted({place for hit in hits for place in range(hit.position - 1, hit.position + 2)})
    texts = [passages[place].text for place in wanted if 0 <= place < len(passages)]
    return "\n".join(texts)[:MAX_RESULT_CHARS]
