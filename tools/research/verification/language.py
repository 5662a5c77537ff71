"""Guesses the language of a text, to tell whether two texts can have words in common."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

MAX_CHARS = 20_000
"""Number of characters at the start of a text that are looked at."""
MIN_SHARE = 0.04
"""Minimum share of a language's frequent words among all words."""
_FREQUENT = {
    "de": "der die und das nicht mit ist von für auf den dem",
    "en": "the and of is that with for are this from to was",
    "es": "el los y del una por con las que más se su",
    "fr": "le les et des une est dans pour du au qui sur",
    "it": "il di che della per non sono gli nel è una dei",
    "nl": "het een van en voor niet zijn op dat met de te",
    "pt": "o os e do da uma não para com são um em",
}
_LANGUAGES = {
    word: [name for name, words in _FREQUENT.items() if word in words.split()]
    for words in _FREQUENT.values()
    for word in words.split()
}


def language_of(text: str) -> str:
    """Returns a language that is written in Latin letters ("de"), or the name of another script ("CYRILLIC").

    Returns an empty text if it cannot be told.
    """
    text = text[:MAX_CHARS]
    scripts = Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in text if letter.isalpha())
    script = scripts.most_common(1)[0][0] if scripts else ""
    if script in ("HIRAGANA", "KATAKANA"):
        return "CJK"
    if script != "LATIN":
        return script
    words = re.findall(r"\w+", text.casefold())
    found = Counter(name for word in words for name in _LANGUAGES.get(word, ()))
    name, count = found.most_common(1)[0] if found else ("", 0)
    return name if count >= MIN_SHARE * len(words) else ""
