"""Texts and addresses of strangers are normalized in short pieces: one long call would stop the whole process."""

from __future__ import annotations

import ast
import sys
import threading
import unicodedata
from random import Random
from typing import Any
from urllib.robotparser import RobotFileParser

import pytest

from tests.conftest import ROOT
from tests.verification.test_verifier import PAGE, check
from tests.verification.web import Web
from tools.interactions.backend import is_loopback
from tools.research.verification.addresses import canonical
from tools.research.verification.figures_and_words import normalized
from tools.research.verification.limits import MAX_PAGE_CHARS, MAX_ROBOTS_RULES, MAX_RULE_CHARS
from tools.research.verification.robots_txt import robots_rules
from tools.research.verification.run_pages import pages_of_run
from tools.text.unicode_normalization import MAX_MARKS, PIECE_CHARS, normalize
from tools.web_addresses.parsing import MAX_ADDRESS_CHARS, MAX_HOST_CHARS, split_address
from tools.web_addresses.public_address import is_public

FORMS = ("NFC", "NFD", "NFKC", "NFKD")
MARKS = "\u0301" * 20_000 + "\u0327" * 20_000
ONE_PLACE = {"normalize": "unicode_normalization.py", "urlsplit": "parsing.py", "urlparse": "parsing.py"}
CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of characters of each call of `unicodedata.normalize`."""
    found, real = list[int](), unicodedata.normalize

    def counted(form: Any, text: str) -> str:
        found.append(len(text))
        return real(form, text)

    monkeypatch.setattr(unicodedata, "normalize", counted)
    return found


def test_no_module_normalizes_a_text_or_divides_an_address_by_itself() -> None:
    for file in sorted((ROOT / "tools").rglob("*.py")):
        tree = ast.parse(file.read_text())
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        modules = ("unicodedata", "urllib.parse")
        imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module in modules)
        used |= {alias.name for node in imports for alias in node.names}
        assert not [name for name in used if ONE_PLACE.get(name, file.name) != file.name], file


def test_the_pieces_of_a_normalized_text_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.text.unicode_normalization.PIECE_CHARS", 40)
    random = Random(1)
    special = [one for one in CHARACTERS if unicodedata.decomposition(one) or unicodedata.category(one)[0] == "M"]
    special += "".join(map(chr, range(0x1100, 0x1200))) * 4 + "\uff76\uff9e\uff9f " * 100
    for form in FORMS:
        for start in special:  # at the end of a piece
            text = "가" * 38 + "\u1100\u1161" + start + "a\u0301"
            assert normalize(form, text) == unicodedata.normalize(form, text), (form, ascii(start))
        for _ in range(20):
            text = "".join(random.choices(special, k=3_000))
            assert normalize(form, text) == unicodedata.normalize(form, text)


def test_no_call_normalizes_more_than_a_piece_and_long_runs_of_marks_are_cut(sizes: list[int]) -> None:
    for hostile in (
        f"a{MARKS}",
        MARKS,
        "\u0f73\u0301" * 40_000,
        "\uff9e\u0301" * 40_000,
        "\u1161" * 80_000,
        "é" * 5_000,
    ):
        assert len(normalized(hostile)) <= max(len(hostile), 2 * MAX_MARKS)
    assert max(sizes) == PIECE_CHARS
    assert normalize("NFKC", f"a{MARKS}b") == "á" + "\u0301" * (MAX_MARKS - 1) + "b"


def test_a_text_of_characters_that_become_many_is_cut_to_the_limit(sizes: list[int]) -> None:
    assert len(normalized("\ufdfa" * 100_000, MAX_PAGE_CHARS)) == MAX_PAGE_CHARS
    assert sum(sizes) * 18 < MAX_PAGE_CHARS + 18 * PIECE_CHARS


def test_addresses_of_any_length_are_refused_or_left_as_they_are(sizes: list[int]) -> None:
    password = MARKS[-3_000:]
    for url in (f"https://a{MARKS}.example/", f"https://a:{password}@a.example/", f"https://a.example/{'é' * 4_000}"):
        with pytest.raises(ValueError, match="has more than"):
            split_address(url)
        assert canonical(url) == url
        assert not is_public(url)
        assert not is_loopback(url)
        assert pages_of_run([{"type": "mcp_server_tool_result", "result": [{"text": f"see {url}"}]}]) == (url,)
    assert max(sizes, default=0) <= MAX_HOST_CHARS
    longest = f"https://bücher.example/{'é' * 3_900}?q=1"
    assert len(longest) < MAX_ADDRESS_CHARS
    assert canonical(longest) == longest


@pytest.mark.parametrize("url", ["http://[", "http://[::1", "https://a.example:x/"])
def test_an_address_that_cannot_be_read_is_not_of_this_machine(url: str) -> None:
    assert not is_loopback(url)


async def test_a_hostile_site_is_checked_in_short_pieces(web: Web, sizes: list[int]) -> None:
    rules = f"User-agent: *\nDisallow: //a{MARKS}\nDisallow: /secret\n"
    web.pages = {
        "a.example/robots.txt": ({}, rules.encode()),
        "a.example/": f"<link rel=canonical href='https://a{MARKS}.example/'>a{MARKS} {PAGE}",
        "a.example/secret": PAGE,
        "b.example/": f"-> https://a{'.b' * 3_000}.example/",
    }
    found, forbidden, moved = await check(web, "a.example/", "a.example/secret", "b.example/")
    assert (found.verdict, found.canonical_url) == ("found", canonical(web.url("a.example/")))
    assert forbidden.problem == "robots.txt forbids to read it"
    assert moved.problem == "no valid answer"
    assert max(sizes) <= PIECE_CHARS


async def test_robots_txt_is_parsed_in_a_thread_and_up_to_a_number_of_lines(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed, parse = list[tuple[threading.Thread, list[str]]](), RobotFileParser.parse

    def watched(parser: RobotFileParser, lines: list[str]) -> None:
        parsed.append((threading.current_thread(), lines))
        parse(parser, lines)

    monkeypatch.setattr(RobotFileParser, "parse", watched)
    web.pages = {"a.example/robots.txt": ({}, b"User-agent: *\n" + b"Allow:x\n" * 60_000), "a.example/": PAGE}
    assert [each.verdict for each in await check(web, "a.example/")] == ["found"]
    [(thread, lines)] = parsed
    assert thread is not threading.main_thread()
    assert len(lines) == MAX_ROBOTS_RULES


def test_a_rule_behind_many_other_lines_of_robots_txt_still_counts() -> None:
    other = "# words\n\nSitemap: https://a.example/map\n" * MAX_ROBOTS_RULES + f"Allow: /{'a' * MAX_RULE_CHARS}\n"
    rules = robots_rules(f"{other}user-agent: *\n\n DISALLOW : /secret".encode())
    assert not rules.can_fetch("research-desk", "https://a.example/secret")
    assert rules.can_fetch("research-desk", "https://a.example/open")
