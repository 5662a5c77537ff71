"""Renders a report as Markdown and as a web page.

`to_markdown` and `to_chat` take time in proportion to the text. `to_html` runs a Markdown parser, which may take much
longer: call `tools.research.report.html_pages` instead where a user waits.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from string import Template
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from tools.interactions.source_list import footnotes, source_list
from tools.research.report.html_writing_direction import set_directions
from tools.research.report.report import Picture, Report
from tools.research.report.source_checks import checks_table, source_remarks
from tools.text.markdown import is_web

_PICTURE_LINE = re.compile(r"(?<!\n)\n*+^(!\[[\w-]+\]\([\w.-]+\))$", re.MULTILINE)
"""Matches a line like `Picture.mark`, with the blank lines above it."""
_FENCE = re.compile(r"^(`{3,}+|~{3,}+)[\w \t.+#-]*\n", re.MULTILINE)
_FENCE_END = re.compile(r" {0,3}(`+|~+)[ \t]*\n?")
_DOUBTFUL = re.compile(r"```|~~~|\]:|^[^\S\n]*<", re.MULTILINE)
"""Matches the start of code as a parser may see it, and of link definitions and HTML, which may contain code."""
_CODE_OR_ANCHOR = re.compile(r"(`[^`\n]*`)|\[([^\[\]\n]*)\]\(#[^()\s]*\)")
_ACTIVE = re.compile(r"!(?=\[)|<(?=[a-z/!?])(?!br ?/?>|https?://[^\s<>]*>)", re.IGNORECASE)
"""Matches starts of pictures and HTML. `<br>` and addresses in angle brackets load nothing, so they are left out."""
_WORD_JOINER = "\u2060"
_TABLE_OPEN = '<div class="scroll" tabindex="0" role="region" aria-label="Table">\n'
_DROPPED = 19
"""Nesting level of lists and quotations at which markdown-it begins to drop the text."""


def to_markdown(report: Report) -> str:
    """Formats a report's text and its list of sources as Markdown."""
    blocks = [report.text.strip("\n")]
    if report.sources:
        blocks += ["## Sources", source_list(report.sources, source_remarks(report.verification))]
    if report.verification and report.sources:
        blocks += [checks_table(report.verification)]
    return "\n\n".join(filter(None, blocks)) + "\n"


def to_markdown_file(report: Report) -> str:
    """Formats a report as a Markdown file: readable as plain text, with the sources as footnotes."""
    text = report.text.strip("\n")
    if report.verification and report.sources:
        text += f"\n\n{checks_table(report.verification)}"
    remarks = source_remarks(report.verification)
    return (footnotes(text, report.sources, remarks) if report.sources else text) + "\n"


def to_chat(report: Report) -> str:
    """Formats a report as Markdown for a conversation. The Markdown loads nothing from other servers.

    `adk web` 2.13 breaks on picture names and on links to an `#anchor`, so both are left out.
    """
    own = {picture.mark for picture in report.pictures}
    text = _PICTURE_LINE.sub(lambda line: "" if line[1] in own else line[0], report.text)
    return to_markdown(replace(report, text=inert(text)))


def inert(text: str) -> str:
    """Makes Markdown safe: a browser loads and runs nothing automatically. Also removes links to anchors.

    Adds an invisible character after each start of a picture or of HTML, so that it is a link or text. A block
    that every Markdown parser reads as code stays unchanged: the character would be copied with the code.
    """
    text = re.sub(r"\r\n?", "\n", text)
    pieces, position = list[str](), 0
    while (doubt := _DOUBTFUL.search(text, position)) and (fence := _FENCE.match(text, doubt.start())):
        end = re.compile(rf"^[^\S\n]*{fence[1]}[^\n]*\n?", re.MULTILINE).search(text, fence.end())
        stop = end.end() if end else len(text)
        pieces += [_without_active(text[position : doubt.start()]), text[doubt.start() : stop]]
        position = stop
        if end and not _FENCE_END.fullmatch(end[0]):
            break
    return "".join([*pieces, _without_active(text[position:])])


def _without_active(text: str) -> str:
    text = _CODE_OR_ANCHOR.sub(lambda found: found[1] or found[2], text)
    return _ACTIVE.sub(rf"\g<0>{_WORD_JOINER}", text)


def to_html(report: Report) -> str:
    """Formats a report as a complete web page. Whatever the report contains, the page loads and runs nothing."""
    tokens, env = _parse(report)
    if tokens is None:
        return to_plain_html(report)
    direction = set_directions(tokens)
    return _page(report, _render(tokens, env), direction)


def to_fragment(report: Report) -> str:
    """Formats a report as HTML for a page that has a heading of its own and forbids inline styles.

    Headings are one level lower than in the report. Tables can be scrolled by keyboard; classes align their columns.
    """
    tokens, env = _parse(report)
    if tokens is None:
        return to_plain_fragment(report)
    set_directions(tokens)
    return _render(_embedded(tokens), env)


def to_plain_html(report: Report) -> str:
    """Formats a report whose text cannot be rendered: a web page with the raw Markdown, then the pictures."""
    return _page(report, to_plain_fragment(report))


def to_plain_fragment(report: Report) -> str:
    """The same as `to_plain_html`, as HTML for another page."""
    pictures = "\n".join(f'<img src="{_data_uri(p)}" alt="{html.escape(p.name)}">' for p in report.pictures)
    return f'<pre class="plain" dir="auto">{html.escape(to_markdown(report))}</pre>\n{pictures}'


def _parse(report: Report) -> tuple[list[Token] | None, dict[str, Any]]:
    """Parses the report's Markdown.

    Returns:
        The tokens, or None if the parser would drop text; and the environment that rendering needs.
    """
    env: dict[str, Any] = {"images": {p.name: _data_uri(p) for p in report.pictures}}
    tokens = _MARKDOWN.parse(to_markdown(report), env)
    if any(token.level >= _DROPPED and token.type in ("blockquote_open", "list_item_open") for token in tokens):
        return None, env
    _raise_citations(tokens)
    return tokens, env


def _render(tokens: Sequence[Token], env: dict[str, Any]) -> str:
    return _sanitize(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, env))


def _embedded(tokens: Sequence[Token]) -> list[Token]:
    """Lowers headings by one level, replaces the styles of cells by classes, and wraps tables."""
    found = list[Token]()
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        if style := token.attrs.pop("style", None):
            token.attrs["class"] = str(style).replace("text-align:", "align-")
        if token.type == "table_open":
            found.append(Token("html_block", "", 0, content=_TABLE_OPEN))
        found.append(token)
        if token.type == "table_close":
            found.append(Token("html_block", "", 0, content="</div>\n"))
    return found


def _page(report: Report, body: str, direction: str = "auto") -> str:
    facts = [report.agent, report.created, report.interaction_id]
    footer = f"<footer>{' · '.join(html.escape(fact) for fact in facts if fact)}</footer>"
    return _PAGE.substitute(title=html.escape(report.title), body=body + footer, direction=direction)


def _data_uri(picture: Picture) -> str:
    return html.escape(f"data:{picture.mime_type};base64,{base64.b64encode(picture.data).decode()}")


def _raise_citations(tokens: Sequence[Token]) -> None:
    """Adds the CSS class of citations (superscript) to links like "[1]"."""
    for token in tokens:
        children = token.children or []
        for link, label in pairwise(children):
            if link.type == "link_open" and re.fullmatch(r"\[\d+\]", label.content):
                link.attrSet("class", "citation")


def _render_image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """Renders each of the report's own pictures once, because they are large. Any other picture becomes a link."""
    source, name = str(tokens[index].attrGet("src") or ""), html.escape(tokens[index].content)
    if data := env["images"].pop(source, None):
        return f'<img src="{data}" alt="{name}">'
    return f'<a href="{html.escape(source)}">{name or html.escape(source)}</a>'


def _render_text(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """Escapes text but keeps `<br>`, because a table allows no other line break."""
    return re.sub(r"&lt;br ?/?&gt;", "<br>", html.escape(tokens[index].content))


def _sanitize(body: str) -> str:
    def keep(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "href":
            return value if is_web(value) else None
        if attribute == "src":
            return value if value.startswith("data:image/") else None
        return value

    return nh3.clean(
        body,
        attributes={
            "*": {"dir"},
            "a": {"href", "title", "class"},
            "img": {"src", "alt"},
            "ol": {"start"},
            "div": {"class", "tabindex", "role", "aria-label"},
            "th": {"style", "class"},
            "td": {"style", "class"},
        },
        attribute_filter=keep,
        filter_style_properties={"text-align"},
        url_schemes={"http", "https", "data"},
        set_tag_attribute_values={"a": {"target": "_blank"}},
        link_rel="noopener noreferrer",
    )


_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_MARKDOWN.add_render_rule("image", _render_image)
_MARKDOWN.add_render_rule("text", _render_text)

_PAGE = Template("""<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root { --ink: #1c1b19; --paper: #fdfcfa; --soft: #6b6862; --line: #dedad2; --tint: #f3f0ea; --link: #1a4f8b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e3dd; --paper: #191817; --soft: #a09c94; --line: #3a3835; --tint: #242220; --link: #8ab8ee; }
}
body { margin: 0; background: var(--paper); color: var(--ink); text-wrap: pretty;
  font: 1.0625rem/1.65 Charter, "Iowan Old Style", Georgia, "Noto Serif", serif; }
main { max-width: 42rem; margin: 0 auto; padding: 3rem 1.25rem 4rem; overflow-wrap: break-word; }
h1, h2, h3, h4 { line-height: 1.25; margin: 2em 0 0.6em; text-wrap: balance; }
h1 { font-size: clamp(1.6rem, 5vw, 2rem); margin-top: 0; }
h2 { font-size: 1.4rem; }
h3 { font-size: 1.15rem; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 0.18em; }
a.citation { font-size: 0.72em; vertical-align: super; line-height: 0; text-decoration: none; }
a.citation:hover { text-decoration: underline; }
a.citation::before { content: "\\2060"; } /* a mark never begins a line */
ul, ol { padding-inline-start: 1.6em; }
li { margin: 0.3em 0; }
li::marker { color: var(--soft); }
ol:has(+ footer), ol:has(+ h2 + p + table) { font-size: 0.92em; } /* the sources */
img { display: block; max-width: 100%; height: auto; margin: 2rem auto; border-radius: 6px;
  background: #fff; outline: 1px solid var(--line); }
table { display: block; overflow-x: auto; border-collapse: collapse; margin: 1.5em 0;
  font-size: 0.9em; line-height: 1.45; font-variant-numeric: lining-nums tabular-nums; }
th, td { padding: 0.5em 0.8em; border-bottom: 1px solid var(--line); text-align: start; vertical-align: top; }
th { border-bottom: 2px solid var(--soft); vertical-align: bottom; }
th:first-child, td:first-child { padding-inline-start: 0; }
code, pre { font: 0.88em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
code { padding: 0.1em 0.3em; border-radius: 4px; background: var(--tint); }
pre { overflow-x: auto; padding: 0.9em 1.1em; border-radius: 6px; background: var(--tint); }
pre code { padding: 0; font-size: 1em; }
code { direction: ltr; unicode-bidi: isolate; }
pre:not(.plain) { direction: ltr; text-align: left; }
pre.plain { white-space: pre-wrap; }
blockquote { margin: 1.5em 0; padding-inline-start: 1.1em; border-inline-start: 3px solid var(--line);
  color: var(--soft); }
hr { border: 0; border-top: 1px solid var(--line); margin: 2.5em 0; }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: 0.82rem; }
@media print {
  :root { --ink: #000; --paper: #fff; --soft: #555; --line: #bbb; --tint: #f4f4f4; --link: #000; }
  ol:has(+ footer) a::after, ol:has(+ h2 + p + table) a::after { content: " " attr(href); color: var(--soft); }
  pre { white-space: pre-wrap; }
  main { max-width: none; padding: 0; }
  h1, h2, h3, h4 { break-after: avoid; }
  img, tr, pre { break-inside: avoid; }
}
</style>
</head>
<body>
<main dir="$direction">
$body
</main>
</body>
</html>
""")
