"""The server's limits of size and number. Those that an operator can change are in `settings.py`."""

from __future__ import annotations

# Connections
MAX_HEAD_BYTES = 32_768
"""Maximum bytes of a request's address and headers, and of the headers after a body. The last read may exceed it."""
MAX_HEADERS = 100
"""Maximum number of headers of a request."""
MAX_CONNECTIONS = 4_000
"""Maximum number of connections. One with an unfinished head of 30 KB takes up to 80 KB of memory, so all together
about 320 MB, and anybody can open them."""
MAX_OPEN_FILES = 65_536
"""The process raises its limit of open files up to this number, if the system lets it."""

# Names and bodies of requests
MAX_NAME_CHARS = 128
"""Maximum characters of a user or session id: the limit of ADK's tables (`sessions/schemas/shared.py`)."""
MAX_FILE_NAME_BYTES = 255
"""Maximum bytes of a file name: the limit of file systems."""
MAX_FILE_LEVELS = 3
"""Maximum levels of a file name such as `a/b.txt`. Each is a folder, and a folder takes more than a small file."""
MAX_BODIES_IN_MEMORY = 2
"""Maximum number of bodies of the maximum size that are in memory at a time; one of them for each user."""
SMALL_BODY_BYTES = 100_000
"""A body of at most this many bytes is served even if bodies of other users fill the memory."""
MAX_JSON_DEPTH = 100
"""Maximum levels of nesting in JSON. There is a limit because code that copies the data is recursive."""
MAX_JSON_VALUES = 10_000
"""Maximum number of values in JSON. Each takes the process 30 to 60 µs, while it serves nobody else."""

# Messages and conversations
MAX_PARTS = 200
"""Maximum number of parts of a message."""
MAX_RESTORED_EVENTS = 500
"""Maximum number of events with which a conversation is created. Each is a transaction of the database."""
MAX_RESTORED_VALUES = 50_000
"""Maximum number of JSON values in a request that creates a conversation.

The events of this application's agents have about 60 each.
"""
MAX_STATE_BYTES = 1_000_000
"""Maximum bytes of a conversation's state and its user's, after a client has changed it. Each turn reads both."""
MAX_IDEMPOTENCY_KEY_CHARS = 255
"""Maximum characters of an `Idempotency-Key`."""

MAX_CONVERSATION_BODIES = 2
"""A conversation has at most as many bytes as this many bodies of the maximum size: some requests read all of it."""
SMALL_MESSAGE_BYTES = 2_000
"""A full conversation still takes messages of this size, such as one to forget it, up to twice its limit."""

# Requests of a user
MAX_REQUESTS = 100
"""Maximum number of a user's requests to the API, MCP and A2A that are served or wait, so that no user takes all
connections. The page of research runs has limits of its own (`tools/board/limits.py`)."""
MAX_LARGE_READS = 2
"""Maximum number of large conversations that are loaded at a time, for all users together."""
MAX_READS = 4
"""Maximum number of a user's requests about conversations, not counting turns, that are served at a time; others wait.

A conversation may have megabytes.
"""
CHANGES_PER_TURN = 5
"""The limit of changes of conversations and files per minute is this many times the limit of turns."""
LARGE_CHANGE_BYTES = 10_000
"""A change with more bytes than this also counts as a turn, because it takes about as much CPU time."""

# Other agents, by MCP and A2A
MAX_AGENT_BYTES = 1_000_000
"""Maximum bytes of a request of another agent, by MCP or A2A. A parsed body takes many times its bytes."""
MAX_LONG_MCP_ANSWERS = 4
"""Maximum number of long answers to a user by MCP that are made or sent at a time; others wait."""
MAX_LONG_A2A_ANSWERS = 8
"""Maximum number of long answers to a user by A2A that are made or sent at a time; others wait."""
MAX_CANCELS = 2
"""Maximum number of a user's requests to cancel an A2A task that are served at a time; others wait."""
MAX_A2A_VALUES = 5_000
"""Maximum number of values in a request by A2A. Its library takes about 20 µs for each, many times in a turn."""
MAX_TASK_ID_CHARS = 36
"""Maximum characters of an A2A task's id: the size of its column in `desk_tasks`."""
MAX_RECEIVERS = 8
"""Maximum number of push notification receivers of an A2A task."""
MAX_HISTORY_MESSAGES = 100
"""Maximum number of an A2A task's messages, of which it keeps the newest. The conversation keeps all messages."""
MAX_HISTORY_BYTES = 100_000
"""Maximum bytes of an A2A task's messages: each progress writes all of them, and each poll reads them."""
MAX_LISTED_WITH_ARTIFACTS = 5
"""Maximum number of A2A tasks on a page of a list with artifacts: each may have pictures."""

# Webhook messages
MAX_WEBHOOK_BYTES = 10_000
"""Maximum bytes of a message to the webhook, which has no token: it names one run.

There is no limit for all messages together, because strangers could use it to keep Google's messages out. Each
connection holds one at most, and the head of a request may be larger.
"""
MAX_MESSAGE_ID_CHARS = 255
"""Maximum characters of a webhook message's id."""
MAX_MESSAGE_IDS = 10_000
"""Maximum number of ids of webhook messages that are kept.

Further messages are handled too; a repeat of one is then handled again.
"""
