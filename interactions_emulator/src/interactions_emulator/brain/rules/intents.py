"""Classifies what a message asks for, by its form and a few general words."""

from __future__ import annotations

import re
from typing import NamedTuple

from interactions_emulator.brain.rules import phrases
from interactions_emulator.brain.rules.phrases import Intent

SMALL_TALK = frozenset(("greeting", "thanks", "bye", "about_me", "abilities", "joke", "chat", "repeat"))
MEMORY = frozenset(("memory", "fact_told", "fact_asked"))


class TextRequest(NamedTuple):
    """A message about a text: the instruction, and the text ("" if none is given)."""

    instruction: str
    text: str


def intent_of(message: str) -> Intent:
    """The intent of a message. If no other fits, it is "lookup" for a question, else "statement"."""
    plain = re.sub(r"\bu\b", "you", core(message))
    words = plain.split()
    if not plain or not any(character.isalnum() for character in plain):
        return "greeting" if phrases.GREETING.match(message.casefold().strip()) else "chat"
    if phrases.CAN_YOU.match(" ".join(message.split())):
        return "abilities"
    if is_judging(message):
        return "judge"
    if len(words) <= 25:
        for kind, pattern in phrases.CONVERSATION.items():
            if pattern.search(plain):
                return kind
    if study_score(message) >= 2:
        return "study"
    if len(words) <= 20:
        for kind, pattern in phrases.SMALL.items():
            if pattern.search(plain):
                return kind
        if is_nod(message):
            return "chat"
    if phrases.DRAW.match(plain):
        return "draw"
    if phrases.ACTION.match(plain):
        return "action"
    asks = any(mark in message for mark in "?？؟") or phrases.ASKS.search(plain) or phrases.WIDE_ASKS.search(plain)
    noun_phrase = len(words) <= 8 and not re.search(r"\b(i|i'm|you|we|it's|that's|ich|je|yo)\b", plain)
    return "lookup" if asks or noun_phrase else "statement"


def core(message: str) -> str:
    """The message in lower case without greeting, polite words and outer punctuation; "" for a greeting alone."""
    plain = " ".join(message.casefold().replace("’", "'").split())[:4_000].lstrip("¡¿ ")
    greeted = phrases.GREETING.sub("", plain, count=1)
    if greeted != plain and phrases.CHIT_CHAT.fullmatch(greeted.strip(" ,.!?¡¿~-:;)(👋😊🙂")):
        return ""
    thanked = phrases.THANKED.match(greeted)
    asking = (phrases.ASKS, phrases.DRAW, phrases.ACTION, phrases.STUDY_START)
    if thanked and any(one.match(greeted, thanked.end()) for one in asking):
        greeted = greeted[thanked.end() :]
    plain = greeted.strip(" ,.!?！？。~-")
    return phrases.POLITE_END.sub("", phrases.POLITE_START.sub("", plain)).strip(" ,.!?！？。~-")


def split_wishes(message: str) -> tuple[str, str]:
    """Divides a message into its first wish and another one, which another agent or tool has to fulfil.

    A message to judge is divided before its text only. The second part is "" if the message is not divided.
    """
    end = mark.start() if is_judging(message) and (mark := _TEXT_START.search(message)) else 2_000
    for start in phrases.WISH_START.finditer(message[:end]):
        first, rest = message[: start.start()].strip(" ,"), message[start.end() :]
        other = re.split(r"(?<=[.!?;])\s", rest, maxsplit=1)[0]
        kind, first_kind = _wish_kind(other), _wish_kind(first)
        if kind in ("", first_kind) or first_kind == "judge" or (kind == "study" and not first_kind):
            continue
        if intent_of(first) not in (SMALL_TALK - {"chat"}) | {"statement"}:  # a statement explains the wish
            more = rest[len(other) :].strip()
            return (f"{first.rstrip('.')}. {more}" if more else first), other.strip()
    return message, ""


_TEXT_START = re.compile(r":\s|\n|(?<!\w)[\"'“‘«「„`](?=\S)")


def _wish_kind(text: str) -> str:
    plain = core(text)
    if phrases.DRAW.match(plain) and not re.match(r"\w+\s(?:it|them|this|that)\b", plain):
        return "draw"
    if is_judging(text):
        return "judge"
    if phrases.WEATHER.search(plain) and (phrases.ASKS.match(plain) or "?" in text):
        return "weather"
    return "study" if study_score(text) >= 2 else ""


def split_text(message: str) -> TextRequest:
    """Divides "Is this fine to post: '...'" into instruction and text.

    Without a separator, the whole message is the text.
    """
    for mark in phrases.MARKS.finditer(message[:600]):
        head, tail = message[: mark.start()], message[mark.end() :]
        if mark[0] == ": " and tail[:1] in phrases.PAIRS and tail[tail.rfind(phrases.PAIRS[tail[0]]) + 1 :].strip():
            continue  # more text follows the quotation: not a separator
        if mark[0][-1] in phrases.PAIRS:
            close = tail.rfind(phrases.PAIRS[mark[0][-1]])
            if close < 2:
                continue
            head, tail = f"{head} {tail[close + 1 :]}", tail[:close]
        if len(head.split()) <= 40 and tail.strip() and head.strip():
            return TextRequest(head.strip(), unquoted(tail))
    return TextRequest("", unquoted(message))


def unquoted(text: str) -> str:
    """A text without surrounding quotation marks."""
    text = text.strip().strip("-").strip()
    while len(text) > 2 and phrases.PAIRS.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def is_judging(message: str) -> bool:
    """Whether a message asks to judge a text (moderate, check, classify) instead of answering it."""
    parts = split_text(message)
    if not parts.instruction and phrases.FACT_ASKED.match(core(message)):
        return False
    instruction = (parts.instruction or message).casefold()[:1_500]
    if phrases.JUDGE_STRONG.search(instruction):
        return True
    return bool(parts.instruction and phrases.JUDGE.search(instruction))


def study_score(message: str) -> float:
    """A score of how strongly a message asks for a long written study; 2 or more means that it does."""
    plain = " ".join(message.casefold().replace("’", "'").split())[:6_000]
    bare = core(message)
    if phrases.NO_STUDY.search(plain) or phrases.FACT_ASKED.match(bare):
        return 0.0
    wide = len(re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]", plain))
    length = len(plain.split()) + wide / 2
    score = 2.0 * len(set(phrases.STUDY.findall(plain)[:3])) + (2.0 if phrases.STUDY_START.match(bare) else 0.0)
    score += 0.75 * min(3, len({m.group() for m in phrases.STUDY_HINT.finditer(plain)}))
    if score >= 1.5:  # a long message without words of a study is not a study
        questions = plain.count("?") + plain.count("？")
        score += 0.5 * (length > 18) + 0.5 * (length > 30) + 0.75 * (questions >= 2 and length > 16)
    return score - 1.5 * bool(phrases.QUICK.search(plain))


def is_elliptical(message: str) -> bool:
    """Whether a message makes sense only after an earlier one: "and tomorrow?", "what about Rome?", "go on"."""
    plain = " ".join(message.casefold().split()).strip(" ?!.,")
    return len(plain.split()) <= 8 and bool(phrases.ELLIPTICAL.match(plain))


def is_assent(message: str) -> bool:
    """Whether a message only says yes."""
    return bool(phrases.ASSENT.fullmatch(" ".join(message.casefold().split()).strip(" ?!.,")))


def is_nod(message: str) -> bool:
    """Whether a message has only words such as "yes", "no", "good" or "not sure"."""
    return all(word in phrases.NODS for word in core(message).split())


def is_about_last_answer(message: str) -> bool:
    """Whether a message asks for the last answer in another form: shorter, simpler, summarised."""
    plain = core(message)
    return len(plain.split()) <= 14 and bool(phrases.REWORD.search(plain))
