"""Limits of rendering: processes at a time, seconds, memory and sizes."""

from __future__ import annotations

MAX_PROCESSES = 2
"""Maximum number of processes that render reports at a time, whoever asks for them."""
RENDER_TIMEOUT_S = 10.0
"""Timeout for a web page, in seconds; an ordinary report takes less than one second."""
MAX_HTML_MEMORY_BYTES = 500_000_000
"""Memory of the process that renders a web page, in bytes, on Linux only; an ordinary page takes a tenth of that."""
MAX_GROWTH = 10
"""A page with more than `MIN_PAGE_CHARS` may be this many times as long as its report; usually it is hardly longer."""
MIN_PAGE_CHARS = 1_000_000
"""Characters that any web page may have."""
DOCUMENT_TIMEOUT_S = 30.0
"""Timeout for a document, in seconds; an ordinary report takes less than one second."""
MAX_DOCUMENT_MEMORY_BYTES = 2_000_000_000
"""Memory of the process that converts a document, and of Pandoc, in bytes, on Linux only; usually a tenth is taken."""
MAX_CPU_S = 30
"""Processor time of the process that converts a document and of each run of Pandoc, in seconds, on Linux only."""
PANDOC_HEAP = "600M"
"""Limit of Pandoc's own memory."""
PANDOC_TIMEOUT_S = 10.0
"""Timeout for each of the two runs of Pandoc, in seconds; an ordinary report takes a twentieth of a second."""
