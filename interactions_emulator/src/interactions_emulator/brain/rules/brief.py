"""Reads a research brief, with the changes of a plan for it: the topic, the aspects and the form of the report."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from interactions_emulator.brain.conversation import Conversation, Utterance
from interactions_emulator.brain.rules.message import compiled, read_message
from interactions_emulator.brain.rules.orders import AGREEMENT, without_ordering
from interactions_emulator.corpus.values import NUMBER, number_of
from interactions_emulator.corpus.words import clip, join_names, terms

MAX_ASPECTS, MAX_CHARS, WORDS_PER_PAGE, DEFAULT_WORDS, DEFAULT_BULLETS = 8, 20_000, 400, 800, "5"
PLAN_START = "Research plan for"
"""The first words of a plan."""
_FORM = {
    "sections": re.compile(r"(?i)[\s,]*\bwith\s(?:the\s)?sections?\s(?:on|about|named)?\s*([^.!?\n]+)"),
    "bullets": re.compile(rf"(?i)[\s,]*\b(?:in|as|with)\s(?:{NUMBER}\s)?(?:bullet\spoints?|bullets|key\spoints)\b"),
    "table": re.compile(r"(?i)[\s,]*\b(?:in|as|with)\s(?:an?\s)?(?:\w+\s)?table\b"),
    "length": re.compile(rf"(?i)(?:[\s,]+(?:in|under|within|at most|no more than|max))*\s{NUMBER}\s(word|page)s?\b"),
    "purpose": re.compile(r"(?i)[\s,]*\bfor (?:my|our|an?|kids|beginners|students)\b[^,.;:!?]*"),
    "manner": re.compile(r"(?i)[\s,]*\b(?:in (?:detail|depth|english)|compare (?:them|both)|with (?:an? )?charts?)\b"),
    "language": re.compile(r"(?i)[\s,]*\b(?:in|auf|en) (?:german|french|spanish|italian|deutsch|français|español)\b"),
    "sources": re.compile(r"(?i)[\s,]*\b(?:(?:only|with|use|using)\s)+(?:\w+\s)?(?:sources|studies|papers)\b[^,.;!?]*"),
    "extent": re.compile(r"(?i)[\s,]*\bmake (?:it|that|the report) (?:\w+ )?(?:shorter|longer|simpler)\b"),
}
"""Words about the form of the report; searches leave them out."""
_LIST_START = re.compile(r"(?i):\s+|,?\s\b(?:including|such as|especially|covering|with a focus on)\s")
_BETWEEN = re.compile(r"(?i)[,;.?!]\s(?:and\s)?(?:about\s|on\s)?|\s(?:and|versus|vs\.?|und|et|y)\s(?:about\s|on\s)?")
_EDIT = compiled(r"""(?i)(?:^|[.,;]\s|\band\s)(?:(?:but|please|and|actually)\s)*(?:(?P<drop>leave out|skip|drop
    |remove|exclude|forget|without)|(?P<only>(?:only|just)?\s?focus (?:only )?on|make it about|only)
    |(?P<more>(?:also )?(?:add|include|cover|look at|put)|also))\s""")
_AROUND = re.compile(r"(?i)^(?:(?:about|on|the|an?|new|sections?|parts?)\s+)+|\s+(?:as well|too|section|first|only)$")


@dataclass(frozen=True)
class Brief:
    """A brief. `max_words` and `bullets` are 0 if it does not set them; `sections` are headings that it names."""

    topic: str
    aspects: tuple[str, ...]
    sections: tuple[str, ...]
    bullets: int
    table: bool
    max_words: int
    without: tuple[str, ...]
    is_list: bool
    """Whether the aspects are parts of the topic; else they are topics of their own."""

    @property
    def title(self) -> str:
        """The report's title."""
        title = self.topic if self.is_list or len(self.aspects) == 1 else join_names(list(self.aspects))
        return clip(title[:1].upper() + title[1:], 110)


def read_brief(conversation: Conversation) -> Brief:
    """The brief of a turn: the message, or the order of the plan that it answers, with all changes of the plan."""
    texts: list[str] = []
    for one in [*conversation.history, Utterance("user", conversation.asked, None)]:
        if one.speaker == "user":
            texts = [*(texts if not read_message(one.text).has("order") else []), one.text]
        elif not one.text.startswith(PLAN_START):
            texts = []
    changes = [text for text in texts if not read_message(text).has("yes", "fine")]
    return parse(". ".join(AGREEMENT.sub("", text).strip(" .") for text in changes or texts))


def parse(text: str) -> Brief:
    """Parses a brief from its text alone. Of several wishes about the form, the last one counts."""
    subject, form = " ".join(text.split())[:MAX_CHARS], dict[str, re.Match[str] | None]()
    for name, pattern in _FORM.items():
        form[name] = next(reversed(list(pattern.finditer(subject))), None)
        subject = pattern.sub("", subject)
    edits = list(_EDIT.finditer(subject))
    base = without_ordering(subject[: edits[0].start()] if edits else subject).strip(" .!?,;") or subject
    head, *rest = _LIST_START.split(base, maxsplit=1)
    topic = clip(re.split(r"[.?!]\s", head)[0].strip(" ,"), 110)
    parts = [without_ordering(part).strip(" .!?,;") for part in _BETWEEN.split(rest[0] if rest else head)]
    aspects = [clip(part, 80) for part in parts if terms(part)] or [topic]
    aspects = list(dict.fromkeys([topic, *aspects] if rest else aspects))[:MAX_ASPECTS]
    named, bullets, length = form["sections"], form["bullets"], form["length"]
    aspects, without = _enumerated(named[1]) if named else aspects, list[str]()
    for edit, following in zip(edits, [*edits[1:], None], strict=False):
        rest_of_edit = re.split(r"[.;!?]", subject[edit.end() : following.start() if following else None])[0]
        objects = [_resolved(one, aspects) for one in _enumerated(rest_of_edit)]
        if edit["drop"] or edit["only"]:
            aspects = [one for one in aspects if _matches(one, objects) == bool(edit["only"])]
        if edit["drop"]:
            without += [one for one in objects if not set(terms(one)) <= set(terms(topic))]
        else:
            aspects += [one for one in objects if not _matches(one, aspects)]
            without = [one for one in without if not _matches(one, objects)]
    points = number_of(bullets[1] or DEFAULT_BULLETS) if bullets else 0
    words = number_of(length[1]) * (WORDS_PER_PAGE if length[2].casefold() == "page" else 1) if length else 0
    sections, table = tuple(aspects) if named else (), bool(form["table"]) and not _matches("table", without)
    listed, is_list = tuple(aspects or [topic]), bool(rest or named)
    return Brief(topic, listed, sections, points, table, words, tuple(without), is_list)


def _enumerated(text: str) -> list[str]:
    """The names in an enumeration such as `costs, nature and history`."""
    parts = [clip(_AROUND.sub("", part.strip(" \"'“”.:")), 80) for part in re.split(r",|;|\band\b|&|\bbut\b", text)]
    return [part for part in parts if terms(part)][:MAX_ASPECTS]


def _resolved(name: str, aspects: list[str]) -> str:
    """The aspect that `step 2` means; any other name unchanged."""
    number = re.fullmatch(r"(?i)(?:step|point) (\d{1,2})", name)
    return aspects[int(number[1]) - 1] if number and 0 < int(number[1]) <= len(aspects) else name


def _matches(label: str, names: Iterable[str]) -> bool:
    """Whether a label matches one of the names: one of the two has all words of the other."""
    stems = set(terms(label))
    return any((own := set(terms(name))) and stems and (own <= stems or stems <= own) for name in names)


def plan_of(brief: Brief) -> str:
    """The plan as text, for the user to approve or change."""
    steps = [f"Search the local documents for “{aspect}”." for aspect in brief.aspects]
    steps += [f"Leave out what is about {join_names([f'“{one}”' for one in brief.without])}."] * bool(brief.without)
    form = f" as {brief.bullets} bullet points" if brief.bullets else " as a table" if brief.table else ""
    form += f" in at most {brief.max_words} words" if brief.max_words else ""
    steps += [f"Write the report{form}, every sentence quoted and cited."]
    numbered = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
    return f"{PLAN_START} “{brief.topic}”\n\n{numbered}"
