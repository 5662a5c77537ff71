"""Limits of size, number and time of research over MCP."""

from __future__ import annotations

# Times
MAX_TOOL_WAIT_S = 45
"""Maximum seconds that a call waits: clients give up after 60 (Claude Desktop, Gemini CLI)."""
ELICITATION_TIMEOUT_S = 50.0
"""Seconds for a person's answer within a call. Clients give up after 60; later, `research_approve` asks again."""
SEND_WAIT_S = 1.0
"""Maximum seconds that a call waits until its run is sent: the client may end this process after the answer."""
SEND_POLL_S = 0.02
"""Seconds between two checks whether a run was sent."""

# Lists, reports and texts in results
JOBS_PER_PAGE = 20
"""Maximum number of research runs on a page of `research_list`."""
REPORTS_PER_PAGE = 50
"""Maximum number of reports whose files are on a page of the list of resources."""
OPENING_BYTES = 5_000
"""Maximum UTF-8 bytes of the report's beginning in its summary."""
MAX_PAGE_BYTES = 14_000
"""Maximum UTF-8 bytes of a page of a report. A token is rarely shorter than two bytes, also in Chinese or Japanese."""
MAX_SOURCES_BYTES = 8_000
"""Maximum UTF-8 bytes of the list of sources on a page of a report."""
MAX_SHOWN_TITLE_CHARS = 200
"""Maximum characters of a title in an outline or in a list of sources."""
MAX_SHOWN_URL_CHARS = 1_000
"""Maximum characters of an address in a list of sources."""
MAX_SHOWN_CHARS = 2_000
"""Maximum characters of a brief, or of an error, that a result repeats."""
MAX_SHOWN_LINE_CHARS = 500
"""Maximum characters of a line of progress that a result repeats."""
MAX_PLAN_CHARS = 6_000
"""Maximum characters of a plan that a result shows; a plan of Deep Research has about 1,500."""

# Arguments of calls
MAX_ARGUMENTS = 50
"""Maximum number of arguments of a call. No tool takes nearly as many."""
MAX_ARGUMENT_ERRORS = 5
"""Maximum number of wrong arguments that an error names."""
MAX_WRONG_VALUE_CHARS = 1_000
"""Maximum characters of a wrong value in which secrets are looked for, before it is cut."""
MAX_PARAMETER_CHARS = 100
"""Maximum characters of a parameter's name in an error."""
