"""Parts of a report: each is small enough for a client, none loses a word, and its numbers lead to their sources."""

from __future__ import annotations

import re

import pytest

from tools.interactions.citations import Citation, cite
from tools.mcp_server import report_pages
from tools.mcp_server.limits import MAX_PAGE_BYTES, MAX_SOURCES_BYTES
from tools.mcp_server.report_outline import find_section, outline, sections
from tools.mcp_server.report_pages import Page, paginate, readable_text
from tools.research.report.report import Picture, Report

ENGLISH = "The moon moves the sea twice a day, and the sun adds its share at new moon. "
JAPANESE = "月の引力によって海面は一日に二回上下し、新月には太陽の力も加わる。"
REPORT = """Before the first heading.

# Tides ##

## **Causes**[1]

The moon.

```sh
# no heading
```

### The sun

A little.

## 影響

海。
"""


def long_report(sentence: str) -> Report:
    """A report of 60 sections with 60 sources and a paragraph of 50,000 characters without a space or a line."""
    text, citations = "# Tides\n\n", []
    for number in range(60):
        text += f"## Section {number}\n\n"
        for _ in range(4):
            text += sentence * 6
            url = f"https://vertexaisearch.cloud.google.com/grounding-api-redirect/{number:03}{'x' * 250}"
            citations.append(Citation(f"Source {number}", url, len(text.encode())))
            text += "\n\n"
    text += f"{'潮' * 50_000}\n\n|a|b|\n|-|-|\n" + "|1|2|\n" * 5_000
    cited, sources = cite(text, citations)
    return Report("Tides", cited, sources, (), {}, "v1_x", "agent", "")


def size(page: Page) -> int:
    return len(page.text.encode())


@pytest.mark.parametrize("sentence", [ENGLISH, JAPANESE], ids=["English", "Japanese"])
def test_no_page_is_too_long_and_no_word_is_lost(sentence: str) -> None:
    report = long_report(sentence)
    text = readable_text(report, "")
    pages = paginate(text, report.sources)
    assert len(pages) > 10
    assert max(map(size, pages)) <= MAX_PAGE_BYTES
    assert max(len("".join(page.sources).encode()) for page in pages) <= MAX_SOURCES_BYTES
    assert re.sub(r"\s", "", "".join(page.text for page in pages)) == re.sub(r"\s", "", text)


@pytest.mark.parametrize("sentence", [ENGLISH, JAPANESE], ids=["English", "Japanese"])
def test_each_number_on_a_page_has_its_source_there(sentence: str) -> None:
    report = long_report(sentence)
    urls = {f"[{source.number}]": source.url for source in report.sources}
    shown = 0
    for page in paginate(readable_text(report, ""), report.sources):
        found = {line.partition(" ")[0]: line.rpartition(" ")[2] for line in page.sources}
        assert set(found) == set(re.findall(r"\[\d+\]", page.text))
        assert all(urls[number] == url for number, url in found.items())
        shown += len(found)
    assert shown >= 60


def test_a_paragraph_with_too_many_sources_says_how_many_are_left_out() -> None:
    url, citations = "https://example.org/" + "y" * 900, []
    for number in range(100):
        citations.append(Citation(f"S{number}", f"{url}{number}", 4))
    text, sources = cite("Sea.", citations)
    (page,) = paginate(readable_text(Report("", text, sources, (), {}, "", "", ""), ""), sources)
    assert re.fullmatch(r"… and \d+ more, which the whole report lists", page.sources[-1])
    assert sum(len(line.encode()) for line in page.sources) <= MAX_SOURCES_BYTES + 100


def test_sections_are_found_by_number_name_and_part_of_a_name() -> None:
    found = sections(REPORT)
    assert [(s.number, s.level, s.title) for s in found] == [
        (1, 1, "Tides"),
        (2, 2, "Causes"),
        (3, 3, "The sun"),
        (4, 2, "影響"),
    ]
    causes = find_section(found, "2")
    assert causes == find_section(found, " causes ") == find_section(found, "Caus")
    assert causes and "A little." in REPORT[causes.start : causes.end] and "海" not in REPORT[causes.start : causes.end]
    for wrong in ("", "s", "5", "nothing"):  # "s" is in two names
        assert find_section(found, wrong) is None
    assert outline(found).splitlines()[2].startswith("    3. The sun (")


def test_the_text_loads_nothing_and_its_own_pictures_are_links() -> None:
    picture = Picture("figure-1.png", "image/png", b"")
    text = f"{picture.mark}\n\n![spy](https://evil.example/x.png) <img src=x>"
    shown = readable_text(Report("", text, (), (picture,), {}, "", "", ""), "research://job/")
    assert "[figure-1.png](research://job/figure-1.png)" in shown
    assert "![spy]" not in shown
    assert "<img" not in shown


def test_an_empty_text_has_one_page() -> None:
    assert paginate("") == (Page("", ()),)


def test_the_work_of_paging_grows_in_proportion_to_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(blocks: int) -> int:
        sizes = list[int]()
        with monkeypatch.context() as patch:
            patch.setattr(report_pages, "_size", lambda text: sizes.append(len(text.encode())) or sizes[-1])
            paginate("x\n\n" * blocks)
        return sum(sizes)

    assert measured(4_000) == 2 * measured(2_000)
