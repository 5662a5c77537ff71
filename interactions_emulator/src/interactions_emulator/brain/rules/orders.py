"""Makes the order of a research run from a message: a brief that is complete without the conversation."""

import re
from typing import Any, NamedTuple

from interactions_emulator.brain.conversation import Conversation
from interactions_emulator.brain.rules.message import EVERY, JOB_ID, STUDY, Message, compiled, read_message, stripped
from interactions_emulator.corpus.rhythms import in_24_hours, in_english
from interactions_emulator.corpus.words import clip, terms

MAX_TITLE_CHARS, MAX_READ_CHARS, MAX_BRIEF_CHARS = 70, 2_000, 20_000
"""Maximum characters of a title, of a message whose words are read, and of a brief."""
_PLAN = compiled(r"""(?i)[\s,;.]*\b(?P<none>(?:do not|don't|no need to|without) (?:(?:show|make
    |give)(?:ing)? )?(?:me )?(?:an?|the|any) plan\b(?:,? just start)?)|\s*\b(?:\w{4} an? )?plan first(?: for)?\b:?
    |\s*\bstart with an? plan\b|[\s,;.]*\b(?:aber|mais|pero|but|and)? ?\b(?:let me|show|zeige?|montre|muéstrame
    |primero)\b[^,.;]*\bplan\b[^,.;]*|\b(?:let's (?:see|hear)|(?:draft|draw up|make|write|prepare|give|see|hear
    |want)(?: me)?) (?:an?|the) (?:research )?plan (?:for|of|on|about)\b""")
_DEPTH = compiled(r"""(?i)\b(?P<standard>(?:normal|standard|cheaper) (?:one|run|version))\b
    |[\s,;]*\b(?P<no>(?:and |but )?(?:not|don't|never|no|without|instead of|rather than)\b(?: (?:do|use|want|need
    |the|in|with|it|deep|research))* max)\b|[\s,;]*(?:\b(?:with|use|using|in|the|an?) )*\b(?:deep research max
    |max(?: version|(?= instead|[.!]?$)))\b:?""")
_TO_THE_AGENT = compiled(r"""(?i)^new research\b|^ignore [^.]*? and (?=start an?\b)|[\s,]*\b(?:and (?:ask me before
    |go ahead|start(?! an?\b)) .*|you mentioned|if it(?:'s| is) not too expensive|instead$
    |use the attached \w+(?: as well)?)(?=\W|$)""")
_ORDERING = compiled(rf"""(?i)^(?:(?:now|then|und|new research|write|prepare|do|make|create|produce|give me|i need
    |i want|quero|look into|dig into|put together|start|research|investigate|explore|study|use|untersuche
    |recherchiere|schreibe?|erstelle|fais|rédige|écris|haz|redacta|escribe|investigar?|scrivi|fai|mir|me|us|up|two|three|an?
    |the|eine?n?|une?|una|uma|um|detailed|in-depth|proper|thorough|deep|literature|long|short|ausführliche[rn]?
    |détaillé|approfondie|detallado|dettagliato|a fondo|on|about|into|of|how|über|zu|sur|sobre|schedule|have|compile
    |i'd (?:like|love)|explain|describe|compare|th(?:at|is)(?= (?:\w+s|{STUDY})\b)|{STUDY})\b(?!-)[\s:]*)+""")
_REFERENCE = compiled(r"""(?i)\b(?:the (?P<which>first|second|last) (?:one|option)|that|this|it|them|eso|ça)(?=\W*$
    |[,.;!?]|\s(?:and|in|with|as|for|from|a fondo|too|et|thoroughly)\b)""")
_NO_TOPIC = frozenset(terms("something anything nothing topic"))
_ASKED = re.compile(r"(?i)^(?:(?:what|who)(?:'s| is| are)|tell me about|was ist|¿?qué es|qu'est-ce qu')\s*")
_ALTERNATIVES = re.compile(r"(?i)([\w-]+) or (?:(?:an?|the) )?([\w-]+(?: [\w-]+)?)")
_NOT_MONTHLY = r"(?:(?:a|per|each|every) (?:run|year|week|day|quarter)\b|(?:year|week|dai|annual|quarter)ly\b)"
_USD = r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![\d,.]*\d)"
_REPLACES = compiled(r"""(?i)(?:(?:make|write) it about|i meant?) (?P<topic>.+?)(?: instead)?
    |(?:make it )?(?:in )?(?P<new>[\w-]+) (?:rather than|instead of) (?:in )?(?P<old>[\w-]+)""")
_EVERY = re.compile(rf"(?i)[\s,]*\b(?:again )?(?:on the first (?:day )?of )?{EVERY}(?:,? at (\d{{1,2}}:\d{{2}})\b)?")
_CEILING = compiled(rf"""(?i)[\s,;.]*(?:\b(?:and|for|with|but|only|at most|up to|no more than|max(?:imum)?
    |an? (?:monthly )?ceiling of) )*(?:\$ ?{_USD}|(?<![\d:.,]){_USD} ?(?:dollars|usd|\$(?! ?\d)))
    (?: (?:a|per|each) month\b| monthly\b|(?P<other> ?{_NOT_MONTHLY}))?(?: at most| max(?:imum)?\b)?""")
_MOVED = compiled(r"""(?i)(?=.*(?:day|\d(?!\d*$)))(?:(?:yes|but|make|move|change|put|it|to|on|at|better|rather
    |only)\b,? ?)*(?P<day>(?:week|mon|tues|wednes|thurs|fri|satur|sun)day)?(?: at)? ?(?P<clock>\d{1,2}(?::\d\d
    | ?[ap]m| o'clock)+)?(?: (?:is|would be|better|instead|please))*[.!]*""")
AGREEMENT = compiled(r"""(?i)^(?:(?:yes|no|oh|well|ok(?:ay)?|sure|great|good|fine|perfect|ja|gut|oui|sí|vale
    |perfecto|(?:that |it )?(?:looks|sounds) (?:good|great|fine)(?: to me)?|(?:start|go ahead)(?=[,.;!])|but|and
    |aber|mais|pero)[\s,.;!]+)*""")


class Order(NamedTuple):
    """A brief ("" if there is no topic), settings, the rest of the message, and the message as a change of a brief."""

    brief: str
    settings: dict[str, Any]
    rest: Message
    change: str


def order_of(message: Message, conversation: Conversation, titles: list[str]) -> Order:
    """The order in a message. “That” means the conversation's last topic, else the first, newest, of the `titles`."""
    if len(message.text) > MAX_READ_CHARS:
        return Order(message.text[:MAX_BRIEF_CHARS].strip(), {}, message, message.text[:MAX_BRIEF_CHARS])
    text = JOB_ID.sub("the report", message.text)
    plan, depth = _PLAN.search(text), _DEPTH.search(text)
    settings: dict[str, Any] = {"plan_first": True} if plan and not plan["none"] else {}
    settings |= {"depth": "standard" if depth["standard"] or depth["no"] else "max"} if depth else {}
    text = _cleaned(_DEPTH.sub("", _PLAN.sub("", text)))
    rest = read_message(text)
    if found := _REFERENCE.search(text):
        of_run = titles[0] if titles and message.has("further") else ""
        topic = of_run or _last_subject(found["which"] or "", conversation) or "".join(titles[:1])
        text = f"{text[: found.start()]}{topic}{text[found.end() :]}" if topic else ""
    change = AGREEMENT.sub("", _cleaned(JOB_ID.sub("", message.text)))
    has_topic = set(terms(without_ordering(text))) - _NO_TOPIC and not read_message(text).has("yes", "fine", "no")
    return Order(text[:1].upper() + text[1:] if has_topic else "", settings, rest, change)


def without_ordering(text: str) -> str:
    """A text without “Write a report about” at its start."""
    return _ORDERING.sub("", stripped(text))


def title_of(brief: str) -> str:
    """The topic of a brief: its first sentence without “Write a report about”."""
    subject = without_ordering(brief[:MAX_READ_CHARS]) or brief
    topic = re.split(r"[.;:!?](?:\s|$)|,\s(?:and|with|for|in|at|as|only|max|but|under|what)\s", subject)[0]
    topic = re.sub(r"(?i)\s+in (?:great |)(?:detail|depth|german|french|spanish|italian)$", "", topic.strip(" ,"))
    return clip(topic[:1].upper() + topic[1:] or brief, MAX_TITLE_CHARS)


def schedule_in(text: str, before: str = "") -> tuple[dict[str, Any], str]:
    """Times and ceiling of a schedule in a text, and the other words. “Make it 7pm” changes the times `before`."""
    if before and (found := _MOVED.fullmatch(text)):
        day, _, clock = before.partition(" ")
        text = f"every {found['day'] or day} at {found['clock'] or clock}"
    text = in_24_hours(text) if _EVERY.search(text := in_english(text)) else text
    every, ceilings = _EVERY.search(text), [found for found in _CEILING.finditer(text) if not found["other"]]
    named: dict[str, Any] = {"every": " ".join(filter(None, every.groups())).lower()} if every else {}
    named |= {"max_usd_per_month": float((ceilings[0][1] or ceilings[0][2]).replace(",", ""))} if ceilings else {}
    return named, _CEILING.sub("", _EVERY.sub("", text)).strip(" ,.;")


def changed(brief: str, title: str, change: str) -> tuple[str, str]:
    """Applies a change to a brief; returns the new brief and title. A replaced topic or word is not kept."""
    if replaces := _REPLACES.fullmatch(change):
        old, new = replaces["old"] or title_of(brief), replaces["new"] or replaces["topic"]
        if old.casefold() in brief.casefold():
            brief = re.sub(re.escape(old), lambda _: new, brief, count=1, flags=re.IGNORECASE)
            return brief, title_of(brief)
    return f"{brief.rstrip(' .')}. {change[:1].upper()}{change[1:]}", title


def with_ceiling(order: str, reply: str) -> str:
    """An order completed by a reply such as “$15”; "" if the reply names no amount of US dollars."""
    amount = re.search(rf"(?i)(?<![\w€£.,]){_USD}\b(?! ?(?:€|£|%|eur|gbp|pounds|runs?\b|\S* ?{_NOT_MONTHLY}))", reply)
    return f"{order.rstrip(' .!?')}, for at most ${amount[1]} a month" if amount else ""


def _cleaned(text: str) -> str:
    return stripped(_TO_THE_AGENT.sub("", text)).rstrip(" .!?")


def _last_subject(which: str, conversation: Conversation) -> str:
    """The subject of the user's last message that has one; or the alternative “A or B” in it that `which` means."""
    for text in (text[:MAX_READ_CHARS] for text in conversation.user_texts):
        message = read_message(re.sub(r"(?i)^and (?:if|with)\b.*", "ok", text))
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
