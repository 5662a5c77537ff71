"""Splits text of any language into words, stems and sentences, without a dictionary."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Scripts without spaces (Chinese, Japanese, Korean, Thai, Lao, Burmese, Khmer) as regular-expression ranges."""
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0900-\u0963\u0971-\u0d7f"
"""Ranges of combining accents and vowel signs, which `re` does not count as letters."""
_LETTER = rf"(?:[^\W{UNSPACED}_]|[{_MARKS}])"
_WORD = re.compile(rf"[{UNSPACED}]+|{_LETTER}+(?:['’]{_LETTER}+)?")
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)?")
_IS_UNSPACED = re.compile(rf"[{UNSPACED}]")


def word_set(text: str) -> frozenset[str]:
    """The set of words in a text separated by white space."""
    return frozenset(text.split())


STOPWORDS = word_set("""
    a about above after again all also am an and any are aren't as at be because been before being below between
    both but by can can't cannot could couldn't did didn't do does doesn't doing don't down during each either etc
    few for from further get gets give given go going got had has hasn't have haven't having he her here hers him
    his how i i'd i'll i'm i've if in into is isn't it it's its itself just let let's like made make many may me
    might more most much must my myself need needs no nor not now of off on once one only or other our ours out
    over own per please quite rather really same shall she should shouldn't so some such than that that's the
    their theirs them then there there's these they this those through to too two under until up upon us use used
    using very via want was wasn't we well were weren't what what's whats when where which while who whom whose
    why will with within without won't would wouldn't yet you you'd you'll you're your yours tell know find say
    says said show thing things way ways help der die das den dem ein eine einen einem einer und oder ist sind
    nicht mit von zu im auf für wie was wer wo wann warum bitte ich du er sie es wir ihr mir mich le la les un une
    des du de et ou est sont pas avec pour dans sur que qui quoi comment pourquoi je tu il elle nous vous mon ma
    mes el los las una unos unas y o es son con por para en qué que quién cómo cuándo dónde yo mi mis
    ce cet cette ces au aux il lo gli che chi cosa come dove perché è sono della dei os as um uma não são como
    и в на о об с к по из за от до для не это что такое кто где как почему когда или а но
    ما هي هو من في عن على إلى هل كيف لماذا أين متى أو و التي الذي
    क्या है हैं का की के को में से और पर यह वह कौन कैसे क्यों कहाँ
""")
_QUESTION_WORDS = re.compile(
    "什么是|是什么|什么|请问|怎么|如何|为什么|哪里|哪些|多少|とは何ですか|何ですか|とは|ですか|について|教えて"
    "|이란|무엇입니까|무엇인가요|무엇|คืออะไร|อะไร"
)
"""Question words in scripts without spaces."""
_ENDINGS = re.compile(
    "(?<=[а-яё]{3})(?:[ыи]ми|[оае]го|[оае]му|[ая]ми|[аяоеыи]я|[ую]ю|[оеыи]й|[оеыи]е|[оеая]м|[ая]х|и[юи]|[аяоеуюыиьй])$"
    "|^(?:وال|بال|كال|فال|لل|ال)(?=.{3})"
)
"""The most common Russian endings, and the Arabic article."""
_ELISION = re.compile(r"(?:[ldjcnsmt]|qu|dell|all|dall|nell|sull|un)'(?=\w{2})")


def words(text: str) -> list[str]:
    """Lower-case words in order. Text in scripts without spaces gives overlapping pairs of characters."""
    found: list[str] = []
    if text.isascii():
        return [_ELISION.sub("", run) if "'" in run else run for run in _ASCII_WORD.findall(text.lower())]
    for run in _WORD.findall(text.casefold()):
        if _IS_UNSPACED.match(run) and len(run) > 1:
            found += [run[i : i + 2] for i in range(len(run) - 1)]
        else:
            found.append(_ELISION.sub("", run.replace("’", "'")))
    return found


def terms(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order, with repetitions."""
    if not text.isascii():
        text = _QUESTION_WORDS.sub(" ", text)
    return [stem(word) for word in words(text) if word not in STOPWORDS and (len(word) > 1 or word.isdigit())]


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """The stem of a word: `moderates`, `moderation` and `moderator` have the same stem.

    Accents are removed, so that `cafe` finds `Café`. In scripts other than Latin, only the `_ENDINGS` are removed.
    """
    word = word.removesuffix("'s")
    if not word.isascii():
        bare = "".join(c for c in unicodedata.normalize("NFKD", word) if not "\u0300" <= c <= "\u036f")
        word = _ENDINGS.sub("", unicodedata.normalize("NFC", bare) or word)
    if len(word) <= 3 or not word.isascii():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ingly", "edly", "ing", "ed"):
        root = word.removesuffix(ending)
        if root != word and len(root) >= 3 and re.search("[aeiouy]", root):
            word = root[:-1] if root[-1] == root[-2] and root[-1] not in "lsz" else root
            break
    for ending in (
        "ization",
        "isation",
        "ication",
        "ation",
        "ator",
        "ative",
        "ment",
        "ness",
        "ly",
        "ize",
        "ise",
        "ate",
        "er",
        "or",
        "ion",
    ):
        root = word.removesuffix(ending)
        if root != word and len(root) >= 4:
            word = root
            break
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") and len(word) > 3 else word


_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|fig|figs|eq|no|nos|vol|ch|sec|dr|mr|mrs|ms|prof|st|inc|ltd|approx|resp|jr|sr|p|pp"
    r"|ed|eds|[a-z])|\b[A-Z])\.$",
    re.IGNORECASE,
)
SENTENCE_ENDS = ".!?。！？؟۔।"
"""Characters that end a sentence, in most scripts."""
_SENTENCE_END = re.compile(r"(?<=[.!?؟۔।])[\"'”’»)\]]*\s+(?=[\"'“‘„«¿¡(\[]*[^\W_a-zß-öø-ÿа-яё])|(?<=[。！？])")


def is_mark(character: str) -> bool:
    """Whether a character is an accent or vowel sign, which belongs to the letter before it."""
    return character > "\u02ff" and unicodedata.category(character)[0] == "M"


def sentences(text: str) -> list[str]:
    """The sentences of a text, each a substring of `text` without surrounding white space."""
    found: list[str] = []
    start = 0
    for end in _SENTENCE_END.finditer(text):
        head = text[start : end.start()]
        if head.rstrip("\"'”’)]").endswith(".") and _ABBREVIATION.search(head[-12:]):
            continue
        _add_sentence(found, text[start : end.end()])
        start = end.end()
    _add_sentence(found, text[start:])
    return found


def _add_sentence(found: list[str], sentence: str) -> None:
    if sentence := sentence.strip():
        found.append(sentence)


def clip(text: str, limit: int) -> str:
    """The text on one line. If it is longer than `limit` characters, it is cut between words and gets an ellipsis."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    return text[:limit].rsplit(" ", 1)[0].rstrip(",;:") + "…"


def join_names(names: list[str], last: str = "and") -> str:
    """The names as an enumeration: `["a", "b", "c"]` as `a, b and c`. `last` is the word before the last name."""
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
