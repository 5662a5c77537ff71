"""The page's limits of size and number."""

from __future__ import annotations

MAX_FORM_BYTES = 400_000
"""Maximum bytes of a form: `MAX_TEXT_CHARS` four-byte characters, percent-encoded, and the other fields."""
MAX_TEXT_CHARS = 20_000
"""Maximum characters of a brief, a question or a wish."""
MAX_READ_BYTES = 10_000_000
"""Maximum bytes that are read of a form that is too long: a browser shows the answer only after it has sent all."""
MAX_FIELDS = 20
"""Maximum number of fields of a form."""
MAX_FIELD_CHARS = 1_000
"""Maximum characters of a field that is not a text of a person, such as a date or a token."""
MIN_BYTES_PER_S = 20_000
"""Bytes a second that a client has to take once the server has waited `MAX_DRAIN_WAIT_S` for it. Else it could keep a
large answer in memory for hours by taking a little of it each minute."""
MAX_LIVE_PAGES = 8
"""Maximum number of live pages of one user, per replica."""
MAX_LOADED = 8
"""Maximum number of reports, or of lists, that are in memory for pages. Each reader has at most one of them."""
MAX_REQUESTS = 20
"""Maximum number of a reader's requests that wait for a report or a list, or whose answer is being sent."""
PIECE_BYTES = 64_000
"""Maximum bytes of an answer that are sent at a time."""
JOBS_PER_PAGE = 30
"""Maximum number of research runs on a page of the list."""
