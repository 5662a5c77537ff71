"""Changes Pandoc's tree of a report's text into the tree of a safe, complete document. Pure.

The tree is Pandoc's JSON: `{"blocks": […], "meta": {…}}`, where each node is `{"t": type, "c": content}`. Whatever the
report contains, the new tree has only the report's own pictures, links to web pages and to its sources, and nothing in
the language of another format (https://pandoc.org/using-the-pandoc-api.html#pandocs-architecture).
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tools.interactions.citations import Source, is_web, link_address, local_marks
from tools.research.report.languages import (
    UNKNOWN,
    figure_word,
    is_right_to_left,
    language_of,
    same_letters,
    sources_word,
)
from tools.research.report.reading import Report
from tools.research.report.source_checks import SYMBOLS, checks_table

Node = dict[str, Any]

_SOURCE = re.compile(r"#source-(\d{1,6})")
_ADDRESS = re.compile(r"https?://\S+")
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_LANGUAGE_OF_CODE = re.compile(r"[\w+#-]{1,20}")
_PICTURES = {
    "pdf": ("image/png", "image/jpeg", "image/gif", "image/webp"),
    "docx": ("image/png", "image/jpeg", "image/gif", "image/bmp", "image/tiff"),
    "epub": ("image/png", "image/jpeg", "image/gif", "image/webp"),
}
"""Types of pictures that programs for a format can show."""
MAX_SHOWN_ADDRESS = 150
"""Addresses of more characters, such as Google's redirects, are links only: nobody copies them from paper.

Without a title, their first third is shown."""
MAX_NESTING = 10
"""Lists and quotations inside so many others lose their indentation: Typst fails at a few dozen."""
_WIDE_TABLES = ((9, "6.5pt"), (7, "7.5pt"), (5, "8.5pt"))
"""Number of columns from which a table in a PDF has that size of letters."""


def document_markdown(report: Report) -> str:
    """Formats the text of a report for Pandoc: citations are links like `[\\[1\\]](#source-1)`."""
    text = local_marks(report.text, report.sources).strip("\n")
    if report.verification and report.sources:
        text += f"\n\n{checks_table(report.verification)}"
    return f"{text}\n"


def document_tree(tree: Mapping[str, Any], report: Report, format: str) -> Node:
    """Builds the tree of a document.

    Args:
        tree: Pandoc's tree of `document_markdown`.
        format: "pdf", "docx" or "epub".
    """
    blocks = list(tree["blocks"])
    if blocks and blocks[0]["t"] == "Header" and " ".join(_text(blocks[0]["c"][2]).split()) == report.title:
        del blocks[0]  # the document's title says it already
    language = _language_of([_words(report.title), blocks])
    return _Builder(report, format, language).document(blocks, tree["pandoc-api-version"])


@dataclass
class _Builder:
    report: Report
    format: str
    language: str
    shown: set[str] = field(default_factory=set)
    """Names of the pictures that the document has so far."""
    depth: int = 0
    """How many lists and quotations the current block is in."""
    cited: Counter[int] = field(default_factory=Counter)
    """How often each source was cited so far."""

    def __post_init__(self) -> None:
        verification = self.report.verification
        self.checks = {check.number: check for check in verification.sources} if verification else {}
        self.numbers = {source.number for source in self.report.sources}
        self.pictures = {p.name: p for p in self.report.pictures if p.mime_type in _PICTURES[self.format]}

    def document(self, blocks: Sequence[Node], version: Sequence[int]) -> Node:
        levels = [block["c"][0] for block in blocks if block["t"] == "Header"]
        above = min(levels, default=1) - 1
        for block in blocks:
            if block["t"] == "Header":
                block["c"][0] -= above
        body = self.blocks(blocks, self.language)
        if self.report.sources:
            body += [_header(sources_word(self.language), "sources"), *self._small(self._sources())]
        if self.report.interaction_id:
            body += self._small(_para(_words(self.report.interaction_id)))
        if self.format == "epub" and is_right_to_left(self.language):
            body = _from_right_to_left(body)
        return {"pandoc-api-version": version, "meta": self._meta(), "blocks": body}

    def _meta(self) -> Node:
        direction = "rtl" if is_right_to_left(self.language) else "ltr"
        values = {
            "title": self.report.title,
            "author": self.report.agent,
            "date": self.report.created[:10],
            "lang": self.language or "und",
            "dir": direction,
            "page-progression-direction": direction,
            "identifier": self.report.interaction_id,
        }
        return {key: {"t": "MetaString", "c": value} for key, value in values.items() if value}

    def blocks(self, nodes: Iterable[Node], language: str) -> list[Node]:
        """Builds blocks. Neighbours in a language with other letters than `language` become a part of their own."""
        found = list[Node]()
        for other, group in groupby(nodes, lambda node: self._language(node, language)):
            built = [new for node in group for new in self._block(node, other)]
            found += self._in_language(built, other) if other != language and built else built
        return found

    def _language(self, node: Node, around: str) -> str:
        """Returns the language of a block; that of the text around it if the block has the same letters or none."""
        match node:
            case {"t": "Para", "c": [{"t": "Image", "c": [_, _, [target, _]]}]} if target in self.pictures:
                return around
            case {"t": "Table", "c": [_, _, _, [_, [_, *_] as head], *_]} if _language_of(head):
                node = {"c": head}  # the names and addresses in its rows say nothing about its direction
        found = _language_of(node)
        return around if found in ("", UNKNOWN) or same_letters(found, around) else found

    def _in_language(self, blocks: list[Node], language: str) -> list[Node]:
        direction = "rtl" if is_right_to_left(language) else "ltr"
        if self.format == "pdf":
            return _with_text(blocks, f'dir: {direction}, lang: "{language.partition("-")[0]}"')
        return [_div(blocks, [["lang", language], ["dir", direction]])]

    def _block(self, node: Node, language: str) -> list[Node]:
        match node:
            case {"t": "Para" | "Plain", "c": [{"t": "Image", "c": [_, alt, [target, _]]}]} if self._may_show(target):
                return [self._figure(target, _text(alt), language)]
            case {"t": "Para" | "Plain" as kind, "c": inlines}:
                return [{"t": kind, "c": self._inlines(inlines)}]
            case {"t": "Header", "c": [level, _, inlines]}:
                return [{"t": "Header", "c": [level, _no_attributes(), self._inlines(inlines)]}]
            case {"t": "BlockQuote", "c": blocks}:
                return self._nested([blocks], language, lambda parts: {"t": "BlockQuote", "c": parts[0]})
            case {"t": "BulletList", "c": items}:
                return self._nested(items, language, lambda parts: {"t": "BulletList", "c": parts})
            case {"t": "OrderedList", "c": [numbers, items]}:
                return self._nested(items, language, lambda parts: {"t": "OrderedList", "c": [numbers, parts]})
            case {"t": "CodeBlock", "c": [[_, classes, _], code]}:
                known = [name for name in classes[:1] if _LANGUAGE_OF_CODE.fullmatch(name)]
                return [{"t": "CodeBlock", "c": [["", known, []], code]}]
            case {"t": "RawBlock", "c": [_, text]}:
                words = [] if _BREAK.fullmatch(text.strip()) else _words(text)
                return [_para(words)] if words else []
            case {"t": "Table", "c": [_, _, columns, head, bodies, foot]}:
                return self._table(columns, head, bodies, foot, language)
            case {"t": "HorizontalRule"}:
                return [node]
        raise ValueError(f"an unknown block of Pandoc's: {node['t']}")

    def _nested(self, parts: list[Any], language: str, build: Callable[[list[Any]], Node]) -> list[Node]:
        self.depth += 1
        built = [self.blocks(part, language) for part in parts]
        self.depth -= 1
        return [build(built)] if self.depth < MAX_NESTING else [block for part in built for block in part]

    def _table(self, columns: list[Any], head: Any, bodies: Any, foot: Any, language: str) -> list[Node]:
        if self.format == "pdf":  # Pandoc centres a table, and with it the cells without an alignment
            start = "AlignRight" if is_right_to_left(language) else "AlignLeft"
            for column in columns:
                column[0] = {"t": start} if column[0]["t"] == "AlignDefault" else column[0]
        for column in columns:
            column[1] = {"t": "ColWidthDefault"}
        rows = [*head[1], *(row for body in bodies for row in (*body[2], *body[3])), *foot[1]]
        for row in rows:
            for cell in row[1]:
                cell[4] = self.blocks(cell[4], language)
        table = {"t": "Table", "c": [_no_attributes(), [None, []], columns, head, bodies, foot]}
        for count, size in _WIDE_TABLES:
            if len(columns) >= count and self.format == "pdf":
                return _with_text([table], f"size: {size}")
        return [table]

    def _inlines(self, nodes: Iterable[Node]) -> list[Node]:
        return [new for node in nodes for new in self._inline(node)]

    def _inline(self, node: Node) -> list[Node]:
        match node:
            case {"t": "Str" | "Space" | "SoftBreak" | "LineBreak"}:
                return [node]
            case {"t": "Emph" | "Strong" | "Strikeout" as kind, "c": inlines}:
                return [{"t": kind, "c": self._inlines(inlines)}]
            case {"t": "Code", "c": [_, code]}:
                return [{"t": "Code", "c": [_no_attributes(), code]}]
            case {"t": "RawInline", "c": [_, text]}:
                return [{"t": "LineBreak"}] if _BREAK.fullmatch(text) else _words(text)
            case {"t": "Link", "c": [_, inlines, [target, _]]}:
                return self._link(self._inlines(inlines), target)
            case {"t": "Image", "c": [_, alt, [target, _]]}:
                if self._may_show(target):
                    self.shown.add(target)
                    return [self._image(target, _text(alt))]
                return self._link(self._inlines(alt) or _words(target), target)
        raise ValueError(f"an unknown part of a line of Pandoc's: {node['t']}")

    def _link(self, inlines: list[Node], target: str) -> list[Node]:
        """Builds a link to a web page or a source. Another target is left out, since nothing else may be opened."""
        if is_web(target):
            return [_link(inlines, target)]
        found = _SOURCE.fullmatch(target)
        number = int(found[1]) if found else 0
        if number not in self.numbers:
            return inlines
        self.cited[number] += 1
        mark = {"t": "Superscript", "c": [_link(inlines, target)]}
        return [_span([mark], _citation(number, self.cited[number]))]

    def _may_show(self, target: str) -> bool:
        """Whether a picture is one of the report's own, is not shown yet, and can be shown in the format."""
        return target in self.pictures and target not in self.shown

    def _figure(self, target: str, alt: str, language: str) -> Node:
        self.shown.add(target)
        caption = target.partition(".")[0]
        number = re.fullmatch(r"figure-(\d+)", caption)
        label = f"{figure_word(language)} {number[1]}" if number else caption
        words = label if alt in ("", caption) else f"{label}: {alt}"
        plain = {"t": "Plain", "c": [self._image(target, words)]}
        return {"t": "Figure", "c": [_no_attributes(), [None, [{"t": "Plain", "c": _words(words)}]], [plain]]}

    def _image(self, name: str, alt: str) -> Node:
        picture, target = self.pictures[name], name
        if self.format != "pdf":
            target = f"data:{picture.mime_type};base64,{base64.b64encode(picture.data).decode()}"
        return {"t": "Image", "c": [_no_attributes(), _words(alt), [target, ""]]}

    def _sources(self) -> Node:
        sources = self.report.sources
        numbers = [sources[0].number, {"t": "Decimal"}, {"t": "Period"}]
        return {"t": "OrderedList", "c": [numbers, [[self._source(source)] for source in sources]]}

    def _source(self, source: Source) -> Node:
        """Builds the entry of a source: its title, its address, and a link back to each of its citations."""
        web = is_web(source.url)
        name = source.title or source.url
        title = _words(name if len(name) <= MAX_SHOWN_ADDRESS else f"{name[: MAX_SHOWN_ADDRESS // 3]}…")
        line = [_span([_link(title, source.url)] if web else title, f"source-{source.number}")]
        if source.url not in ("", source.title) and len(source.url) <= MAX_SHOWN_ADDRESS:
            line += [_SPACE, *_words(source.url)]
        if check := self.checks.get(source.number):
            line += [_SPACE, *_words(f"— {SYMBOLS[check.verdict]} {check.verdict}")]
            if check.archived_url:
                line += [_SPACE, _link(_words("(archived copy)"), check.archived_url)]
        for time in range(1, self.cited[source.number] + 1):
            arrow = _words("↑" if time == 1 else f"↑{time}")
            line += [_SPACE, _link(arrow, f"#{_citation(source.number, time)}")]
        return {"t": "Plain", "c": line}

    def _small(self, block: Node) -> list[Node]:
        return _with_text([block], "size: 9pt") if self.format == "pdf" else [block]


_SPACE: Node = {"t": "Space"}


def _no_attributes() -> list[Any]:
    return ["", [], []]


def _header(text: str, identifier: str) -> Node:
    return {"t": "Header", "c": [1, [identifier, [], []], _words(text)]}


def _para(inlines: list[Node]) -> Node:
    return {"t": "Para", "c": inlines}


def _div(blocks: list[Node], attributes: list[list[str]]) -> Node:
    return {"t": "Div", "c": [["", [], attributes], blocks]}


def _with_text(blocks: list[Node], settings: str) -> list[Node]:
    """Gives blocks other settings in Typst. Pandoc's own way for this loses them before a heading."""
    return [_typst(f"#[\n#set text({settings})"), *blocks, _typst("]")]


def _typst(code: str) -> Node:
    return {"t": "RawBlock", "c": ["typst", code]}


def _from_right_to_left(blocks: list[Node]) -> list[Node]:
    """Sets the direction of a whole EPUB. Pandoc does it for Word, and divides an EPUB only at headings outside."""
    found = list[Node]()
    for is_header, group in groupby(blocks, lambda block: block["t"] == "Header"):
        if is_header:
            for header in group:
                header["c"][1][2] = [["dir", "rtl"]]
                found.append(header)
        else:
            found.append(_div([*group], [["dir", "rtl"]]))
    return found


def _span(inlines: list[Node], identifier: str) -> Node:
    return {"t": "Span", "c": [[identifier, [], []], inlines]}


def _link(inlines: list[Node], target: str) -> Node:
    return {"t": "Link", "c": [_no_attributes(), inlines, [link_address(target), ""]]}


def _citation(number: int, time: int) -> str:
    """Returns the identifier of the place where a source is cited for the n-th time."""
    return f"citation-{number}-{time}"


def _words(text: str) -> list[Node]:
    """Converts plain text to Pandoc's words and spaces."""
    words: list[Node] = [{"t": "Str", "c": word} for word in text.split()]
    return [node for word in words for node in (word, _SPACE)][:-1]


def _text(node: Any) -> str:
    """Returns the words of a tree, without blocks of code and addresses."""
    return "".join(_pieces(node))


def _language_of(node: Any) -> str:
    """Returns the language of a tree. The letters of web addresses say nothing about it."""
    return language_of(_ADDRESS.sub("", _text(node)))


def _pieces(node: Any) -> Iterator[str]:
    match node:
        case {"t": "Str", "c": str(text)}:
            yield text
        case {"t": "Space" | "SoftBreak" | "LineBreak"}:
            yield " "
        case {"t": "Code" | "RawInline", "c": [_, text]}:
            yield text
        case {"t": "CodeBlock" | "RawBlock"}:
            return
        case {"t": "Link" | "Image", "c": [_, inlines, _]}:
            yield from _pieces(inlines)
        case {"c": content}:
            yield from _pieces(content)
        case list():
            for child in node:
                yield from _pieces(child)
