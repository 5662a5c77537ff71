"""A small lexicon of what a text may be, such as spam or a threat, for choosing among the values of an enum."""

from __future__ import annotations

import re

from interactions_emulator.corpus.words import stem, word_set

_HARM = word_set("harm harmful violence violent threat hate dangerous selfharm suicide unsafe toxic")
_INSULT = word_set("inappropriate offensive abusive toxic unsafe harassment insult rude vulgar profanity sexual adult")
_SPAM = word_set("spam scam fraud phishing advertising promotion unsafe")
_CATEGORIES: tuple[tuple[frozenset[str], float, str], ...] = (
    (_HARM, 1.5, r"(?:kill|hurt|murder|stab|shoot|beat up) (?:you|him|her|them|your\w*|myself|people)|cutting myself"),
    (_HARM, 1.5, r"should (?:all )?(?:be (?:shot|killed|hanged)|die)|break your (?:legs|neck|bones)|burn \w+ house"),
    (_HARM, 1.5, r"watch your back|know where you live|(?:make|build) a (?:\w+ )?bomb|want to die|end my life"),
    (_HARM, 1.5, r"vermin|wiped out|bringe? dich um|je vais te tuer|te voy a matar"),
    (_INSULT, 1.0, r"idiots?|morons?|losers?|pathetic|brainless|imbécile|shut up|get lost|nobody likes you|old hag"),
    (
        _INSULT,
        1.0,
        r"\w*shit\w*|fuck\w*|bitch|arse|asshole|you are an? (?:\w+ )?(?:fool|disgrace|pig)|tits|nudes?|porn",
    ),
    (_SPAM, 0.6, r"prize|voucher|claim|lottery|jackpot|guaranteed|congratulations|cash|bonus|ringtone|crypto|singles"),
    (
        _SPAM,
        0.6,
        r"you(?:'ve| have)? (?:been selected|won)|click (?:here|now)|(?:act|order|buy) (?:now|today)|\d+% off",
    ),
    (_SPAM, 0.6, r"cheap|offer|www|https?|account has been suspended|verify your account|work from home|followers|txt"),
    (_SPAM, 0.6, r"final notice|pay the fee|parcel|use code|inherited|bank details|earn \W\d+|free prize|\d{5}"),
)
"""Names of a category in a schema, the weight of one cue (of spam alone it is too little), and the cues in a text."""
_BENIGN = word_set("safe none neutral ok okay other clean ham general normal unknown allowed harmless no")
_REPORTED = re.compile(r"(?i)\bcalled (?:me|him|her|us|them) an? (?:\w+ )?\w+")
"""Matches a report of what others said, which is no insult."""


def is_benign(name: str) -> bool:
    """Whether a name such as `safe` or `other` means that nothing special was found."""
    return bool(set(re.split(r"[\s_-]+", name.casefold())) & _BENIGN)


def cues_of(name: str, text: str) -> tuple[float, list[str]]:
    """How strongly a text indicates what a name such as `isSpam` means, and the words that do."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").casefold().split()
    stems = {stem(part) for part in (*parts, "".join(parts))}
    plain, weight, cues = _REPORTED.sub(" ", text), 0.0, list[str]()
    for names, one_weight, pattern in _CATEGORIES:
        if stems & set(map(stem, names)):
            found = list(dict.fromkeys(re.findall(rf"\b(?:{pattern})\b", plain.casefold())))
            weight, cues = weight + one_weight * len(found), [*cues, *found]
    return weight, cues
