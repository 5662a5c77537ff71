"""The report as a page and in a chat: everything is shown, nothing runs, and nothing is loaded."""

import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from tests.research.resources import finished, image, short, text_part, url_citation
from tools.interactions.citation_marks import Source
from tools.research.report.html_rendering import to_html
from tools.research.report.markdown_rendering import to_chat, to_markdown
from tools.research.report.reading import read_report
from tools.research.report.report import Report


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
def test_a_page_runs_and_loads_nothing_whatever_the_report_contains(attack: str) -> None:
    annotations = [url_citation(source.url, source.title, 0, 4) for source in attacked_sources(attack)]
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


def test_a_page_shows_tables_pictures_citations_and_sources() -> None:
    text = "# T\n\n| a | b |\n|---|--:|\n| one<br>line | 2 |\n\nFact"
    part = text_part(text, ("2", "https://e.org/1"), ("Fact", "https://e.org/2"))
    page = to_html(read_report(finished([part, image()])))

    tags = Page(page).tags
    links = [(a["href"], a.get("class")) for tag, a in tags if tag == "a"]
    first, second = "https://e.org/1", "https://e.org/2"
    assert links == [(first, "citation"), (second, "citation"), (first, None), (second, None)]
    assert [a["src"] for tag, a in tags if tag == "img"] == [f"data:image/png;base64,{image()['data']}"]
    assert "<td>one<br>line</td>" in page
    assert 'style="text-align:right"' in page


def test_a_picture_that_is_referenced_twice_is_embedded_once() -> None:
    page = to_html(read_report(finished([image(), text_part("x ![figure-1](figure-1.png) y")])))

    assert [tag for tag, _ in Page(page).tags].count("img") == 1
    assert "x <a>figure-1</a> y" in re.sub(r"<a [^>]*>", "<a>", page)


def test_chat_text_omits_anchor_links_and_pictures() -> None:
    text = "[Market](#market) and [page](https://e.org/#a)\n\n```\n[x](#y)\n```"
    report = read_report(
        finished([text_part(text, ("[Market](#market)", "https://e.org/1")), image(), text_part("End")])
    )

    assert short(to_chat(report)) == (
        "Market{1} and [page](https://e.org/#a)\n\n```\n[x](#y)\n```\n\nEnd\n\n## Sources\n\n1. [1](https://e.org/1)\n"
    )
    assert "[Market](#market)" in to_markdown(report)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("![x](https://e.org/p.png)", "!+[x](https://e.org/p.png)"),
        ("![x][y]\n\n[y]: https://e.org/p.png", "!+[x][y]\n\n[y]: https://e.org/p.png"),
        ("[![x](https://e.org/p.png)](https://e.org)", "[!+[x](https://e.org/p.png)](https://e.org)"),
        ("a <img src=https://e.org/p.png> b", "a <+img src=https://e.org/p.png> b"),
        ("<!-- x --> </p> <?x?>", "<+!-- x --> <+/p> <+?x?>"),
        ("a<br>b<BR/>c <https://e.org/x> 1 < 2", "a<br>b<BR/>c <https://e.org/x> 1 < 2"),
        ("![[x](#y)](https://e.org/p.png)", "!+[x](https://e.org/p.png)"),
        ("```rust\nvec![1] <T>\n```\n![x](u)", "```rust\nvec![1] <T>\n```\n!+[x](u)"),
        ("> ```\n![x](u)\n```\n![x](u)", "> ```\n!+[x](u)\n```\n!+[x](u)"),
    ],
)
def test_chat_text_loads_no_remote_pictures(text: str, shown: str) -> None:
    assert to_chat(read_report(finished([text_part(text)]))) == shown.replace("+", "\u2060") + "\n"
