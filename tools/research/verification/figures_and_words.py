"""Decides which figures and words count as equal, in time linear in the text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from tools.research.verification.dates import WRITTEN_DATE, dates_of, fields_of_date, joined_date
from tools.research.verification.scales_and_units import CONTEXT_CHARS, SCALES, UNKNOWN_UNIT, scale_and_unit
from tools.text.unicode_normalization import normalize

MIN_WORD_CHARS = 4
"""Shorter words do not count, unless they are written in capitals (EU, TPU) or their script has no spaces."""
STEM_CHARS = 6
"""Words are compared by their first characters, so that most inflected forms are equal."""
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese: there, two neighbouring characters count as a word."""
_TOKEN = re.compile(
    rf"""(?P<date>\d{{4}}-\d\d-\d\d(?!\d) | \d{{1,2}}(?P<mark>[./])\d{{1,2}}(?P=mark)\d{{4}}(?!\d))
    | (?P<ratio>\d+:\d+(?!\d))
    | (?P<number>\d{{1,3}}(?:[ ]\d{{3}})+(?:[.,]\d+)?(?![\d]) | \d+(?:[.,'’]\d+)*)
    | (?P<unspaced>[{UNSPACED}]+)
    | (?P<word>(?:(?![{UNSPACED}])[^\W_])+)""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Figure:
    """A number, with its unit if that is known, or a date. Its possible values: "1,234" is 1234 or 1.234."""

    written: str
    values: frozenset[str]
    unit: str = ""
    """The unit of the number; `UNKNOWN_UNIT` if its unit is not known, empty if the text names none."""


@dataclass(frozen=True)
class Terms:
    """The words and figures of a text, by which it is compared with others."""

    words: frozenset[str]
    figures: tuple[Figure, ...]


def normalized(text: str, max_chars: int | None = None) -> str:
    """Returns a text in one form of Unicode (NFKC), with ASCII digits and without invisible characters.

    Args:
        max_chars: the text is cut there.
    """
    text = _INVISIBLE.sub("", normalize("NFKC", text, max_chars))
    return _FOREIGN_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)


def terms_of(text: str) -> Terms:
    """Finds the words and figures of a normalized text."""
    words, figures = set[str](), list[Figure]()
    for token in _TOKEN.finditer(text):
        written = token[0]
        if token["date"]:
            figures.append(Figure(written, dates_of(written)))
        elif token["ratio"]:
            figures.append(Figure(written, frozenset({written})))
        elif token["number"]:
            before = text[max(0, token.start() - CONTEXT_CHARS) : token.start()]
            after = text[token.end() : token.end() + CONTEXT_CHARS]
            scale, unit = scale_and_unit(before, after)
            shown = " ".join(filter(None, (written, SCALES.get(scale), unit if unit != UNKNOWN_UNIT else "")))
            figures.append(Figure(shown, _scaled(_values(written), scale), unit))
        elif token["unspaced"]:
            words |= {written[at : at + 2] for at in range(max(1, len(written) - 1))}
        elif len(written) >= MIN_WORD_CHARS or (len(written) > 1 and written.isupper()):
            words.add(_stem(written))
    return Terms(frozenset(words), tuple(figures))


def terms_of_passage(text: str) -> Terms:
    """Finds the words and figures of a normalized passage of a report. A date in words is one figure, and its year."""
    plain, figures, rest, end = text.casefold(), list[Figure](), list[str](), 0
    if len(plain) != len(text):  # a few letters have another length in lower case
        text = plain
    for date in WRITTEN_DATE.finditer(plain):
        year, month, day = fields_of_date(date)
        if year:
            written = text[date.start() : date.end()].strip()
            values = {joined_date(year, month, day), joined_date("", month, day)}
            figures += [Figure(written, frozenset(values)), Figure(year, frozenset({year}))]
            rest.append(text[end : date.start()])
            end = date.end()
    others = terms_of(" ".join([*rest, text[end:]]))
    return Terms(others.words, (*figures, *others.figures))


def values_on_page(text: str, terms: Terms) -> set[str]:
    """Returns the keys of all figures that a sentence of a page may mean, also of parts of dates.

    Args:
        text: the sentence, normalized.
        terms: its terms.
    """
    found = set[str]()
    for figure in terms.figures:
        values = figure.values.union(*map(_values, _parts(figure)))
        values |= {value[:7] for value in figure.values if re.fullmatch(r"\d{4}-\d\d-\d\d", value)}
        found |= values | {f"{value} {figure.unit}" for value in values}
    for date in WRITTEN_DATE.finditer(text.casefold()):
        year, month, day = fields_of_date(date)
        found |= {joined_date(year, month, day), joined_date(year, month, "")}
    return found


def keys_of(figure: Figure) -> set[str]:
    """Returns the keys of `values_on_page` that match a passage's figure: equal in value, and in unit if known."""
    if figure.unit in ("", UNKNOWN_UNIT):
        return {*figure.values}
    return {f"{value} {unit}" for value in figure.values for unit in (figure.unit, "")}


def _stem(word: str) -> str:
    word = word.casefold()
    return (word[:-1] if word.endswith("s") and len(word) > MIN_WORD_CHARS else word)[:STEM_CHARS]


def _values(written: str) -> frozenset[str]:
    """Reads 1,234.5 and 1.234,5 and 1 234,5 and 1'234.5 as 1234.5. Other texts, such as 1.2.3, stay as they are."""
    compact = re.sub(r"[ '’]", "", written)
    marks, parts = re.findall(r"[.,]", compact), re.split(r"[.,]", compact)
    whole, fraction = "".join(parts[:-1]), parts[-1]
    grouped = 0 < len(parts[0]) <= 3 and parts[0] != "0" and all(len(part) == 3 for part in parts[1:])
    if not marks:
        return frozenset({_decimal(compact)})
    if len(marks) == 1:
        either = {_decimal(whole, fraction)}
        return frozenset(either | {_decimal(whole + fraction)} if grouped else either)
    if len({*marks}) == 1:
        return frozenset({_decimal(whole + fraction) if grouped else compact})
    if len({*marks[:-1]}) == 1:
        return frozenset({_decimal(whole, fraction)})
    return frozenset({compact})


def _decimal(whole: str, fraction: str = "") -> str:
    whole = whole.lstrip("0") or "0"
    return f"{whole}.{fraction}" if fraction.strip("0") else whole


def _scaled(values: frozenset[str], scale: int) -> frozenset[str]:
    """Returns the values times a scale: 1.2 million is 1200000."""
    if scale == 1:
        return values
    scaled = (Decimal(value) * scale for value in values if re.fullmatch(r"\d{1,20}(?:\.\d{1,20})?", value))
    return frozenset(_decimal(*f"{value:f}".split(".")) for value in scaled)


def _parts(figure: Figure) -> list[str]:
    """The numbers in a date, or in digits with spaces, which may be one number or several."""
    is_date = any("-" in value for value in figure.values)
    if is_date or ":" in figure.written:
        return re.findall(r"\d+", figure.written)
    return re.findall(r"\d[\d.,'’]*(?<=\d)", figure.written) if re.search(r"\d \d", figure.written) else []
