"""Makes the order of a research run from a message: the brief and the settings."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from interactions_emulator.brain.rules.brief import parse
from interactions_emulator.brain.rules.intents import MEMORY, SMALL_TALK, intent_of
from interactions_emulator.brain.rules.parsed_turn import ParsedTurn
from interactions_emulator.brain.rules.research_phrases import JOB_ID, research_intents
from interactions_emulator.corpus.words import clip, terms

MAX_TITLE_CHARS = 70
"""Maximum characters of a title."""
MAX_RESOLVED_CHARS = 2_000
"""Maximum characters of a message that is cleaned and whose references are resolved.

A longer message is used unchanged as the brief.
"""
MAX_BRIEF_CHARS = 20_000
"""Maximum characters of a brief."""


class Order(NamedTuple):
    """A brief that is complete without the conversation ("" if the message has no topic), and the settings."""

    brief: str
    settings: dict[str, Any]
    """Arguments of `start_research`: "depth" and "plan_first"."""

    @property
    def title(self) -> str:
        """A title of a few words from the brief."""
        return clip(title_of(self.brief), MAX_TITLE_CHARS)


_END = r"(?=\s*(?:[.,;!?]|$))"
_PLAN = re.compile(
    r"(?i)[\s,;.!–-]*\b(?:(?:and|but|und|aber|et|y|please|bitte|can you|could you|i want to|let me)[\s,]+)*(?:"
    r"(?:(?:show|give|send|make|see|look\sat|propose|draft|have)\s(?:me\s|us\s)?(?:a|the|your)\s(?:research\s)?plan"
    rf"(?:\s(?:first|before\b[^.,;!?]*)|{_END})|(?:with\s)?(?:a\s)?plan\sfirst)"
    r"|(?:zeige?|mache?|gib|erstelle)(?:\smir)?(?:\sbitte)?(?:\s(?:zuerst|erst|vorher))?\s(?:einen|den)\splan"
    rf"(?:\s(?:zuerst|vorher)|{_END})|(?:zuerst|erst|vorher)\s(?:bitte\s)?(?:einen|den)\splan\b(?:\szeigen|\sbitte)*"
    r"|(?:montre|fais|donne)[rz]?(?:-moi)?(?:\sd'abord)?\s(?:un|le|ton)\splan(?:\sd'abord)?|d'abord\sun\splan"
    r"|(?:muéstrame|haz|dame|enséñame)(?:\sprimero)?\s(?:un|el|tu)\splan(?:\sprimero)?|primero\sun\splan)"
)
_MAX = re.compile(
    r"(?i)[\s,;]*\b(?:(?:and|please|use|using|with|in|on|by|run|und|nutze|mit|im|avec|utilise|con|usa)\s+)*(?:the\s)?"
    r"(?:deep\sresearch\smax\b(?:\s(?:agent|mode))?|max(?:imum)?\s(?:research|depth|agent|mode)\b"
    r"|(?<=\s)max(?=\s(?:instead|then|please)|\s*(?:[.,;!?]|$)))(?:\s(?:instead|then))?\s?:?"
)
_STANDARD = re.compile(
    r"(?i)[\s,;]*\b(?:(?:and|please|use|using|with|take|run)\s+)*"
    r"(?:(?:the|a)\s|^|(?<=[,;.!]\s))(?:standard|normal|regular|cheaper)"
    r"\s(?:one|agent|run|version|research)\b(?:\sinstead)?"
)
_POLITE_WORDS = re.compile(
    r"(?i)[\s,;.!–-]*(?:\b(?:please|pls|thank you|thanks|bitte|danke|s'il (?:te|vous) plaît|merci|por favor|gracias"
    rf"|for me|to me|ask (?:me )?before (?:you )?start(?:ing)?(?: it)?){_END}|\s(?:please|bitte)(?=\s)"
    r"|,? (?:and )?us(?:e|ing) the attached \w+(?: as well| too)?"
    r"|,? (?:that |which )?(?:you|we) (?:just |have )?(?:mentioned|named|listed|talked about|told me about)"
    r"|,? d(?:ie|en) du (?:genannt|erwähnt) hast|,? que tu (?:m')?as mentionné\w*|,? que (?:has )?menciona(?:ste|do))"
)
_START = re.compile(
    r"(?i)^(?:(?:ok(?:ay)?|so|now|then|well|yes|great|thanks|thx|thank you|hi|hello|hey|hallo|bonjour|hola|also"
    r"|good (?:morning|afternoon|evening|day)|guten (?:morgen|tag|abend)|und|dann|et|alors|y|entonces"
    r"|please|pls|bitte|por favor|s'il (?:te|vous) plaît|i(?:'d like| want| would like) to|let's"
    r"|(?P<asks>(?:can|could|would|will) you|i(?:'d like| want| would like) you to|(?:kannst|könntest) du(?: mir)?"
    r"|peux-tu|pourrais-tu|pouvez-vous|puedes|podrías)"
    r"|(?:a )?new research(?: run)?(?: (?:on|about|into))?|neue recherche(?: (?:über|zu))?"
    r"|nouvelle recherche(?: sur)?|nueva investigación(?: sobre)?|deep research max)(?:[\s,.:;!–-]+|$))+"
)
_DOING = (
    r"about|on|into|of|regarding|research|investigate|explore|study|analy[sz]e|examine|compare|über|untersuche|erforsche"
    r"|recherchiere|sur|étudie|analyse|sobre|investiga|estudia|analiza"
)
_REFERENCE = re.compile(
    rf"(?i)\b(?P<doing>{_DOING})\s+(?:(?P<choice>(?:the|die|das|den|le|la|el)\s(?P<which>first|former|second|third|last"
    r"|latter|other|erste|zweite|dritte|letzte|premier|première|second|seconde|deuxième|dernière?|primero|primera"
    r"|segundo|segunda|último|última)n?(?:\s(?:one|option|alternative|eine))?)"
    r"|(?:that|this|it|them|these|those|das|dieses|es|diese|ça|cela|eso|esto|ello)"
    r"|(?:that|this|the same|dieses|diesem|ce|ese|este)\s(?:topic|subject|question|thema|sujet|tema))"
    rf"(?={_END}|\s(?:and|in|with|for|as|too|from|thoroughly|und|im|mit|für|et|avec|pour|en|y|con|para|a fondo)\b)"
)
_SHORT_REFERENCE = re.compile(r"(?i)\b(?:(darüber|dazu)|(là-dessus|à ce sujet)|(al respecto))\b")
_ABOUT = ("über", "sur", "sobre")
_ORDINALS = {
    0: "first former erste premier première primero primera",
    1: "second other zweite seconde deuxième segundo segunda",
    2: "third dritte",
    -1: "last latter letzte dernier dernière último última",
}
_ASKED = re.compile(
    r"(?i)^¿?(?:what(?:'s|\sis|\sare)|who(?:'s|\sis|\sare)|tell me(?: more)? about|explain|describe|define|do you know"
    r"|(?:was|wer)\s(?:ist|sind)|erkläre?(?: mir)?|qu'est-ce que|c'est quoi|qui\sest|explique(?:-moi)?|qué\s(?:es|son)"
    r"|explica(?:me)?|quién\ses)\s+|^qu'est-ce qu'"
)
_OR = re.compile(r"(?i)\s(?:or|oder|ou|versus|vs\.?|o)\s")
_ORDERED = re.compile(
    r"(?i)^(?:(?:write|prepare|do|make|create|produce|look into|research|investigate|(?:an? )?deep dive"
    r"|in[- ]depth|dig deeper|on|about|into|how(?! (?:much|many|long|often|far)\b)"
    r"|schreibe?|erstelle|mache?|recherchiere?|untersuche?|erforsche?|mir"
    r"|eine?n?|ausführliche[rn]?|gründliche?[rn]?|\w*bericht|studie|recherche|über|zu[mr]?|écris|fais|rédige|un[ea]?"
    r"|étude|rapport|approfondie?|détaillée?|sur|haz|escribe|investiga|informe|estudio|detallado|a fondo|sobre)\s+)+"
)

_REPORT = re.compile(
    r"(?i)\b(?:the|this|that|my|de[rmn]|diese[rmns]?|le|ce|el|este)"
    r"\s(?:report|research|study|bericht|recherche|rapport|informe)\b"
)


def order_of(message: str, parsed: ParsedTurn, titles: list[str]) -> Order:
    """The order in a message, with references such as "it" replaced by the last topic of the conversation.

    `titles` are the titles of earlier runs, newest first. If the conversation has no topic, the first title is used.
    """
    if len(message) > MAX_RESOLVED_CHARS:
        return Order(message[:MAX_BRIEF_CHARS].strip(), {})
    text = JOB_ID.sub("the report", message)
    settings: dict[str, Any] = {"depth": "max"} if _MAX.search(text) else {}
    if _STANDARD.search(text):
        settings["depth"] = "standard"
    if _PLAN.search(text):
        settings["plan_first"] = True
    text = _without_polite_words(text)
    if _REFERENCE.search(text) or _SHORT_REFERENCE.search(text):
        topic = _last_topic(parsed) or (titles[0] if titles else "")
        text = _with_references_resolved(text, topic, parsed) if topic else ""
    return Order(text[:1].upper() + text[1:] if terms(text) else "", settings)


def naming_report(brief: str, title: str) -> str:
    """The brief of a run that builds on a report, with the report's title in it."""
    named = _REPORT.sub(lambda _: f"the report “{title}”", brief, count=1)
    return named if named != brief else f"{brief} (“{title}”)"


def title_of(brief: str) -> str:
    """A brief's topic without "Write a report about"."""
    topic = re.split(
        r",\s(?:and|und|et|y)\s",
        parse(_ORDERED.sub("", brief[:MAX_RESOLVED_CHARS]) or brief[:MAX_RESOLVED_CHARS]).topic,
    )[0]
    return topic[:1].upper() + topic[1:]


def _without_polite_words(text: str) -> str:
    """A message without polite words and without words about the plan or the agent."""
    text = _STANDARD.sub("", _MAX.sub("", _PLAN.sub("", text)))
    # Twice: "for me please" ends with "for me" only once "please" is gone.
    text = _POLITE_WORDS.sub("", _POLITE_WORDS.sub("", text)).strip(" \t\n,;:")
    start = _START.match(text)
    if start:
        text = text[start.end() :]
    text = re.sub(r"[ \t]{2,}", " ", text).strip(" \t\n,;:–-")
    return text.rstrip("?？ .") if start and start["asks"] else text.rstrip(" .")


def _with_references_resolved(text: str, topic: str, parsed: ParsedTurn) -> str:
    def named(found: re.Match[str]) -> str:
        chosen = _alternative(found["which"], topic, parsed) if found["choice"] else ""
        return f"{found['doing']} {chosen or _subject(topic)}"

    text = _REFERENCE.sub(named, text, count=1)
    return _SHORT_REFERENCE.sub(lambda found: f"{_ABOUT[(found.lastindex or 1) - 1]} {_subject(topic)}", text, count=1)


def _subject(topic: str) -> str:
    """The subject of a topic: `What is an iterator?` -> `an iterator`; `Compare A and B.` -> `A and B`."""
    asked = _ASKED.sub("", topic)
    subject = asked if asked != topic else _ORDERED.sub("", topic)
    subject = subject.strip(" ?!.¿¡") or topic
    return subject if subject[1:2].isupper() or subject == asked != topic else subject[:1].lower() + subject[1:]


def _last_topic(parsed: ParsedTurn) -> str:
    """The user's last message that is more than a reply or small talk; "" if there is none."""
    for utterance in reversed(parsed.history):
        if utterance.speaker != "user" or len(utterance.text) > MAX_RESOLVED_CHARS:
            continue
        text = _without_polite_words(JOB_ID.sub("", utterance.text))
        if not terms(text) or intent_of(utterance.text) in SMALL_TALK | MEMORY:
            continue
        intents = research_intents(utterance.text) - {"question", "change", "made_of_report", "begin", "keep"}
        if intents <= {"order"} and not _REFERENCE.search(text) and not _SHORT_REFERENCE.search(text):
            return text
    return ""


def _alternative(which: str, topic: str, parsed: ParsedTurn) -> str:
    """The alternative that `which` ("first", "last") means in the topic or the last answer; "" if there is none.

    A purpose such as "for a small shop" is added.
    """
    place = next((place for place, names in _ORDINALS.items() if which.casefold() in names.split()), 0)
    *before, last = [part.strip(" ?.!") for part in re.split(r"[,:]\s+", topic)]
    context = ""
    if _OR.search(last):
        options = [one.strip() for one in _OR.split(last)]
        while before and len(before[-1].split()) <= 3:
            options.insert(0, before.pop())
        if not before:  # "Is A or B better for C?"
            options[0] = options[0].split()[-1]
            options[-1], context = _name_and_purpose(options[-1])
        context = context or next((found for one in before if (found := _name_and_purpose(one)[1])), "")
    else:
        options = [
            re.split(r"\s[–—-]\s|:|\. ", found.replace("*", ""))[0].strip(" .")
            for found in re.findall(r"^\s*(?:\d+[.)]|[-*])\s+(.+)$", parsed.last_answer, re.MULTILINE)
        ]
    if not options or not -1 <= place < len(options):
        return ""
    return f"{options[place]} {context}".strip()


def _name_and_purpose(text: str) -> tuple[str, str]:
    """Divides `MongoDB for a small shop` into `MongoDB` and `for a small shop`."""
    found = re.search(r"(?i)\s(?:for|in|with|für|im|bei|pour|dans|para|en|con)\s.+", text)
    head = text[: found.start()] if found else text
    head = re.sub(r"(?i)^(?:an?|the|eine?|die|der|das|une?|les?|la|el|los)\s", "", head)
    return head.split()[0] if head.split() else "", found[0].strip() if found else ""
