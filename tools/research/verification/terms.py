"""Divides a text into the words and figures that are compared. Every function takes time linear in the text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

MIN_WORD_CHARS = 4
"""Shorter words do not count, unless they are written in capitals (EU, TPU) or their script has no spaces."""
STEM_CHARS = 6
"""Words are compared by their first characters, so that most inflected forms are equal."""
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese: there, two neighbouring characters count as a word."""
_TOKEN = re.compile(
    rf"""(?P<date>\d{{4}}-\d\d-\d\d(?!\d) | \d{{1,2}}(?P<mark>[./])\d{{1,2}}(?P=mark)\d{{4}}(?!\d))
    | (?P<number>\d{{1,3}}(?:[ ]\d{{3}})+(?:[.,]\d+)?(?![\d]) | \d+(?:[.,'’]\d+)*)
    | (?P<unspaced>[{_UNSPACED}]+)
    | (?P<word>(?:(?![{_UNSPACED}])[^\W_])+)""",
    re.VERBOSE,
)
_SCALES = (("thousand", 10**3), ("million", 10**6), ("milliard", 10**9), ("billion", 10**9), ("trillion", 10**12))
_MONTHS = {"jan": 1, "feb": 2, "mar": 3, "mär": 3, "apr": 4, "may": 5, "mai": 5, "jun": 6, "jul": 7, "aug": 8} | {
    "sep": 9, "oct": 10, "okt": 10, "nov": 11, "dec": 12, "dez": 12
}  # fmt: skip
"""The first letters of the English and German names of months."""
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[^\W\d_]{{0,7}}\.?"
_WRITTEN_DATES = (
    re.compile(rf"(?<!\d)(?P<day>\d{{1,2}})(?:\.|st|nd|rd|th)? {_MONTH} (?P<year>\d{{4}})(?!\d)"),
    re.compile(rf"(?<![^\W\d_]){_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}})(?!\d)"),
)


@dataclass(frozen=True)
class Figure:
    """A number or a numeric date, as it is written, and its possible values: "1,234" is 1234 or 1.234."""

    written: str
    values: frozenset[str]


@dataclass(frozen=True)
class Terms:
    """What a text is compared by."""

    words: frozenset[str]
    figures: tuple[Figure, ...]

    @property
    def values(self) -> frozenset[str]:
        """All possible values of all figures."""
        return frozenset().union(*(figure.values for figure in self.figures))


def normalized(text: str) -> str:
    """Returns a text in one form of Unicode (NFKC), with ASCII digits and without invisible characters."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return _FOREIGN_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)


def terms_of(text: str) -> Terms:
    """Finds the words and figures of a normalized text."""
    words, figures = set[str](), list[Figure]()
    for token in _TOKEN.finditer(text):
        written = token[0]
        if token["date"]:
            figures.append(Figure(written, _dates(written)))
        elif token["number"]:
            values = _values(written)
            figures.append(Figure(written, values | _scaled(values, text[token.end() : token.end() + 12])))
        elif token["unspaced"]:
            words |= {written[at : at + 2] for at in range(max(1, len(written) - 1))}
        elif len(written) >= MIN_WORD_CHARS or (len(written) > 1 and written.isupper()):
            words.add(_stem(written))
    return Terms(frozenset(words), tuple(figures))


def values_on_page(text: str, terms: Terms) -> frozenset[str]:
    """Returns all values that a sentence of a page may mean, also the parts of dates and the dates in words.

    Args:
        text: the sentence, normalized.
        terms: its terms.
    """
    parts = (part for figure in terms.figures for part in _parts(figure))
    plain = text.casefold()
    dates = (
        _date(date["year"], str(_MONTHS[date["month"]]), date["day"])
        for pattern in _WRITTEN_DATES
        for date in pattern.finditer(plain)
    )
    return terms.values.union(dates, *map(_values, parts))


def _stem(word: str) -> str:
    word = word.casefold()
    return (word[:-1] if word.endswith("s") and len(word) > MIN_WORD_CHARS else word)[:STEM_CHARS]


def _values(written: str) -> frozenset[str]:
    """Reads 1,234.5 and 1.234,5 and 1 234,5 and 1'234.5 as 1234.5. What is no number, such as 1.2.3, stays as it is."""
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


def _scaled(values: frozenset[str], following: str) -> frozenset[str]:
    """Returns the values times the number that follows in words: 1.2 million is also 1200000."""
    word = following.lstrip().casefold()
    scale = next((size for name, size in _SCALES if word.startswith(name)), None)
    if scale is None:
        return frozenset()
    scaled = (Decimal(value) * scale for value in values if re.fullmatch(r"\d{1,20}(?:\.\d{1,20})?", value))
    return frozenset(_decimal(*f"{value:f}".split(".")) for value in scaled)


def _parts(figure: Figure) -> list[str]:
    """The numbers in a date, and those beside each other that may be one number with spaces or several."""
    is_date = any("-" in value for value in figure.values)
    return re.findall(r"\d+", figure.written) if is_date else figure.written.split(" ")


def _dates(written: str) -> frozenset[str]:
    """Reads 2016-05-03 and 03.05.2016; 03/05/2016 is 3 May or 5 March."""
    first, second, third = re.findall(r"\d+", written)
    if len(first) == 4:
        return frozenset({_date(first, second, third)})
    either = {_date(third, second, first)}
    return frozenset(either | {_date(third, first, second)} if "/" in written else either)


def _date(year: str, month: str, day: str) -> str:
    return f"{year}-{month.zfill(2)}-{day.zfill(2)}"
