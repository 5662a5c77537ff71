"""The limits that the pages of the documentation name are those of the code."""

from __future__ import annotations

from tests.conftest import ROOT
from tools.adk.sessions import limits as session_limits
from tools.board import limits as board_limits
from tools.board import timeouts as board_timeouts
from tools.load_control.memory_release import LARGE_BYTES
from tools.mcp_server import limits as mcp_limits
from tools.research.notices import timeouts as notice_timeouts
from tools.research.verification import limits as source_limits
from tools.research.verification.limits import FetchLimits
from tools.server import limits as server_limits
from tools.server import timeouts as server_timeouts

FETCH = FetchLimits()
WORDS = {5: "five", 6: "six", 8: "eight"}
QUOTED = (
    ("board.md", "at most {} open pages of a user", WORDS[board_limits.MAX_LIVE_PAGES]),
    ("privacy.md", "and {} requests that wait or are answered", board_limits.MAX_REQUESTS),
    ("privacy.md", "takes less than {:,} bytes a second", board_limits.MIN_BYTES_PER_S),
    ("privacy.md", "at most {} requests to the API", server_limits.MAX_REQUESTS),
    ("serving.md", "than {} requests of a user at a time", server_limits.MAX_REQUESTS),
    ("serving.md", "messages of up to {:,} bytes", server_limits.SMALL_MESSAGE_BYTES),
    ("privacy.md", "a conversation of more than {:.0f} MB", LARGE_BYTES / 1e6),
    ("privacy.md", "nothing for {:.0f} seconds is cut off", board_timeouts.MAX_DRAIN_WAIT_S),
    ("mcp.md", "waits up to {:.0f} seconds", mcp_limits.MAX_TOOL_WAIT_S),
    ("mcp.md", "get {:.0f} seconds for your answer", mcp_limits.ELICITATION_TIMEOUT_S),
    ("notices.md", "tried {} times in about a day", WORDS[len(notice_timeouts.RETRY_AFTER_S) + 1]),
    ("notices.md", "at most {:.0f} seconds at their end", notice_timeouts.FINAL_DELIVERY_TIMEOUT_S),
    ("notices.md", "within {:.0f} seconds", notice_timeouts.SEND_TIMEOUT_S),
    ("verification.md", "at most {} at once", WORDS[FETCH.max_requests]),
    ("verification.md", "{:.0f} seconds a request", FETCH.request_s),
    ("verification.md", "{:.0f} seconds a report", FETCH.total_s),
    ("verification.md", "{} redirects", WORDS[FETCH.max_redirects]),
    ("verification.md", "{:.0f} MB a page", FETCH.max_bytes / 1_000_000),
    ("verification.md", "{:,} characters of its text", source_limits.MAX_PAGE_CHARS),
    ("serving.md", "headers of more than {:,} bytes", server_limits.MAX_HEAD_BYTES),
    ("serving.md", "more than {} requests for reports, or for lists of runs, at a time", board_limits.MAX_REQUESTS),
    ("serving.md", "at most {} requests of a user about conversations", server_limits.MAX_READS),
    ("serving.md", "more than {} levels of nesting", server_limits.MAX_JSON_DEPTH),
    ("serving.md", "or {:,} values", server_limits.MAX_JSON_VALUES),
    ("serving.md", "a message of more than {} parts", server_limits.MAX_PARTS),
    ("serving.md", "restores at most {} events", server_limits.MAX_RESTORED_EVENTS),
    ("serving.md", "of {:,} JSON values together", server_limits.MAX_RESTORED_VALUES),
    ("serving.md", "may have {:,} bytes of JSON", server_limits.MAX_STATE_BYTES),
    ("serving.md", "a limit of {} times", WORDS[server_limits.CHANGES_PER_TURN]),
    ("serving.md", "a body of more than {:,} bytes counts", server_limits.LARGE_CHANGE_BYTES),
    ("serving.md", "at most the {} newest events", session_limits.WINDOW_EVENTS),
    ("serving.md", "have {:.0f} million characters", session_limits.WINDOW_CHARS / 1_000_000),
    ("serving.md", "after each {:.0f} seconds without an event", server_timeouts.PING_INTERVAL_S),
)


def test_each_quoted_limit_is_that_of_the_code() -> None:
    wrong = [
        f"docs/{page}: {sentence.format(limit)}"
        for page, sentence, limit in QUOTED
        if sentence.format(limit) not in " ".join((ROOT / "docs" / page).read_text().split())
    ]
    assert wrong == []
