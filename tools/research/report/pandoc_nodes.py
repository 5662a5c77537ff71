"""Builds and reads the nodes of Pandoc's tree of a document. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from tools.text.markdown import link_address

Node = dict[str, Any]
SPACE: Node = {"t": "Space"}


def no_attributes() -> list[Any]:
    return ["", [], []]


def header_node(text: str, identifier: str) -> Node:
    return {"t": "Header", "c": [1, [identifier, [], []], word_nodes(text)]}


def para_node(inlines: list[Node]) -> Node:
    return {"t": "Para", "c": inlines}


def div_node(blocks: list[Node], attributes: list[list[str]]) -> Node:
    return {"t": "Div", "c": [["", [], attributes], blocks]}


def with_typst_settings(blocks: list[Node], settings: str) -> list[Node]:
    """Gives blocks other settings in Typst. Pandoc's own way for this loses them before a heading."""
    return [typst_node(f"#[\n#set {settings}"), *blocks, typst_node("]")]


def typst_node(code: str) -> Node:
    return {"t": "RawBlock", "c": ["typst", code]}


def span_node(inlines: list[Node], identifier: str = "", attributes: Sequence[list[str]] = ()) -> Node:
    return {"t": "Span", "c": [[identifier, [], [*attributes]], inlines]}


def link_node(inlines: list[Node], target: str) -> Node:
    return {"t": "Link", "c": [no_attributes(), inlines, [link_address(target), ""]]}


def word_nodes(text: str) -> list[Node]:
    """Converts plain text to Pandoc's words and spaces."""
    return spaced_nodes(" ".join(text.split()))


def spaced_nodes(text: str) -> list[Node]:
    """The same as `word_nodes`, but keeps the spaces at both ends."""
    return [SPACE if piece == " " else {"t": "Str", "c": piece} for piece in re.split("( )", text) if piece]


def text_of(node: Any) -> str:
    """Returns the words of a tree, without blocks of code and addresses."""
    return "".join(_pieces(node))


def prose_of(node: Any) -> str:
    """Returns the words of a tree that show how it is written: those of `text_of` without code."""
    return "".join(_pieces(node, code=False))


def _pieces(node: Any, *, code: bool = True) -> Iterator[str]:
    match node:
        case {"t": "Str", "c": str(text)}:
            yield text
        case {"t": "Space" | "SoftBreak" | "LineBreak"}:
            yield " "
        case {"t": "Code", "c": [_, text]}:
            yield text if code else " "
        case {"t": "RawInline", "c": [_, text]}:
            yield text
        case {"t": "CodeBlock" | "RawBlock"}:
            return
        case {"t": "Link" | "Image", "c": [_, inlines, _]}:
            yield from _pieces(inlines, code=code)
        case {"t": kind, "c": content}:
            yield from _pieces(content, code=code)
            yield " " if kind in ("Para", "Plain", "Header") else ""
        case list():
            for child in node:
                yield from _pieces(child, code=code)
