"""Sets the direction of each part of a report's web page. Works on the tokens of markdown-it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markdown_it.token import Token

from tools.research.report.writing_direction import (
    LEFT_TO_RIGHT,
    Direction,
    direction_of,
    direction_of_most,
    has_rtl_letters,
)

_LISTS = ("bullet_list_open", "ordered_list_open")
_CODE = ("fence", "code_block")


def set_directions(tokens: Sequence[Token]) -> Direction:
    """Gives each block its direction, and isolates text in the other one. Returns the direction of the whole page.

    Does not change a page without letters that are written from right to left.
    """
    if not has_rtl_letters("".join(token.content for token in tokens)):
        return "ltr"
    page = direction_of(" ".join(_text(token) for token in tokens if token.type == "inline")) or "ltr"
    for block in _blocks(tokens):
        direction = _direction(block, page)
        if block[0].type not in _CODE:
            block[0].attrSet("dir", direction)
        for token in block:
            if token.type == "inline":
                _isolate(token, direction)
    return page


def _blocks(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Yields the tokens of each block that is in no other block."""
    start = 0
    for end, token in enumerate(tokens, 1):
        if token.level == 0 and token.nesting <= 0:
            yield tokens[start:end]
            start = end


def _direction(block: Sequence[Token], page: Direction) -> Direction:
    texts = [_text(token) for token in block if token.type == "inline"]
    if block[0].type in _LISTS:
        return direction_of_most(texts, page)
    if block[0].type == "table_open":  # its head counts: names and addresses in its rows say nothing
        columns = sum(token.type == "th_open" for token in block)
        if direction := direction_of(" ".join(texts[:columns])):
            return direction
    return direction_of(" ".join(texts)) or page


def _text(inline: Token) -> str:
    """Returns the words of a line, without code."""
    children = (child for child in inline.children or [] if child.type != "code_inline")
    return "".join(" " if child.type.endswith("break") else child.content for child in children)


def _isolate(inline: Token, around: Direction) -> None:
    children = inline.children or []
    text = _text(inline)
    own = direction_of(text) or around
    if own == "rtl" or has_rtl_letters(text):  # right-to-left letters would move the numbers next to them
        children = [new for child in children for new in _with_isolates(child)]
    inline.children = children if own == around else _isolated(children, own)


def _with_isolates(child: Token) -> Iterator[Token]:
    if child.type != "text":
        yield child
        return
    for position, piece in enumerate(LEFT_TO_RIGHT.split(child.content)):
        text = Token("text", "", 0, content=piece)
        yield from _isolated([text], "ltr") if position % 2 else [text]


def _isolated(children: Sequence[Token], direction: Direction) -> list[Token]:
    return [Token("bdi_open", "bdi", 1, attrs={"dir": direction}), *children, Token("bdi_close", "bdi", -1)]
