"""Compares passages of a report with the text of a page: text in, verdict out, without a model.

A passage is *found* if a window of `WINDOW_SENTENCES` consecutive sentences of the page has at least `FOUND_SHARE` of
its words and all of its figures, and the page its names and quotations. This measures words, not meaning.
docs/verification.md explains its limits.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from tools.research.report.languages import UNKNOWN, is_other_language, language_of
from tools.research.verification.checks import PassageCheck, Verdict
from tools.research.verification.figures_and_words import (
    Terms,
    keys_of,
    normalized,
    terms_of,
    terms_of_passage,
    values_on_page,
)
from tools.research.verification.limits import MAX_PAGE_CHARS
from tools.research.verification.names_and_quotations import HEAD_CHARS, flat, names_of, quotations_of

WINDOW_SENTENCES = 5
"""Consecutive sentences of a page that are compared with a passage at a time."""
FOUND_SHARE = 0.6
"""Share of a passage's words, from 0 to 1, that a part of a page must contain."""
MIN_TERMS = 3
"""A passage with fewer words and figures is too short to be looked for."""
MIN_PAGE_WORDS = 30
"""A page with fewer words, such as one that a script fills, is not text that can be searched."""
MAX_SENTENCE_CHARS = 500
"""A longer sentence of a page is divided."""
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”’)\]]*\s+|(?<=[。！？])|\n+")
_PIECE = re.compile(rf".{{1,{MAX_SENTENCE_CHARS}}}(?:\s|$)|.{{1,{MAX_SENTENCE_CHARS}}}")


class Page:
    """The text of a page, indexed by words and figures.

    Args:
        text: plain text, with line feeds between blocks. Indexing takes time in proportion to its length.
        truncated: whether the page is longer than the text.
        address: the page's address. Its words count too: a name may be in the address only.
    """

    def __init__(self, text: str, truncated: bool = False, address: str = "") -> None:
        self.language, self.truncated, self._words = language_of(text), truncated or len(text) > MAX_PAGE_CHARS, 0
        self._places = defaultdict[str, list[int]](list)
        read = normalized(text[:MAX_PAGE_CHARS], MAX_PAGE_CHARS)
        self._flat = flat(read)
        self._heads = {word[:HEAD_CHARS] for word in f"{self._flat}{flat(address)}".split()}
        for place, sentence in enumerate(_sentences(read)):
            terms = terms_of(sentence)
            self._words += len(terms.words)
            for key in (*terms.words, *map(_figure_key, values_on_page(sentence, terms))):
                self._places[key].append(place)

    def check(self, passage: str, language: str = "") -> PassageCheck:
        """Looks for a passage of a report.

        Args:
            passage: plain text.
            language: the report's language, as `language_of` returns it.
        """
        read = normalized(passage)
        terms = terms_of_passage(read)
        if len(terms.words) + len(terms.figures) < MIN_TERMS:
            return PassageCheck(passage, Verdict.UNKNOWN, "a passage is too short")
        words, missing_figures = self._best_window(terms)
        if words >= FOUND_SHARE * len(terms.words) and (terms.words or not missing_figures):
            missing_words = self._missing_names(read, language)
            if any(part not in self._flat for part in quotations_of(read)):
                missing_words.append("the quotation, word for word,")
            if not missing_figures and not missing_words:
                return PassageCheck(passage, Verdict.FOUND)
            if missing_figures or not self.truncated:
                missing = ", ".join([*missing_figures, *missing_words])
                return PassageCheck(passage, Verdict.MISQUOTED, f"{missing} is not there")
        if self.truncated:
            return PassageCheck(passage, Verdict.UNKNOWN, "not in the part of the page that was read")
        if self._words < MIN_PAGE_WORDS:
            return PassageCheck(passage, Verdict.UNKNOWN, "the page has hardly any text")
        if is_other_language(language, self.language):
            figures = "; it has the figures" if terms.figures and self._has_figures(terms) else ""
            return PassageCheck(passage, Verdict.UNKNOWN, f"the page is in another language{figures}")
        return PassageCheck(passage, Verdict.NOT_FOUND)

    def _best_window(self, terms: Terms) -> tuple[int, list[str]]:
        """The number of a passage's words in the best window, and the figures that are missing there.

        A window with enough words is better than one without; then more figures decide, then more words.
        """
        hits = defaultdict[int, set[str | int]](set)
        for word in terms.words:
            for place in self._places.get(word, ()):
                hits[place].add(word)
        for number, figure in enumerate(terms.figures):
            for key in keys_of(figure):
                for place in self._places.get(_figure_key(key), ()):
                    hits[place].add(number)
        best: tuple[bool, int, int] = (False, 0, 0)
        found: set[str | int] = set()
        for first in hits:
            window = set[str | int]().union(*(hits.get(first + n, ()) for n in range(WINDOW_SENTENCES)))
            words = sum(isinstance(hit, str) for hit in window)
            rank = (words >= FOUND_SHARE * len(terms.words), len(window) - words, words)
            if rank > best:
                best, found = rank, window
        missing = {figure.written for number, figure in enumerate(terms.figures) if number not in found}
        inner = {one for one in missing for other in missing if one != other and one in other}  # the year of a date
        named = (figure.written for figure in terms.figures if figure.written in missing - inner)
        return best[2], list(dict.fromkeys(named))

    def _has_figures(self, terms: Terms) -> bool:
        return all(any(_figure_key(key) in self._places for key in keys_of(figure)) for figure in terms.figures)

    def _missing_names(self, passage: str, language: str) -> list[str]:
        """The names of a passage that are not on the page. None are known in German, which capitalizes all nouns."""
        if language in ("", UNKNOWN, "de"):
            return []
        return [name for name in names_of(passage) if not self._heads.issuperset(_heads(name))]


def _figure_key(value: str) -> str:
    """The key of a figure in the index; words have no "=" in them."""
    return f"={value}"


def _heads(name: str) -> set[str]:
    return {word[:HEAD_CHARS] for word in flat(name).split()}


def _sentences(text: str) -> Iterable[str]:
    for sentence in _SENTENCE_END.split(text):
        yield from _PIECE.findall(sentence.strip())
