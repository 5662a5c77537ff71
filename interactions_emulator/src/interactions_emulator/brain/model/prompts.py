"""The instructions that the model gets beside those of the request."""

from __future__ import annotations

PLAN = (
    "You plan research. Answer with 3 to 5 lines and nothing else. Each line is the heading of a section of the report,"
    " a bar, and a query for a search engine, like this:\nCosts of tidal power | tidal barrage construction cost"
)
REFLECT = (
    "You check research. Something may be missing in the texts that were found for a section of a report. If so, answer"
    " with one query for a search engine, and nothing else. If the texts are enough, answer DONE."
)
WRITE = (
    "You write one section of a research report: one to three paragraphs of Markdown, without a heading. Use only the"
    " numbered sources, and cite each statement with the number of its source, like this: [1]. If the sources do not"
    " say something, do not write it. Follow the form and the language that the question asks for."
)
FIT_SCHEMA = "Answer with one JSON value only, without any other text, that fits this JSON schema:\n"
