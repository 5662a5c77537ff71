"""Each package of `tools/` imports only from the layers below it, and no modules import each other in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
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
    ("yaml_files", "databases"),
    ("settings",),
    ("web_addresses",),
    ("files", "text", "load_control"),
    ("errors", "extras"),
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


def modules(roots: Sequence[Path]) -> dict[str, Path]:
    """The files of packages by the names of their modules."""
    return {
        ".".join(file.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__"): file
        for root in roots
        for file in root.rglob("*.py")
    }


def imported(files: Mapping[str, Path]) -> dict[str, set[str]]:
    """Which of the modules each module imports, also inside functions and for types only."""
    graph = dict[str, set[str]]()
    for module, file in files.items():
        names = set[str]()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
        graph[module] = {name for name in names if name in files and name != module}
    return graph


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The first circle of modules that import each other; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


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


def test_no_modules_import_each_other_in_a_circle() -> None:
    roots = [ROOT / "tools", ROOT / "evals", ROOT / "interactions_emulator/src/interactions_emulator"]
    assert circle(imported(modules(roots))) == []


def test_a_circle_through_an_import_inside_a_function_is_found(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("VERSION = 1\n")
    (package / "upper.py").write_text("from package import lower, VERSION\n")
    (package / "lower.py").write_text("def f():\n    import package.upper\n")
    assert sorted(set(circle(imported(modules([package]))))) == ["package.lower", "package.upper"]
