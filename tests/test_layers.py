"""Each package of `tools/` imports only from the layers below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

LAYERS = (
    ("cli",),
    ("server",),
    ("board", "mcp_server"),
    ("app",),
    ("config",),
    ("privacy",),
    ("researcher",),
    ("moderation", "weather"),
    ("telemetry",),
    ("adk",),
    ("research",),
    ("interactions",),
    ("transactions",),
    ("yaml_files", "database_url"),
    ("settings",),
    ("private_folder", "public_http"),
    ("public_address", "redaction", "sanitize", "shielded", "turns"),
    ("atomic_file", "backoff", "concurrency", "errors", "extras", "suggestions", "times"),
)
"""From the top down. A package imports only packages of lower layers."""
FORMER = ("agent", "forget")
"""Old module names that existing YAML files may use; they import the new modules."""


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """The line number and the name of each import of a file, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{file}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names] if "." not in node.module else [node.module]
            yield from ((node.lineno, name) for name in names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def wrong(folder: Path) -> Iterator[str]:
    """The lines of `tools/` that import from a layer above, or from another package of the same layer."""
    rank = {source: number for number, row in enumerate(LAYERS) for source in row}
    for file in sorted(folder.rglob("*.py")):
        source = file.relative_to(folder).parts[0].removesuffix(".py")
        if source.startswith("__") or source in FORMER:
            continue
        assert source in rank, f"{file}: no layer of LAYERS has {source}"
        for line, name in imports(file):
            package, _, rest = name.partition(".")
            target = rest.partition(".")[0]
            if package in ("evals", "tests") or (
                package == "tools" and target != source and rank[target] <= rank[source]
            ):
                yield f"{file.relative_to(folder.parent)}:{line}: {source} must not import {name}"


def test_packages_of_tools_import_only_from_lower_layers() -> None:
    assert list(wrong(ROOT / "tools")) == []


def test_the_emulator_imports_no_other_package_of_the_project() -> None:
    for file in (ROOT / "interactions_emulator/src").rglob("*.py"):
        found = [name for _, name in imports(file) if name.partition(".")[0] in ("tools", "evals", "agents", "tests")]
        assert found == [], file


def test_an_import_from_an_upper_layer_is_reported_with_its_line(tmp_path: Path) -> None:
    folder = tmp_path / "tools"
    (folder / "research").mkdir(parents=True)
    (folder / "research" / "bad.py").write_text("def f():\n    from tools.cli.app import app\n    import evals.cli\n")
    found = [line.partition("bad.py:")[2] for line in wrong(folder)]
    assert found == ["2: research must not import tools.cli.app", "3: research must not import evals.cli"]
