"""The tool `file_search`: the built-in brain answers from the documents of the stores that a request names."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from interactions_emulator.brain.protocol import Brain, Entry, Step, TimedStep, Turn
from interactions_emulator.corpus import documents as corpus_documents
from interactions_emulator.corpus.documents import Source
from interactions_emulator.corpus.index import Corpus, Passage
from interactions_emulator.errors import Refused
from interactions_emulator.file_search.answer_conversion import BASE, Conversion
from interactions_emulator.file_search.metadata import parse_filter
from interactions_emulator.file_search.stores import Document, Stores
from interactions_emulator.file_search.tool_checks import store_id

_INDEXES = 8
"""Number of sets of documents whose index is kept."""
Tool = dict[str, Any]


class FileSearch:
    """A brain for turns with the tool `file_search`.

    `on_corpus` makes a brain that searches a corpus for the tool `google_search`. It is asked with this tool in place
    of `file_search`, and its searches and citations are converted. `brain` is the brain that searches the web.
    """

    def __init__(self, brain: Brain, on_corpus: Callable[[Corpus], Brain], stores: Stores) -> None:
        self._brain = brain
        self._on_corpus = on_corpus
        self._stores = stores
        self._corpus = lru_cache(_INDEXES)(self._build_corpus)

    def __call__(self, turn: Turn) -> Iterator[Entry]:
        tool = next(one for one in turn.tools if one["type"] == "file_search")
        others = tuple(one for one in turn.tools if one["type"] != "file_search")
        documents = self._documents(tool)
        searches_web = any(one["type"] == "google_search" for one in others)
        if turn.is_agent and searches_web:  # the agent researches the web, with the documents at hand
            call_id = f"fs_{len(turn.steps)}"
            yield TimedStep(0, {"type": "file_search_call", "id": call_id})
            yield TimedStep(0, {"type": "file_search_result", "call_id": call_id})
            yield from self._brain(self._with_attached(turn, documents, others))
            return
        corpus = self._corpus(tuple(documents), tool.get("top_k"))
        asked = replace(turn, tools=(*others, {"type": "google_search"}), documents_url=BASE, answered=())
        converted = Conversion(corpus, documents)
        answer = self._on_corpus(corpus)(asked)
        if not searches_web:
            yield from map(converted, answer)
            return
        entries = [converted(entry) for entry in answer]
        if converted.searched and not converted.cited:
            yield from (entry for entry in entries if isinstance(entry, TimedStep) and _is_search(entry.step))
            yield from self._brain(replace(turn, tools=others, answered=()))
        else:
            yield from entries

    def _documents(self, tool: Tool) -> list[Document]:
        """The documents that a tool searches. A store that was deleted in the meantime has no documents."""
        matches = parse_filter(str(tool["metadata_filter"])) if tool.get("metadata_filter") else None
        found: list[Document] = []
        for name in dict.fromkeys(tool["file_search_store_names"]):
            try:
                found += self._stores.searchable(store_id(name))
            except Refused:
                continue
        return [document for document in found if matches is None or matches(document.metadata)]

    def _build_corpus(self, names: tuple[Document, ...], top_k: int | None) -> Corpus:
        sources = [Source(one.name, "", partial(self._read, one)) for one in names]
        return Corpus(sources, None) if top_k is None else _TopCorpus(sources, top_k)

    def _read(self, document: Document) -> Iterator[corpus_documents.Document]:
        text, markup = self._stores.text(document)
        title = document.display_name or document.id
        yield corpus_documents.Document(document.name, title, f"the document {title}", text, markup)

    def _with_attached(self, turn: Turn, found: Iterable[Document], tools: tuple[Tool, ...]) -> Turn:
        contents = []
        for document in found:
            text, markup = self._stores.text(document)
            kind = {"plain": "text/plain", "pdf": "text/plain", "rst": "text/x-rst"}.get(markup, f"text/{markup}")
            data = base64.b64encode(text.encode()).decode()
            contents.append({"type": "document", "mime_type": kind, "data": data, "name": document.display_name})
        last: Step = {**turn.steps[-1], "content": [*contents, *turn.steps[-1].get("content", ())]}
        return replace(turn, tools=tools, steps=(*turn.steps[:-1], last))


class _TopCorpus(Corpus):
    """A corpus whose searches find at most `top_k` passages."""

    def __init__(self, sources: Iterable[Source], top_k: int) -> None:
        super().__init__(sources, None)
        self._top_k = top_k

    def search(self, query: str, limit: int = 5, exclude: Collection[str] = ()) -> list[Passage]:
        return super().search(query, min(limit, self._top_k), exclude)


def _is_search(step: Step) -> bool:
    return bool(step["type"].startswith("file_search_"))
