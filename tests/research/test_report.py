"""The report: read completely from any answer of the API, stored and written without loss."""

import base64
import errno
import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.research.resources import PNG, SEARCH, THOUGHT, finished, image, short, text_part, url_citation
from tools.interactions.citation_marks import Source
from tools.interactions.citations import Citation, cite
from tools.research.report.export import save
from tools.research.report.html_rendering import to_html
from tools.research.report.markdown_rendering import to_chat, to_markdown, to_markdown_file
from tools.research.report.reading import read_report
from tools.research.report.report import Picture, Report, from_json, to_json


def test_a_report_with_a_chart_is_read_completely() -> None:
    text = "# TPU history\n\nThe first was announced in May 2016. Version 4 came in 2021.\n\nSources: [1] [2]\n"
    part = text_part(
        text, ("announced in May 2016", "https://e.org/v1"), ("Version 4 came in 2021", "https://e.org/v4")
    )

    report = read_report(finished(THOUGHT, SEARCH, THOUGHT, [part], [image()]))

    assert report.title == "TPU history"
    assert short(report.text) == (
        "# TPU history\n\nThe first was announced in May 2016{1}. Version 4 came in 2021{2}."
        "\n\nSources: [1] [2]\n\n![figure-1](figure-1.png)"
    )
    assert report.sources == (Source(1, "V1", "https://e.org/v1"), Source(2, "V4", "https://e.org/v4"))
    assert report.pictures == (Picture("figure-1.png", "image/png", PNG),)
    assert report.usage == {"total_tokens": 26}
    assert (report.interaction_id, report.agent) == ("v1_a", "deep-research-preview-04-2026")
    assert to_markdown(report).endswith("## Sources\n\n1. [V1](https://e.org/v1)\n2. [V4](https://e.org/v4)\n")


def test_citation_offsets_are_relative_to_their_text_part() -> None:
    parts = [text_part("Ü one ", ("one", "https://e.org/1")), text_part("ß two", ("two", "https://e.org/2"))]

    assert short(read_report(finished(parts)).text) == "Ü one{1} ß two{2}"


def test_a_picture_keeps_its_place_between_two_texts() -> None:
    parts = [text_part("Before", ("Before", "https://e.org/1")), image("image/jpeg"), text_part("After")]

    report = read_report(finished(SEARCH, parts))

    assert short(report.text) == "Before{1}\n\n![figure-1](figure-1.png)\n\nAfter"


def test_a_report_contains_all_outputs_whatever_steps_come_between() -> None:
    later = {"type": "of_a_later_version", "text": "No answer."}
    steps = [
        [text_part("I look it up.")],
        SEARCH,
        [text_part("# Tides\n\nThe moon pulls", ("moon", "https://e.org/1")), image()],
        THOUGHT,
        later,
        [image(), text_part("Ü Done.", ("Done", "https://e.org/2")), text_part(" Let me know!")],
    ]

    report = read_report(finished(*steps))

    assert report.title == "Tides"
    assert short(report.text) == (
        "I look it up.\n\n# Tides\n\nThe moon{1} pulls\n\n![figure-1](figure-1.png)\n\n![figure-2](figure-2.png)"
        "\n\nÜ Done{2}. Let me know!"
    )
    assert [picture.name for picture in report.pictures] == ["figure-1.png", "figure-2.png"]


@pytest.mark.parametrize(
    "value", [5, True, "x", [], [1], {}, {"text": "x"}, None, 2.5, [[[]]], [{"end_index": {}}], "\ud800"]
)
@pytest.mark.parametrize("name", ["id", "agent", "model", "created", "usage", "errors", "status", "x"])
def test_a_field_of_unexpected_type_does_not_affect_the_rest_of_the_report(name: str, value: Any) -> None:
    report = read_report(finished([text_part("# T\n\nx", ("x", "https://e.org/1"))]) | {name: value})

    assert (report.title, short(report.text)) == ("T", "# T\n\nx{1}")
    assert from_json(to_json(report)) == report


def test_a_single_object_is_read_as_a_list_of_one() -> None:
    part = {
        "type": "text",
        "text": "x",
        "annotations": {"type": "url_citation", "url": "https://e.org", "end_index": 1},
    }

    assert short(read_report({"steps": {"type": "model_output", "content": part}}).text) == "x{1}"


def test_an_offset_past_the_end_of_its_part_does_not_reach_the_next_part() -> None:
    first = {"type": "text", "text": "One.", "annotations": [url_citation("https://e.org/1", "1", 0, 10**12)]}

    assert short(read_report(finished([first, text_part(" Two.")], [text_part("Three.")])).text) == (
        "One.{1} Two.\n\nThree."
    )


def test_only_outputs_after_the_last_user_input_are_the_report() -> None:
    question = {"type": "user_input", "content": [{"type": "text", "text": "Why?"}]}

    assert read_report(finished(question, [text_part("Old")], question, [text_part("New")], THOUGHT)).text == "New"


def test_a_picture_without_data_is_mentioned_in_the_report() -> None:
    pictures = [{"type": "image", "uri": "https://e.org/c.png"}, {"type": "image", "data": "§"}]

    report = read_report(finished([text_part("T"), *pictures]))

    assert report.text == "T\n\n[figure-1](https://e.org/c.png)\n\n*figure-2 could not be read*"
    assert report.pictures == ()


@pytest.mark.parametrize(
    ("start", "name", "mime_type"),
    [
        (PNG, "figure-1.png", "image/png"),
        (b"\xff\xd8\xff\xe0", "figure-1.jpg", "image/jpeg"),
        (b"GIF89a", "figure-1.gif", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "figure-1.webp", "image/webp"),
        (b"BM\x10\0\0\0\0\0\0\0", "figure-1.bmp", "image/bmp"),
        (b"II*\0", "figure-1.tiff", "image/tiff"),
        (b"\0\0\0\x18ftypheic", "figure-1.heic", "image/heic"),
    ],
)
@pytest.mark.parametrize("claim", ["image/png", "image/html", "text/html", "image/svg+xml", "image/../x", None, 5])
def test_the_type_of_a_picture_is_detected_from_its_bytes(start: bytes, name: str, mime_type: str, claim: Any) -> None:
    data = base64.b64encode(start + b"<script>").decode()

    report = read_report(finished([{"type": "image", "mime_type": claim, "data": data}]))

    assert report.pictures == (Picture(name, mime_type, start + b"<script>"),)
    assert report.text == f"![figure-1]({name})"


PRETENDERS = [
    b"<html><script>alert(1)</script>",
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    b'<?xml version="1.0"?><svg><foreignObject/></svg>',
    b" \x89PNG\r\n\x1a\n",
    b"%PDF-1.7",
    b"GIF",
]


@pytest.mark.parametrize("data", PRETENDERS)
@pytest.mark.parametrize("claim", ["image/png", "image/svg+xml", "image/html", "text/html"])
def test_data_that_a_browser_would_run_is_not_shown_or_saved_as_a_picture(
    data: bytes, claim: str, tmp_path: Path
) -> None:
    part = {"type": "image", "mime_type": claim, "data": base64.b64encode(data).decode()}

    report = read_report(finished([text_part("T"), part, image()]))

    assert report.text == (
        "T\n\n*figure-1 could not be shown: it is not a picture of a known type*\n\n![figure-2](figure-2.png)"
    )
    assert [path.name for path in save(report, tmp_path, [])] == ["figure-2.png"]


@pytest.mark.parametrize("data", PRETENDERS)
def test_loading_a_stored_report_drops_files_that_a_browser_would_run(data: bytes) -> None:
    kept = json.loads(to_json(read_report(finished([image()]))))
    picture = {"name": "figure-2.html", "mime_type": "image/html", "data": base64.b64encode(data).decode()}
    disguised = {"name": "a/../x.html", "mime_type": "text/html", "data": base64.b64encode(PNG).decode()}

    report = from_json(json.dumps(kept | {"pictures": [picture, disguised]}))

    assert report.pictures == (Picture("x.png", "image/png", PNG),)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Intro\n\n## The *real* `title` [1]\n\nx", "The real title"),
        ("```\n# no\n```\n\nFirst **line**\nsecond", "First line"),
        ("w" * 100, "w" * 79 + "…"),
        ("", "Research"),
        ("```\n# no\n```", "Research"),
        ("```` \n```\n# no\n````\n# Yes ##", "Yes"),
        ("Intro\n\nThe *real*\ntitle\n=====\n\n# Later", "The real title"),
        ("**Title**\n---\n\nx", "Title"),
        ("- a\n---\n\n# Title", "Title"),
        ("| a | b |\n---\n\n## Title", "Title"),
        ("    # no\n\n> ## Yes", "Yes"),
        ("#\n\n# \n\n#no\n\n# Yes\r\n", "Yes"),
        ("- A *point*\n- b", "A point"),
        (f"# {'w ' * 300}", ("w " * 249).strip()),
        ("# [Tides](https://e.org/x) ![and](figure.png) `code`", "Tides and code"),
        ("# Tides\u202e fdp.exe\u2066", "Tides fdp.exe"),
    ],
)
def test_the_title_is_the_first_heading_or_line(text: str, title: str) -> None:
    assert read_report(finished([text_part(text)])).title == title


def test_no_malformed_resource_breaks_reading_or_writing_a_report() -> None:
    for seed in range(100):
        chance = random.Random(seed)
        report = read_report(any_resource(chance))

        assert from_json(to_json(report)) == report, f"seed {seed}"
        assert [s.number for s in report.sources] == list(range(1, len(report.sources) + 1)), f"seed {seed}"
        for write in (to_markdown, to_markdown_file, to_chat, to_html):
            assert write(report).encode(), f"seed {seed}"


def any_resource(chance: random.Random) -> dict[str, Any]:
    """Something like a resource, wrong in many places."""
    pieces = ["`", "```\n", "|", "\n", "[", "](#x)", "[1]", "!", "\\", "**", "研", "\ud800", "$x$", "    ", "- ", "a "]
    values = [None, -1, 3, 10**9, 2.5, True, "x\ud800", [], {}, [None], "https://[", "https://e.org/a b)"]

    def anything() -> Any:
        return chance.choice(values)

    def part() -> dict[str, Any]:
        annotations = [
            {
                "type": chance.choice(["url_citation", "file_citation", "word_info", anything()]),
                **{key: anything() for key in ("url", "title", "document_uri", "file_name")},
                "end_index": chance.choice([anything(), chance.randrange(60)]),
            }
            for _ in range(12)
        ]
        text = "".join(chance.choices(pieces, k=30))
        return {"type": "text", "text": text, "annotations": chance.choice([annotations, annotations, anything()])}

    steps = [chance.choice([[part(), part(), image()], THOUGHT, [part()], {"type": "model_output"}]) for _ in range(4)]
    resource = finished(*steps) | {chance.choice(["usage", "created", "id", "x"]): anything()}
    return chance.choice([resource, resource, resource, {"steps": anything()}])


def test_a_saved_report_is_complete_and_can_be_read_back(tmp_path: Path) -> None:
    report = read_report(finished([text_part("# 研究\n\nFact", ("Fact", "https://e.org/1")), image()]))
    folder = tmp_path / "new" / "job"

    paths = save(report, folder)

    assert [path.name for path in paths] == ["report.md", "report.html", "report.json", "figure-1.png"]
    assert sorted(folder.iterdir()) == sorted(paths)
    assert (folder / "figure-1.png").read_bytes() == PNG
    assert (folder / "report.md").read_text(encoding="utf-8") == to_markdown_file(report)
    assert from_json((folder / "report.json").read_text(encoding="utf-8")) == report
    assert save(report, folder, ["md"]) == [folder / "report.md", folder / "figure-1.png"]


def test_a_failed_write_keeps_the_earlier_file_and_leaves_no_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = read_report(finished([text_part("First")]))
    save(report, tmp_path / "out", ["md"])

    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        save(read_report(finished([text_part("Second")])), tmp_path / "out", ["md"])

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.md"]
    assert (tmp_path / "out" / "report.md").read_text() == "First\n"


def test_an_unknown_format_writes_nothing_and_the_error_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="odt: use md, html, json, pdf, docx, epub"):
        save(read_report(finished([text_part("x")])), tmp_path / "out", ["md", "odt"])

    assert not (tmp_path / "out").exists()


def test_the_name_of_a_picture_cannot_lead_outside_the_output_folder(tmp_path: Path) -> None:
    picture = Picture("../../evil.png", "image/png", PNG)
    report = Report("t", "x", (), (picture,), {}, "v1_a", "a", "")

    assert save(report, tmp_path / "a" / "b", []) == [tmp_path / "a" / "b" / "evil.png"]


@pytest.mark.parametrize("text", ["[]", "{}", '{"sources": [], "pictures": [{}]}', "nonsense"])
def test_json_that_is_not_a_report_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        from_json(text)


def test_a_markdown_file_lists_its_sources_as_footnotes() -> None:
    text, sources = cite("One. Two.", [Citation("A", "https://a.example/", 4), Citation("B", "https://b.example/", 9)])
    written = to_markdown_file(Report("", text, sources, (), {}, "v1_a", "a", ""))
    assert written == "One.[^1] Two.[^2]\n\n[^1]: [A](https://a.example/)\n[^2]: [B](https://b.example/)\n"
