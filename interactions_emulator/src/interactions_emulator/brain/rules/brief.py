"""Parses a research brief: its topic, the aspects to look for, and the form of the report."""

from __future__ import annotations

import re
from dataclasses import dataclass

from interactions_emulator.brain.rules.arguments import NUMBER_WORDS
from interactions_emulator.brain.rules.intents import core, is_assent
from interactions_emulator.brain.rules.parsed_turn import ParsedTurn
from interactions_emulator.corpus.words import STOPWORDS, clip, sentences, terms, words

MAX_ASPECTS = 8

_REQUEST = re.compile(
    r"^(?:(?:please|can you|could you|i(?:'d| would) like (?:you to|a|an)|i (?:want|need) (?:you to|a|an)?|do"
    r"|conduct|carry out|start|run|make|give me|write|prepare|produce"
    r"|create|compile|draft|deep|dive|detailed|in-depth|comprehensive|thorough|short|long|brief|quick|research"
    r"|investigate|look into|study|analy[sz]e|explore|compare|summari[sz]e|describe"
    r"|erforsche|recherchiere|untersuche|analysiere|schreibe?|erstelle|bericht|ein|einen|über|étudie[rz]?|recherche[rz]?"
    r"|rédige[rz]?|un|rapport|sur|investiga|analiza|escribe|informe|sobre|исследуй(?:те)?|изучи(?:те)?|напиши(?:те)?"
    r"|отч[её]т|об?|про|ابحث|ادرس|حلل|اكتب|تقرير(?:ا|اً)?|عن|حول"
    r"|explain|survey|report|paper|overview|analysis|comparison|literature review|review|a|an|the|some|me|and|on"
    r"|of|about|into|for|regarding|how|what|which|are|is|does|do)\b[\s,:]*)+",
    re.IGNORECASE,
)
_WIDE_REQUEST = re.compile(r"^(?:请|帮我|给我)*(?:研究一下|研究|分析|调研|总结|探讨|介绍|调查)(?:一下)?(?=\S{2})")
_FORM = re.compile(
    r"(?:[,;.]?\s*\b(?:and\s+)?(?:please\s+)?(?:(?:present|format|structure|write|give|return|answer)\w*\s+(?:it"
    r"|the \w+|them|your \w+|me)?\s*)?)"
    r"(?:\b(?:in|as|with|using)\s+(?:a\s+|an\s+)?(?:\w+\s+)?(?:(?:bullet|key)\s?points?|bullets"
    r"|(?:markdown\s+)?table)\b"
    r"|\b(?:in\s+)?(?:at most|no more than|max(?:imum)?(?: of)?|under|within|up to|less than|about|around"
    r"|in)\s+\d[\d,.]*\s+words\b"
    r"|\b(?:(?:in|on|at most)\s+)*(?P<pages>\d|one|two|three|four|five)\s+pages?\b(?:\s+max(?:imum)?\b)?"
    r"|\bwith\s+(?:an?\s+|some\s+)?(?:chart|diagram|graph|picture|figure)s?\b|\bin\s+(?:english|german|french|spanish)\b"
    r"|\bwith\s+(?:the\s+)?(?:following\s+)?(?:sections?|headings?|chapters?)\s*(?:on|about|named|called"
    r"|:)?\s*(?P<sections>[^.!?\n]+))",
    re.IGNORECASE,
)
_PURPOSE = re.compile(
    r"(?i)\s+for\s+(?:(?:my|our|an?)\s[^,.;:!?]{1,60}?|(?:absolute\s)?(?:beginners|kids|children|students|experts))"
    r"(?=\s+(?:and|but|with|in|at)\b|[,.;:!?]|$)"
)
"""Matches whom the report is for: nothing to search for."""
_NEW_TOPIC = re.compile(
    r"(?i)^(?:[\w\s']{0,20},\s*)?(?:(?:make|do|write)\s(?:it|this|that|one|the\sreport)\s)?(?:rather\s)?about\s"
    r"(?P<topic>[^,.;]+?)\sinstead\b[\s,.;]*(?P<form>.*)"
)
WORDS_PER_PAGE = 400
_LEFT_OUT = re.compile(
    r"[,;.(]?\s*\b(?:but |and )?(?:please )?"
    r"(?:leav(?:e|ing) out|exclud(?:e|ing)|except(?: for)?|do(?: not|n't) cover)\s+([^.;:!?()]+)\)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Aspect:
    """A subject of the brief in the brief's own words, and the search query for it."""

    label: str
    query: str


@dataclass(frozen=True)
class Brief:
    """A parsed research brief. `max_words` and `bullets` are 0 if the brief does not set them."""

    text: str
    title: str
    topic: str
    aspects: tuple[Aspect, ...]
    sections: tuple[str, ...]
    bullets: int
    table: bool
    max_words: int
    without: tuple[str, ...] = ()
    """Subjects to leave out."""


def new_topic(change: str) -> tuple[str, str] | None:
    """The topic and the form in a change such as `make it about bees instead, in 200 words`; None if it is another."""
    found = _NEW_TOPIC.match(change)
    return (found["topic"], found["form"]) if found else None


def read_brief(parsed: ParsedTurn) -> Brief:
    """The brief of a turn.

    If the message only agrees, it is the earlier brief; a message of a few words is added to the earlier brief.
    """
    earlier = [
        utterance.text for utterance in parsed.history if utterance.speaker == "user" and not is_assent(utterance.text)
    ]
    text = parsed.message or parsed.user_text
    if earlier and (is_assent(text) or len(terms(text)) < 5):
        first = earlier[0] if is_assent(earlier[-1]) else earlier[-1]
        text = first if is_assent(text) else f"{first}. {text}"
    return parse(text)


def parse(text: str) -> Brief:
    """Parse a brief from its text alone."""
    plain = " ".join(text.split())[:20_000]
    form = list(_FORM.finditer(plain))
    sections = next((enumerated(m["sections"]) for m in form if m["sections"]), ())
    subject = _PURPOSE.sub("", _FORM.sub(" ", plain)).strip()
    without = tuple(name for m in _LEFT_OUT.finditer(subject) for name in enumerated(m[1]))
    subject = _LEFT_OUT.sub("", subject).strip() or subject
    topic = _topic(subject)
    wanted = " ".join(m.group() for m in form).casefold()
    limit = re.search(r"(\d[\d,.]*)\s+words", wanted)
    pages = next((m["pages"].casefold() for m in form if m["pages"]), "0")
    bullets = re.search(rf"(\d+|{'|'.join(NUMBER_WORDS)})?\s*(?:bullet|key)\s?point|bullets", wanted)
    count = bullets[1] if bullets and bullets[1] else ""
    aspects = tuple(Aspect(label, f"{label} {topic}") for label in sections) or _aspects(subject, topic)
    return Brief(
        plain,
        _title(subject, topic),
        topic,
        aspects[:MAX_ASPECTS],
        sections,
        bullets=(int(count) if count.isdigit() else NUMBER_WORDS.get(count, 5)) if bullets else 0,
        table="table" in wanted,
        max_words=int(re.sub(r"\D", "", limit[1])) if limit else WORDS_PER_PAGE * int(NUMBER_WORDS.get(pages, pages)),
        without=without,
    )


def _topic(subject: str) -> str:
    first = (sentences(subject) or [subject])[0]
    bare = _WIDE_REQUEST.sub("", _REQUEST.sub("", first)) or first
    bare = re.split(r"[.;:!?](?:\s+|$)|[？。；]|,\s*(?:including|such as|especially|with)\b", bare)[0]
    bare = re.sub(
        r"(?i)[\s,]+(?:in (?:great |more )?(?:detail|depth)|thoroughly|with sources|please)$", "", bare.strip(" ,.?!")
    )
    return clip(bare.strip(" ,.?!\"'") or first.strip(" .?!") or "the question", 110)


def _title(subject: str, topic: str) -> str:
    """The report's title: a short question unchanged, else the topic."""
    first = (sentences(subject) or [topic])[0]
    title = first if first.endswith(("?", "？")) and len(first) <= 110 else topic
    return title[:1].upper() + title[1:]


def _aspects(subject: str, topic: str) -> tuple[Aspect, ...]:
    """One aspect for each clause of the brief that has meaningful words."""
    found: dict[str, Aspect] = {}
    clauses = re.split(
        r"[.;:!?,](?:\s+|$)|[()，。；：！？、（）\n]+|\b(?:and|or|as well as|versus|vs|und|et|и)\b|和|以及"
        r"|(?:^|\s)\d+[.)]\s",
        _REQUEST.sub("", subject),
    )
    main = " ".join(list(dict.fromkeys(w for w in words(topic) if w not in STOPWORDS))[:3])
    for clause in clauses:
        label = _WIDE_REQUEST.sub("", _REQUEST.sub("", core(clause))).strip(" .,'\"-؟")
        label = re.sub(r"\s+in (?:great |more )?(?:detail|depth)$", "", label)
        start = clause.casefold().find(label)
        label = clause[start : start + len(label)] if start >= 0 else label  # restore the original capitals
        stems = tuple(dict.fromkeys(terms(label)))
        if not stems or len(stems) > 14 or label in found:
            continue
        if any(set(stems) <= set(terms(other)) for other in found):
            continue
        query = label if len(stems) > 1 or set(stems) >= set(terms(main)) else f"{label} {main}"
        found[label] = Aspect(clip(label, 80), query)
    if not found:
        found[topic] = Aspect(topic, topic)
    return tuple(found.values())


def enumerated(text: str) -> tuple[str, ...]:
    """The names in an enumeration such as `costs, nature and history`: up to 8 names of up to 8 words."""
    parts = [part.strip(" \"'.:") for part in re.split(r",|;|\band\b|&|、|和", text)]
    return tuple(part for part in parts if part and len(part.split()) <= 8)[:8]
