"""Changes Pandoc's tree of a report's text into the tree of a safe, complete document. Pure.

The tree is Pandoc's JSON: `{"blocks": […], "meta": {…}}`, where each node is `{"t": type, "c": content}`. Whatever the
report contains, the new tree has only the report's own pictures, links to web pages and to its sources, and nothing in
the language of another format (https://pandoc.org/using-the-pandoc-api.html#pandocs-architecture).
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tools.interactions.citation_marks import Source, local_marks
from tools.research.report.check_texts import SYMBOLS, checks_table
from tools.research.report.document_writing_direction import (
    WEB_ADDRESS,
    Writing,
    isolate,
    isolated,
    marked_blocks,
    with_isolates,
)
from tools.research.report.languages import UNKNOWN, figure_word, language_of, sources_word
from tools.research.report.pandoc_nodes import (
    SPACE,
    Node,
    div_node,
    header_node,
    link_node,
    no_attributes,
    para_node,
    prose_of,
    span_node,
    text_of,
    with_typst_settings,
    word_nodes,
)
from tools.research.report.report import Report
from tools.research.report.writing_direction import Direction, direction_of, has_rtl_letters
from tools.text.markdown import is_web

_SOURCE = re.compile(r"#source-(\d{1,6})")
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
_MARK_OF_TYPST = re.compile("[-+/]|=+")
"""Matches a word that begins a list or a heading of Typst. Pandoc does not escape it in links, cells and items."""
MAX_NESTING = 10
"""Lists and quotations inside so many others lose their indentation: Typst fails at a few dozen."""
_WIDE_TABLES = ((9, "6.5pt"), (7, "7.5pt"), (5, "8.5pt"))
"""Number of columns from which a table in a PDF has that size of letters."""


_CHECKS_BLOCKS = 3
"""Number of blocks of `checks_table`: a heading, a sentence and a table, in English whatever the report is in."""


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
    if blocks and blocks[0]["t"] == "Header" and " ".join(text_of(blocks[0]["c"][2]).split()) == report.title:
        del blocks[0]  # the document's title says it already
    own = blocks[:-_CHECKS_BLOCKS] if report.verification and report.sources else blocks
    texts = [report.title, *map(prose_of, own)]
    direction = direction_of(" ".join(texts)) or "ltr"
    main = " ".join(text for text in texts if direction_of(text) == direction)
    writing = Writing(language_of(WEB_ADDRESS.sub("", main)), direction)
    return _Builder(report, format, writing).document(blocks, tree["pandoc-api-version"])


@dataclass
class _Builder:
    report: Report
    format: str
    writing: Writing
    """The language and the direction of the whole document."""
    shown: set[str] = field(default_factory=set)
    """Names of the pictures that the document has so far."""
    depth: int = 0
    """Number of lists and quotations that contain the current block."""
    cited: Counter[int] = field(default_factory=Counter)
    """Number of citations of each source so far."""

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
        body = self.blocks(blocks, self.writing)
        if self.report.sources:
            heading = sources_word(self.writing.language)
            body += marked_blocks(
                [header_node(heading, "sources")], self.writing.of(heading), self.writing, self.format
            )
            body += self._small(self._sources())
        if run := self.report.interaction_id:
            # Under the title, since a line at the end may stand alone on a page. `TYPST_TEMPLATE` has it already.
            line = para_node(word_nodes(run))
            if self.format == "docx":
                body.insert(0, div_node([line], [["custom-style", "Date"], ["dir", "ltr"]]))
            elif self.format == "epub":  # it begins a page at each heading
                body.append(div_node([line], [["style", "page-break-before: avoid"], ["dir", "ltr"]]))
        return {"pandoc-api-version": version, "meta": self._meta(), "blocks": body}

    def _meta(self) -> Node:
        direction = self.writing.direction
        title_direction = direction_of(self.report.title) or direction
        values = {
            "lang": self.writing.language or UNKNOWN,
            "dir": direction,
            "title-dir": title_direction,
            "page-progression-direction": direction,
            "identifier": self.report.interaction_id,
        }
        shown: dict[str, tuple[str, Direction]] = {
            "title": (self.report.title, title_direction),
            "author": (self.report.agent, "ltr"),
            "date": (self.report.created[:10], "ltr"),
        }
        return {key: {"t": "MetaString", "c": value} for key, value in values.items() if value} | {
            key: {"t": "MetaInlines", "c": [span_node(word_nodes(text), attributes=[["dir", written]])]}
            for key, (text, written) in shown.items()
            if text
        }

    def blocks(self, nodes: Iterable[Node], around: Writing, *, inside: bool = False) -> list[Node]:
        """Builds blocks.

        Args:
            around: how the text around the blocks is written.
            inside: whether they are in a list or a table, which sets their place on the line.
        """
        found = list[Node]()
        for writing, group in groupby(nodes, lambda node: self._writing(node, around, inside)):
            built = [new for node in group for new in self._block(node, writing)]
            found += marked_blocks(built, writing, around, self.format, inside=inside)
        return found

    def _writing(self, node: Node, around: Writing, inside: bool) -> Writing:
        match node:
            case {"t": "CodeBlock"}:
                return Writing(around.language, "ltr")
            case {"t": "Para", "c": [{"t": "Image", "c": [_, _, [target, _]]}]} if target in self.pictures:
                return around
            case {"t": "BulletList" | "OrderedList"} if inside:
                return around
            case {"t": "BulletList", "c": items} | {"t": "OrderedList", "c": [_, items]}:
                return around.of(*map(prose_of, items))
            case {"t": "Table", "c": [_, _, _, [_, [_, *_] as head], *_]} if direction_of(prose_of(head)):
                return around.of(prose_of(head))  # the names and addresses in its rows say nothing about its direction
        return around.of(prose_of(node))

    def _block(self, node: Node, writing: Writing) -> list[Node]:
        match node:
            case {"t": "Para" | "Plain", "c": [{"t": "Image", "c": [_, alt, [target, _]]}]} if self._may_show(target):
                return [self._figure(target, text_of(alt), writing)]
            case {"t": "Para" | "Plain" as kind, "c": inlines}:
                return [{"t": kind, "c": self._inlines(inlines, writing.direction)}]
            case {"t": "Header", "c": [level, _, inlines]}:
                return [{"t": "Header", "c": [level, no_attributes(), self._inlines(inlines, writing.direction)]}]
            case {"t": "BlockQuote", "c": blocks}:
                return self._nested([blocks], writing, lambda parts: {"t": "BlockQuote", "c": parts[0]})
            case {"t": "BulletList", "c": items}:
                built = self._nested(items, writing, lambda parts: {"t": "BulletList", "c": parts}, inside=True)
                return self._aligned(built, writing, map(prose_of, items))
            case {"t": "OrderedList", "c": [numbers, items]}:
                built = self._nested(
                    items, writing, lambda parts: {"t": "OrderedList", "c": [numbers, parts]}, inside=True
                )
                return self._aligned(built, writing, map(prose_of, items))
            case {"t": "CodeBlock", "c": [[_, classes, _], code]}:
                known = [name for name in classes[:1] if _LANGUAGE_OF_CODE.fullmatch(name)]
                return [{"t": "CodeBlock", "c": [["", known, []], code]}]
            case {"t": "RawBlock", "c": [_, text]}:
                words = [] if _BREAK.fullmatch(text.strip()) else word_nodes(text)
                return [para_node(self._inlines(words, writing.direction))] if words else []
            case {"t": "Table", "c": [_, _, columns, head, bodies, foot]}:
                return self._table(columns, head, bodies, foot, writing)
            case {"t": "HorizontalRule"}:
                return [node]
        raise ValueError(f"an unknown block of Pandoc's: {node['t']}")

    def _nested(
        self, parts: list[Any], writing: Writing, build: Callable[[list[Any]], Node], *, inside: bool = False
    ) -> list[Node]:
        self.depth += 1
        built = [self.blocks(part, writing, inside=inside) for part in parts]
        self.depth -= 1
        return [build(built)] if self.depth < MAX_NESTING else [block for part in built for block in part]

    def _aligned(self, built: list[Node], writing: Writing, items: Iterable[str]) -> list[Node]:
        """Keeps items in the other direction beside the marks of a list. Typst would put them on the other side."""
        if self.format != "pdf" or {direction_of(item) for item in items} <= {None, writing.direction}:
            return built
        return with_typst_settings(built, f"align({'right' if writing.direction == 'rtl' else 'left'})")

    def _table(self, columns: list[Any], head: Any, bodies: Any, foot: Any, writing: Writing) -> list[Node]:
        if self.format == "pdf":  # Pandoc centres a table, and with it the cells without an alignment
            start = "AlignRight" if writing.direction == "rtl" else "AlignLeft"
            for column in columns:
                column[0] = {"t": start} if column[0]["t"] == "AlignDefault" else column[0]
        for column in columns:
            column[1] = {"t": "ColWidthDefault"}
        rows = [*head[1], *(row for body in bodies for row in (*body[2], *body[3])), *foot[1]]
        for row in rows:
            for cell in row[1]:
                cell[4] = self.blocks(cell[4], writing, inside=True)
        table = {"t": "Table", "c": [no_attributes(), [None, []], columns, head, bodies, foot]}
        for count, size in _WIDE_TABLES:
            if len(columns) >= count and self.format == "pdf":
                return with_typst_settings([table], f"text(size: {size})")
        return [table]

    def _inlines(self, nodes: Sequence[Node], direction: Direction) -> list[Node]:
        built = [new for node in nodes for new in self._inline(node, direction)]
        if self.format == "pdf" and built and _MARK_OF_TYPST.fullmatch(str(built[0].get("c"))):
            built[0] = {"t": "RawInline", "c": ["typst", f"\\{built[0]['c']}"]}
        return with_isolates(built, self.format) if direction == "rtl" or has_rtl_letters(text_of(nodes)) else built

    def _inline(self, node: Node, direction: Direction) -> list[Node]:
        match node:
            case {"t": "Str" | "Space" | "SoftBreak" | "LineBreak"}:
                return [node]
            case {"t": "Emph" | "Strong" | "Strikeout" as kind, "c": inlines}:
                return [{"t": kind, "c": self._inlines(inlines, direction)}]
            case {"t": "Code", "c": [_, code]}:
                plain = {"t": "Code", "c": [no_attributes(), code]}
                return [isolate([plain], "ltr", format=self.format) if direction == "rtl" else plain]
            case {"t": "RawInline", "c": [_, text]}:
                return [{"t": "LineBreak"}] if _BREAK.fullmatch(text) else word_nodes(text)
            case {"t": "Link", "c": [_, inlines, [target, _]]}:
                return self._link(self._inlines(inlines, direction), target)
            case {"t": "Image", "c": [_, alt, [target, _]]}:
                if self._may_show(target):
                    self.shown.add(target)
                    return [self._image(target, text_of(alt))]
                return self._link(self._inlines(alt, direction) or word_nodes(target), target)
        raise ValueError(f"an unknown part of a line of Pandoc's: {node['t']}")

    def _link(self, inlines: list[Node], target: str) -> list[Node]:
        """Builds a link to a web page or a source. Another target is left out, since nothing else may be opened."""
        if is_web(target):
            return [link_node(inlines, target)]
        found = _SOURCE.fullmatch(target)
        number = int(found[1]) if found else 0
        if number not in self.numbers:
            return inlines
        self.cited[number] += 1
        mark = {"t": "Superscript", "c": [link_node(inlines, target)]}
        return [span_node([mark], _citation(number, self.cited[number]))]

    def _may_show(self, target: str) -> bool:
        """Whether a picture is one of the report's own, is not shown yet, and can be shown in the format."""
        return target in self.pictures and target not in self.shown

    def _figure(self, target: str, alt: str, writing: Writing) -> Node:
        self.shown.add(target)
        name = target.partition(".")[0]
        number = re.fullmatch(r"figure-(\d+)", name)
        label = f"{figure_word(writing.language)} {number[1]}" if number else name
        caption, words = word_nodes(label), label
        if alt not in ("", name):
            own = direction_of(alt) or writing.direction
            shown = (
                self._inlines(word_nodes(alt), own) if own == writing.direction else [isolated(alt, own, self.format)]
            )
            caption += [*word_nodes(":"), SPACE, *shown]
            words = f"{label}: {alt}"
        plain = {"t": "Plain", "c": [self._image(target, words)]}
        return {"t": "Figure", "c": [no_attributes(), [None, [{"t": "Plain", "c": caption}]], [plain]]}

    def _image(self, name: str, alt: str) -> Node:
        picture, target = self.pictures[name], name
        if self.format != "pdf":
            target = f"data:{picture.mime_type};base64,{base64.b64encode(picture.data).decode()}"
        return {"t": "Image", "c": [no_attributes(), word_nodes(alt), [target, ""]]}

    def _sources(self) -> list[Node]:
        sources = self.report.sources
        writing = self.writing.of(*(source.title for source in sources))
        numbers = [sources[0].number, {"t": "Decimal"}, {"t": "Period"}]
        entries = [[self._source(source, writing.direction)] for source in sources]
        return marked_blocks([{"t": "OrderedList", "c": [numbers, entries]}], writing, self.writing, self.format)

    def _source(self, source: Source, direction: Direction) -> Node:
        """Builds the entry of a source: its title, its address, and a link back to each of its citations."""
        web = is_web(source.url)
        name = source.title or source.url
        shown = name if len(name) <= MAX_SHOWN_ADDRESS else f"{name[: MAX_SHOWN_ADDRESS // 3]}…"
        own = direction_of(shown) or direction
        title = self._inlines(word_nodes(shown), direction) if own == direction else [isolated(shown, own, self.format)]
        line = [span_node([link_node(title, source.url)] if web else title, f"source-{source.number}")]
        if source.url not in ("", source.title) and len(source.url) <= MAX_SHOWN_ADDRESS:
            line += [SPACE, *word_nodes(source.url)]
        if check := self.checks.get(source.number):
            line += [SPACE, *word_nodes(f"— {SYMBOLS[check.verdict]} {check.verdict}")]
            if check.archived_url:
                line += [SPACE, link_node(word_nodes("(archived copy)"), check.archived_url)]
        for time in range(1, self.cited[source.number] + 1):
            arrow = word_nodes("↑" if time == 1 else f"↑{time}")
            line += [SPACE, link_node(arrow, f"#{_citation(source.number, time)}")]
        return {"t": "Plain", "c": with_isolates(line, self.format) if direction == "rtl" else line}

    def _small(self, blocks: list[Node]) -> list[Node]:
        return with_typst_settings(blocks, "text(size: 9pt)") if self.format == "pdf" else blocks


def _citation(number: int, time: int) -> str:
    """Returns the identifier of the place where a source is cited for the n-th time."""
    return f"citation-{number}-{time}"
