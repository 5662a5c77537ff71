"""Answers small talk, questions about the conversation, and messages that the emulator cannot answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from interactions_emulator.brain.protocol import Turn
from interactions_emulator.brain.rules.arguments import NUMBER_WORDS, urls_in
from interactions_emulator.brain.rules.corpus_qa import best_sentences, is_about
from interactions_emulator.brain.rules.intents import core, intent_of, is_judging, is_nod
from interactions_emulator.brain.rules.parsed_turn import ParsedTurn, without_sign_off
from interactions_emulator.brain.rules.tool_selection import Candidate
from interactions_emulator.corpus.words import clip, join_names

SELF_DESCRIPTION = "a local emulator of the Interactions API: a small deterministic program, not Gemini"
NOT_IN_REPORT = "The report says nothing about that."
MAX_ABILITY_CHARS = 110
"""Maximum number of characters of the description of an agent or a function."""
JOKE = "Why do programmers mix up Halloween and Christmas? Because Oct 31 equals Dec 25."

_FACT = re.compile(
    r"\bmy\s+((?:\w+\s){0,2}?[\w']+)\s+(?:is|are)\s+([^,.!?\n]{1,80}?)(?=\s+and\s+(?:my|i)\b|[,.!?\n]|$)", re.IGNORECASE
)
_NAME = re.compile(
    r"(?i:\bmy name(?:'s| is)|\bi am called|\bi'm called|\bcall me|\bmein name ist|\bich hei(?:ß|ss)e"
    r"|\bje m'appelle|\bme llamo)"
    r"\s+([^\s,.!?]+(?:\s[A-ZÀ-Þ][^\s,.!?]*)*)"
)
_TRANSLATION = re.compile(
    r"(?i)\btranslat|\bübersetz|\btradu"
    r"|\b(?:in|into|to|auf|en) (?:german|french|spanish|deutsch|französisch|allemand|alemán)\b"
)
_SENTENCE_COUNT = re.compile(rf"\b(\d{{1,2}}|{'|'.join(NUMBER_WORDS)})\s(?:\w+\s)?sentences?\b")
_WHO = re.compile(r"(?:^|[.!]\s+|,\s*)(?:[Ii]'m|[Ii] am)\s+([A-ZÀ-Þ][\w'-]+)(?=[\s,.!?]|$)")


def small_talk(parsed: ParsedTurn, options: Sequence[Candidate], turn: Turn) -> str | None:
    """The answer to small talk or a question about the conversation; None if the message is neither."""
    match intent_of(parsed.message):
        case "greeting":
            return f"Hello! I am {SELF_DESCRIPTION}. {abilities(options, turn)}"
        case "thanks":
            return "You are welcome!"
        case "bye":
            return "Goodbye!"
        case "joke":
            return f"The only one I know: {JOKE}"
        case "about_me":
            return f"I am {SELF_DESCRIPTION}. {abilities(options, turn)}"
        case "abilities":
            return abilities(options, turn)
        case "chat" if is_nod(parsed.message):
            return "All right."
        case "chat":
            return f"I have no opinion of my own on that: I am {SELF_DESCRIPTION}. {abilities(options, turn)}"
        case "repeat":
            last = parsed.last_answer
            return f"I said:\n\n{last}" if last else "I have not said anything in this conversation yet."
        case "memory":
            return conversation(parsed)
        case "fact_asked":
            return _recalled_fact(parsed)
        case "fact_told":
            return _acknowledged_fact(parsed.message)
    return None


def abilities(options: Sequence[Candidate], turn: Turn) -> str:
    """A sentence that lists the declared functions, each with the beginning of its description."""
    able = [_short_description(option) for option in options]
    if any(tool.get("type") == "google_search" for tool in turn.tools):
        able.append("a search of the local documents")
    if not able:
        return (
            "I can talk about this conversation, fill in JSON schemas, and call the functions that a request declares."
        )
    return f"Here you get {'; '.join(able)}."


def _short_description(option: Candidate) -> str:
    """What an agent or a function does: the first clause of its description; its name if it has none."""
    about = re.split(r"[.:;]", re.sub(r"\s*\([^)]*\)", "", option.about), maxsplit=1)[0].strip()
    name = option.topic.replace("_", " ")
    who = f"the {name}, which" if option.fixed else "a function that"
    return f"{who} {about[0].lower()}{clip(about[1:], MAX_ABILITY_CHARS)}" if about else f"“{name}”"


def no_answer(parsed: ParsedTurn, options: Sequence[Candidate], turn: Turn) -> str:
    """The answer to a message that no tool or rule can answer."""
    quoted = clip(parsed.message, 120)
    if urls_in(parsed.message):
        return f"I cannot open web pages: I am {SELF_DESCRIPTION}. {abilities(options, turn)}"
    if intent_of(parsed.message) in ("action", "draw"):
        return f"Sorry, I cannot do that here (“{quoted}”). {abilities(options, turn)}"
    return f"I have no answer to “{quoted}”: I am {SELF_DESCRIPTION}. {abilities(options, turn)}"


def attachments_note(attachments: Sequence[str]) -> str:
    """A sentence that names the attachments without describing their contents; "" if there are none."""
    named = join_names([f"1 {one}" for one in attachments])
    return f"I see {named}; the emulator does not analyse images, audio or video." if named else ""


def conversation(parsed: ParsedTurn) -> str:
    """The first or last message if the user asks for it, else a list of the messages and answers so far."""
    plain = core(parsed.message)
    asked = [utterance.text for utterance in parsed.history if utterance.speaker == "user"]
    if not asked:
        return "Nothing yet: this is the beginning of our conversation."
    if re.search(r"\bfirst\s(?:question|message|request)", plain):
        return f"Your first message was: “{clip(asked[0], 300)}”"
    if re.search(r"\b(?:last|previous)\s(?:question|message|request)", plain):
        return f"Your last message was: “{clip(asked[-1], 300)}”"
    lines = ["So far in this conversation:"]
    for utterance in parsed.history[-24:]:
        if utterance.speaker == "user":
            lines.append(f"- You: “{clip(utterance.text, 160)}”")
        else:
            lines.append(f"  - Answer: {clip(_without_markdown(without_sign_off(utterance.text)), 200)}")
    return "\n".join(lines)


def about_last_answer(parsed: ParsedTurn) -> str | None:
    """A few sentences of the newest report or a recent long answer; None if there is no earlier answer.

    If the message names a subject, the sentences are about it.
    """
    source = _longest_recent(parsed)
    if not source:
        return None
    asked = re.sub(
        r"(?i)\b(?:summari[sz]e|summary|shorten|shorter|simpler|simplify|briefer|rephrase|explain|key|main"
        r"|points|findings"
        r"|takeaways|short|brief|nutshell|sentences?|bullets?|report|answer|words?|terms)\b", " ", parsed.message
    )  # fmt: skip
    if _TRANSLATION.search(parsed.message):
        return "The emulator cannot translate: it quotes documents in their own language."
    count = _SENTENCE_COUNT.search(parsed.message.casefold())
    limit = (int(count[1]) if count[1].isdecimal() else NUMBER_WORDS[count[1]]) if count else 4
    asked = asked if len(asked.split()) > 6 else ""
    found = best_sentences(source, asked, limit) or best_sentences(source, "", limit)
    picked = [one.strip() for one in found]
    if not picked:  # an answer without sentences, for example values from a function
        lines = (line.strip(" -*") for line in source.splitlines() if not line.lstrip().startswith(("#", "|", "*")))
        picked = [line for line in lines if line][:limit]
    if count:
        return " ".join(picked)
    return "The earlier answer, shortened:\n\n" + "\n".join(f"- {one}" for one in picked)


def from_last_answer(parsed: ParsedTurn) -> str | None:
    """Sentences about the question from the newest report or a recent long answer; None if there are none."""
    source = _longest_recent(parsed)
    if len(source) < 800 and not has_report(parsed):
        return None
    picked = best_sentences(source, parsed.message, 3)
    if not any(is_about(parsed.message, one, one) for one in picked):
        return None
    return "The earlier answer says:\n\n" + "\n".join(f"- {one.strip()}" for one in picked)


def has_report(parsed: ParsedTurn) -> bool:
    """Whether an earlier answer is a report, even if other answers came after it."""
    return bool(_newest_report(parsed))


def _newest_report(parsed: ParsedTurn) -> str:
    """The newest report (an answer that begins with a heading); "" if there is none."""
    answers = (without_sign_off(one.text) for one in reversed(parsed.history) if one.speaker == "model")
    return next((text for text in answers if text.lstrip().startswith("# ")), "")


def _longest_recent(parsed: ParsedTurn) -> str:
    if report := _newest_report(parsed):
        return report
    answers = [without_sign_off(utterance.text) for utterance in parsed.history if utterance.speaker != "user"]
    return max(answers[-3:], key=len, default="") if len(answers[-1:] and answers[-1]) < 800 else answers[-1]


def _acknowledged_fact(message: str) -> str:
    if name := _NAME.search(message):
        return f"Nice to meet you, {name[1]}. I will remember your name as long as this conversation lasts."
    if fact := _FACT.search(message):
        return f"Noted: your {fact[1]} is {fact[2].strip()}. I remember it as long as this conversation lasts."
    return "Noted, as long as this conversation lasts."


def _recalled_fact(parsed: ParsedTurn) -> str:
    plain = core(parsed.message)
    wanted = (
        "name"
        if "who am i" in plain or "heiße" in plain
        else (re.findall(r"my\s(?:own\s)?(.+?)(?:\sis|\sagain|\swas)?$", plain) or ["name"])[-1]
    )
    for utterance in reversed(parsed.history):
        if utterance.speaker != "user" or is_judging(utterance.text):
            continue
        if wanted == "name" and (name := _NAME.search(utterance.text) or _WHO.search(utterance.text)):
            return f"You told me that your name is {name[1]}."
        for fact in reversed(_FACT.findall(utterance.text)):
            if fact[0].casefold() == wanted:
                return f"You told me that your {wanted} is {fact[1].strip()}."
    return f"You have not told me your {wanted} in this conversation."


def _without_markdown(text: str) -> str:
    return re.sub(r"[#*`>|]+", " ", text)
