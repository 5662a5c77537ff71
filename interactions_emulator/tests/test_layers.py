"""What decides an answer does not depend on HTTP."""

from __future__ import annotations

import ast
from pathlib import Path

import interactions_emulator

PACKAGE = Path(interactions_emulator.__file__).parent
WITHOUT_HTTP = (
    "agents",
    "brain",
    "corpus",
    "engine",
    "file_search",
    "files",
    "generate_content",
    "requests",
    "scenarios",
    "synthetic",
    "triggers",
)


def test_only_servers_import_http() -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)}:{node.lineno}"
        for name in WITHOUT_HTTP
        for file in (PACKAGE / name).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("interactions_emulator.http")
    ]
    assert not wrong


def test_each_package_named_here_exists() -> None:
    assert all((PACKAGE / name).is_dir() for name in WITHOUT_HTTP)
