"""An emulator of the Gemini Interactions API on this machine: HTTP server, state, background runs, faults on demand.

    from interactions_emulator import Emulator

    with Emulator(corpus=Path("documents")) as api:
        client = genai.Client(api_key="any", http_options={"base_url": api.url})

Every answer shows that it is not Gemini's: ids begin with `v1_emu_`, and each response has the header
`server: interactions-emulator/<version>`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interactions_emulator.version import __version__

if TYPE_CHECKING:
    from interactions_emulator.emulator import Emulator

__all__ = ["Emulator", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the server on first use, so that importing the package stays fast."""
    if name == "Emulator":
        from interactions_emulator.emulator import Emulator

        return Emulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
