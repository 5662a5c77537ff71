"""Escapes texts and addresses for Markdown, and formats code."""

from __future__ import annotations

import re
from urllib.parse import quote

CODE_BLOCK = r"^[ \t>]*(?P<fence>`{3,}+|~{3,}+)[^`\n]*+\n.*?(?:^[ \t>]*(?P=fence)[^\n]*|\Z)"
"""Matches a fenced block of code, up to its end, with `re.MULTILINE` and `re.DOTALL`."""


def code_block(text: str, language: str = "") -> str:
    """Formats a text as a Markdown code block, with a fence longer than any in the text."""
    fence = max(["``", *re.findall("`{3,}", text)], key=len) + "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def is_web(url: str) -> bool:
    """Whether an address may become a link: its scheme is http or https."""
    return re.match(r"https?://[^\s/?#]", url, re.IGNORECASE) is not None


def link_address(url: str) -> str:
    """Escapes an address for a Markdown link, also inside a table."""
    return re.sub(r'[\s<>()"\\`|^{}\x00-\x1f\x7f]', lambda match: quote(match[0]), url)


def escape(text: str) -> str:
    """Escapes text for Markdown, also inside a link, its title or a table."""
    return re.sub(r'([\\`*_\[\]<>|"~]|&(?=#?\w+;))', r"\\\1", text)
