"""Chooses among the declared functions, and among the agents to hand over to, by their names and descriptions."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from interactions_emulator.brain.allowed_tools import allowed_tools
from interactions_emulator.brain.answer import Ids, function_call, say
from interactions_emulator.brain.conversation import Conversation, PastCall
from interactions_emulator.brain.protocol import Step, Turn
from interactions_emulator.brain.rules.call_arguments import fill, is_place
from interactions_emulator.brain.rules.message import JOB_ID, RUN, Act, Message, compiled, read_message
from interactions_emulator.corpus.words import sentences, stem, terms

PURPOSES: dict[Act, frozenset[str]] = {
    "judge": frozenset(terms("moderate spam harmful inappropriate safe publish")),
    "draw": frozenset(terms("draw picture image illustration drawing logo")),
    "order": frozenset(terms("research report study investigation depth")),
    "ask": frozenset(terms("factual questions search web facts news")),
}
"""Maps an act to words: an agent or function whose description has two of them can carry out the act."""
WHICH_ONE = "Which one do you mean?"
RECENT_ANSWERS, MAX_SHORT_REPLY_WORDS = 8, 8
"""Number of the latest answers in which one about a run is looked for, and maximum words of a reply to a question."""
_GENERAL = frozenset(terms("get gets answer answers user name value current place day up long good best first last"))
_WEATHER = compiled(r"""\b(?:weather|forecast|temperature|umbrella|rain(?:y|ing)?|snow(?:y|ing)?|sunny|windy|wetter
    |regnet|météo|temps|tiempo|llover|how (?:warm|hot|cold))\b|天气""")
_ASKS_FOR_YES = re.compile(r"\bsay \*{0,2}yes\b|\bwaits for your yes\b|\bapproval\b|\[…\]\s*$", re.IGNORECASE)
_BACK_REFERENCE = re.compile(r"\b(?:it|its|this|that|these|they|them|both)\b")
_RUN_ACTS: tuple[Act, ...] = ("status", "show", "list", "cancel", "repeat", "delete", "further", "cost")


@dataclass(frozen=True)
class Option:
    """A function, or one of the agents to which one hands over. `topic` is its name, `about` says what it does."""

    name: str
    parameters: dict[str, Any]
    fixed: dict[str, Any]
    """The parameter with the agent's name; empty for a whole function."""
    words: frozenset[str]
    purpose: Act | None
    topic: str
    about: str

    def made(self, call: PastCall) -> bool:
        """Whether a call was a call of this option."""
        return self.name == call.name and self.fixed.items() <= call.arguments.items()


@dataclass(frozen=True)
class Tools:
    """The tools that a request allows."""

    options: tuple[Option, ...] = ()
    must_call: bool = False
    types: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()


def read_tools(turn: Turn) -> Tools:
    """The tools that a request allows."""
    tools, must_call = allowed_tools(turn)
    options = [option for tool in tools if tool.get("name") for option in _options(tool, turn.system_instruction)]
    chosen = tuple(option for option in options if "forget" not in option.name)  # see `_forgetting`
    types, functions = (frozenset(str(tool.get(key)) for tool in tools) for key in ("type", "name"))
    return Tools(chosen, must_call and bool(chosen), types, functions)


def _options(tool: dict[str, Any], instruction: str) -> Iterable[Option]:
    name, description = str(tool["name"]), str(tool.get("description") or "")
    parameters: dict[str, Any] = tool.get("parameters") or {}
    properties = parameters.get("properties") or {}
    for key in parameters.get("required") or []:
        values = (properties.get(key) or {}).get("enum") or []
        texts = {value: _description_of(str(value), f"{instruction}\n\n{description}") for value in values}
        if texts and all(texts.values()):
            return [_option(name, parameters, {key: value}, value, about) for value, about in texts.items()]
    return [_option(name, parameters, {}, name, description.split("\n\n")[0])]


def _option(name: str, parameters: dict[str, Any], fixed: dict[str, Any], topic: str, about: str) -> Option:
    plain = re.sub(r"(?i)\b(?:not|never|except|don't|unlike)\b[^.;:\n]*|<<<\w+>>>", " ", about)
    words = frozenset(terms(re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", topic) + " " + plain)) - _GENERAL
    purpose = max(PURPOSES, key=lambda act: len(PURPOSES[act] & words))
    fits = len(PURPOSES[purpose] & words) >= 2
    return Option(name, parameters, fixed, words, purpose if fits else None, topic, (sentences(about) or [""])[0])


def _description_of(value: str, text: str) -> str:
    """The description of a value in a text: the line that begins with it, and the lines up to an empty one."""
    found = re.search(
        rf"(?m)^(?:[\w ]{{1,20}}:)?\W*?{re.escape(value)}\W*?(?:$|[:(—–-])((?:.*\S.*\n?|\n(?=.*\S))*)", text
    )
    return re.sub(r"(?i)^\W*[\w ]{0,20}description:\s*", "", found[1].strip()) if found else ""


def function_calls(conversation: Conversation, tools: Tools, ids: Ids) -> tuple[list[Step], str]:
    """The function calls that answer the message, and a question if a required argument is missing."""
    message = read_message(conversation.message)
    if step := _forgetting(conversation, message, tools, ids):
        return [step], ""
    option, text = _asked_before(conversation, message, tools) or (_chosen(conversation, message, tools), message.text)
    option = option or (tools.options[0] if tools.must_call else None)
    if option is None:
        return [], ""
    before = [call.arguments for call in conversation.calls if option.made(call)]
    filled = fill(option.parameters, text, option.fixed, before[-1] if before else {}, option.words)
    missing = [key for key in option.parameters.get("required") or [] if key not in (filled or [{}])[0]]
    if missing and not tools.must_call:
        names = " and ".join(key.replace("_", " ") for key in missing)
        return [], f"Which {names}? `{option.name}` cannot be called without it."
    return [function_call(ids, option.name, dict.fromkeys(missing, text) | one) for one in filled or [{}]], ""


def _chosen(conversation: Conversation, message: Message, tools: Tools) -> Option | None:
    acts = message.acts & {"judge", "order", "draw"} if not message.has("abilities") else ()
    manager = (one for one in tools.options if one.purpose == "order" and is_about_run(conversation, message, one))
    if fits := next(manager, next((one for one in tools.options if one.purpose in acts), None)):
        return fits
    if small_talk_act(message):
        return None
    if message.has("draw", "do"):  # a function that says so may do what the first word asks for
        doing = {*terms(message.plain.partition(" ")[0])}
        return _best_by_words(message, [one for one in tools.options if not one.fixed and doing & one.words])
    last = next((one for call in conversation.calls[-1:] for one in tools.options if one.made(call)), None)
    by_words = _best_by_words(message, tools.options)
    other = by_words and (by_words.purpose != "ask" or _WEATHER.search(message.plain))
    follows = message.has("continue") and last and not other
    return last if follows else by_words


def _best_by_words(message: Message, options: Sequence[Option]) -> Option | None:
    wanted = set(terms(message.plain)) - _GENERAL | ({stem("weather")} if _WEATHER.search(message.plain) else set())
    asks, best, best_score = message.has("ask", "topic"), None, 0
    for option in options:
        needs_place = any(is_place(key) for key in option.parameters.get("required") or [])
        if option.purpose in ("judge", "draw", "order") or (message.has("definition") and needs_place):
            continue
        score = len(wanted & option.words) + (asks and option.purpose == "ask")
        if score > best_score:
            best, best_score = option, score
    return best if best_score >= (1 if asks else 2) else None


def small_talk_act(message: Message) -> Act | None:
    """The act of a message that needs no tool; None if the message is not small talk."""
    always: tuple[Act, ...] = ("recall", "ask_fact", "joke", "abilities", "about_you")
    alone: tuple[Act, ...] = ("tell_fact", "thanks", "bye", "greeting", "later", "no")
    if found := next((act for act in always if message.has(act)), None):
        return found
    if message.has("ask", "draw", "do", "order", "judge"):
        return None
    agrees = message.has("nod") and not message.has("delete")
    return next((act for act in alone if message.has(act)), "yes" if agrees else None)


def is_about_run(conversation: Conversation, message: Message, manager: Option) -> bool:
    """Whether a message belongs to the agent that manages research runs."""
    if message.has("judge", "draw", "recall", "ask_fact", "tell_fact"):
        return False
    if JOB_ID.search(message.text) or read_message(message.text.rstrip(" ?")).has("cancel"):
        return True
    answers = conversation.answers[:RECENT_ANSWERS]
    told = [one for one in answers if one.speaker != "model" and one.call and manager.made(one.call)]
    replies = message.has("nod", "yes", "no", "denies", "later")
    if (waits := told and _ASKS_FOR_YES.search(told[0].text[-1_500:])) and replies:
        return True
    names_run = message.plain in ("list", "status") or bool(re.search(rf"\b(?:{RUN}|i spen[dt])\b", message.plain))
    if told and told[0] is next(one for one in answers if one.speaker != "model"):  # small talk changes no subject
        asks = (told[0] is answers[0] and told[0].text.endswith("?")) or (waits and not small_talk_act(message))
        if (names_run or (asks and len(message.text.split()) <= MAX_SHORT_REPLY_WORDS)) and not message.has("ask"):
            return True
        refers = _BACK_REFERENCE.search(message.plain) and not _WEATHER.search(message.plain)
        about = message.has(*_RUN_ACTS, "change", "report", "no", "later")
        return about or (bool(refers) and not small_talk_act(message))
    return bool(told and message.has("status", "delete", "list", "report")) or (message.has(*_RUN_ACTS) and names_run)


def _forgetting(conversation: Conversation, message: Message, tools: Tools, ids: Ids) -> Step | None:
    """The step that forgets the conversation: a question first, and the deletion after a clear yes."""
    names = sorted((name for name in tools.functions if "forget" in name), key=lambda name: "confirm" in name)
    if len(names) != 2:
        return None
    last = conversation.calls[-1] if conversation.calls else None
    if last and last.name in names and [last.message] == conversation.user_texts[:1]:
        anyway = {"anyway": True} if message.plain.endswith("anyway") else {}
        if anyway or message.has("agree"):
            return function_call(ids, names[1], anyway)
        if message.has("no", "later"):
            return say("Nothing was deleted.")
    return function_call(ids, names[0], {}) if message.has("forget") else None


def _asked_before(conversation: Conversation, message: Message, tools: Tools) -> tuple[Option, str] | None:
    """The function about which the last answer asked, and the text with the arguments; None if it asked nothing."""
    answer, calls = "".join(one.text for one in conversation.answers[:1]), conversation.calls
    is_short = len(message.text.split()) <= MAX_SHORT_REPLY_WORDS
    if small_talk_act(message):
        return None
    if is_short and (asked := re.search(r"`(\w+)` cannot be called without", answer)):
        text = f"{conversation.user_texts[0]} {message.text}"
        return next(((option, text) for option in tools.options if option.name == asked[1]), None)
    offered = re.findall(r"^- (.+)$", answer.partition(WHICH_ONE)[2], re.MULTILINE)
    option = next((one for one in tools.options if calls and not one.fixed and one.made(calls[-1])), None)
    plain, words = message.plain, set(terms(message.plain)) - set(terms("one mean meant want"))
    shared = {term for term, count in Counter(term for one in offered for term in set(terms(one))).items() if count > 1}
    for place, one in zip(("first|1", "second|2", "third|3", "fourth|4", "fifth|5"), offered, strict=False):
        own = set(terms(one))
        if option and is_short and (re.search(rf"\b(?:{place})\b", plain) or (words and words <= own)):
            return option, one
        if option and words & (own - shared) and (plain.startswith("the ") or _WEATHER.search(plain)):
            return option, f"in {one}: {message.text}"  # a longer reply, which also says what the user wants there
    return None
