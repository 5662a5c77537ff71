"""Makes the order of a research run from a message: a brief that is complete without the conversation."""

import re
from typing import Any, NamedTuple

from interactions_emulator.brain.conversation import Conversation
from interactions_emulator.brain.rules.message import EVERY, JOB_ID, STUDY, Message, read_message, without_polite
from interactions_emulator.corpus.words import clip, terms

MAX_TITLE_CHARS, MAX_READ_CHARS, MAX_BRIEF_CHARS = 70, 2_000, 20_000
"""Maximum characters of a title, of a message whose words are read, and of a brief."""
_PLAN = re.compile(
    r"(?i)\s*\b(?:with an? )?plan first\b:?|\s*\bstart with an? plan\b|[\s,;.]*\b(?:aber|mais|pero|but|and)? ?\b"
    r"(?:let me|show|zeige?|montre|muéstrame|primero)\b[^,.;]*\bplan\b[^,.;]*"
)
_MAX = re.compile(
    r"(?i)[\s,;]*(?:\b(?:with|use|using|in|the|an?) )*\b(?:deep research max|max(?: version|(?= instead|$)))\b:?"
)
_STANDARD = re.compile(r"(?i)\b(?:normal|standard|cheaper) (?:one|run|version)\b")
_TO_THE_AGENT = re.compile(
    r"(?i)^new research\b|[\s,]*\b(?:and (?:ask me before|go ahead|start) .*|you mentioned"
    r"|if it(?:'s| is) not too expensive|instead$|use the attached \w+(?: as well)?)(?=\W|$)"
)
_ORDERING = re.compile(
    r"(?i)^(?:(?:now|then|new research|write|prepare|do|make|create|produce|give me|i need|i want|quero|look into"
    r"|research|investigate|explore|study|use|untersuche|recherchiere|schreibe?|erstelle|fais|rédige|écris|haz|redacta|escribe"
    r"|investigar?|scrivi|fai|mir|an?|the|eine?n?|une?|una|uma|um|detailed|in-depth|thorough|deep|literature|long|short|ausführliche[rn]?"
    r"|détaillé|approfondie|detallado|dettagliato|a fondo|on|about|into|of|how|über|zu|sur|sobre|schedule|have|compile"
    rf"|i'd (?:like|love)|explain|describe|compare|th(?:at|is)(?= (?:\w+s|{STUDY})\b)|{STUDY})\b(?!-)[\s:]*)+"
)
_REFERENCE = re.compile(
    r"(?i)\b(?:the (?P<which>first|second|last) (?:one|option)|that|this|it|them|eso|ça)"
    r"(?=\W*$|[,.;!?]|\s(?:and|in|with|as|for|from|a fondo|too|et|thoroughly)\b)"
)
_NO_TOPIC = frozenset(terms("something anything topic"))
_ASKED = re.compile(r"(?i)^(?:(?:what|who)(?:'s| is| are)|tell me about|was ist|¿?qué es|qu'est-ce qu')\s*")
_ALTERNATIVES = re.compile(r"(?i)([\w-]+) or (?:(?:an?|the) )?([\w-]+(?: [\w-]+)?)")
_A_RUN = r"(?:(?:dollars|usd|\$) )?(?:(?:a|per|each|every) )?runs?\b"
_USD = r"(\d[\d,]*(?:\.\d+)?)"
_REPLACES = re.compile(
    r"(?i)(?:make|write) it about (?P<topic>.+?)(?: instead)?"
    r"|(?:make it )?(?:in )?(?P<new>[\w-]+) (?:rather than|instead of) (?:in )?(?P<old>[\w-]+)"
)
_CLOCK = re.compile(r"(?i)\bat (\d{1,2})(?::(\d\d))?(?: ?([ap])m\b| o'clock\b)?(?![\w%])")
_EVERY = re.compile(rf"(?i)[\s,]*\b(?:again )?(?:on the first (?:day )?of )?{EVERY}(?:,? at (\d{{1,2}}:\d{{2}})\b)?")
_CEILING = re.compile(
    r"(?i)[\s,;.]*\b(?:and |for |with |but )*(?:at most |up to |no more than |an? (?:monthly )?ceiling of )?"
    rf"(?:\$ ?{_USD}|{_USD} ?(?:dollars|usd|\$))(?: (?:a|per|each) month\b| monthly\b)?(?! ?(?:a|per|each) run)"
)
AGREEMENT = re.compile(
    r"(?i)^(?:(?:yes|no|oh|well|ok(?:ay)?|sure|great|good|fine|perfect|ja|gut|oui|sí|vale|perfecto|(?:that |it )?"
    r"(?:looks|sounds) (?:good|great|fine)(?: to me)?|(?:start|go ahead)(?=[,.;!])|but|and|aber|mais|pero)[\s,.;!]+)*"
)


class Order(NamedTuple):
    """A brief ("" if the message has no topic), the settings, and the message as a change of an earlier brief."""

    brief: str
    settings: dict[str, Any]
    change: str


def order_of(message: Message, conversation: Conversation, titles: list[str]) -> Order:
    """The order in a message, with references such as “that” replaced by the last topic of the conversation.

    `titles` are the titles of earlier runs, newest first. If the conversation has no topic, the first title is used.
    """
    if len(message.text) > MAX_READ_CHARS:
        return Order(message.text[:MAX_BRIEF_CHARS].strip(), {}, message.text[:MAX_BRIEF_CHARS])
    text = JOB_ID.sub("the report", message.text)
    settings: dict[str, Any] = {"plan_first": True} if _PLAN.search(text) else {}
    settings |= {"depth": "max"} if _MAX.search(text) else {"depth": "standard"} if _STANDARD.search(text) else {}
    text = _cleaned(_MAX.sub("", _PLAN.sub("", text)))
    if found := _REFERENCE.search(text):
        of_run = titles[0] if titles and message.has("further") else ""
        topic = of_run or _last_subject(found["which"] or "", conversation) or "".join(titles[:1])
        text = f"{text[: found.start()]}{topic}{text[found.end() :]}" if topic else ""
    change = AGREEMENT.sub("", _cleaned(JOB_ID.sub("", message.text)))
    has_topic = set(terms(without_ordering(text))) - _NO_TOPIC and not read_message(text).has("yes", "no")
    return Order(text[:1].upper() + text[1:] if has_topic else "", settings, change)


def without_ordering(text: str) -> str:
    """A text without “Write a report about” at its start."""
    return _ORDERING.sub("", without_polite(text))


def title_of(brief: str) -> str:
    """The topic of a brief: its first sentence without “Write a report about”."""
    subject = without_ordering(brief[:MAX_READ_CHARS]) or brief
    topic = re.split(r"[.;:!?](?:\s|$)|,\s(?:and|with|for|in|at|as|only|max|but|under)\s", subject)[0]
    topic = re.sub(r"(?i)\s+in (?:great |)(?:detail|depth|german|french|spanish|italian)$", "", topic.strip(" ,"))
    return clip(topic[:1].upper() + topic[1:] or brief, MAX_TITLE_CHARS)


def schedule_in(text: str) -> tuple[dict[str, Any], str]:
    """Reads when research is repeated and what it may cost in a month; returns these and the other words."""
    if _EVERY.search(text):
        text = _CLOCK.sub(_in_24_hours, text.replace(" at noon", " at 12:00"))
    every, ceiling = _EVERY.search(text), _CEILING.search(text)
    named: dict[str, Any] = {"every": " ".join(filter(None, every.groups())).lower()} if every else {}
    named |= {"max_usd_per_month": float((ceiling[1] or ceiling[2]).replace(",", ""))} if ceiling else {}
    return named, _CEILING.sub("", _EVERY.sub("", text)).strip(" ,.;")


def _in_24_hours(at: re.Match[str]) -> str:
    return f"at {int(at[1]) % 12 + 12 * (at[3] in 'pP') if at[3] else at[1]}:{at[2] or '00'}"


def changed(brief: str, title: str, change: str) -> tuple[str, str]:
    """A brief with a change of it, and its title. It does not keep the topic or the word that the change replaces."""
    if replaces := _REPLACES.fullmatch(change):
        old, new = replaces["old"] or title_of(brief), replaces["new"] or replaces["topic"]
        if old.casefold() in brief.casefold():
            brief = re.sub(re.escape(old), lambda _: new, brief, count=1, flags=re.IGNORECASE)
            return brief, title_of(brief)
    return f"{brief.rstrip(' .')}. {change[:1].upper()}{change[1:]}", title


def with_ceiling(order: str, reply: str) -> str:
    """An order completed by a reply such as “$15”; "" if the reply names no amount of US dollars."""
    amount = re.search(rf"(?i)(?<![\w€£.,]){_USD}\b(?!\.?\d| ?(?:€|£|%|eur|gbp|pounds|{_A_RUN}))", reply)
    return f"{order.rstrip(' .!?')}, for at most ${amount[1]} a month" if amount else ""


def _cleaned(text: str) -> str:
    return without_polite(_TO_THE_AGENT.sub("", text)).rstrip(" .!?")


def _last_subject(which: str, conversation: Conversation) -> str:
    """The subject of the user's last message that has one; or the alternative “A or B” in it that `which` means."""
    for text in (text[:MAX_READ_CHARS] for text in conversation.user_texts):
        message = read_message(text)
        if message.has("nod", "thanks", "list", "status", "tell_fact") or _REFERENCE.search(text):
            continue
        if which and (found := _ALTERNATIVES.search(text)):
            purpose = re.search(r"(?i)\bfor [^,?.;]+", text)
            name = found[1] if which == "first" else found[2].removesuffix(" better")
            return f"{name} {purpose[0] if purpose else ''}".strip()
        plain = _cleaned(text)
        topic = _ASKED.sub("", plain) if _ASKED.match(plain) else title_of(plain)
        return topic if topic in plain else topic[:1].lower() + topic[1:]
    return ""
