"""Measures the installation and the start of the desk: `make bench-installation`. docs/speed.md has the table.

It installs a copy of the repository from nothing, as `make demo` does (with uv if it is on PATH), so it needs a
package index. CPU time counts the process and what it waits for; the emulator is a process of its own.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
ROUNDS = 5
LARGEST = 8
"""Number of packages whose sizes are shown."""


class Seconds(NamedTuple):
    """How long a command took."""

    first_output: float
    wall: float
    cpu: float


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> Seconds:
    """Runs a command, which must succeed."""
    before, began = _cpu(), time.perf_counter()
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout
        while (byte := child.stdout.read(1)).isspace():
            pass
        first = time.perf_counter() - began
        child.stdout.read()
    if child.returncode or not byte:
        raise SystemExit(f"{' '.join(command)} failed")
    return Seconds(first, time.perf_counter() - began, _cpu() - before)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def copy(folder: Path) -> None:
    """Copies the files that git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)


def megabytes(path: Path) -> float:
    """The size of a folder's files."""
    files = [each for each in path.rglob("*") if each.is_file() and not each.is_symlink()]
    return sum(each.stat().st_size for each in files) / 1e6


def row(name: str, value: str) -> None:
    print(f"| {name} | {value} |", flush=True)


def rounds(name: str, command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Runs a command once to warm up, then measures it."""
    run(command, folder, environment)
    found = [run(command, folder, environment) for _ in range(ROUNDS)]
    first, _, cpu = (statistics.median(values) for values in zip(*found, strict=True))
    row(f"`{name}`, to the first word", f"{first:.2f} s ({min(found).first_output:.2f}–{max(found).first_output:.2f})")
    row(f"`{name}`, CPU", f"{cpu:.2f} s")


def main() -> None:
    print("| what | measured |\n|---|---:|")
    with tempfile.TemporaryDirectory() as temporary:
        folder, home = Path(temporary, "desk"), Path(temporary, "home")
        copy(folder)
        home.mkdir()
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("DESK_", "PYTHON", "VIRTUAL"))
        }
        environment = {**kept, "HOME": str(home), "DESK_BACKEND": "emulator", "DESK_DATA_DIR": str(home / "data")}
        installer = "uv" if shutil.which("uv") else "pip"
        venv = folder / ".venv"
        install = run(["sh", "-c", "make .venv/.ready && echo installed"], folder, environment)
        [packages] = venv.glob("lib/python*/site-packages")
        row(f"installation with {installer}, from an empty cache", f"{install.wall:.0f} s")
        row("its size", f"{megabytes(venv):.0f} MB")
        sizes = sorted(((megabytes(each), each.name) for each in packages.iterdir()), reverse=True)[:LARGEST]
        row("the largest of it, MB", ", ".join(f"{name} {size:.0f}" for size, name in sizes))
        demo = run(["make", "demo"], folder, environment)
        row("`make demo`, once it is installed", f"{demo.wall:.0f} s")
        row("both, from nothing", f"{install.wall + demo.wall:.0f} s")
        row("size with the modules that Python compiled", f"{megabytes(venv):.0f} MB")
        rounds("desk --help", [str(venv / "bin/desk"), "--help"], folder, environment)
        rounds("desk ask Hello", [str(venv / "bin/desk"), "ask", "Hello"], folder, environment)


if __name__ == "__main__":
    main()
