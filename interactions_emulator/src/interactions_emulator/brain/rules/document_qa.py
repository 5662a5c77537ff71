"""Answers about the documents that came with a message, by quoting them."""

from __future__ import annotations

import re

from interactions_emulator.brain.rules.answer import Draft
from interactions_emulator.brain.rules.arguments import subject_of
from interactions_emulator.brain.rules.attachments import AttachedDocuments
from interactions_emulator.brain.rules.corpus_qa import best_sentences, relevant_sentences, write_quotations
from interactions_emulator.corpus.index import Corpus, Passage
from interactions_emulator.corpus.words import join_names, terms

MIN_DOCUMENT_COVERAGE = 0.34
"""Minimum share of a question's words, from 0 to 1, in a passage that answers it.

It is lower than for the corpus, because the question is about the attached documents.
"""
MAX_SUMMARY_SENTENCES = 4
"""Maximum number of sentences of a summary, for each document."""
MAX_TABLE_ROWS = 12
"""Maximum number of table rows in an answer."""

_NAMES = r"(?:document|paper|pdf|file|attachment|text|article|report|page|dokument|datei)s?"
_DOCUMENT_WORDS = re.compile(
    rf"(?i)\b(?:in|of|from|to|does|do|according to|based on|what|how|the|this|that|these|my|attached|enclosed|{_NAMES}"
    r"|about|say|says|tell|explain|describe|mention|mentions|please|read|answer)\b"
)
_OVERVIEW = re.compile(
    rf"(?i)summar|overview|key (?:points|findings)|main (?:points|findings|ideas)|tl;?dr|gist|zusammenfass|worum geht"
    r"|résum|总结|概括|要点|摘要"
    rf"|\bwhat(?:'s| is| are| does| do) (?:in |it|this|that|the |these )*(?:attached )?{_NAMES}?"
    r"\s*(?:about|say|contain)?\W*$|^\W*(?:read|look at|see) (?:this|the|it|my)\b"
)


def names_document(message: str) -> bool:
    """Whether a message mentions a document."""
    return bool(re.search(rf"(?i)\b(?:the|this|that|my|attached|these|im|das|dem)\s+(?:\w+\s)?{_NAMES}\b", message))


def overview_asked(message: str) -> bool:
    """Whether a message asks for an overview of a document."""
    return not message or bool(_OVERVIEW.search(message))


def answer(attached: AttachedDocuments, message: str, note: str = "") -> Draft | None:
    """Quotations that answer the message, or a summary if it asks for one; None if the documents have no answer.

    `note` is a text about the other files, with which the answer begins.
    """
    corpus = attached.corpus
    draft = Draft("").write("\n\n".join(filter(None, [note, *attached.errors])))
    if not len(corpus):
        return draft if attached.errors else None
    draft.write("\n\n" * bool(note or attached.errors))
    if overview_asked(message):
        return _summary(corpus, draft)
    query = " ".join(_DOCUMENT_WORDS.sub(" ", subject_of(message)).split()) or message
    found = relevant_sentences(corpus, query, MIN_DOCUMENT_COVERAGE)
    if not found:
        return _from_tables(corpus, query, draft)
    titles = dict.fromkeys(passage.title for _, passage in found)
    draft.write(f"From the attached {'document' if len(titles) == 1 else 'documents'} ({_quoted_titles(titles)}):\n\n")
    return write_quotations(draft, found)


def nothing_found(attached: AttachedDocuments, message: str) -> str:
    """The answer when the documents say nothing about the question."""
    titles = dict.fromkeys(entry.title for entry in attached.corpus.documents())
    return f"I have read {_quoted_titles(titles)} and found nothing there on “{message[:200]}”. I do not guess."


def _summary(corpus: Corpus, draft: Draft) -> Draft:
    for number, entry in enumerate(corpus.documents()):
        passages = corpus.passages(entry.document_id)
        found = [
            (sentence, passage)
            for sentence in best_sentences("\n".join(passage.text for passage in passages), "", MAX_SUMMARY_SENTENCES)
            if (passage := _passage_with(passages, sentence))
        ]
        draft.write("\n\n" * bool(number))
        length = sum(len(passage.text.split()) for passage in passages)
        pages = max((passage.page for passage in passages), default=0)
        size = join_names([f"{pages} page{'s' * (pages > 1)}"] * bool(pages) + [f"about {length} words"] * bool(length))
        columns = [f"a table of {join_names(list(table.columns))}" for table in corpus.tables(entry.document_id)[:5]]
        about = ", ".join(filter(None, [size, *columns]))
        draft.write(f"“{entry.title}” ({about}){', in its own words:' if found else ' has no sentences to quote.'}\n\n")
        write_quotations(draft, found)
    return draft


def _from_tables(corpus: Corpus, query: str, draft: Draft) -> Draft | None:
    """Quotes the table rows whose first cell is in the query; None if there are none."""
    asked = set(terms(query))
    rows = [
        (", ".join(f"{name}: {cell}" for name, cell in zip(table.columns, row, strict=True) if cell), entry)
        for entry in corpus.documents()
        for table in corpus.tables(entry.document_id)
        for row in table.rows
        if (name := set(terms(row[0]))) and name <= asked
    ][:MAX_TABLE_ROWS]
    for number, (row, entry) in enumerate(rows):
        if not number or rows[number - 1][1] != entry:
            draft.write(f"{chr(10) * bool(number)}From a table in “{entry.title}”:\n\n")
        draft.write("- ").quote(row, Passage(entry.document_id, entry.title, "", row, 0, 1.0)).write("\n")
    return draft if rows else None


def _passage_with(passages: list[Passage], sentence: str) -> Passage | None:
    return next((passage for passage in passages if sentence in passage.text), None)


def _quoted_titles(titles: dict[str, None]) -> str:
    return join_names([f"“{title}”" for title in titles])
