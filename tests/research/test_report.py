"""Promises of the report: every citation where it belongs, every source listed, no page that does harm."""

import base64
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tools.research.report import (
    Picture,
    Report,
    Source,
    from_json,
    read_report,
    save,
    to_html,
    to_json,
    to_markdown,
)

MARK = re.compile(r'\[\\\[(\d+)\\\]\]\(([^()\s]*) "((?:[^"\\]|\\.)*)"\)')
PNG = b"\x89PNG\r\n\x1a\n\x00"
WORDS = [
    "chip",
    "Zürich",
    "研究",
    "🔬",
    "👩‍🔬",
    "e\u0301te\u0301",
    "ไทย",
    "naïve",
    "𝒳",
    "résumé",
    "数据",
    "🇫🇷",
    "né",
]


def cite(text: str, *cited: tuple[str, str], kind: str = "url_citation") -> dict[str, Any]:
    """A text part; each of `cited` is (a piece of the text, the address of its source)."""
    annotations = []
    for piece, url in cited:
        start = len(text[: text.index(piece)].encode())
        end = start + len(piece.encode())
        title = url.rsplit("/", 1)[-1].upper()
        annotations.append({"type": kind, "url": url, "title": title, "start_index": start, "end_index": end})
    return {"type": "text", "text": text, "annotations": annotations}


def image(data: bytes = PNG, mime_type: str = "image/png") -> dict[str, Any]:
    return {"type": "image", "mime_type": mime_type, "data": base64.b64encode(data).decode()}


def finished(*steps: Any) -> dict[str, Any]:
    """A resource; a list is the content of a model_output step."""
    return {
        "id": "v1_a",
        "status": "completed",
        "agent": "deep-research-preview-04-2026",
        "created": "2026-11-22T16:40:53Z",
        "steps": [{"type": "model_output", "content": s} if isinstance(s, list) else s for s in steps],
        "usage": {"total_tokens": 26, "grounding_tool_count": [{"type": "google_search", "count": 1}]},
    }


def text_of(text: str, *cited: tuple[str, str]) -> str:
    return read_report(finished([cite(text, *cited)])).text


def plain_marks(text: str) -> str:
    return MARK.sub(r"{\1}", text)


THOUGHT = {"type": "thought", "summary": [{"type": "text", "text": "**Planning**"}]}
SEARCH = {"type": "google_search_call", "id": "g1", "arguments": {"queries": ["tpu"]}}


def test_a_research_with_a_chart_is_read_whole() -> None:
    text = "# TPU history\n\nThe first was announced in May 2016. Version 4 came in 2021.\n\nSources: [1] [2]\n"
    part = cite(
        text,
        ("announced in May 2016", "https://e.org/v1"),
        ("Version 4 came in 2021", "https://e.org/v4"),
    )

    report = read_report(finished(THOUGHT, SEARCH, THOUGHT, [part], [image()]))

    assert report.title == "TPU history"
    assert plain_marks(report.text) == (
        "# TPU history\n\nThe first was announced in May 2016{1}. Version 4 came in 2021{2}."
        "\n\nSources: [1] [2]\n\n![figure-1](figure-1.png)"
    )
    assert report.sources == (Source(1, "V1", "https://e.org/v1"), Source(2, "V4", "https://e.org/v4"))
    assert report.pictures == (Picture("figure-1.png", "image/png", PNG),)
    assert report.usage == {"total_tokens": 26}
    assert (report.interaction_id, report.agent) == ("v1_a", "deep-research-preview-04-2026")
    assert to_markdown(report).endswith("## Sources\n\n1. [V1](https://e.org/v1)\n2. [V4](https://e.org/v4)\n")


@pytest.mark.parametrize("seed", range(200))
def test_every_mark_stands_right_after_its_cited_bytes(seed: int) -> None:
    chance = random.Random(seed)
    words = [chance.choice(WORDS) for _ in range(30)]
    text = "".join(word + chance.choice([" ", ", ", ".\n\n"]) for word in words) + "fin"
    data = text.encode()
    annotations = []
    position = 0
    for word in words:
        start = data.index(word.encode(), position)
        position = start + len(word.encode())
        if chance.random() < 0.4:
            url = f"https://e.org/{chance.randrange(5)}"
            annotations.append(
                {
                    "type": "url_citation",
                    "url": url,
                    "title": 'A "b" [c] | `d`',
                    "start_index": start,
                    "end_index": position,
                }
            )

    report = read_report(finished([{"type": "text", "text": text, "annotations": annotations}]))

    assert MARK.sub("", report.text) == text
    places = []
    removed = 0
    for mark in MARK.finditer(report.text):
        before = MARK.sub("", report.text[: mark.start()])
        places.append((len(before.encode()), report.sources[int(mark[1]) - 1].url))
        removed += 1
    assert places == [(a["end_index"], a["url"]) for a in annotations]
    assert removed == len(annotations)


def test_a_source_has_one_number_by_first_appearance() -> None:
    report = read_report(
        finished([cite("a b c d", ("c", "https://e.org/2"), ("a", "https://e.org/1"), ("d", "https://e.org/1"))])
    )

    assert plain_marks(report.text) == "a{1} b c{2} d{1}"
    assert [source.url for source in report.sources] == ["https://e.org/1", "https://e.org/2"]


def test_addresses_of_one_page_are_one_source_and_routes_are_not() -> None:
    urls = [
        "https://E.org",
        "https://e.org/#top",
        "https://e.org/#:~:text=x",
        "https://e.org/a",
        "https://e.org/a/",
    ]
    urls += ["https://e.org/#/route", "https://e.org/?q=1"]
    text = " ".join(f"w{number}" for number, _ in enumerate(urls))

    report = read_report(finished([cite(text, *((f"w{i}", url) for i, url in enumerate(urls)))]))

    assert plain_marks(report.text) == "w0{1} w1{1} w2{1} w3{2} w4{3} w5{4} w6{5}"


def test_citations_that_end_together_stand_together_once_each() -> None:
    a, b = "https://e.org/a", "https://e.org/b"

    assert plain_marks(text_of("x one two.", ("x", b), ("two", a), ("one two", b), ("two", a))) == "x{1} one two{1}{2}."


@pytest.mark.parametrize(
    ("text", "cited", "expected"),
    [
        ("A fact [1]. More", "A fact", "A fact{1}. More"),
        ("A fact. [1] More", "A fact", "A fact.{1} More"),
        ("A fact. [1] More", "A fact.", "A fact.{1} More"),
        ("A fact [1]. More", "A fact [1]", "A fact{1}. More"),
        ("A fact [cite: 1, 2]. More", "A fact", "A fact{1}. More"),
        ("A fact.[2][3] More", "A fact.", "A fact.{1} More"),
        ("A fact [1, 2] More", "A fact [1, 2] ", "A fact{1} More"),
        ("A fact [2016] More", "A fact", "A fact{1} [2016] More"),
        ("A fact [1](https://x.org) More", "A fact", "A fact{1} [1](https://x.org) More"),
        ("A fact [1] and [2]", "A fact", "A fact{1} and [2]"),
    ],
)
def test_the_texts_own_numbers_are_replaced_not_doubled(text: str, cited: str, expected: str) -> None:
    assert plain_marks(text_of(text, (cited, "https://e.org/a"))) == expected


@pytest.mark.parametrize(
    ("text", "cited", "expected"),
    [
        ("A fact.\n\n# Next", "A fact.\n\n", "A fact.{1}\n\n# Next"),
        ("|a|b|\n|-|-|\n| x | y |\n", "| x | y |\n", "|a|b|\n|-|-|\n| x | y{1} |\n"),
        ("A **bold** word", "A **bold*", "A **bold**{1} word"),
        ("Use `a b` now", "Use `a", "Use `a b`{1} now"),
        ("See [the page](https://x.org/p) now", "See [the", "See [the page](https://x.org/p){1} now"),
        ("Wow! So", "Wow!", "Wow\\!{1} So"),
        ("C:\\ is", "C:\\", "C:\\\\{1} is"),
        ("cafe\u0301 x", "cafe", "cafe\u0301{1} x"),
    ],
)
def test_a_mark_never_breaks_the_markdown_around_it(text: str, cited: str, expected: str) -> None:
    assert plain_marks(text_of(text, (cited, "https://e.org/a"))) == expected


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("x\n\n```python\na = 1\n\nb = 2\n```\n\ny", "a = 1"),
        ("x\n\n```python\na = 1\n```\n\ny", "a = 1\n```"),
        ("x\n\n    a = 1\n\ny", "a = 1"),
        ("|a|b|\n|-|-|\n| x | y |\n", "|a|b|\n|-|-|"),
    ],
)
def test_where_no_mark_can_stand_the_source_is_still_listed(text: str, cited: str) -> None:
    report = read_report(finished([cite(text, (cited, "https://e.org/a"))]))

    assert report.text == text
    assert report.sources == (Source(1, "A", "https://e.org/a"),)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 999, "Zürich{1}"),
        (0, 2, "Zü{1}rich"),
        (None, 3, "Zü{1}rich"),
        (5, 2, "Zürich"),
        (-3, -1, "Zürich"),
        (0, None, "Zürich"),
        (0, "3", "Zürich"),
        (0, 2.5, "Zürich"),
        (99, 120, "Zürich"),
    ],
)
def test_a_bad_offset_costs_the_mark_at_most(start: Any, end: Any, expected: str) -> None:
    annotation = {"type": "url_citation", "url": "https://e.org/a", "start_index": start, "end_index": end}
    annotation = {key: value for key, value in annotation.items() if value is not None}

    report = read_report(finished([{"type": "text", "text": "Zürich", "annotations": [annotation]}]))

    assert plain_marks(report.text) == expected
    assert report.sources == (Source(1, "e.org", "https://e.org/a"),)


def test_offsets_count_from_their_own_text_part() -> None:
    parts = [cite("Ü one ", ("one", "https://e.org/1")), cite("ß two", ("two", "https://e.org/2"))]

    assert plain_marks(read_report(finished(parts)).text) == "Ü one{1} ß two{2}"


def test_text_around_a_picture_is_kept_with_the_picture_between() -> None:
    parts = [cite("Before", ("Before", "https://e.org/1")), image(mime_type="image/jpeg"), cite("After")]

    report = read_report(finished(SEARCH, parts))

    assert plain_marks(report.text) == "Before{1}\n\n![figure-1](figure-1.jpg)\n\nAfter"
    assert "figure-1" not in to_markdown(report, pictures=False)
    assert plain_marks(to_markdown(report, pictures=False)).startswith("Before{1}\n\nAfter\n\n## Sources")


def test_a_chart_made_by_a_tool_after_the_text_does_not_hide_the_text() -> None:
    code = {"type": "code_execution_call", "id": "c1", "arguments": {"code": "plot()"}}

    assert read_report(finished(SEARCH, [cite("# Old")], SEARCH, [cite("# New")], code, [image()])).title == "New"


def test_only_the_last_turn_of_a_timeline_is_the_report() -> None:
    question = {"type": "user_input", "content": [{"type": "text", "text": "Why?"}]}

    assert read_report(finished(question, [cite("Old")], question, [cite("New")], THOUGHT)).text == "New"


def test_a_picture_without_data_is_said_not_swallowed() -> None:
    parts = [cite("T"), {"type": "image", "uri": "https://e.org/c.png"}, {"type": "image", "data": "§"}]

    report = read_report(finished(parts))

    assert report.text == "T\n\n[figure-1](https://e.org/c.png)\n\n*figure-2 could not be read*"
    assert report.pictures == ()


def test_a_cited_file_is_a_source() -> None:
    files = [
        {
            "type": "file_citation",
            "file_name": "a.pdf",
            "document_uri": "https://e.org/a.pdf",
            "end_index": 1,
        },
        {"type": "file_citation", "file_name": "b.pdf", "document_uri": "gs://bucket/b.pdf", "end_index": 1},
        {"type": "file_citation", "file_name": "c_d.pdf", "end_index": 1},
    ]

    report = read_report(finished([{"type": "text", "text": "x", "annotations": files}]))

    assert report.text == 'x[\\[1\\]](https://e.org/a.pdf "a.pdf")\\[2\\]\\[3\\]'
    assert to_markdown(report).endswith("1. [a.pdf](https://e.org/a.pdf)\n2. b.pdf — gs://bucket/b.pdf\n3. c\\_d.pdf\n")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Intro\n\n## The *real* `title` [1]\n\nx", "The real title"),
        ("```\n# no\n```\n\nFirst **line**\nsecond", "First line"),
        ("w" * 100, "w" * 79 + "…"),
        ("", "Research"),
    ],
)
def test_the_title_is_the_first_heading_or_line(text: str, title: str) -> None:
    assert read_report(finished([cite(text)])).title == title


def test_links_to_anchors_become_text_outside_of_code() -> None:
    text = "[Market](#market) and [page](https://e.org/#a)\n\n```\n[x](#y)\n```"

    assert text_of(text) == "Market and [page](https://e.org/#a)\n\n```\n[x](#y)\n```"


@pytest.mark.parametrize("seed", range(100))
def test_no_resource_makes_reading_or_writing_a_report_fail(seed: int) -> None:
    chance = random.Random(seed)
    pieces = [
        "`",
        "```\n",
        "|",
        "\n",
        "[",
        "](#x)",
        "[1]",
        "!",
        "\\",
        "**",
        "研",
        "\ud800",
        "$x$",
        "    ",
        "- ",
        "a ",
    ]

    def anything() -> Any:
        return chance.choice(
            [None, -1, 3, 10**9, 2.5, True, "x\ud800", [], {}, [None], "https://[", "https://e.org/a b)"]
        )

    def part() -> dict[str, Any]:
        text = "".join(chance.choices(pieces, k=30))
        annotations = [
            {
                "type": chance.choice(["url_citation", "file_citation", "word_info"]),
                "url": anything(),
                "title": anything(),
                "document_uri": anything(),
                "start_index": chance.choice([anything(), chance.randrange(40)]),
                "end_index": chance.choice([anything(), chance.randrange(60)]),
            }
            for _ in range(12)
        ]
        return {
            "type": "text",
            "text": text,
            "annotations": chance.choice([annotations, annotations, anything()]),
        }

    steps = [chance.choice([[part(), part(), image()], THOUGHT, [part()], {"type": "model_output"}]) for _ in range(4)]
    resource = finished(*steps) | {chance.choice(["usage", "created", "id", "x"]): anything()}
    resource = chance.choice([resource, resource, resource, {"steps": anything()}])

    report = read_report(resource)

    assert from_json(to_json(report)) == report
    assert [source.number for source in report.sources] == list(range(1, len(report.sources) + 1))
    for written in (to_markdown(report), to_markdown(report, pictures=False), to_html(report)):
        written.encode()


class Page(HTMLParser):
    """What a browser would see: tags and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "![x](https://tracker.example/p.png)",
    '![x](data:image/svg+xml;base64,PHN2Zz4= "t")',
    "</title></style></main><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "`<iframe src=//x>`",
    "<https://e.org/<script>>",
]


def attacked_sources(attack: str) -> list[Source]:
    urls = ["https://e.org/\"onclick='x'><script>", "javascript:alert(1)", "java\nscript:alert(1)", attack]
    return [Source(n, attack, url) for n, url in enumerate([*urls, f"https://e.org/{attack}"], 1)]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_page_runs_and_loads_nothing_whatever_the_report_says(attack: str) -> None:
    annotations = [
        {"type": "url_citation", "url": source.url, "title": source.title, "end_index": 4}
        for source in attacked_sources(attack)
    ]
    part = {"type": "text", "text": f"Fact {attack}\n\n# {attack}\n", "annotations": annotations}
    report = read_report(finished([part]) | {"id": attack, "agent": attack, "created": attack})

    page = Page(to_html(report))

    assert {tag for tag, _ in page.tags} & {"script", "iframe", "object", "base", "form", "svg"} == set()
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        if tag == "a" and "href" in attributes:
            assert (attributes["href"] or "").startswith(("https://", "http://"))
            assert attributes["target"] == "_blank"
            assert "noopener" in (attributes["rel"] or "")
        if tag == "img":
            assert (attributes.get("src") or "data:image/").startswith("data:image/")
    policies = [a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_only_web_addresses_are_linked_in_the_sources(attack: str) -> None:
    credulous = MarkdownIt("commonmark")
    credulous.validateLink = lambda url: True  # type: ignore[method-assign]
    report = Report("t", "x", tuple(attacked_sources(attack)), (), {}, "v1_a", "a", "")

    tokens = credulous.parse(to_markdown(report).split("## Sources")[1])
    inline = [child for token in tokens for child in token.children or []]

    assert [str(t.attrGet("href"))[:14] for t in inline if t.type == "link_open"] == ["https://e.org/"] * 2
    assert not [t for t in inline if t.type in ("html_inline", "image", "code_inline")]
    assert sum(token.type == "list_item_open" for token in tokens) == 5


def test_a_page_shows_tables_pictures_and_raised_citations() -> None:
    text = "# T\n\n| a | b |\n|---|--:|\n| one<br>line | 2 |\n\nFact"
    page = to_html(read_report(finished([cite(text, ("2", "https://e.org/1"), ("Fact", "https://e.org/2")), image()])))

    tags = Page(page).tags
    citations = [a["href"] for tag, a in tags if tag == "a" and a.get("class") == "citation"]
    assert citations == ["https://e.org/1", "https://e.org/2"]
    assert [a["src"] for tag, a in tags if tag == "img"] == [f"data:image/png;base64,{image()['data']}"]
    assert "<td>one<br>line</td>" in page
    assert 'style="text-align:right"' in page


def test_a_saved_report_is_whole_and_reads_back(tmp_path: Path) -> None:
    report = read_report(finished([cite("# 研究\n\nFact", ("Fact", "https://e.org/1")), image()]))
    folder = tmp_path / "new" / "job"

    paths = save(report, folder)

    assert [path.name for path in paths] == ["report.md", "report.html", "report.json", "figure-1.png"]
    assert sorted(folder.iterdir()) == sorted(paths)
    assert (folder / "figure-1.png").read_bytes() == PNG
    assert (folder / "report.md").read_text(encoding="utf-8") == to_markdown(report)
    assert from_json((folder / "report.json").read_text(encoding="utf-8")) == report
    assert save(report, folder, ["md"]) == [folder / "report.md", folder / "figure-1.png"]


def test_a_failed_write_leaves_the_earlier_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = read_report(finished([cite("First")]))
    save(report, tmp_path, ["md"])

    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        save(read_report(finished([cite("Second")])), tmp_path, ["md"])

    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    assert (tmp_path / "report.md").read_text() == "First\n"


def test_an_unknown_format_writes_nothing_and_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pdf: use md, html, json"):
        save(read_report(finished([cite("x")])), tmp_path / "out", ["md", "pdf"])

    assert not (tmp_path / "out").exists()


def test_a_picture_of_a_foreign_report_cannot_be_written_elsewhere(tmp_path: Path) -> None:
    picture = Picture("../../evil.png", "image/png", PNG)
    report = Report("t", "x", (), (picture,), {}, "v1_a", "a", "")

    assert save(report, tmp_path / "a" / "b", []) == [tmp_path / "a" / "b" / "evil.png"]


@pytest.mark.parametrize("text", ["[]", "{}", '{"sources": [], "pictures": [{}]}', "nonsense"])
def test_json_that_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        from_json(text)
