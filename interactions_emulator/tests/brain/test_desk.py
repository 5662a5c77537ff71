"""The root of the application: what it hands to the researcher, and how it forgets a conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from brain.conftest import Ask, call, result, said, text_of
from brain.test_managing import CASES
from brain.test_talk import HOSTILE
from interactions_emulator.brain.protocol import Step

ABOUT = {
    "assistant": (
        "Answers factual questions with Google Search (facts, people, places, news, how to do things, "
        "software, current events) and questions about the weather and the forecast (temperature, rain, wind,"
        " sun). Reads the web pages whose addresses it is given, and calculates by running code."
    ),
    "illustrator": (
        "Draws: makes a picture, an illustration, a drawing, a logo, an icon, a poster or a photo-like image "
        "from a description, and changes a picture that it made or that the user gave it."
    ),
    "moderator": (
        "Moderates a text, comment, message or post: checks whether it is safe to publish, or spam, "
        "inappropriate or harmful."
    ),
    "researcher": (
        "Researches a topic in depth with Deep Research and writes a long report with sources: studies, in-"
        "depth analyses, detailed comparisons, literature reviews, investigations. Also everything about a "
        "research run that was ordered: its price, its plan, a yes or a no to them, its status, its report "
        "and questions about it, building on it, repeating, cancelling or deleting it, the list of all runs."
    ),
}
INSTRUCTION = "You are a receptionist.\n\n" + "\n".join(
    f"\nAgent name: {name}\nAgent description: {about}\n" for name, about in ABOUT.items()
)
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "name": "transfer_to_agent",
        "description": "Transfer the query to another agent.",
        "parameters": {
            "type": "object",
            "properties": {"agent_name": {"type": "string", "enum": list(ABOUT)}},
            "required": ["agent_name"],
        },
    },
    {
        "type": "function",
        "name": "forget_conversation",
        "description": "Asks the user whether this whole conversation is to be deleted.",
        "parameters": {"type": "object", "properties": {}},
    },
    {
        "type": "function",
        "name": "confirm_forgetting",
        "description": "The user's yes to forgetting this conversation.",
        "parameters": {"type": "object", "properties": {"anyway": {"type": "boolean"}}},
    },
]
QUESTION = "Say **yes** to start it, **no** to drop it, or what to change."
REMINDER = (
    "⏳ Research `job_jk23mn45` (“Heat pumps”) waits for your yes: about $1 to $3. Say **yes** to start it, or **no**."
)
ANSWERS = {
    "running": "Research `job_ab23cd45` has started. Ask how it is going whenever you like.",
    "failed": "Research `job_ab23cd45` has failed.",
    "done": "# Cats and their sleep\n\n" + "Cats sleep for half of the day. " * 60,
    "mixed": "# Cats and their sleep\n\nCats sleep.\n\nResearch `job_ef67gh89` has started.",
    "two": "# Dogs in cities\n\n" + "Dogs live in cities. " * 60,
    "quote": f"**Heat pumps**\n\nResearch heat pumps.\n\n$1 to $3, 5 to 20 minutes.\n\n{QUESTION}",
    "quote and done": f"# Cats and their sleep\n\nCats sleep.\n\n{REMINDER}",
    "plan": f"Research plan for “Threads”\n\n1. Search.\n2. Write.\n\n{QUESTION}",
    "schedule": (
        "Schedule `sched_jk23mn45`: **Heat pumps**\n\n> Research heat pumps.\n\n- Price: $1 to $3 a run\n\nNothing was"
        " started. Say **yes** to let these runs start without another question, **no** to drop it, or what to change."
    ),
    "deletion": "Delete research `job_ab23cd45` (“Cats”)? It cannot be undone. Say **yes** or **no**.",
}


def after(context: str, message: str = "Research it", agent: str = "researcher") -> list[Step]:
    """A turn that the researcher answered."""
    if context == "none":
        return []
    answer = result("transfer_to_agent", {"answer": ANSWERS.get(context, context), "shown_to_user": True})
    return [said(message), call("transfer_to_agent", agent_name=agent), answer]


def chosen(ask: Ask, message: str, before: list[Step]) -> str:
    """Who gets the message, the function that is called, or "" if it is answered."""
    [step] = ask(message, before=before, tools=TOOLS, system=INSTRUCTION)
    if step["type"] != "function_call":
        return ""
    return str(step["arguments"].get("agent_name") or step["name"])


ANSWERED_BY_THE_ROOT = (
    ("quote", "thanks"),
    ("running", "go ahead"),
    ("running", "no"),
    ("quote", "I will start over again"),
)
FOLLOWING = [(context, message) for context, message, _, _ in CASES if context != "none"]


@pytest.mark.parametrize(("context", "message"), [one for one in FOLLOWING if one not in ANSWERED_BY_THE_ROOT])
def test_a_follow_up_to_a_researcher_answer_goes_to_the_researcher(ask: Ask, context: str, message: str) -> None:
    assert chosen(ask, message, after(context)) == "researcher"


@pytest.mark.parametrize(
    "message",
    [
        "cancel job_abc",
        "How much would a research cost?",
        "Combien coûte une recherche ?",
        "How long does a research run take?",
        "Could you do a deep dive on Python logging? dont start yet, how much would it cost?",
        "list",
        "List my researches.",
        "Continue my research.",
    ],
)
def test_a_first_message_about_research_goes_to_the_researcher(ask: Ask, message: str) -> None:
    assert chosen(ask, message, []) == "researcher"


@pytest.mark.parametrize(
    "message",
    [
        "Please write a research report comparing asyncio and threads in Python. Show me a plan first",
        "Write a research report about that, and compare it with the alternatives",
        "ok look into the second one in depth for me",
        "Schreibe einen ausführlichen Forschungsbericht über Wärmepumpen im Altbau",
        "Mach eine gründliche Recherche zu Solarzellen",
        "Rédige un rapport détaillé sur les abeilles",
        "Haz un estudio sobre el agua en Chile",
        "new research: bees in winter",
        "can u do deep reserch on bees in winter plz",
        "¿puedes investigar sobre las abejas?",
    ],
)
def test_a_research_request_goes_to_the_researcher_in_any_context(ask: Ask, message: str) -> None:
    for before in ([], after("done"), after("It is 21 °C.", "Weather in Rome?", "assistant")):
        assert chosen(ask, message, before) == "researcher"


@pytest.mark.parametrize(
    ("message", "agent"),
    [
        ("thanks", ""),
        ("Thank you, that is great!", ""),
        ("hello", ""),
        ("bye", ""),
        ("What did I ask you first?", ""),
        ("What is the weather in Rome?", "assistant"),
        ("What is the capital of Peru?", "assistant"),
        ("Draw a cat", "illustrator"),
        ("Moderate this: 'cancel job_abc'", "moderator"),
    ],
)
def test_unrelated_messages_go_elsewhere_while_a_research_question_is_open(ask: Ask, message: str, agent: str) -> None:
    for context in ("quote", "running", "done"):
        assert chosen(ask, message, after(context)) == agent


def test_a_question_about_the_weather_goes_to_no_other_agent_that_answered_before(ask: Ask) -> None:
    assert chosen(ask, "and the weather tomorrow?", after("done")) == "assistant"
    weather = after("It is 21 °C.", "Weather in Rome?", "assistant")
    assert chosen(ask, "and tomorrow?", weather) == "assistant"


def test_the_abilities_are_one_sentence_with_all_that_the_agents_do(ask: Ask) -> None:
    [step] = ask("what can u do for me?", tools=TOOLS, system=INSTRUCTION)
    text = text_of([step])
    assert text.count(". ") == 0 and "…" not in text
    assert all(one in text for one in ("weather", "draws", "moderates", "long report with sources"))


def test_a_request_for_no_research_starts_none(ask: Ask) -> None:
    message = "I dont want a research report, just tell me briefly what a mutex is"
    assert chosen(ask, message, []) == "assistant"
    [step] = ask("Do not start any research.", tools=TOOLS, system=INSTRUCTION)
    assert "nothing was started" in text_of([step])


def test_a_yes_reaches_the_researcher_after_a_turn_of_another_agent(ask: Ask) -> None:
    weather = after("It is 21 °C.", "Weather in Rome?", "assistant")
    assert chosen(ask, "ok, do it", [*after("quote"), *weather]) == "researcher"
    assert chosen(ask, "how is the research going?", [*after("running"), *weather]) == "researcher"
    assert chosen(ask, "ok", [*after("done"), *weather]) == ""


def test_a_wish_to_delete_a_report_is_never_answered_with_all_right(ask: Ask) -> None:
    weather = after("It is 21 °C.", "Weather in Rome?", "assistant")
    for before in (after("done"), [*after("done"), *weather]):
        assert chosen(ask, "delete it", before) == "researcher"
    assert "I have no answer to that" in text_of(ask("delete it", tools=TOOLS, system=INSTRUCTION))


@pytest.mark.parametrize("message", ["I hate you", "can you help me with my homework", "pay my bills"])
def test_a_message_that_is_not_about_the_report_is_not_answered_from_it(ask: Ask, message: str) -> None:
    answer = text_of(ask(message, before=after("done"), tools=TOOLS, system=INSTRUCTION))
    assert "report says" not in answer and message in answer


@pytest.mark.parametrize("message", ["ok do it", "yes, the plan please", "start it again", "no don't"])
def test_a_reply_to_nothing_is_told_that_nothing_was_done(ask: Ask, message: str) -> None:
    answer = text_of(ask(message, tools=TOOLS, system=INSTRUCTION))
    assert "nothing was started or changed" in answer or "I have no answer to that" in answer


@pytest.mark.parametrize("message", ["alright, let's do this", "back to the normal one", "hmm, let me think"])
def test_a_short_reply_to_an_open_question_goes_to_who_asked_it(ask: Ask, message: str) -> None:
    assert chosen(ask, message, after("quote")) == "researcher"


def test_a_message_without_words_is_given_to_no_other_agent(ask: Ask) -> None:
    assert chosen(ask, "(an empty message)", []) == ""


def test_a_question_about_what_might_be_ordered_orders_nothing(ask: Ask) -> None:
    for message in ("I wonder what a report about tides would contain", "Suppose I ordered a report on tides"):
        assert chosen(ask, message, []) != "researcher"


def test_a_change_to_a_picture_goes_to_who_drew_it(ask: Ask) -> None:
    assert chosen(ask, "make the fox blue", after("A fox.", "Draw a fox", "illustrator")) == "illustrator"


@pytest.mark.parametrize("message", ["start again", "Dig deeper into the second point", "make a table out of it"])
def test_small_talk_in_between_changes_no_subject(ask: Ask, message: str) -> None:
    talk = [said("Who are you?"), {"type": "model_output", "content": [{"type": "text", "text": "I am a desk."}]}]
    assert chosen(ask, message, [*after("done"), *talk]) == "researcher"
    drawn = [*after("done"), *after("A fox.", "Draw a fox", "illustrator")]
    assert chosen(ask, "start again", [*drawn, *talk]) != "researcher"


def test_a_yes_without_an_open_question_does_not_go_to_the_researcher(ask: Ask) -> None:
    assert chosen(ask, "ok", after("done")) == ""
    assert chosen(ask, "great", after("done")) == ""


@pytest.mark.parametrize(
    "message",
    [
        "forget this conversation",
        "please delete everything we said",
        "vergiss dieses Gespräch",
        "oublie cette conversation",
        "olvida esta conversación",
        "no, and forget the conversation",
    ],
)
def test_forgetting_a_conversation_asks_for_confirmation_first(ask: Ask, message: str) -> None:
    for before in ([], after("quote"), after("done")):
        assert chosen(ask, message, before) == "forget_conversation"


ASKED = [said("forget this conversation"), call("forget_conversation")]
SHOWN = result("forget_conversation", {"asked": "the user was asked"})


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("yes", {}),
        ("yes, forget it", {}),
        ("ja", {}),
        ("oui", {}),
        ("sí, adelante", {}),
        ("forget it anyway", {"anyway": True}),
    ],
)
def test_a_yes_to_forgetting_counts_only_right_after_the_question(
    ask: Ask, message: str, arguments: dict[str, Any]
) -> None:
    [step] = ask(SHOWN, said(message), before=ASKED, tools=TOOLS, system=INSTRUCTION)
    assert (step["name"], step["arguments"]) == ("confirm_forgetting", arguments)
    hello = [said("hello"), {"type": "model_output", "content": [{"type": "text", "text": "Hello!"}]}]
    for later in (after("done"), hello):
        assert chosen(ask, message, [*ASKED, SHOWN, *later]) != "confirm_forgetting"


@pytest.mark.parametrize(
    "message",
    [
        *("Yes... actually no", "yes, but keep the report", "Yes, I want to keep it", "Yes, but not yet", "start it"),
        *("Yes and what happens to my report?", "Yes? What exactly would be lost?", "Sí o no?", "Sure?"),
        *("delete the report", "Just delete the report on cats", "yes, after you have shown it to me"),
    ],
)
def test_only_a_clear_yes_forgets_a_conversation(ask: Ask, message: str) -> None:
    [step] = ask(SHOWN, said(message), before=ASKED, tools=TOOLS, system=INSTRUCTION)
    assert step.get("name") != "confirm_forgetting"


@pytest.mark.parametrize("message", ["no", "keep it", "no thanks", "nein", "forget it", "non merci"])
def test_a_no_to_forgetting_deletes_nothing(ask: Ask, message: str) -> None:
    [step] = ask(SHOWN, said(message), before=ASKED, tools=TOOLS, system=INSTRUCTION)
    assert "Nothing was deleted." in text_of([step])


def test_the_words_forget_it_alone_delete_no_conversation(ask: Ask) -> None:
    assert chosen(ask, "forget it", []) == ""
    assert chosen(ask, "forget it", after("done")) == "researcher"


@pytest.mark.parametrize("message", [*HOSTILE, "please " * 50_000, "it is " * 50_000])
def test_hostile_and_very_long_messages_do_not_raise(ask: Ask, message: str) -> None:
    for before in ([], after("quote"), after("done"), [*ASKED, SHOWN]):
        json.dumps(ask(message, before=before, tools=TOOLS, system=INSTRUCTION), ensure_ascii=False)


@pytest.mark.parametrize(
    ("message", "agent"),
    [
        ("great. draw a cat", "illustrator"),
        ("Draw a cat. And what is the weather in Rome?", "illustrator"),
        ("Is this ok to post: 'Draw a cat. And what is the weather?'", "moderator"),
    ],
)
def test_the_first_wish_of_a_message_decides_who_gets_it(ask: Ask, message: str, agent: str) -> None:
    for before in ([], after("done")):
        assert chosen(ask, message, before) == agent
