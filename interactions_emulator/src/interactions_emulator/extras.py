"""Optional packages: which extra of the distribution installs them."""

from __future__ import annotations

from importlib.util import find_spec

EXTRAS = {
    "corpus": ("pypdf",),
    "model": ("jsonschema",),
    "pictures": ("matplotlib", "PIL"),
    "webhooks": ("cryptography", "jwt", "standardwebhooks"),
}
"""Maps extras to the packages that the emulator imports when they are first needed."""


def missing_extra(extra: str) -> str:
    """Return a sentence that says which package of an extra is missing and how to install it; "" if none is missing."""
    missing = [package for package in EXTRAS[extra] if find_spec(package) is None]
    return _sentence(extra, missing) if missing else ""


def explain(error: ImportError) -> str:
    """Return a sentence for a failed import, with the extra that has the package."""
    package = (error.name or "").partition(".")[0]
    extra = next((extra for extra, packages in EXTRAS.items() if package in packages), "")
    return _sentence(extra, [package]) if extra else str(error)


def _sentence(extra: str, packages: list[str]) -> str:
    return f"This needs {', '.join(packages)}: pip install 'interactions-emulator[{extra}]'"
