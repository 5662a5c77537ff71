"""Renders a report as a web page. It runs a Markdown parser, which may take very long.

Call `tools.research.report.html_pages` instead where a user waits.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from tools.research.report.html_template import HTML_PAGE
from tools.research.report.html_writing_direction import set_directions
from tools.research.report.markdown_rendering import to_markdown
from tools.research.report.report import Picture, Report
from tools.text.markdown import is_web

_TABLE_OPEN = '<div class="scroll" tabindex="0" role="region" aria-label="Table">\n'
_DROPPED = 19
"""Nesting level of lists and quotations at which markdown-it begins to drop the text."""


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
    return HTML_PAGE.substitute(title=html.escape(report.title), body=body + footer, direction=direction)


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
