"""Property tests: a report can be read from any resource, and no word is lost on the way to a reader."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from google.genai._gaos.types.interactions import Interaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.research.resources import MARK, SEARCH, THOUGHT, finished, image
from tools.interactions.citation_marks import replace_urls
from tools.interactions.citations import Citation, cite
from tools.research.report.html_rendering import to_html, to_plain_html
from tools.research.report.markdown_rendering import inert, to_chat, to_markdown
from tools.research.report.progress import progress_line, progress_lines
from tools.research.report.reading import read_report
from tools.research.report.report import Report, from_json, to_json
from tools.text.unsafe_characters import sanitize

MANY = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def objects(*types: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of known types, whose fields have the right form or any other."""
    optional = {name: values | anything for name, values in fields.items()}
    return st.fixed_dictionaries({"type": st.sampled_from(types) | anything}, optional=optional)


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values | anything, max_size=4)


annotations = objects(
    *("url_citation", "file_citation", "place_citation"),
    url=st.just("https://e.org/1"),
    title=st.text(max_size=8),
    end_index=st.integers(-2, 20) | st.just(10**30),
)
parts = objects(
    *("text", "image"),
    text=st.text(),
    annotations=some(annotations),
    mime_type=st.just("image/png"),
    data=st.just(image()["data"]),
    uri=st.just("https://e.org/x"),
)
steps = objects(
    *("model_output", "user_input", "thought", "google_search_call", "url_context_call"),
    content=some(parts),
    summary=some(parts),
    arguments=st.fixed_dictionaries({}, optional={"queries": anything, "urls": anything}),
)
resources = st.fixed_dictionaries(
    {"steps": some(steps) | anything},
    optional=dict.fromkeys(["id", "agent", "model", "created", "usage", "errors"], anything),
)


@MANY
@given(resource=resources)
@example(
    resource={"steps": {"type": "model_output", "content": {"type": "text", "text": "x"}}, "usage": [], "errors": 5}
)
def test_any_resource_can_be_read_and_written_in_every_format(resource: dict[str, Any]) -> None:
    report = read_report(resource)

    assert from_json(to_json(report)) == report
    assert [source.number for source in report.sources] == list(range(1, len(report.sources) + 1))
    for write in (to_markdown, to_chat, to_html, to_plain_html, to_json):
        assert write(report).encode()


@MANY
@given(steps=st.lists(steps, max_size=5))
def test_no_text_part_of_an_answer_is_lost(steps: list[dict[str, Any]]) -> None:
    for step in steps:
        for part in step["content"] if isinstance(step.get("content"), list) else ():
            if isinstance(part, dict):
                part.pop("annotations", None)

    report = read_report({"steps": steps})

    place = 0
    for text in answered(steps):
        text = sanitize(text).strip("\n")
        place = report.text.index(text, place) + len(text)


def answered(steps: list[dict[str, Any]]) -> list[str]:
    """The texts of an answer in their order."""
    texts = list[str]()
    for step in steps:
        if step["type"] == "user_input":
            texts = []
        elif step["type"] == "model_output" and isinstance(content := step.get("content"), list):
            found = [part for part in content if isinstance(part, dict) and part.get("type") != "image"]
            texts += [part["text"] for part in found if isinstance(part.get("text"), str)]
    return texts


CODE = {"type": "code_execution_call", "id": "c1", "arguments": {"code": "plot()"}}
answers = st.lists(
    st.lists(st.just(image()) | st.builds(lambda text: {"type": "text", "text": text}, st.text(max_size=9)), max_size=3)
    | st.sampled_from([THOUGHT, SEARCH, {"type": "user_input", "content": []}, CODE]),
    max_size=6,
)


@MANY
@given(steps=answers)
def test_a_report_contains_all_of_the_output_text_of_the_sdk(steps: list[Any]) -> None:
    resource = finished(*steps) | {"updated": "2026-11-22T16:40:53Z"}
    sdks = Interaction.model_validate(resource).output_text or ""

    assert squeezed(sanitize(sdks)) in squeezed(read_report(resource).text)


def squeezed(text: str) -> str:
    return "".join(text.split())


PLAIN = [
    "`",
    "``",
    "```\n",
    "~~~\n",
    "*",
    "**",
    "_",
    "~~",
    "\n",
    "\n\n",
    "> ",
    "- ",
    "1. ",
    "# ",
    "===\n",
    "---\n",
    "    ",
]
PLAIN += ["[", "]", "![", "!", "\\", "<b>", "<!--", "<br>", "&amp;", "&", '"', "研", "[1]", " [1, 2]", "\t", "$"]
LINKS = [
    "](https://e.org/x)",
    "](",
    "(",
    ")",
    "<https://e.org>",
    "<img src=https://e.org/x>",
    "]: ",
    "|",
    "|-|-|\n",
    "[x]",
]


def written(*pieces: str) -> st.SearchStrategy[str]:
    """Markdown with a word of its own between the pieces."""
    found = st.lists(st.sampled_from(pieces), max_size=25)
    return found.map(lambda pieces: "".join(f"{piece}word{n}x " for n, piece in enumerate(pieces)))


ANY_MARK = re.compile(MARK.pattern + r"|\\\[\d+\\\]")
"""Matches every mark, also that of a source without a web address."""


def words(text: str) -> set[str]:
    return set(re.findall(r"word\d+x", text))


citations = st.lists(
    st.builds(
        Citation,
        st.sampled_from(["", "A", 'B "b" [c] | `d`', "E\\"]),
        st.sampled_from(["", "https://e.org/1", "https://e.org/(2", "gs://b/c", "javascript:alert(1)"]),
        st.none() | st.integers(0, 300),
    ).filter(lambda citation: citation.title or citation.url),
    max_size=8,
)


@MANY
@given(text=written(*PLAIN, *LINKS), cited=citations)
def test_citation_marks_remove_no_word_and_survive_url_replacement(text: str, cited: list[Citation]) -> None:
    marked, sources = cite(text, cited)

    assert words(ANY_MARK.sub("", marked)) == words(text)
    assert replace_urls(marked, sources, {}) == (marked, sources)
    relinked, _ = replace_urls(marked, sources, {"https://e.org/1": "https://e.org/(2"})
    assert words(ANY_MARK.sub("", relinked)) == words(text)


class Shown(HTMLParser):
    """The text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.text += data


@MANY
@given(text=written(*PLAIN), cited=citations)
def test_page_and_chat_show_every_word_of_the_report(text: str, cited: list[Citation]) -> None:
    ends = [len(text[: word.end()].encode()) for word in re.finditer(r"word\d+x", text)] or [None]
    marked, sources = cite(text, [replace(one, end=ends[(one.end or 0) % len(ends)]) for one in cited])
    report = Report("t", marked, sources, (), {}, "v1_a", "a", "")

    assert words(to_chat(report)) == words(text)
    assert words(Shown(to_html(report)).text) == words(text)
    assert words(Shown(to_plain_html(report)).text) == words(text)


@MANY
@given(text=written(*PLAIN, *LINKS))
@example(text="`a\n```\n![x](https://e.org/x)\n```")
@example(text="> ```\n![x](https://e.org/x)\n```\n![x](https://e.org/x)")
@example(text="[a]:\n```\n![x](https://e.org/x)\n```")
@example(text="<br>\n```\n\n![x](https://e.org/x)\n```")
@example(text="```\n```~~~\n![x](https://e.org/x)\n```\n![x](https://e.org/x)")
@example(text="|```\n\n```<b>|\n-|-\n")
def test_rendered_chat_text_loads_nothing_remote(text: str) -> None:
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(inert(text))

    assert words(inert(text)) == words(text)
    for token in [*tokens, *(child for block in tokens for child in block.children or ())]:
        assert token.type != "image"
        if token.type.startswith("html"):
            assert re.findall(r"<(?=[a-z/!?])[^>]*", token.content) in ([], ["<br"])


@MANY
@given(steps=some(steps), event=anything)
@example(
    steps=[{"type": "google_search_call", "arguments": {"queries": 5}}, {"type": "thought", "summary": 5}], event=5
)
@example(steps=[{"type": "url_context_call", "arguments": {"urls": {}}}, 5, None, "x"], event=None)
def test_progress_is_read_from_malformed_steps_as_far_as_possible(steps: list[Any], event: Any) -> None:
    good = {"type": "thought", "summary": [{"type": "text", "text": "**Planning**"}]}

    assert progress_lines({"steps": [*steps, good]})[-1] == "Planning"
    for kind in ("step.start", "step.delta", "error"):
        for name in ("step", "delta", "error"):
            progress_line({"event_type": kind, name: event})
            progress_line({"event_type": kind, name: steps[0] if steps else event})
