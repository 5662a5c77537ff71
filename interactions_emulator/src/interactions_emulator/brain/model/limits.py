"""The limits of the brain that is a model: of research runs, plans, searches, repairs and texts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

MAX_REPAIRS = 2
"""Maximum number of times that the model is asked again, with the errors of its answer."""
MAX_SEARCH_ROUNDS = 5
"""Maximum number of completions in a turn that may search; after them, no tool can be called."""
MAX_QUERIES = 3
"""Maximum number of queries or addresses in one call; further ones are left out."""
MAX_RESULTS = 5
"""Maximum number of results of one search."""
MAX_RESULT_CHARS = 4_000
MAX_DOCUMENT_CHARS = 200_000
"""Maximum characters of a document that are sent to the model."""
MAX_SIGNATURE_DATA_BYTES = 5_000_000
"""Maximum bytes of the data that are read from the signature of a step."""
MAX_SECTIONS = 6
MAX_HEADING_CHARS, MAX_QUERY_CHARS, MAX_TITLE_CHARS = 80, 150, 100
MAX_SECTION_SEARCHES = 2
"""Maximum number of searches for a section."""
SEARCH_SHARE = 0.5
"""Share of the budget after which no second search is made, so that the rest is for writing."""
CHARS_PER_TOKEN = 3
"""Cautious estimate, for texts in any language."""
PROMPT_TOKENS = 400
"""Tokens that instructions and headings need, besides question and sources."""


@dataclass(frozen=True)
class ResearchLimits:
    """Limits of a research run. A server that is started again in the middle of a run counts from zero."""

    context: int = 4096
    """Tokens of the model's context; each request of the run stays below it. The default is Ollama's."""
    minutes: float = 60.0
    tokens: int = 1_000_000
    now: Callable[[], float] = time.monotonic

    @property
    def answer_tokens(self) -> int:
        """Maximum tokens of one answer, which include the reasoning of models that reason."""
        return max(128, min(2_000, self.context // 4))

    @property
    def material_chars(self) -> int:
        """Maximum characters of the question and the sources in one request."""
        return max(600, (self.context - self.answer_tokens - PROMPT_TOKENS) * CHARS_PER_TOKEN)
