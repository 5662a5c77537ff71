"""Detects the language of a text from its letters and words, and names parts of a document in that language."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

UNKNOWN = "und"
"""The tag for a language that is not known."""
MAX_WORDS = 2_000
"""Number of words at the start of a text from which its language is guessed."""
MIN_FREQUENT_WORDS = 3
"""A text in the Latin script has at least this many frequent words of its language."""
MIN_FREQUENT_SHARE = 0.04
"""Minimum share of these words among all words: a long text in another language has a few of them too."""
_LANGUAGES = {
    "ARABIC": "ar",
    "ARMENIAN": "hy",
    "BENGALI": "bn",
    "CJK": "zh",
    "CYRILLIC": "ru",
    "DEVANAGARI": "hi",
    "ETHIOPIC": "am",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "GUJARATI": "gu",
    "HANGUL": "ko",
    "HEBREW": "he",
    "HIRAGANA": "ja",
    "KANNADA": "kn",
    "KATAKANA": "ja",
    "KHMER": "km",
    "LAO": "lo",
    "LATIN": "latin",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
    "TIBETAN": "bo",
}
"""The most used language of a script. A script is named by the first word of its letters' names in Unicode."""
_LETTER_WEIGHTS = {"CJK": 2, "HANGUL": 2, "HIRAGANA": 2, "KATAKANA": 2}
"""Scripts with short words: one letter counts as this many, so that a few English names do not outweigh a sentence."""
_LETTERS = (("ar", "fa", "پچژگ"), ("ar", "ur", "ٹڈڑے"), ("ru", "uk", "іїєґ"))
"""The usual language of a script, another language, and letters that only the other language has.

A text in which these are over 2 % of the letters is in the other language.
"""
_WORDS = {
    "de": "der die und das nicht mit ist von für auf",
    "en": "the and of is that with for are this from",
    "es": "el los y del una por con las que más",
    "fr": "le les et des une est dans pour du au",
    "it": "il di che della per non sono gli nel è",
    "nl": "het een van en voor niet zijn op dat met",
    "pl": "i w nie na się z do jest oraz przez",
    "pt": "o os e do da uma não para com são",
    "sv": "och att det som för inte på är av till",
    "tr": "ve bir bu için ile olarak daha olan çok gibi",
}
"""Frequent words of the languages that share the Latin script."""
_FIGURE_SOURCES = {
    "ar": ("الشكل", "المصادر"),
    "de": ("Abbildung", "Quellen"),
    "es": ("Figura", "Fuentes"),
    "fa": ("شکل", "منابع"),
    "fr": ("Figure", "Sources"),
    "he": ("איור", "מקורות"),
    "it": ("Figura", "Fonti"),
    "ja": ("図", "出典"),
    "ko": ("그림", "출처"),
    "nl": ("Figuur", "Bronnen"),
    "pt": ("Figura", "Fontes"),
    "ru": ("Рисунок", "Источники"),
    "ur": ("شکل", "ذرائع"),
    "zh-Hans": ("图", "来源"),
    "zh-Hant": ("圖", "來源"),
}


def language_of(text: str) -> str:
    """Guesses the language of a text as a BCP 47 tag, such as "en" or "zh-Hant".

    Returns "und" if the text does not show its language, and an empty text if it has no letters.
    """
    characters = Counter(text)
    scripts = Counter[str]()
    for character, count in characters.items():
        if character.isalpha():
            script = unicodedata.name(character, "").partition(" ")[0]
            scripts[script] += count * _LETTER_WEIGHTS.get(script, 1)
    if not scripts:
        return ""
    kana = scripts.pop("HIRAGANA", 0) + scripts.pop("KATAKANA", 0)
    if kana > 0.05 * (kana + scripts["CJK"]):  # Japanese text has Chinese characters too, often more of them
        scripts["HIRAGANA"] = kana + scripts.pop("CJK", 0)
    language = _LANGUAGES.get(scripts.most_common(1)[0][0], UNKNOWN)
    if language == "zh":
        return _chinese(characters)
    for base, other, letters in _LETTERS:
        if language == base and sum(characters[letter] for letter in letters) > 0.02 * scripts.total():
            return other
    return _latin(text) if language == "latin" else language


def is_other_language(language: str, other: str) -> bool:
    """Whether two texts are in different languages, given their tags. False if that is not certain."""
    if UNKNOWN in (language, other):  # in the Latin script, or in one without a known language
        known = language if other == UNKNOWN else other
        return known not in ("", UNKNOWN, *_WORDS)
    return bool(language and other) and language != other


def same_letters(language: str, around: str) -> bool:
    """Whether a text in `language` needs no language tag of its own within a text in the language `around`.

    That is so if both have the same letters. Chinese characters are also a part of Japanese and Korean.
    """
    own, others = _letters(language), _letters(around)
    return own == others or (own == "zh" and others in ("ja", "ko"))


def figure_word(language: str) -> str:
    """Returns "Figure" in a language, or in English."""
    return _FIGURE_SOURCES.get(language, ("Figure", ""))[0]


def sources_word(language: str) -> str:
    """Returns "Sources" in a language, or in English."""
    return _FIGURE_SOURCES.get(language, ("", "Sources"))[1]


def _letters(language: str) -> str:
    if language in _WORDS or language in ("", "und"):
        return "latin"
    return next((base for base, other, _ in _LETTERS if other == language), language.partition("-")[0])


def _chinese(characters: Counter[str]) -> str:
    """Tells traditional from simplified characters by the older character sets, which have only one of the two."""
    traditional = sum(count for character, count in characters.items() if _has("big5", character))
    simplified = sum(count for character, count in characters.items() if _has("gb2312", character))
    return "zh-Hant" if traditional > simplified else "zh-Hans"


def _has(encoding: str, character: str) -> bool:
    try:
        return bool(character.encode(encoding))
    except UnicodeEncodeError:
        return False


def _latin(text: str) -> str:
    words = Counter(re.findall(r"\w+", text.lower()[: 20 * MAX_WORDS])[:MAX_WORDS])
    scores = {language: sum(words[word] for word in known.split()) for language, known in _WORDS.items()}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] >= max(MIN_FREQUENT_WORDS, MIN_FREQUENT_SHARE * words.total()) else UNKNOWN
