"""Compares two reports by their statements and sources: what is new, gone and changed, without a model.

A statement is a sentence, a list item or a row of a table. Two statements belong together if they share most of their
words; they say the same if their figures are equal too. This measures words and figures, not meaning: a statement that
was turned into its opposite by one word counts as reworded.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tools.interactions.citation_marks import Source, split_at_marks
from tools.research.report.report import Report
from tools.research.verification.addresses import canonical
from tools.research.verification.figures_and_words import Terms, keys_of, normalized, terms_of
from tools.research.verification.matching import MIN_TERMS
from tools.research.verification.passages import blocks, plain_text
from tools.text.markdown import CODE_BLOCK

PAIR_SHARE = 0.6
"""Two statements are a pair if at least this share of their words is in both, from 0 to 1 (all words)."""
SAME_SHARE = 0.8
"""With at least this share in common, and equal figures, they say the same."""
MAX_STATEMENTS = 2_000
"""Statements of a report that are compared; the time grows with their square in the worst case."""
_CODE = re.compile(CODE_BLOCK, re.MULTILINE | re.DOTALL)
_NO_STATEMENT = re.compile(r"[ \t>]*(?:#|!\[)")
"""The start of a heading or a picture."""
_CITED = "\ue000{}\ue001"
"""Replaces citation marks by the numbers of their sources while a text is divided. Both are private-use characters."""
_NUMBERS = "\ue000([0-9,]*)\ue001"
_MARKS = "(?:\ue000[0-9,]*\ue001)*"
_SENTENCE = re.compile(rf"(?s).+?(?:[.!?…][\"”’)\]]*{_MARKS}(?:\s+|$)|[。！？]{_MARKS}|$)")
_WORD_OR_FIGURE = re.compile(r"\d[\d.,'’]*\d|\w+")


@dataclass(frozen=True)
class Statement:
    """A statement as plain text, and the sources that are cited for it."""

    text: str
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Change:
    """Two statements about the same, in the earlier and in the later report."""

    before: Statement
    after: Statement


@dataclass(frozen=True)
class Comparison:
    """The differences between the statements and sources of an earlier and a later report."""

    changed: tuple[Change, ...]
    """Other figures, or so many other words that it may be something else."""
    reworded: tuple[Change, ...]
    """The same figures, and nearly the same words."""
    new: tuple[Statement, ...]
    gone: tuple[Statement, ...]
    new_sources: tuple[Source, ...]
    gone_sources: tuple[Source, ...]
    unchanged: int
    """Number of statements with the same words in both."""

    @property
    def empty(self) -> bool:
        """Whether both say and cite the same, whatever the wording."""
        return not (self.changed or self.new or self.gone or self.new_sources or self.gone_sources)


def compare(before: Report, after: Report) -> Comparison:
    """Compares an earlier report with a later one."""
    old, new = statements_of(before), statements_of(after)
    same = _equal(old, new)
    pairs = _pairs(old, new, same)
    paired = {**same, **pairs}
    changes = {number: Change(old[earlier], new[number]) for number, earlier in sorted(pairs.items())}
    reworded = {number for number, change in changes.items() if _says_the_same(change)}
    earlier = set(paired.values())
    return Comparison(
        changed=tuple(change for number, change in changes.items() if number not in reworded),
        reworded=tuple(changes[number] for number in sorted(reworded)),
        new=tuple(statement for number, statement in enumerate(new) if number not in paired),
        gone=tuple(statement for number, statement in enumerate(old) if number not in earlier),
        new_sources=_missing(after.sources, before.sources),
        gone_sources=_missing(before.sources, after.sources),
        unchanged=len(same),
    )


def statements_of(report: Report) -> list[Statement]:
    """Lists the statements of a report, without headings, pictures, code, and what is too short to be compared."""
    sources = {source.number: source for source in report.sources}
    pieces = split_at_marks(re.sub("[\ue000\ue001]", "", report.text), report.sources)
    text = "".join(piece + (_CITED.format(",".join(map(str, cited))) if cited else "") for piece, cited in pieces)
    found = list[Statement]()
    for block in blocks(_CODE.sub("", text)):
        if _NO_STATEMENT.match(block):
            continue
        for sentence in _SENTENCE.findall(block):
            cited = dict.fromkeys(int(n) for run in re.findall(_NUMBERS, sentence) for n in run.split(","))
            plain = plain_text(re.sub(_NUMBERS, "", sentence))
            terms = _terms(plain)
            if len(terms.words) + len(terms.figures) >= MIN_TERMS:
                found.append(Statement(plain, tuple(sources[number] for number in cited)))
    return found[:MAX_STATEMENTS]


def _equal(old: Sequence[Statement], new: Sequence[Statement]) -> dict[int, int]:
    """Maps the number of each new statement to the number of an equal old statement."""
    places = defaultdict[str, list[int]](list)
    for number, statement in enumerate(old):
        places[_key(statement)].append(number)
    found = dict[int, int]()
    for number, statement in enumerate(new):
        if known := places[_key(statement)]:
            found[number] = known.pop(0)
    return found


def _pairs(old: Sequence[Statement], new: Sequence[Statement], same: dict[int, int]) -> dict[int, int]:
    """Maps the number of each new statement to that of the most similar old one. Each is used once, the best first."""
    left = sorted({*range(len(old))} - {*same.values()})
    words, places = {n: _terms(old[n].text).words for n in left}, defaultdict[str, list[int]](list)
    for number in left:
        for word in words[number]:
            places[word].append(number)
    ranked = list[tuple[float, int, int, int]]()
    for number, statement in enumerate(new):
        if number in same:
            continue
        wanted = _terms(statement.text).words
        common = Counter(earlier for word in wanted for earlier in places[word])
        for earlier, count in common.items():
            share = 2 * count / (len(wanted) + len(words[earlier]))
            if share >= PAIR_SHARE:
                ranked.append((-share, abs(number - earlier), number, earlier))
    found = dict[int, int]()
    used = set[int]()
    for _, _, number, earlier in sorted(ranked):
        if number not in found and earlier not in used:
            found[number] = earlier
            used.add(earlier)
    return found


def _says_the_same(change: Change) -> bool:
    before, after = _terms(change.before.text), _terms(change.after.text)
    common = len(before.words & after.words)
    figures = _has_all(before, after) and _has_all(after, before)
    return figures and 2 * common >= SAME_SHARE * (len(before.words) + len(after.words))


def _has_all(terms: Terms, other: Terms) -> bool:
    keys = {key for figure in other.figures for value in figure.values for key in (value, f"{value} {figure.unit}")}
    return all(keys_of(figure) & keys for figure in terms.figures)


def _missing(sources: Iterable[Source], others: Iterable[Source]) -> tuple[Source, ...]:
    """The sources that are not among the others, each once."""
    known, found = {_address(source) for source in others}, dict[str, Source]()
    for source in sources:
        if _address(source) not in known:
            found.setdefault(_address(source), source)
    return tuple(found.values())


def _address(source: Source) -> str:
    return canonical(source.url) if source.url else source.title


def _key(statement: Statement) -> str:
    return " ".join(_WORD_OR_FIGURE.findall(normalized(statement.text).casefold()))


def _terms(text: str) -> Terms:
    return terms_of(normalized(text))
