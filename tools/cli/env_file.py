"""Reads `.env`, and finds what in it and in the environment has no effect."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from dotenv import find_dotenv, load_dotenv
from dotenv.parser import Binding, parse_stream

from tools.files.regular_file import regular_size
from tools.settings import Settings, SettingsError, variables

GOOGLE_VARIABLES = (
    *("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL"),
    *("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_AGENT_ENGINE_ID"),
)
"""Google's variables that the desk, or a library that it uses, reads."""
TEST_VARIABLES = ("DESK_EVAL_DATA", "DESK_EFFECTS", "DESK_STAGED_PYTHON")
"""Variables of the evaluation and of the tests."""
_places: dict[str, str] = {}
"""The file and line of each variable that `.env` has set."""


def env_file() -> str:
    """Returns the path of the nearest `.env`, in this folder or above; empty if none is read.

    Raises:
        SettingsError: it is a pipe.
    """
    disabled = os.environ.get("ADK_DISABLE_LOAD_DOTENV", "").lower() in ("1", "true")
    path = "" if disabled else find_dotenv(usecwd=True)
    try:
        if path:
            regular_size(Path(path))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    return path


def read_env_file() -> None:
    """Sets the variables of the nearest `.env`, in this folder or above. Variables that are set already win.

    Raises:
        SettingsError: the file cannot be read.
    """
    path = env_file()
    _places.clear()
    if not path:
        return
    try:
        set_here = {each.key: line for line, each in _lines(path) if each.key and each.key not in os.environ}
        _places.update({name: f"{path}:{line}" for name, line in set_here.items()})
        load_dotenv(path)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except ValueError:  # not UTF-8, or zero bytes, as in UTF-16
        raise SettingsError(f"{path}: not a text in UTF-8: save it in that encoding, one NAME=value a line") from None


def env_warnings() -> Iterator[str]:
    """Yields a warning for each line of `.env` that has no effect, and for each variable that looks misspelt."""
    from tools.server.settings import ServerSettings
    from tools.text.did_you_mean import did_you_mean

    path, own = env_file(), dict[str, int]()
    if path:
        for line, each in _lines(path):
            if each.error or (each.key and each.value is None):
                quoted = re.search(r"=\s*['\"]", each.original.string)
                write = "close its quotes, and let only a comment follow them" if quoted else "write NAME=value"
                yield f"{path}:{line}: this line is skipped: {write}"
            elif each.key:
                if before := own.get(each.key):
                    yield f"{path}:{line}: {each.key} is in line {before} too, without effect: remove one"
                own[each.key] = line
                for braced, bare in re.findall(r"\$(?:\{(\w+)\}|(\w+))", each.value or ""):
                    if braced and braced not in os.environ:
                        yield f"{path}:{line}: `${{{braced}}}` is not set, so it is empty in {each.key}"
                    elif bare in os.environ:
                        yield f"{path}:{line}: `${bare}` is not replaced in {each.key}: write `${{{bare}}}`"
    known = [*variables(Settings), *variables(ServerSettings), *GOOGLE_VARIABLES, *TEST_VARIABLES]
    for name in sorted({*own, *os.environ} - {*known}):
        if name in own or name.startswith(("DESK_", "GEMINI_", "GOOGLE_")):
            near = did_you_mean(name, known, fold=True, cutoff=0.8)
            if near or name.startswith("DESK_"):
                yield f"{f'{path}: ' if name in own else ''}{name} is not a setting of the desk{near}"


def lost_variables(config: Path) -> list[str]:
    """Returns the variables that are set now, but not for a command that cron starts: all that `.env` does not set.

    Args:
        config: the root agent's YAML file; its files may name further variables, as `${NAME}`.
    """
    from tools.server.settings import ServerSettings
    from tools.yaml_files.environment_references import VARIABLE
    from tools.yaml_files.reading import config_files, read_mapping

    known = [*GOOGLE_VARIABLES, *variables(Settings), *variables(ServerSettings), "XDG_DATA_HOME"]
    known += [name for file in config_files(config) for name in VARIABLE.findall(str(read_mapping(file)))]
    return [name for name in dict.fromkeys(known) if os.environ.get(name) and name not in _places]


def with_places(text: str) -> str:
    """The text of a `SettingsError`, with file and line before each variable that `.env` has set."""
    return "\n".join(
        f"{_places[name]}: {line}" if (name := line.partition("=")[0]) in _places else line
        for line in text.splitlines()
    )


def _lines(path: str) -> Iterator[tuple[int, Binding]]:
    """Yields the entries of the file, with the number of the line on which each begins."""
    with Path(path).open(encoding="utf-8") as file:
        for each in parse_stream(file):
            written = each.original.string
            yield each.original.line + written[: len(written) - len(written.lstrip())].count("\n"), each
