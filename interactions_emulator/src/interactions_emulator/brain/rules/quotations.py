"""Answers questions by quoting: the corpus, the documents that came with a message, or an earlier answer."""

import re
from collections.abc import Iterable, Iterator

from interactions_emulator.brain.answer import Draft, Ids, search_steps
from interactions_emulator.brain.conversation import Conversation
from interactions_emulator.brain.protocol import Step
from interactions_emulator.brain.rules.call_arguments import subject_of
from interactions_emulator.brain.rules.message import Message, compiled
from interactions_emulator.corpus.answers import MIN_ATTACHED_COVERAGE, answering_sentences, best_sentences, is_answer
from interactions_emulator.corpus.attached_files import AttachedDocuments
from interactions_emulator.corpus.index import Corpus, Passage
from interactions_emulator.corpus.words import join_names, terms

MAX_SENTENCES, MAX_TABLE_ROWS, _NOTHING = 4, 12, "Nothing about"
_NO_SUBJECT = frozenset(terms("attached document paper pdf file text read summary summarise overview main points"))
_TRANSLATION = compiled(r"""(?i)\b(?:translat|übersetz|uebersetz|tradui|traduc)|\bauf deutsch\b|\b(?:in|into
    |to) (?:german|french|spanish|italian|chinese)\b""")
_SOURCES = re.compile(r"^(?:(?:(?:give|show|list)\b.*|what are )(?:the |its )?sources\b|sources$|which sources did )")
_ABOUT_REPORT = frozenset(terms("report study research say says said mention tell find found"))
_WORKS = re.compile(r"(?i)^(how (?:do|does) \S.*?) works?(?=\s+in\b|$)")
"""Matches a question how something works. Documents that say it need not have the word."""
_TABLE = re.compile(r"\b(?:table|tabelle|tableau|tabla)\b")
_WHOLE_TABLE = frozenset(terms("table tabelle tableau tabla report give show make turn get"))
_SECTION = re.compile(r"(?m)^#{1,2} (?!Sources|Charts)(.+)\n((?:(?!#).*\n?)*)")
_REWORDING = re.compile(r"(?i)\bsummar|\bshort|\b(?:main|key) points|\bslides?\b|\bpresentation\b|zusammen|\br[eé]sum")


def answer_from_corpus(corpus: Corpus, question: str, url: str, ids: Ids, note: str) -> Iterator[Step]:
    """Searches the corpus; the answer begins with the note, and quotes the passages, or says that there are none."""
    query = subject_of(question)
    yield from search_steps(ids, [query[:200]])
    draft = Draft(url).write(f"{note}\n\n" if note else "")
    subject = _WORKS.sub(r"\1", query)
    found = [one for one in answering_sentences(corpus, subject, MAX_SENTENCES) if is_answer(subject, *one)]
    if found:
        yield draft.write(f"From the local documents ({_titles(found)}):\n\n").paragraphs(found).step()
        return
    nothing = f"{_NOTHING} “{query[:200]}” was found in the local documents. I am an emulator: I search"
    yield draft.write(f"{nothing} local documents only, not the web, and I do not guess.").step()


def answer_from_files(attached: AttachedDocuments, message: str, note: str, may_pass: bool) -> Draft | None:
    """The `note` with quotations that answer the message, or an overview; without any: a text, None if `may_pass`."""
    corpus, query = attached.corpus, subject_of(message)
    before = "\n\n".join(filter(None, [note, *attached.errors]))
    draft = Draft("").write(f"{before}\n\n" if before else "")
    if not len(corpus):
        return draft if attached.errors else None
    asked = set(terms(query)) - _NO_SUBJECT
    if not asked:
        return _overview(corpus, draft)
    if found := answering_sentences(corpus, query, MAX_SENTENCES, MIN_ATTACHED_COVERAGE):
        return draft.write(f"From the attached files ({_titles(found)}):\n\n").paragraphs(found)
    rows = [
        (", ".join(f"{name}: {cell}" for name, cell in zip(table.columns, row, strict=True) if cell), entry)
        for entry in corpus.documents()
        for table in corpus.tables(entry.document_id)
        for row in table.rows
        if terms(row[0]) and set(terms(row[0])) <= asked
    ]
    for cells, entry in rows[:MAX_TABLE_ROWS]:
        draft.write("- ").quote(cells, Passage(entry.document_id, entry.title, "", cells, 0, 1.0)).write("\n")
    nothing = f"{nothing_in(attached)} on “{message[:200]}”. I do not guess."
    return draft if rows else None if may_pass else draft.write(nothing)


def nothing_in(attached: AttachedDocuments) -> str:
    """The beginning of a sentence that says that the attached documents have no answer."""
    titles = join_names([f"“{entry.title}”" for entry in attached.corpus.documents()])
    return f"I have read {titles} and found nothing there"


def _overview(corpus: Corpus, draft: Draft) -> Draft:
    for entry in corpus.documents():
        passages = corpus.passages(entry.document_id)
        best = best_sentences("\n".join(passage.text for passage in passages), "", MAX_SENTENCES)
        found = [(one, next(passage for passage in passages if one in passage.text)) for one in best]
        tables = [f"a table of {join_names(list(table.columns))}" for table in corpus.tables(entry.document_id)[:5]]
        draft.write(join_names([f"“{entry.title}”", *tables])).write(", in its own words:\n\n" if found else "\n\n")
        draft.paragraphs(found).write("\n\n")
    return draft


def answer_from_earlier(conversation: Conversation, message: Message, may_pass: bool) -> str | None:
    """Sentences of the newest report or last answer that fit; without any: a text that says so, None if `may_pass`."""
    answers = [one.text for one in conversation.answers]
    report = next((text for text in answers if text.lstrip().startswith("# ")), "")
    source, name = (report, "The report") if report else ("".join(answers[:1]), "The earlier answer")
    if not source or source.startswith(_NOTHING):
        return None
    if _TRANSLATION.search(message.text):
        return "The emulator cannot translate: it quotes documents in their own language."
    if conversation.cited and _SOURCES.search(message.plain):
        return "\n".join(f"{place}. [{one[1]}]({one[0]})" for place, one in enumerate(conversation.cited.items(), 1))
    if report and _TABLE.search(message.plain) and set(terms(message.plain)) <= _WHOLE_TABLE:
        sections = [(heading, best_sentences(body, "", 1)) for heading, body in _SECTION.findall(report)]
        rows = [f"| {heading} | {said[0].replace('|', '/')} |" for heading, said in sections if said]
        return "\n".join(["| Section | The report says |", "| --- | --- |", *rows])
    asks_about = re.match(r"(?:and )?(?:what|how) about \w", message.plain)
    if (message.has("continue") and not asks_about) or _REWORDING.search(message.text):
        lines = [line.strip(" -*") for line in source.splitlines() if line]
        picked = best_sentences(source, "", MAX_SENTENCES) or lines[:MAX_SENTENCES]
        return f"{name}, shortened:\n\n" + "\n".join(f"- {one}" for one in picked)
    asked = set(terms(message.text)) - _ABOUT_REPORT
    best = best_sentences(source, " ".join(asked) if report else message.text, 3)
    picked = [one for one in best if is_answer(message.text, one) or (report and asked and asked <= set(terms(one)))]
    nothing = "The report says nothing about that." if report and not may_pass else None
    return "\n".join([f"{name} says:\n", *(f"- {one}" for one in picked)]) if picked else nothing


def _titles(found: Iterable[tuple[str, Passage]]) -> str:
    return join_names([f"“{title}”" for title in dict.fromkeys(passage.title for _, passage in found)])
