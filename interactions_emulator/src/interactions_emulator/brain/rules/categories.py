"""A small lexicon of what a text may be, such as spam or a threat, for choosing among the values of an enum."""

from __future__ import annotations

import re

from interactions_emulator.brain.rules.message import any_line
from interactions_emulator.corpus.words import stem, word_set

_CUES = {
    "harm harmful violence violent threat hate dangerous selfharm suicide unsafe toxic": r"""
        (?:kill|hurt|murder|stab|shoot|beat up) (?:you|him|her|them|your\w*|myself|people)|cutting myself
        should (?:all )?(?:be (?:shot|killed|hanged)|die)|break your (?:legs|neck|bones)|burn \w+ house
        watch your back|know where you live|(?:make|build) a (?:\w+ )?bomb|want to die|end my life
        vermin|wiped out|bringe? dich um|je vais te tuer|te voy a matar""",
    "inappropriate offensive abusive toxic unsafe harassment insult rude vulgar profanity sexual adult": r"""
        idiots?|morons?|losers?|pathetic|brainless|imbécile|shut up|get lost|nobody likes you|old hag|\w*shit\w*|fuck\w*
        bitch|arse|asshole|you are an? (?:\w+ )?(?:fool|disgrace|pig)|tits|nudes?|porn""",
    "spam scam fraud phishing advertising promotion unsafe": r"""
        prize|voucher|claim|lottery|jackpot|guaranteed|congratulations|cash|bonus|ringtone|crypto|singles
        you(?:'ve| have)? (?:been selected|won)|click (?:here|now)|(?:act|order|buy) (?:now|today)|\d+% off
        cheap|offer|www|https?|account has been suspended|verify your account|work from home|followers|txt
        final notice|pay the fee|parcel|use code|inherited|bank details|earn \W\d+|free prize|\d{5}""",
}
"""Names of a category in a schema, and its cues in a text. Each line is an alternative."""
SPAM_WEIGHT = 0.6
"""The weight of one cue of spam, which alone is too little. Other cues weigh 1."""
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
    for names, lines in _CUES.items():
        if stems & set(map(stem, names.split())):
            found = list(dict.fromkeys(re.findall(rf"\b(?:{any_line(lines)})\b", plain.casefold())))
            weight += len(found) * (SPAM_WEIGHT if "spam" in names else 1)
            cues += found
    return weight, cues
