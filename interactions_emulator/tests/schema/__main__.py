"""Installs the newest SDKs into a folder, compares their names with the emulator's, and prints the differences.

    python -m schema [--folder build/schema] [--installed]

Exits with 1 if a difference is not in `known-differences.yaml`, or if that file has one that no longer exists.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from schema import compare

HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/schema"), help="where the SDKs are installed")
    parser.add_argument("--installed", action="store_true", help="use the SDKs in the folder, and install nothing")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    if not arguments.installed:
        install(folder)
    reads = {
        "google-genai": read(folder / "python/bin/python", HERE / "read_python.py"),
        "@google/genai": read("node", HERE / "read_javascript.mjs", folder / "javascript"),
    }
    report = compare.compare(reads, HERE / "known-differences.yaml")
    print(report.markdown)
    return 1 if report.failed else 0


def install(folder: Path) -> None:
    """Install the newest SDKs."""
    python, javascript = folder / "python", folder / "javascript"
    if not python.exists():
        venv.create(python, with_pip=True)
    pip = (python / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--upgrade", "google-genai")
    javascript.mkdir(parents=True, exist_ok=True)
    # Without the exact version npm chooses an older one, whose engines fit the installed Node.
    newest = _run("npm", "view", "@google/genai", "version").strip()
    packages = (f"@google/genai@{newest}", "typescript@5")  # newer compilers cannot be used by a JavaScript program
    _run("npm", "install", "--prefix", javascript, "--ignore-scripts", "--silent", "--no-audit", "--no-fund", *packages)


def read(*command: object) -> dict[str, Any]:
    """Run a reader, and return the names that it prints."""
    names: dict[str, Any] = json.loads(_run(*command))
    return names


def _run(*command: object) -> str:
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{' '.join(str(part) for part in command)} failed:\n{ran.stderr}")
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main())
