"""Messages about research have the right effect, from the root agent to the server, with the built-in brain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.adk.apps import App

from interactions_emulator import Emulator
from tests.researcher.conftest import new_id
from tests.talk import Talk, words
from tools.adk.sessions.windowed_sessions import WindowedInMemorySessions
from tools.app import build_app
from tools.research.factory import close, research
from tools.research.job_states import State

DOCUMENTS = {
    "cats": "# Cats\n\nCats sleep twelve hours a day. A cat sleeps lightly. Cats hunt at dawn.\n",
    "dogs": "# Dogs\n\nDogs live in cities. A dog in a city needs walks. Dogs bark at night.\n",
}
ORDERS = {"cats": "Write a research report on how cats sleep", "dogs": "Write a research report on dogs in cities"}
CALLED = {
    "quote": {"start_research", "repeat_research"},
    "status": {"show_research"},
    "report": {"show_research"},
    "answer": {"ask_report"},
    "cancel": {"cancel_research"},
    "approve": {"approve"},
    "revise": {"revise"},
    "list": {"list_research"},
    "delete_question": {"delete_research"},
    "answer or quote": {"ask_report", "start_research"},
    "words": set[str](),
}
"""The researcher's tools for each effect. "words" is an answer or a question without a tool call."""

CASES = [
    # context, what is said, effect, creates of Deep Research
    ("none", "cancel job_abc", "cancel", 0),
    ("none", "Do not start any research.", "words", 0),
    (
        "none",
        "Please write a research report comparing asyncio and threads in Python. Show me a plan first",
        "quote",
        0,
    ),
    ("running", "hows it going?", "status", 0),
    ("running", "stop it", "cancel", 0),
    ("running", "I need sources from 2025 only", "words", 0),
    ("done", "Write an executive summary", "answer", 0),
    ("done", "my research again, please", "report", 0),
    ("done", "start again", "quote", 0),
    ("done", "forget it", "words", 0),
    ("done", "Compare with the 2024 numbers too, please", "answer or quote", 0),
    ("two", "summarise the report on cats", "answer", 0),
    ("quote", "proceed", "approve", 1),
    ("quote", "no thanks", "cancel", 0),
    ("quote", "What will it cost?", "words", 0),
    ("plan", "Sounds good, proceed", "approve", 1),
    ("plan", "don't start it", "cancel", 0),
    ("plan", "How long will it take?", "words", 0),
    ("plan", "looks good but also cover the GIL", "revise", 1),
]
"""One message for each effect in each context."""
MORE_CASES = [
    ("none", "thanks", "words", 0),
    ("none", "How much would a research cost?", "words", 0),
    ("none", "Could you do a deep dive on Python logging? dont start yet, how much would it cost?", "words", 0),
    ("none", "I might want a study on HTTP caching later, but not now", "words", 0),
    ("none", "I dont want a research report, just tell me briefly what a mutex is", "words", 0),
    ("none", "Schreibe einen ausführlichen Forschungsbericht über Wärmepumpen im Altbau", "quote", 0),
    ("running", "Wie weit ist die Recherche?", "status", 0),
    ("running", "abbrechen", "cancel", 0),
    ("running", "Do a German version as well", "words", 0),
    ("done", "Create slides from this", "answer", 0),
    ("done", "I want a table of prices in it", "answer", 0),
    ("done", "Which of the sources is the newest?", "answer", 0),
    ("two", "what does the first report say?", "answer", 0),
    ("quote", "ja, los geht's", "approve", 1),
    ("quote", "I will start over again", "words", 0),
    ("plan", "looks good, go", "approve", 1),
]
"""Other words for the same effects."""
CONTEXTS = ("none", "running", "done", "two", "quote", "plan")
Case = tuple[str, str, str, int]


class Conversation:
    """A conversation with the desk as it is shipped."""

    def __init__(self, api: Emulator, app: App) -> None:
        self.api, self.talk = api, Talk(app, WindowedInMemorySessions(), session_id=new_id())
        self.called: list[tuple[str, dict[str, Any]]] = []

    async def say(self, text: str) -> str:
        """Takes a turn and returns all its text. Records the calls of research tools."""
        said = []
        self.called = []
        async for event in self.talk.events(text):
            calls = [call for call in event.get_function_calls() if event.author == "researcher"]
            self.called += [(call.name or "", call.args or {}) for call in calls]
            said += [words(event)] if not event.partial else []
        return "\n".join(said)

    async def reach(self, context: str) -> None:
        """Brings the conversation to the point where a case begins."""
        if context == "none":
            return
        if context == "plan":
            await self.say(f"{ORDERS['cats']}. Show me a plan first")
            await self.say("yes")
            return
        await self.say(ORDERS["cats"])
        if context == "running":
            self.api.set_speed(0)
        if context != "quote":
            before = self.creates
            await self.say("yes")
            while self.creates == before:  # on a slow machine, the turn ends first
                await asyncio.sleep(0.01)
        if context == "two":
            await self.say(ORDERS["dogs"])
            await self.say("yes")

    @property
    def creates(self) -> int:
        return sum(i["target"].startswith("deep-research") for i in self.api.interactions())


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    for name, text in DOCUMENTS.items():
        (folder / f"{name}.md").write_text(text)
    return folder


@pytest.fixture
def api(use: Any, asks: None, documents: Path) -> Iterator[Emulator]:
    with Emulator(corpus=documents, speed=1e5) as server:
        use(server)
        yield server


@pytest.fixture
async def app(api: Emulator) -> AsyncIterator[App]:
    yield build_app()
    await close()


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("cases", [CASES, pytest.param(MORE_CASES, marks=pytest.mark.nightly)], ids=["one", "more"])
async def test_each_message_calls_the_expected_tools_and_starts_the_expected_runs(
    api: Emulator, app: App, context: str, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_ATTACH_SECONDS", "0.2" if context == "running" else "60")
    wrong = []
    for _, text, effect, creates in (case for case in cases if case[0] == context):
        api.set_speed(1e5)
        talk = Conversation(api, app)
        await talk.reach(context)
        before = talk.creates
        await talk.say(text)
        names = {name for name, _ in talk.called}
        fits = names <= CALLED[effect] and bool(names) == bool(CALLED[effect])
        if not fits or talk.creates - before != creates:
            wrong.append((text, effect, talk.called, talk.creates - before))
        for job in await research().jobs("ada"):  # the next case orders the same, in a conversation of its own
            await research().forget(job.id)
    assert wrong == []


async def test_only_a_clear_yes_starts_a_run(api: Emulator, app: App) -> None:
    talk = Conversation(api, app)
    for text in (
        "go away",
        "hmm ok...",
        "ok, thanks",
        "ok wait",
        "is it good",
        "good report",
        "fine, forget the research",
    ):
        await talk.reach("quote")  # an open order is quoted again
        await talk.say(text)
        assert talk.creates == 0, text
    await talk.reach("quote")
    await talk.say("ok")
    assert talk.creates == 1


async def test_references_to_earlier_messages_are_resolved_in_the_brief(api: Emulator, app: App) -> None:
    talk = Conversation(api, app)
    await talk.say("What is an asynchronous context manager in Python?")
    await talk.say("Write a research report about that, and compare it with the alternatives")
    brief = talk.called[0][1]["brief"]
    assert "asynchronous context manager" in brief and "Python" in brief
    assert " that" not in brief and "mentioned" not in brief
    await talk.say("no")
    await talk.say("Which database should I use for a small web shop, PostgreSQL or MongoDB?")
    await talk.say("ok look into the second one in depth for me")
    brief = talk.called[0][1]["brief"]
    assert "MongoDB" in brief and "web shop" in brief
    assert talk.creates == 0


async def test_a_request_for_a_plan_is_not_copied_into_the_brief(api: Emulator, app: App) -> None:
    talk = Conversation(api, app)
    await talk.say("Please write a research report comparing asyncio and threads in Python. Show me a plan first")
    ((name, arguments),) = talk.called
    assert (name, arguments["plan_first"]) == ("start_research", True)
    assert "plan" not in arguments["brief"] and "asyncio" in arguments["brief"]


async def test_a_question_goes_to_the_right_one_of_two_reports(api: Emulator, app: App) -> None:
    talk = Conversation(api, app)
    await talk.reach("two")
    dogs, cats = (await research().jobs("ada"))[:2]
    assert (cats.state, "cats" in cats.order.brief) == (State.COMPLETED, True)
    for text in ("summarise the report on cats", "what does the first report say?"):
        await talk.say(text)
        assert talk.called[0][1]["job_id"] == cats.id
    await talk.say("and what does it say about dogs in a city?")
    assert talk.called[0][1]["job_id"] == dogs.id
