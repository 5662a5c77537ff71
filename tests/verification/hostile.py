"""Reads pages and reports that take quadratic time in a careless reader; run by `test_hostile.py` in a process."""

from __future__ import annotations

import time

from tools.interactions.citations import Citation, cite
from tools.research.report.languages import language_of
from tools.research.verification.matching import Page
from tools.research.verification.page_text import page_text
from tools.research.verification.passages import cited_passages
from tools.research.verification.run_pages import pages_of_run

SIZE = 3_000_000
PIECES = (
    *(
        "<",
        "<!--",
        "<script>",
        "<script",
        "<nav>",
        "</nav>",
        "<p ",
        "<title",
        "<title>",
        "<link ",
        "<link rel=canonical ",
    ),
    *(
        "<meta charset=",
        "&#",
        "&#9",
        "&",
        "a",
        "A",
        "é",
        "\u0301",
        "\u0327\u0301",
        "-\n",
        "a-\n",
        "\n",
        " ",
        "\t\n",
        ".",
        ". ",
        "!”",
        "…",
    ),
    *(
        "1",
        "1 ",
        "1,",
        "1.",
        "1'",
        "123 ",
        "1 234",
        "1-",
        "2016-05-03",
        "1/1/",
        "may ",
        "1 may ",
        "may 1, ",
        "潮",
        "ก",
        "。",
    ),
    *(
        "the ",
        "Aa ",
        "A1 ",
        "“",
        "“ a ",
        '"a',
        "december ",
        "1年1月",
        "1:",
        "$1 m",
        "1 mega",
        "million ",
        "1 million ",
        "word ",
        "<b>x</b>",
        "<td>",
        "href=",
        'rel="canonical" href="',
        "[",
        "](",
        "`",
        "\\",
    ),
    *("| ", "| a ", "- ", "1. ", "> ", "#", "[a](b)", "[a](", "http://a.b/", "https://"),
)


def main() -> None:
    passage = "The barrage of La Rance has 24 turbines and 1,234.5 words of the may 1 million."
    for piece in PIECES:
        text = piece * (SIZE // len(piece))
        begun = time.process_time()
        found = page_text(text.encode()[:SIZE], "text/html", "https://e.org/a")
        Page(found.text).check(passage, language_of(passage))
        Page(page_text(text.encode()[:SIZE], "text/plain", "").text).check(passage)
        marked, sources = cite(text, [Citation("A", "https://e.org/a", n) for n in range(1, SIZE, SIZE // 300)])
        cited_passages(marked, sources)
        pages_of_run([{"type": "url_context_result", "result": [{"url": text}]}])
        print(f"{piece!r} {time.process_time() - begun:.1f} s", flush=True)
    print("done")


if __name__ == "__main__":
    main()
