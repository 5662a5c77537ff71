"""Limits of the checks of sources: seconds, sizes and counts."""

from __future__ import annotations

from dataclasses import dataclass

MAX_ROBOTS_BYTES = 500_000
"""Maximum size of `robots.txt` that is read (RFC 9309, 2.5)."""
MAX_ROBOTS_RULES = 2_000
"""Maximum number of lines with a rule, or with the name of a program, that are used."""
MAX_RULE_CHARS = 500
"""A longer line is not used: Python takes quadratic time for one (see `tools.text.unicode_normalization`)."""
MAX_HEAD_CHARS = 200_000
"""Title, character set, and canonical address are looked for in this many characters."""
MAX_TITLE_CHARS = 300
"""Maximum characters of a page's title that are kept."""
MAX_PDF_MEMORY_BYTES = 700_000_000
"""Memory limit of the process that reads a PDF, in bytes, on Linux only."""
MAX_PDF_TEXT_CHARS = 1_000_000
"""More text of a PDF is not read: a file of 8 KB can have 10 million characters. `MAX_PAGE_CHARS` is less."""
MAX_PDF_TITLE_CHARS = 1_000
"""Maximum characters of the title of a PDF that are read."""
PDF_TIMEOUT_S = 15.0
"""Timeout for a PDF, in seconds."""
MAX_PAGE_CHARS = 500_000
"""Maximum characters of a page that are searched. This takes seconds at most, for any text."""
MAX_PASSAGE_CHARS = 1_000
"""Maximum characters of a passage of the report."""
MAX_SENTENCES = 3
"""A short sentence is extended by those before it, up to this number."""
MAX_SHOWN_CHARS = 300
"""Maximum characters of a passage that are kept with its check."""


@dataclass(frozen=True)
class FetchLimits:
    """Limits of fetching: seconds, bytes and counts."""

    request_s: float = 20.0
    """Maximum time for one request, until the last byte."""
    total_s: float = 60.0
    """Maximum time for all pages of a report."""
    max_bytes: int = 3_000_000
    """Maximum size of a page; the rest is not read."""
    max_redirects: int = 8
    max_requests: int = 6
    """Maximum number of requests at the same time, each to another host."""
