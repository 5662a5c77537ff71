"""Targets of notices: the entries of `notify:` in the researcher's YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field

from tools.errors import DeskError
from tools.research.notices.event import Event
from tools.yaml_files.environment_references import VARIABLE, substituted

MIN_REDACTED_CHARS = 4
"""Minimum length of a part of an address that is removed from errors, in characters."""
WEBHOOK_SCHEMES = ("https", "http")
"""Schemes of webhooks. Each other scheme is one of Apprise."""


class TargetError(DeskError):
    """A target cannot be used. The message shows nothing of its address.

    Attributes:
        key: the key in the target's YAML that has to be changed.
    """

    def __init__(self, key: str, text: str) -> None:
        self.key = key
        super().__init__(text)


class Target(BaseModel):
    """An address that gets notices. `url` and `secret` may contain `${VARIABLE}`: put secrets into the environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(repr=False)
    """An `https://` address, which gets signed webhooks, or a URL of Apprise, such as `ntfys://ntfy.sh/topic`."""
    secret: str = Field(default="", repr=False)
    """The signing secret of a webhook: `whsec_` and 24 to 64 bytes in base64 (Standard Webhooks)."""
    events: Sequence[Event] = Field(tuple(event for event in Event if event is not Event.PRICE), min_length=1)
    """The events to send notices about. By default without prices, which the person who ordered is looking at."""
    contents: bool = False
    """Whether notices contain title, brief, error, and plan or report."""
    private: bool = False
    """Whether the address may be in a private network; allows `http://` too."""

    @property
    def is_webhook(self) -> bool:
        """Whether the target gets webhooks; otherwise Apprise sends its notices."""
        return self.url.partition(":")[0].lower() in WEBHOOK_SCHEMES

    def filled(self, env: Mapping[str, str]) -> Target:
        """Returns the target with each `${VARIABLE}` replaced by its value in `env`.

        Raises:
            TargetError: a variable is not set.
        """
        values = {}
        for key in ("url", "secret"):
            text: str = getattr(self, key)
            for name in VARIABLE.findall(text):
                if not env.get(name):
                    raise TargetError(key, f"`{key}` needs {name}: set it in the environment")
            values[key] = substituted(text, env)
        return self.model_copy(update=values)

    def redact(self, text: str) -> str:
        """Replaces all parts of the address and the signing secret by `***`. Call it on a filled target."""
        parts = {self.secret, self.url, *re.split(r"[/:@?&=#,]+", self.url.partition(":")[2])}
        for part in sorted(parts, key=len, reverse=True):
            if len(part) >= MIN_REDACTED_CHARS:
                text = text.replace(part, "***").replace(unquote(part), "***")
        return text
