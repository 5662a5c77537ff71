"""The corpus: what is read of documents, what a search finds, what is kept between runs."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactions_emulator.corpus.documents import Document, Source
from interactions_emulator.corpus.index import Corpus
from interactions_emulator.corpus.passage_splitting import _ASCII_SIGN, paragraphs
from interactions_emulator.corpus.quotable_sentences import is_quotable


def test_markdown_passages_exclude_code_tables_badges_comments_and_urls() -> None:
    source = (
        "# Guide\n\n[![build](https://ci/badge.svg)](https://ci) <!-- hidden words that nobody reads -->\n\n"
        "Read the [whole **story**](https://example.org/story) of `asyncio` in _three_ parts, if you like.\n\n"
        "| column | other |\n| --- | --- |\n| a table of | numbers |\n\n"
        "```python\nthis is code that must not be read as prose at all\n```\n\n"
        "## Notes\n\n- The first item is a sentence of its own, long enough to quote.\n- short\n"
    )
    assert [(one.heading, one.text) for one in paragraphs(source, "markdown")] == [
        ("Guide", "Read the whole story of asyncio in three parts, if you like."),
        ("Notes", "The first item is a sentence of its own, long enough to quote."),
    ]


def test_rst_passages_exclude_literal_blocks() -> None:
    source = (
        "Title\n=====\n\nCall :func:`~a.b.run` before anything else happens, like this::\n\n    run(1)\n\n"
        "Then wait until it has ended by itself, please.\n"
    )
    assert [one.text for one in paragraphs(source, "rst")] == [
        "Call a.b.run before anything else happens, like this:",
        "Then wait until it has ended by itself, please.",
    ]


def test_html_is_read_as_title_and_text_without_scripts_and_menus(corpus: Corpus) -> None:
    entry = corpus.document("bees.html")
    assert entry is not None
    assert entry.title == "Bees & honey"
    [passage] = corpus.passages("bees.html")
    assert passage.text.startswith("Honey bees dance") and "nectar" not in passage.text and "Home" not in passage.text


def test_search_ranks_passages_by_the_share_of_the_query_that_they_cover(corpus: Corpus) -> None:
    first, *others = corpus.search("environmental impact on seals")
    assert first.document_id == "nature.md"
    assert 0.9 < first.score <= 1
    assert all(other.score < first.score for other in others)
    assert corpus.search("xylophone zeppelins") == []
    assert all(one.document_id != "nature.md" for one in corpus.search("impact on seals", exclude=["nature.md"]))


def test_a_short_sentence_is_found_and_can_be_quoted(tmp_path: Path) -> None:
    (tmp_path / "shop.md").write_text("# Shop\n\nThe shop opens at 9 am.\n\n| Tea | 3 € |\n")
    [found] = Corpus.open(tmp_path).search("When does the shop open?")
    assert found.text == "The shop opens at 9 am." and is_quotable(found.text)
    assert not is_quotable("Opens at 9.") and not is_quotable("See the list below.")


def test_words_in_chinese_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("量子网络把量子计算机连接起来，可以传输量子态，是未来通信的基础。", encoding="utf-8")
    assert Corpus.open(tmp_path).search("量子网络")[0].document_id == "a.md"


def test_only_changed_documents_are_indexed_again(tmp_path: Path) -> None:
    read: list[str] = []

    def source(name: str, stamp: str) -> Source:
        def documents() -> Iterator[Document]:
            read.append(name)
            yield Document(name, name, "a test", f"The document {name} in its state {stamp} is worth reading.", "plain")

        return Source(name, stamp, documents)

    index = tmp_path / "index.db"
    assert len(Corpus([source("a", "old"), source("b", "old"), source("c", "old")], index)) == 3
    read.clear()
    corpus = Corpus([source("a", "old"), source("b", "new")], index)
    assert len(corpus) == 2
    assert read == ["b"]
    assert corpus.search("state new")[0].text.endswith("state new is worth reading.")
    assert corpus.document("c") is None


def test_a_damaged_index_is_rebuilt(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    index = tmp_path / "index.db"
    assert len(Corpus.open(folder, index)) == 6
    damaged = index.read_bytes()
    index.write_bytes(damaged[:100] + b"damaged " * 500)
    assert len(Corpus.open(folder, index)) == 6
    assert "is rebuilt" in caplog.text


def test_a_file_of_another_program_is_not_taken_for_an_index(folder: Path, tmp_path: Path) -> None:
    text, other = tmp_path / "notes.md", tmp_path / "other.db"
    text.write_text("Do not lose this.")
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE documents (mine TEXT)")
        database.execute("CREATE TABLE customers (mine TEXT)")
    for file in (text, other):
        before = file.read_bytes()
        with pytest.raises(FileExistsError, match="is not an index of the emulator: name another file"):
            Corpus.open(folder, file)
        assert file.read_bytes() == before


def test_an_index_from_before_the_mark_is_used(folder: Path, tmp_path: Path) -> None:
    index = tmp_path / "index.db"
    assert len(Corpus.open(folder, index)) == 6
    with closing(sqlite3.connect(index)) as database:
        database.execute("PRAGMA application_id = 0")
    assert len(Corpus.open(folder, index)) == 6


def test_document_ids_are_readable_unique_and_confined_to_the_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prose = "A sentence that is long enough to be taken for prose, it seems."
    secret = tmp_path / "secret.md"
    secret.write_text("The secret stands outside of the folder and must never be read.")
    inside = tmp_path / "inside"
    (inside / "guide").mkdir(parents=True)
    for name in ("guide/a b.md", "guide/a?b.md", ".hidden.md", "scan.pdf"):
        (inside / name).write_text(prose)
    (inside / "link.md").symlink_to(secret)
    with caplog.at_level(logging.WARNING):
        corpus = Corpus.open(inside)
        assert len(corpus) == 2
    assert "scan.pdf" in caplog.text
    assert corpus.document("guide/a-b.md") and corpus.document("guide/a-b.md-2")
    assert corpus.search("secret outside") == []
    assert [corpus.page(bad) for bad in ("../secret.md", "/etc/passwd", "link.md", "")] == [None] * 4


def test_a_document_page_escapes_html_and_names_its_source_file(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("Beware of <script>alert('now')</script> & of everything that looks like it here.")
    page = Corpus.open(tmp_path).page("x.txt")
    assert page is not None
    assert "<script" not in page and "&lt;script&gt;" in page and "the file x.txt" in page


def test_a_missing_corpus_folder_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="nowhere"):
        Corpus.open(tmp_path / "nowhere")


def test_threads_can_search_concurrently_before_the_index_is_built(folder: Path) -> None:
    corpus = Corpus.open(folder)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: corpus.search("tidal barrage")[0].document_id, range(40)))
    assert set(found) == {"barrages.md"}


def test_a_thousand_documents_are_read(tmp_path: Path) -> None:
    text = "\n\n".join(
        f"Paragraph {n} speaks of the sea, of ships and of the harbour where they lie." for n in range(10)
    )
    for number in range(1_000):
        (tmp_path / f"{number}.md").write_text(f"# Document {number}\n\n{text}")
    assert len(Corpus.open(tmp_path)) == 1_000


def test_the_default_corpus_holds_its_own_articles_and_the_python_reference(tmp_path: Path) -> None:
    index = tmp_path / "index.db"
    assert len(Corpus.open(None, index)) > 80
    corpus = Corpus.open(None, index)
    assert corpus.search("how a context manager cleans up after a block")[0].document_id == "context-managers.md"
    assert corpus.search("the augmented assignment statement")[0].document_id.startswith("python/")


def test_a_paragraph_of_one_very_long_line_keeps_all_its_words() -> None:
    words = "the tide comes and goes " * 500 + "for ever"
    found = paragraphs(f"{words} and `code` to **end** it.", "markdown")
    assert " ".join(one.text for one in found) == f"{words} and code to end it."


@given(st.text(st.characters(max_codepoint=127), min_size=20))
def test_letters_of_ascii_are_counted_as_those_of_other_texts(text: str) -> None:
    assert len(text) - len(_ASCII_SIGN.findall(text)) == sum(c.isalpha() or c.isspace() for c in text)
