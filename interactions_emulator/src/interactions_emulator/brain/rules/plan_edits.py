"""Applies a user's changes to a research plan: what to leave out, to add, or to focus on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from interactions_emulator.brain.rules.brief import Aspect, Brief, enumerated, new_topic, parse
from interactions_emulator.brain.rules.intents import core, is_assent
from interactions_emulator.brain.rules.parsed_turn import ParsedTurn
from interactions_emulator.brain.rules.phrases import STUDY_START
from interactions_emulator.brain.rules.report import DEFAULT_WORDS
from interactions_emulator.corpus.words import clip, join_names, terms

PLAN_START = "Research plan for"
"""The first words of a plan."""
MIN_NEW_BRIEF_TERMS = 8
"""A reply to a plan that names no change adds an aspect if it has fewer terms than this, else it is a new brief."""

_SWAPS = (
    (re.compile(r"(?i)\breplace\s+([^.;]+?)\s+(?:with|by)\s+([^.;]+)"), r"leave out \1; add \2"),
    (re.compile(r"(?i)(?:^|(?<=[,;.] ))([^,.;]+?)\s+instead of\s+([^,.;]+)"), r"add \1; leave out \2"),
    (re.compile(r"(?i)\b(?:leave|cut|take)\s+(?!out\b)([^.;]{1,80}?)\s+out\b"), r"leave out \1"),
    (re.compile(r"(?i)\blass\w*\s+([^.;]{1,80}?)\s+weg\b"), r"leave out \1"),
)
_COVER = r"(?:cover|include|mention|discuss|consider|research|search for|look (?:at|into|for)|write about)"
_EDIT = re.compile(
    r"(?i)\b(?:"
    rf"(?P<drop>(?:leave|cut|take) out|drop|remove|delete|skip|omit|exclude|forget(?: about)?|without"
    rf"|no need (?:for|to {_COVER})|(?:do not|don't) (?:also )?{_COVER}|not interested in|ohne)"
    r"|(?P<only>(?:focus|concentrate) (?:only |just |more |rather )?on"
    rf"|(?:limit|restrict|narrow) (?:it|this|(?:the|your) \w+) (?:down )?to|(?:only|just)(?: {_COVER})?|nur)"
    rf"|(?P<more>(?:please )?(?:also )?(?:add|{_COVER})|extend (?:it |this |the \w+ )?(?:to|with|by)|plus|ergänze|auch)"
    r")\b\s*"
)
_SURROUNDING_WORDS = re.compile(
    r"(?i)^(?:(?:also|everything|anything|all|any|about|on|the|a|an|another|one more|new|sections?|parts?"
    r"|chapters?|paragraphs?|aspects?|points?|questions?|(?:on|about|for|called|named|covering|of))\s+)+"
    r"|\s+(?:as well|too|please|section|part|(?:to|from|in) (?:the|your) (?:plan|report|list))$"
)
_NUMBERED = re.compile(r"(?i)(?:step|point|item|number|no\.?|#|nr\.?)\s*(\d{1,2})")


def plan_of(brief: Brief) -> str:
    """The plan as text, for the user to approve or change."""
    steps = [f"Search the local documents for “{aspect.label}”." for aspect in brief.aspects]
    steps += ["Look again for what is missing, and for what the documents found point to."]
    if brief.without:
        steps += [f"Leave out what is about {join_names([f'“{one}”' for one in brief.without])}."]
    form = f" with the sections {join_names([f'“{name}”' for name in brief.sections])}" if brief.sections else ""
    form += f" as {brief.bullets} bullet points" if brief.bullets else " as a table" if brief.table else ""
    form += f" in at most {brief.max_words} words" if brief.max_words else ""
    steps += [f"Write the report{form}, every sentence quoted and cited."]
    numbered = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
    return f"{PLAN_START} “{brief.topic}”\n\n{numbered}"


def agreed_brief(parsed: ParsedTurn) -> Brief | None:
    """The brief of the plan in the last answer, with all changes by the user; None if the last answer is not a plan."""
    brief: Brief | None = None
    request = ""
    for utterance in parsed.history:
        if utterance.speaker == "user":
            request = utterance.text
        elif not utterance.text.startswith(PLAN_START):
            brief = None
        else:
            brief = parse(request) if brief is None else changed(brief, request)
    return brief and changed(brief, parsed.message or parsed.user_text)


def changed(brief: Brief, text: str) -> Brief:
    """The brief with the changes that `text` asks for; a `text` that is a complete brief replaces it."""
    if is_assent(text):
        return brief
    plain = " ".join(text.split())[:5_000]
    if STUDY_START.match(core(plain)) and len(terms(plain)) > 5:
        return parse(text)
    if topic := new_topic(plain):
        return parse(", ".join(filter(None, topic)))
    for pattern, meaning in _SWAPS:
        plain = pattern.sub(meaning, plain)
    if length := re.search(
        r"(?i)\b(?:(shorter|kürzer|plus court|más corto)|longer|länger|plus long|más largo)\b", plain
    ):
        words = brief.max_words or DEFAULT_WORDS
        plain = f"{plain[: length.start()]} in at most {words // 2 if length[1] else words * 2} words"
    form = parse(re.sub(r"(?i)\bto (?=\d[\d,.]* words)", "in at most ", plain))
    edits = list(_EDIT.finditer(plain))
    drop: list[str] = []
    more: list[str] = []
    only: list[str] = []
    for edit, following in zip(edits, [*edits[1:], None], strict=False):
        rest = plain[edit.end() : following.start() if following else None]
        objects = _edited_aspects(re.split(r"[.;!?](?:\s|$)|\bbut\b", rest)[0], brief)
        (drop if edit["drop"] else only if edit["only"] else more).extend(objects)
    changes_form = bool(form.bullets or form.table or form.max_words or form.sections)
    if not (drop or more or only or changes_form):
        if len(terms(plain)) >= MIN_NEW_BRIEF_TERMS:
            return form
        more = [clip(plain.strip(" .!"), 80)]
    aspects = [one for one in brief.aspects if not _matches_any(one.label, drop)]
    if only:
        aspects = [
            next((one for one in aspects if _matches_any(one.label, [label])), _aspect(label, brief)) for label in only
        ]
    sections = [
        name for name in brief.sections if not _matches_any(name, drop) and (not only or _matches_any(name, only))
    ]
    new = [label for label in more if not any(_matches_any(one.label, [label]) for one in aspects)]
    aspects += [_aspect(label, brief) for label in new]
    if form.sections and not edits:
        sections, aspects = list(form.sections), [_aspect(label, brief) for label in form.sections]
    elif sections:
        sections += new
    # Leaving out words of the topic would leave nothing to research.
    unwanted = [one for one in drop if not set(terms(one)) <= set(terms(brief.topic))]
    return replace(
        brief,
        aspects=tuple(aspects) or (Aspect(brief.topic, brief.topic),),
        sections=tuple(sections),
        without=tuple(dict.fromkeys([*(one for one in brief.without if not _matches_any(one, more)), *unwanted])),
        bullets=form.bullets or brief.bullets,
        table=form.table or brief.table,
        max_words=form.max_words or brief.max_words,
    )


def _edited_aspects(text: str, brief: Brief) -> list[str]:
    """The aspects that a change names, in the user's words; `step 2` becomes the label of the plan's second aspect."""
    found: list[str] = []
    for part in enumerated(re.sub(r"(?i)[\s,]+(?:and|but|or|und|then|please|also)\s*$", "", text.strip())):
        # Twice: "the costs section please" ends with "section" only once "please" is gone.
        bare = _SURROUNDING_WORDS.sub("", _SURROUNDING_WORDS.sub("", part)).strip(" \"'“”.,:")
        if (numbered := _NUMBERED.fullmatch(part)) and 0 < int(numbered[1]) <= len(brief.aspects):
            found.append(brief.aspects[int(numbered[1]) - 1].label)
        elif terms(bare) and not re.fullmatch(r"(?i)[\d,.]+ words|bullets?.*|(?:a )?table", bare):
            found.append(clip(bare, 80))
    return found


def _aspect(label: str, brief: Brief) -> Aspect:
    return Aspect(label, f"{label} {brief.topic}")


def _matches_any(label: str, names: Iterable[str]) -> bool:
    """Whether a label matches one of the names: one of the two has all words of the other."""
    stems = set(terms(label))
    return any((own := set(terms(name))) and stems and (own <= stems or stems <= own) for name in names)
