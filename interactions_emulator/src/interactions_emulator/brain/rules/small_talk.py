"""Answers small talk and questions about the conversation, in a sentence or with a quotation."""

import re

from interactions_emulator.brain.conversation import Conversation
from interactions_emulator.brain.rules.message import Act, Message, compiled, read_message
from interactions_emulator.brain.rules.tool_selection import Tools, small_talk_act
from interactions_emulator.corpus.words import clip

SELF = "a local emulator of the Interactions API: a small deterministic program, not Gemini"
MAX_LISTED = 24
"""Maximum number of earlier texts that are listed."""
_FACT = compiled(r"""(?i)\bmy ((?:\w+ ){0,2}?\w+) (?:is|are)(?: called)? ([^,.!?\n]{1,80}?)(?=\s+and\s+(?:my|i)\b
    |[,.!?\n]|$)""")
_NAME = re.compile(r"(?i:my name(?:'s| is)|i'm called|call me|mein name ist|i'm|i am)\s+((?-i:[A-ZÀ-Þ])[\w'-]+)")
_ANSWERS: dict[Act | None, str] = {
    "thanks": "You are welcome!",
    "bye": "Goodbye!",
    "joke": "Why do programmers mix up Halloween and Christmas? Because Oct 31 equals Dec 25.",
    **dict.fromkeys(("later", "yes", "no"), "All right, nothing was started or changed."),
}


def small_talk(conversation: Conversation, message: Message, tools: Tools) -> str | None:
    """The answer to small talk; None if the message is something else."""
    match small_talk_act(message):
        case "greeting" | "about_you" as act:
            return f"{'Hello! ' * (act == 'greeting')}I am {SELF}. {abilities(tools)}"
        case "abilities":
            return abilities(tools)
        case "recall":
            return _what_was_said(conversation, message)
        case "ask_fact":
            return _told(conversation, message)
        case "tell_fact":
            fact = _NAME.search(message.text) or _FACT.search(message.text)
            return f"Noted{f': {fact[0].strip()}' if fact else ''}. I remember it as long as this conversation lasts."
        case act:
            return _ANSWERS.get(act)


def abilities(tools: Tools) -> str:
    """A sentence that lists the declared functions, each with the first clause of its description."""
    able = ["a search of the local documents"] if "google_search" in tools.types else []
    for option in (one for one in tools.options if one.about):
        about = re.split(r"[.:;]", re.sub(r"\s*\([^)]*\)", "", option.about), maxsplit=1)[0].strip()
        who = f"the {option.topic}, which" if option.fixed else "a function that"
        able.append(f"{who} {about[:1].lower()}{clip(about[1:], 110)}")
    nothing = "I talk about this conversation, fill in JSON schemas, and call the functions that a request declares."
    return f"Here you get {'; '.join(able)}." if able else nothing


def no_answer(message: Message, tools: Tools) -> str:
    """The answer to a message that no tool or rule can answer."""
    cannot = "Sorry, I cannot do that here" if message.has("do", "draw") else "I have no answer to that"
    return f"{cannot} (“{clip(message.text, 120)}”): I am {SELF}. {abilities(tools)}"


def _what_was_said(conversation: Conversation, message: Message) -> str:
    said = conversation.history
    if not said:
        return "Nothing yet: this is the beginning of our conversation."
    listed = said[:2] if "first" in message.plain.split() else said[-MAX_LISTED:]
    lines = ["So far in this conversation:" if listed == said else "Among other things, in this conversation:"]
    for one in listed:
        plain = re.sub(r"[*`]+", "", re.sub(r"\[[^\]]*\]+\([^)]*\)|[#>|]+", " ", one.text))
        lines.append(f"- You: “{clip(plain, 160)}”" if one.speaker == "user" else f"  - Answer: {clip(plain, 200)}")
    return "\n".join(lines)


def _told(conversation: Conversation, message: Message) -> str:
    wanted = message.plain.rpartition("my ")[2] if "my " in message.plain else "name"
    for text in conversation.user_texts:
        named = _NAME.search(text) if wanted == "name" else None
        told = [named[1]] if named else [value for fact, value in _FACT.findall(text) if fact.casefold() == wanted]
        if told and not read_message(text).has("judge"):
            return f"You told me that your {wanted} is {told[-1].strip()}."
    return f"You have not told me your {wanted} in this conversation."
