"""The research agent: plans, searches, reads, searches for what is missing, and writes a report section by section.

Each stage yields one or more steps, and later stages need only these steps: the signatures of thoughts contain the plan
and the decisions, and the signatures of search results the texts that were read. So a server that is started again
continues with the stage that is missing. The agent also works with models that write nonsense: a simple plan replaces a
bad one, and a section without citations names the pages that were read for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any

from interactions_emulator.brain.model.budget import Asker, BudgetSpent
from interactions_emulator.brain.model.citations import cited_numbers, source_list
from interactions_emulator.brain.model.limits import (
    MAX_QUERY_CHARS,
    MAX_SECTION_SEARCHES,
    SEARCH_SHARE,
)
from interactions_emulator.brain.model.mcp import McpServer, found_in, mcp_servers
from interactions_emulator.brain.model.plan import (
    Plan,
    Request,
    Section,
    default_plan,
    is_assent,
    read_lines,
    request_of,
)
from interactions_emulator.brain.model.prompts import PLAN, REFLECT, WRITE
from interactions_emulator.brain.model.server_tools import call_step, result_step
from interactions_emulator.brain.model.signature_data import pack, unpack
from interactions_emulator.brain.model.sources import Found, Library, SearchError, Sources, as_prompt
from interactions_emulator.brain.model.writer import Writer
from interactions_emulator.brain.protocol import Ending, Entry, Step, TimedStep, Turn
from interactions_emulator.contents import text_of
from interactions_emulator.corpus.words import clip, join_names

SEARCH_S = 1.0
"""Virtual seconds before a search. A stopped clock therefore also stops a run."""
Material = list[tuple[int, Found]]


class Research:
    """One run of the agent."""

    def __init__(self, turn: Turn, asker: Asker, library: Library) -> None:
        kinds = {tool.get("type") for tool in turn.tools}
        self._asker = asker
        self._library = library
        self._request: Request = request_of(turn.steps)
        self._told = deque(turn.answered)
        self._planning_only = turn.agent_config.get("collaborative_planning") is True
        self._summaries = turn.agent_config.get("thinking_summaries") == "auto"
        self._servers = mcp_servers(turn.tools)
        self._searches = not turn.tools or "google_search" in kinds or not self._servers
        self._sources = Sources()
        self._trouble = ""
        """A sentence about the last search that failed."""
        self._chars = asker.limits.material_chars
        self._question = clip(self._request.question, self._chars // 3)

    def entries(self) -> Iterator[Entry]:
        """The entries of the answer. Raises `ChatError`."""
        if self._planning_only:
            yield TimedStep(SEARCH_S, self._take("model_output") or _output(self._planned().shown()))
            return
        plan = yield from self._plan()
        material: list[Material] = []
        for section in plan.sections:
            material.append((yield from self._investigate(section)))
        yield from self._report(plan, material)

    def _planned(self) -> Plan:
        """The plan: a new one, or the one that the user has seen, with the changes that the user asks for."""
        question, reply, plan, before = self._request
        if plan and is_assent(reply):
            return plan
        if plan:
            text = f"The question: {self._question}\n\n{plan.shown()}\n\nChange the plan as the user says: {reply}"
            return read_lines(self._asker.ask(PLAN, text[: self._chars]), plan.title) or plan
        earlier = f"Earlier question: {clip(before, 300)}\n\n" if before else ""
        answer = self._asker.ask(PLAN, f"{earlier}Question: {self._question}")
        return read_lines(answer, question) or default_plan(question)

    def _plan(self) -> Generator[Entry, None, Plan]:
        step = self._take("thought")
        if step is None:
            plan = self._planned()
            headings = join_names([f"“{section.heading}”" for section in plan.sections])
            step = self._thought(f"**Planning**\n\nThe report gets the sections {headings}.", plan)
        yield TimedStep(SEARCH_S, step)
        title, sections = unpack(step)
        return Plan(title, [Section(*section) for section in sections])

    def _investigate(self, section: Section) -> Generator[Entry, None, Material]:
        """Search for a section, and once more for what is missing."""
        query, queries, material = section.query, list[str](), list[tuple[int, Found]]()
        while query:
            queries.append(query)
            found = yield from self._search(query)
            new = self._sources.add(one for one in found if all(one != known for _, known in material))
            material += new
            step = self._take("thought")
            if step is None:
                query = self._next_query(section, queries, material)
                note = _reading_note(section, queries[-1], new, query)
                step = self._thought(note + self._trouble, query)
            yield TimedStep(0, step)
            query = unpack(step)
        return material

    def _search(self, query: str) -> Generator[Entry, None, list[Found]]:
        found: list[Found] = []
        if self._searches:
            call = self._take("google_search_call") or call_step("google_search", {"queries": [query]})
            yield TimedStep(SEARCH_S, call)
            result = self._take("google_search_result") or result_step(call, self._library)
            yield TimedStep(0, result)
            found += (Found(*one) for one in unpack(result))
        for server in self._servers:
            found += yield from self._ask_server(server, query)
        return found

    def _ask_server(self, server: McpServer, query: str) -> Generator[Entry, None, list[Found]]:
        call = self._take("mcp_server_tool_call")
        if call is None:
            if self._told:  # this continues an interrupted answer, for which the server was not asked
                return []
            try:
                call = server.call_step(query)
            except SearchError as error:
                self._trouble = f" A search failed: {error}."
                return []
        yield TimedStep(SEARCH_S, call)
        result = self._take("mcp_server_tool_result") or server.result_step(call)
        yield TimedStep(0, result)
        return found_in(call, result)

    def _next_query(self, section: Section, queries: list[str], material: Material) -> str:
        """The next query for a section; "" if the section has enough sources."""
        question = clip(self._request.question, MAX_QUERY_CHARS)
        if len(queries) >= MAX_SECTION_SEARCHES:
            return ""
        if not material:
            return "" if question in queries else question
        if self._asker.spent() >= SEARCH_SHARE:
            return ""
        texts = as_prompt(material, self._chars // 2)
        prompt = f"Question: {self._question}\n\nSection: {section.heading}\n\nTexts:\n\n{texts}"
        answer = self._asker.ask(REFLECT, prompt)
        query = (answer.splitlines() or [""])[0].strip(" \"'“”`*.")
        usable = any(map(str.isalpha, query)) and len(query) <= MAX_QUERY_CHARS and query not in queries
        return query if usable and "DONE" not in query.upper() else ""

    def _report(self, plan: Plan, material: Sequence[Material]) -> Iterator[Entry]:
        """Write the sections and the list of the sources."""
        cited: list[int] = []
        unwritten: list[Section] = []
        for number, section in enumerate(plan.sections):
            if unwritten:
                unwritten.append(section)
                continue
            title = "" if number else f"# {plan.title}"
            heading = f"{title}\n\n## {section.heading}\n\n"
            yield TimedStep(0, self._take("model_output") or _output(heading))
            try:
                cited += yield from self._section(section, material[number])
            except BudgetSpent:
                unwritten.append(section)
        if unwritten:
            names = join_names([f"“{section.heading}”" for section in unwritten])
            yield TimedStep(0, _output(f"The budget of this run ended before it wrote {names}."))
        if cited := list(dict.fromkeys(cited)):
            text, notes = source_list("\n\n## Sources\n\n", sorted(cited), self._sources)
            yield TimedStep(0, _output(text, notes))
        if unwritten:
            yield Ending("budget_exceeded")

    def _section(self, section: Section, material: Material) -> Generator[Entry, None, list[int]]:
        """Write the text of a section. Return the numbers that it cites."""
        if told := self._take("model_output"):
            yield TimedStep(0, told)
            return cited_numbers(text_of(told.get("content")))
        if not material:
            searched = f"Nothing was found for this section. It was searched for “{section.query}”."
            yield TimedStep(0, _output(searched + self._trouble))
            return []
        known = list(dict.fromkeys(number for number, _ in material))
        writer = Writer(self._sources, known)
        texts = as_prompt(material, self._chars - len(self._question))
        prompt = f"Question: {self._question}\n\nSection to write: {section.heading}\n\nSources:\n\n{texts}"
        with closing(self._asker.stream(WRITE, prompt)) as pieces:
            for piece in _without_heading(pieces):
                yield from writer.say(piece)
        yield from writer.flush()
        if not cited_numbers(writer.text):
            marks = " ".join(f"[{number}]" for number in known)
            space = "\n\n" if writer.text else "The model wrote nothing here. "
            yield from writer.say(f"{space}Read for this section: {marks}")
            yield from writer.flush()
        cited = cited_numbers(writer.text)
        yield from writer.close()
        return cited

    def _take(self, kind: str) -> Step | None:
        """The next step that the answer already has, if it is of this type."""
        return self._told.popleft() if self._told and self._told[0]["type"] == kind else None

    def _thought(self, text: str, data: Any) -> Step:
        """A thought that keeps `data`; its text is shown if the request asks for summaries."""
        step: Step = {"type": "thought", "signature": pack(data)}
        return step | {"summary": [{"type": "text", "text": text}]} if self._summaries else step


def _output(text: str, notes: list[dict[str, Any]] | None = None) -> Step:
    content: dict[str, Any] = {"type": "text", "text": text}
    return {"type": "model_output", "content": [content | {"annotations": notes} if notes else content]}


def _reading_note(section: Section, query: str, new: Material, next_query: str) -> str:
    titles = list(dict.fromkeys(f"“{clip(found.title, 80)}”" for _, found in new))
    read = (
        f"On “{clip(query, 120)}” I read {join_names(titles)}."
        if titles
        else f"“{clip(query, 120)}” finds nothing new."
    )
    further = f" Next I search for “{next_query}”." if next_query else ""
    return f"**{section.heading}**\n\n{read}{further}"


def _without_heading(pieces: Iterator[str]) -> Iterator[str]:
    """Yields the pieces of a text without a heading in its first line. Many models repeat the section's heading."""
    held: str | None = ""
    for piece in pieces:
        if held is None:
            yield piece
            continue
        held = (held + piece).lstrip()
        if held.startswith("#") and "\n" in held:
            held = held.partition("\n")[2].lstrip()
        if held and not held.startswith("#"):
            yield held
            held = None
    if held:
        yield held.lstrip("# ")
